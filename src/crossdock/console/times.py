"""Times of the store as people's tools take them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """A time of the store as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)

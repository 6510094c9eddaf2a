"""Versions of whole objects: what a source orders its own versions by, as text that compares.

Within one source versions are of one kind: either integers as text ("17") or the source's update time. A time is
written by `version_at`, in UTC with six decimals, so that text order is time order.
"""

from datetime import datetime

from crossdock.model.base import as_utc


def version_at(moment: datetime, *, field: str = "version") -> str:
    """Write an update time as a version: "2026-03-01T09:30:00.000000Z". A time without a zone is refused."""
    return as_utc(moment, field=field).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def version_key(version: str) -> tuple[int, int, str]:
    """Return what versions of one source sort by: integers by value, everything else by text, "" first of all."""
    if version.isascii() and version.isdigit():
        return 1, int(version), ""
    return (2, 0, version) if version else (0, 0, "")


def is_newer(version: str, than: str) -> bool:
    """Say whether a version supersedes another of the same source; the same version does not."""
    return version_key(version) > version_key(than)

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import MappingError
from crossdock.model import is_newer, version_at

NEWER = [
    ("10", "9", True),
    ("9", "10", False),
    ("7", "7", False),
    ("007", "7", False),
    ("2026-03-01T00:00:00.500000Z", "2026-03-01T00:00:00.000000Z", True),
    ("2026-03-01T00:00:00.000000Z", "2026-03-01T00:00:00.500000Z", False),
    ("1", "", True),
    ("", "1", False),
    ("", "", False),
]


@pytest.mark.parametrize(("version", "than", "expected"), NEWER)
def test_a_version_supersedes_only_an_older_one(version, than, expected):
    assert is_newer(version, than) is expected


zones = st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=zones)  # noqa: DTZ001


@given(moments, moments)
def test_versions_written_from_times_sort_as_the_times_do(one, two):
    assert is_newer(version_at(one), version_at(two)) is (one > two)


def test_a_version_is_never_made_of_a_time_without_a_zone():
    with pytest.raises(MappingError, match="updated_at: the time has no zone"):
        version_at(datetime(2026, 3, 1), field="updated_at")  # noqa: DTZ001

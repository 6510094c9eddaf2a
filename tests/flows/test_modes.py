from datetime import UTC, datetime

import pytest

from crossdock.domain.policy import Plan

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mode", "sold_at", "expected"),
    [
        ("live", datetime(2025, 12, 31, 23, 59, tzinfo=UTC), "observe"),
        ("live", START, "live"),
        ("live", None, "live"),
        ("observe", datetime(2026, 5, 1, tzinfo=UTC), "observe"),
        ("adopt", datetime(2025, 1, 1, tzinfo=UTC), "adopt"),
        ("adopt", datetime(2026, 5, 1, tzinfo=UTC), "live"),
        ("adopt", None, "live"),
    ],
)
def test_what_was_sold_before_the_start_date_is_observed_or_taken_over(mode, sold_at, expected):
    plan = Plan(routes={}, places={}, modes={"shop": mode}, since={"shop": START})
    assert plan.mode_at("shop", sold_at) == expected
    assert plan.mode_at("other", sold_at) == "live"

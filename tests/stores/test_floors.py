import pytest

from crossdock.stores.postgres.floors import Floors

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND


def worked(seconds: int) -> Floors:
    """Claims each second; at second n the first that was due had turn 100 n."""
    floors = Floors()
    for second in range(seconds):
        floors.floor(NOW + second * SECOND)
        floors.saw(NOW + second * SECOND, 100 * second)
    return floors


def test_a_first_claim_begins_at_the_beginning() -> None:
    assert Floors().floor(NOW) == 0


def test_a_floor_lags_two_seconds_behind() -> None:
    floors = worked(101)
    floors.floor(NOW + 101 * SECOND)
    assert floors.floor(NOW + 101 * SECOND) == 9_900


def test_now_and_then_a_claim_looks_back_further_than_a_transaction_lasts() -> None:
    floors = worked(200)
    found = [floors.floor(NOW + (200 + second) * SECOND) for second in range(6)]
    assert min(found) < 14_600
    assert max(found) > 19_700


@pytest.mark.fault(35)
@pytest.mark.parametrize("jump", [600 * SECOND, -600 * SECOND])
def test_after_the_clock_has_jumped_a_claim_begins_at_the_beginning(jump: int) -> None:
    floors = worked(100)
    assert floors.floor(NOW + 100 * SECOND + jump) == 0


def test_what_was_passed_over_may_be_asked_for_again() -> None:
    floors = worked(100)
    floors.reset()
    assert floors.floor(NOW + 100 * SECOND) == 0

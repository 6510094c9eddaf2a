"""What becomes of every failure: the whole table, each row a failure and its exact result."""

import pytest

from crossdock.engine.recovery import (
    Park,
    Retry,
    RetryPolicy,
    after_effect_failure,
    after_message_failure,
    backoff,
    says_partner_is_down,
)
from crossdock.errors import (
    ConfigurationError,
    ConflictError,
    ContractError,
    CredentialsError,
    CrossdockError,
    InDoubtError,
    MappingError,
    NotFoundError,
    NotSentError,
    OverloadedError,
    RejectedError,
    RetryableError,
    SignatureError,
    SnoozeError,
    ThrottledError,
    UnclearError,
)

NOW = 1_700_000_000_000_000
S = 1_000_000
POLICY = RetryPolicy(attempts_max=3, base_s=2.0, cap_s=10.0, retry_after_max_s=60.0, paused_s=300.0)
HALF = 0.5
FIRST_WAIT = 2 * S + 1
"""Half of base * 2^1, and the microsecond that keeps a retry from being due at once."""

DOUBLES = ("key", "lookup", "none")

EVERY_ERROR = [
    CrossdockError("x"),
    RetryableError("x"),
    NotSentError("x"),
    ThrottledError("x"),
    UnclearError("x"),
    OverloadedError("x"),
    SnoozeError("x", after=7),
    RejectedError("x"),
    SignatureError("x"),
    CredentialsError("x"),
    ContractError("x"),
    MappingError("x"),
    ConflictError("x"),
    ConfigurationError("x"),
    InDoubtError("x"),
    NotFoundError("x"),
    ValueError("x"),
]
RETRIED = {RetryableError, NotSentError, ThrottledError, UnclearError, OverloadedError}
SPENDS_NOTHING = {NotSentError, ThrottledError, OverloadedError}
REASONS = {
    CrossdockError: "internal",
    SnoozeError: "snoozed",
    RejectedError: "rejected",
    SignatureError: "signature",
    ContractError: "contract",
    MappingError: "mapping",
    ConflictError: "conflict",
    ConfigurationError: "configuration",
    InDoubtError: "in_doubt",
    NotFoundError: "not_found",
    ValueError: "internal",
}


def named(value):
    return type(value).__name__ if isinstance(value, Exception) else str(value)


def expected_of_effect(error, doubles, acted, unclear, probe):
    """The rule in its own words: doubt first, then credentials, then whether trying again could help."""
    kind = type(error)
    if acted and doubles == "none":
        return Park("in_doubt", "in_doubt")
    if kind is CredentialsError:
        return Retry(NOW + 300 * S, spent=False, unclear=acted)
    if kind in RETRIED:
        return Retry(NOW + FIRST_WAIT, spent=not probe and kind not in SPENDS_NOTHING, unclear=acted)
    return Park(REASONS[kind], "in_doubt" if acted or unclear else "refused")


@pytest.mark.parametrize("probe", [False, True], ids=["call", "probe"])
@pytest.mark.parametrize("unclear", [False, True], ids=["first", "tried"])
@pytest.mark.parametrize("acted", [False, True], ids=["harmless", "acted"])
@pytest.mark.parametrize("doubles", DOUBLES)
@pytest.mark.parametrize("error", EVERY_ERROR, ids=named)
def test_every_failure_of_an_effect_has_its_result(error, doubles, acted, unclear, probe):
    result = after_effect_failure(
        error, 1, POLICY, NOW, HALF, doubles=doubles, acted=acted, unclear=unclear, probe=probe
    )
    assert result == expected_of_effect(error, doubles, acted, unclear, probe)


@pytest.mark.parametrize(
    ("error", "attempt", "acted", "probe", "result"),
    [
        (UnclearError("x"), 2, True, False, Retry(NOW + 4 * S + 1, unclear=True)),
        (UnclearError("x"), 3, True, False, Park("unclear", "exhausted")),
        (RetryableError("x"), 3, False, False, Park("retryable", "exhausted")),
        (UnclearError("x"), 3, True, True, Retry(NOW + 5 * S + 1, spent=False, unclear=True)),
        (NotSentError("x"), 99, False, False, Retry(NOW + 5 * S + 1, spent=False)),
        (ThrottledError("x", retry_after=3), 99, False, False, Retry(NOW + 5 * S + 1, spent=False)),
        (OverloadedError("x"), 99, False, False, Retry(NOW + 5 * S + 1, spent=False)),
        (CredentialsError("x"), 99, False, False, Retry(NOW + 300 * S, spent=False)),
    ],
    ids=named,
)
def test_attempts_run_out_only_where_they_are_spent(error, attempt, acted, probe, result):
    found = after_effect_failure(
        error, attempt, POLICY, NOW, HALF, doubles="lookup", acted=acted, unclear=False, probe=probe
    )
    assert found == result


@pytest.mark.parametrize(
    ("error", "attempt", "result"),
    [
        (SnoozeError("x", after=7), 1, Retry(NOW + 7 * S, spent=False)),
        (SnoozeError("x", after=7), 99, Retry(NOW + 7 * S, spent=False)),
        (RetryableError("x"), 1, Retry(NOW + FIRST_WAIT)),
        (RetryableError("x"), 2, Retry(NOW + 4 * S + 1)),
        (RetryableError("x"), 3, Park("retryable", "exhausted")),
        (OverloadedError("x"), 3, Park("overloaded", "exhausted")),
        (CredentialsError("x"), 1, Park("credentials")),
        (MappingError("x"), 1, Park("mapping")),
        (ConflictError("x"), 1, Park("conflict")),
        (RejectedError("x"), 1, Park("rejected")),
        (NotFoundError("x"), 1, Park("not_found")),
        (ValueError("x"), 1, Park("internal")),
        (RecursionError("x"), 1, Park("internal")),
    ],
    ids=named,
)
def test_every_failure_of_a_message_has_its_result(error, attempt, result):
    assert after_message_failure(error, attempt, POLICY, NOW, HALF) == result


@pytest.mark.parametrize(
    ("retry_after", "attempt", "wait"),
    [
        (5.0, 1, 5 * S),
        (0.0, 1, 0),
        (0.5, 1, S // 2),
        (1.0, 2, 4 * S + 1),
        (30.0, 2, 30 * S),
        (9_999.0, 1, 60 * S),
    ],
)
def test_a_partners_own_word_on_when_to_come_back_is_obeyed_up_to_a_limit(retry_after, attempt, wait):
    error = ThrottledError("x", retry_after=retry_after)
    result = after_effect_failure(
        error, attempt, POLICY, NOW, HALF, doubles="key", acted=False, unclear=False, probe=False
    )
    assert result == Retry(NOW + wait, spent=False)


@pytest.mark.fault(20)
@pytest.mark.parametrize(
    ("attempt", "jitter", "wait"),
    [(1, 0.0, 1), (1, 0.5, 2 * S + 1), (2, 0.5, 4 * S + 1), (3, 0.5, 5 * S + 1), (10_000, 0.5, 5 * S + 1)],
)
def test_the_pause_is_any_part_of_a_ceiling_that_doubles_up_to_a_cap(attempt, jitter, wait):
    assert backoff(attempt, POLICY, jitter) == wait


@pytest.mark.parametrize("error", EVERY_ERROR, ids=named)
def test_only_silence_counts_against_the_partner_as_a_whole(error):
    assert says_partner_is_down(error) == (type(error) in {NotSentError, UnclearError})

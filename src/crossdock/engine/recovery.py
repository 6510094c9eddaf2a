"""What happens after a failure: a pure function of the failure, the attempt, the policy, now and a jitter."""

from __future__ import annotations

from typing import Literal

import msgspec

from crossdock.errors import (
    CredentialsError,
    CrossdockError,
    NotSentError,
    OverloadedError,
    RetryableError,
    SnoozeError,
    ThrottledError,
    UnclearError,
)

US = 1_000_000


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How patient we are. Times in seconds; `attempts_max` attempts, then a person decides."""

    attempts_max: int = 8
    base_s: float = 0.5
    cap_s: float = 300.0
    retry_after_max_s: float = 3_600.0
    paused_s: float = 300.0
    """How long a connection whose credentials were refused is left alone before one more probe."""


class Retry(msgspec.Struct, frozen=True):
    """Again at `due_at` (microseconds). spent: an attempt was used up. unclear: the partner may have acted."""

    due_at: int
    spent: bool = True
    unclear: bool = False


class Park(msgspec.Struct, frozen=True):
    """Stop; a person decides. outcome is the reason in one word."""

    reason: str
    outcome: Literal["refused", "exhausted", "in_doubt"] = "refused"


Recovery = Retry | Park


def backoff(attempt: int, policy: RetryPolicy, jitter: float) -> int:
    """Full jitter: anywhere from 0 to the cap of attempt `attempt` (from 1), in microseconds; jitter is in [0, 1)."""
    ceiling = min(policy.cap_s, policy.base_s * 2.0 ** min(attempt, 30))
    return int(jitter * ceiling * US) + 1


def after_message_failure(
    error: Exception, attempt: int, policy: RetryPolicy, now: int, jitter: float
) -> Recovery:
    """What becomes of a message whose handling failed on `attempt` (from 1)."""
    if isinstance(error, SnoozeError):
        return Retry(now + int(error.after * US), spent=False)
    if isinstance(error, RetryableError):
        if attempt >= policy.attempts_max:
            return Park(error.kind, "exhausted")
        return Retry(now + _wait(error, attempt, policy, jitter))
    return Park(error.kind if isinstance(error, CrossdockError) else "internal")


def after_effect_failure(
    error: Exception,
    attempt: int,
    policy: RetryPolicy,
    now: int,
    jitter: float,
    *,
    doubles: Literal["key", "lookup", "none"],
    acted: bool,
    unclear: bool,
    probe: bool,
) -> Recovery:
    """What becomes of an effect whose attempt `attempt` (from 1) failed.

    doubles: how the partner avoids doubles. acted: a request of the attempt may have been carried out, whatever its last
    one came to; unclear: of an attempt before. What may have been carried out is in doubt, never refused: a reply that
    cannot be read, or a defect of ours after it, says nothing of what the partner did. probe: the attempt was a breaker's
    probe: it spends nothing.
    """
    if acted and doubles == "none":
        return Park("in_doubt", "in_doubt")
    if isinstance(error, CredentialsError):
        return Retry(now + int(policy.paused_s * US), spent=False, unclear=acted)
    if not isinstance(error, RetryableError):
        kind = error.kind if isinstance(error, CrossdockError) else "internal"
        return Park(kind, "in_doubt" if acted or unclear else "refused")
    spent = not probe and not isinstance(error, NotSentError | ThrottledError | OverloadedError)
    if spent and attempt >= policy.attempts_max:
        return Park(error.kind, "exhausted")
    return Retry(now + _wait(error, attempt, policy, jitter), spent=spent, unclear=acted)


def says_partner_is_down(error: Exception) -> bool:
    """True for failures of the partner as a whole, which the breaker counts; a refusal is not one."""
    return isinstance(error, NotSentError | UnclearError)


def _wait(error: RetryableError, attempt: int, policy: RetryPolicy, jitter: float) -> int:
    wait = backoff(attempt, policy, jitter)
    if error.retry_after is not None:
        wait = max(wait if attempt > 1 else 0, int(min(error.retry_after, policy.retry_after_max_s) * US))
    return wait

"""Every public exception, grouped by what to do about it.

One root, one group per recovery. The engine decides what happens next from the group alone
(`engine.recovery`), so raising the right class is all that a connector or a flow has to do.
Anything that is not a `CrossdockError` is a defect: it is parked as `internal` and alerts.

A message says what was tried, on which reference, and what to do next. It never carries a secret, a
body, or a person's data.
"""

from __future__ import annotations


class CrossdockError(Exception):
    """Root of every error that Crossdock raises on purpose."""

    kind = "internal"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class RetryableError(CrossdockError):
    """Try again later: the cause is expected to pass. `retry_after` is in seconds, None where unknown."""

    kind = "retryable"

    def __init__(self, message: str, *, retry_after: float | None = None, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.retry_after = retry_after


class NotSentError(RetryableError):
    """The request certainly did not reach the partner (refused, unresolved, or no time left to send it)."""

    kind = "not_sent"


class ThrottledError(RetryableError):
    """The partner answered 429: nothing was done there; `retry_after` is its own word where it gave one."""

    kind = "throttled"


class UnclearError(RetryableError):
    """The request may have been carried out: it was sent, and no usable reply came back."""

    kind = "unclear"


class SnoozeError(CrossdockError):
    """Not yet time: handle the message again after `after` seconds; no attempt is spent."""

    kind = "snoozed"

    def __init__(self, message: str, *, after: float) -> None:
        super().__init__(message)
        self.after = after


class RejectedError(CrossdockError):
    """Refused for good: trying the same again gives the same answer. A person decides."""

    kind = "rejected"


class SignatureError(RejectedError):
    """The sender could not be authenticated: nothing of the message is kept."""

    kind = "signature"


class CredentialsError(CrossdockError):
    """Our credentials were refused: the connection pauses, and no attempts are burnt."""

    kind = "credentials"


class GoneError(CredentialsError):
    """The partner has closed the address (410): the connection pauses until somebody has looked."""

    kind = "gone"


class ContractError(CrossdockError):
    """A partner's reply is not what its contract says (HTML in a 200, a missing id): never success."""

    kind = "contract"


class MappingError(CrossdockError):
    """A message cannot be understood. `field` is the path in the source's own words, e.g. `line_items[2].price`."""

    kind = "mapping"


class ConflictError(CrossdockError):
    """Two facts contradict each other, or one key came with two payloads. Neither is overwritten."""

    kind = "conflict"


class RacedError(ConflictError):
    """What was decided on has changed since: another worker was quicker. Decide again on what is there now."""

    kind = "raced"


class ConfigurationError(CrossdockError):
    """Something in the configuration is wrong; `field` is its path, `line` its line, counted from 1."""

    kind = "configuration"

    def __init__(self, message: str, *, field: str | None = None, line: int | None = None) -> None:
        super().__init__(message, field=field)
        self.line = line


class InDoubtError(CrossdockError):
    """Sent, outcome unknown, and the partner offers no way to ask: a person decides."""

    kind = "in_doubt"


class OverloadedError(RetryableError):
    """We cannot take more at the moment (a limit is reached, the disk is full): the sender should retry."""

    kind = "overloaded"


class LeaseLostError(RetryableError):
    """This process may not do it any more: its lease ran out, and another has it or may have it. Nothing was written."""

    kind = "lease_lost"


class NotFoundError(CrossdockError):
    """No such thing is held here."""

    kind = "not_found"

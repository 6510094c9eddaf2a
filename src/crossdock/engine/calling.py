"""One call: a connector's generator under one deadline, as steps that any thread or event loop can perform."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol, TypeVar

import msgspec

from crossdock.errors import ContractError, CredentialsError, NotSentError, ThrottledError
from crossdock.sdk.calls import Calls, Outcome, Request, Response, raise_for_reply

REQUESTS_PER_CALL_MAX = 200
US = 1_000_000


class Transport(Protocol):
    """Performs one request within `timeout_s`; raises NotSentError or UnclearError where there is no whole reply."""

    def send(
        self, request: Request, timeout_s: float, traceparent: str = "", tracestate: str = ""
    ) -> Response: ...


class CallFailed(Exception):
    """A call that came to no outcome. acted: one of its requests was carried out, or may have been."""

    def __init__(self, error: Exception, *, acted: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.acted = acted


class Sending(msgspec.Struct, frozen=True):
    """A request that is to be performed now, within `timeout_s`."""

    request: Request
    timeout_s: float


T = TypeVar("T")
Steps = Generator[Sending, Response, T]
"""A call as its steps: yields what to send, is sent the reply, or thrown the error; returns a T."""


def steps(calls: Calls, *, deadline: int, clock: Callable[[], int]) -> Steps[Outcome]:
    """A call to its outcome, whoever performs it; raises CallFailed.

    What is left until `deadline` (microseconds) is looked at just before each request: with nothing left nothing is
    sent, so that a worker that slept through its lease cannot reach the partner any more.
    """
    acted = before = False
    try:
        request = next(calls)
        for _ in range(REQUESTS_PER_CALL_MAX):
            before = acted
            left = (deadline - clock()) / US
            if left <= 0:
                raise NotSentError(f"No time was left to send {request.method} {request.path}.")
            acted = before or request.changes_something
            reply = yield Sending(request, left)
            acted = before or (request.changes_something and not _declined(reply))
            raise_for_reply(request, reply)
            request = calls.send(reply)
        raise ContractError(f"The call made {REQUESTS_PER_CALL_MAX} requests without an end.")
    except StopIteration as end:
        if end.value is None:
            error = ContractError("The connector ended a call without an outcome.")
            raise CallFailed(error, acted=acted) from end
        outcome: Outcome = end.value
        return outcome
    except (NotSentError, ThrottledError, CredentialsError) as error:
        # The last request did nothing; those before it may have.
        raise CallFailed(error, acted=before) from error
    except Exception as error:
        raise CallFailed(error, acted=acted) from error
    finally:
        calls.close()


def _declined(reply: Response) -> bool:
    """True for a reply that says that nothing was done: a 4xx, but for those of a server that gave up waiting."""
    return 400 <= reply.status < 500 and reply.status not in (408, 425)


def run(steps_: Steps[T], transport: Transport, traceparent: str = "", tracestate: str = "") -> T:
    """Perform steps one after the other on this thread."""
    try:
        sending = next(steps_)
        while True:
            try:
                reply = transport.send(sending.request, sending.timeout_s, traceparent, tracestate)
            except Exception as error:
                sending = steps_.throw(error)
            else:
                sending = steps_.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result

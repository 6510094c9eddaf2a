"""One call: a connector's generator under one deadline, as steps that any thread or event loop can perform."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol, TypeVar

import msgspec

from crossdock.errors import ContractError, CrossdockError, NotSentError
from crossdock.sdk.calls import Calls, Outcome, Request, Response, raise_for_reply

REQUESTS_PER_CALL_MAX = 200
US = 1_000_000


class Transport(Protocol):
    """Performs one request within `timeout_s`; raises NotSentError or UnclearError where there is no whole reply."""

    def send(self, request: Request, timeout_s: float, traceparent: str = "") -> Response: ...


class CallFailed(Exception):
    """A call that came to no outcome. acted: a request that changes something was sent before or as it failed."""

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
    acted = False
    try:
        request = next(calls)
        for _ in range(REQUESTS_PER_CALL_MAX):
            left = (deadline - clock()) / US
            if left <= 0:
                raise NotSentError(f"No time was left to send {request.method} {request.path}.")
            sending = acted or request.changes_something
            try:
                reply = yield Sending(request, left)
            except NotSentError:
                raise
            except CrossdockError:
                acted = sending
                raise
            acted = sending
            raise_for_reply(request, reply)
            request = calls.send(reply)
        raise ContractError(f"The call made {REQUESTS_PER_CALL_MAX} requests without an end.")
    except StopIteration as end:
        if end.value is None:
            error = ContractError("The connector ended a call without an outcome.")
            raise CallFailed(error, acted=acted) from end
        outcome: Outcome = end.value
        return outcome
    except Exception as error:
        raise CallFailed(error, acted=acted) from error
    finally:
        calls.close()


def run(steps_: Steps[T], transport: Transport, traceparent: str = "") -> T:
    """Perform steps one after the other on this thread."""
    try:
        sending = next(steps_)
        while True:
            try:
                reply = transport.send(sending.request, sending.timeout_s, traceparent)
            except CrossdockError as error:
                sending = steps_.throw(error)
            else:
                sending = steps_.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result

"""One call under one deadline: what is sent, what is not, and whether the partner may have acted."""

import contextlib

import pytest

from crossdock.engine.calling import REQUESTS_PER_CALL_MAX, CallFailed, run, steps
from crossdock.errors import (
    ContractError,
    CredentialsError,
    MappingError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UnclearError,
)
from crossdock.sdk.calls import Done, Refused, Response, get, post, refused

S = 1_000_000
NOW = 1_700_000_000 * S
OK = Response(status=200, body=b"{}")
POST, GET = post("/sales", json={}), get("/sales")
QUESTION = post("/rpc", json={}, asks=True)


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


class Wire:
    """Answers from a script; an exception in it is raised, a number in it lets so many seconds pass first."""

    def __init__(self, clock, *script):
        self.clock, self.script, self.sent = clock, list(script), []

    def send(self, request, timeout_s, traceparent="", tracestate=""):
        self.sent.append((request.method, request.path, timeout_s, traceparent))
        answer = self.script.pop(0) if self.script else OK
        while isinstance(answer, int):
            self.clock.now += answer * S
            answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def asking(*requests, end=None):
    """A connector's call that sends these, one after the other."""
    for request in requests:
        _ = yield request
    return end or Done(reference="S1")


def perform(calls, *script, deadline_s=30, started=NOW):
    clock = Clock()
    wire = Wire(clock, *script)
    return run(steps(calls, deadline=started + deadline_s * S, clock=clock), wire, "00-a-b-01"), wire.sent


def failure(calls, *script, deadline_s=30):
    clock = Clock()
    wire = Wire(clock, *script)
    with pytest.raises(CallFailed) as caught:
        run(steps(calls, deadline=NOW + deadline_s * S, clock=clock), wire)
    return caught.value, wire.sent


def test_a_call_comes_to_its_outcome_with_what_is_left_of_the_deadline_for_each_request():
    outcome, sent = perform(asking(GET, POST), 4, OK, OK)
    assert outcome == Done(reference="S1")
    assert sent == [("GET", "/sales", 30.0, "00-a-b-01"), ("POST", "/sales", 26.0, "00-a-b-01")]


def test_a_call_that_sends_nothing_may_have_an_outcome():
    assert perform(asking())[0] == Done(reference="S1")


@pytest.mark.parametrize("deadline_s", [0, -600])
def test_with_the_deadline_spent_nothing_is_sent(deadline_s):
    failed, sent = failure(asking(POST), deadline_s=deadline_s)
    assert sent == []
    assert isinstance(failed.error, NotSentError)
    assert not failed.acted


@pytest.mark.fault(11)
def test_a_worker_that_slept_between_look_up_and_post_does_not_post():
    failed, sent = failure(asking(GET, POST), 31, OK)
    assert [method for method, *_ in sent] == ["GET"]
    assert isinstance(failed.error, NotSentError)
    assert not failed.acted


@pytest.mark.fault(11)
def test_a_worker_that_slept_after_its_post_knows_that_it_posted():
    failed, _ = failure(asking(POST, POST), 31, OK)
    assert isinstance(failed.error, NotSentError)
    assert failed.acted


@pytest.mark.fault(17)
@pytest.mark.fault(23)
@pytest.mark.parametrize(
    ("answer", "error", "acted"),
    [
        (NotSentError("x"), NotSentError, False),
        (UnclearError("x"), UnclearError, True),
        (ContractError("too large"), ContractError, True),
        (OSError("a defect of the wire"), OSError, True),
        (Response(status=500), UnclearError, True),
        (Response(status=503), UnclearError, True),
        (Response(status=408), UnclearError, True),
        (Response(status=425), UnclearError, True),
        (Response(status=429), ThrottledError, False),
        (Response(status=401), CredentialsError, False),
        (Response(status=403), CredentialsError, False),
        (Response(status=400), RejectedError, False),
    ],
)
def test_each_bad_reply_to_a_post_says_whether_the_partner_may_have_acted(answer, error, acted):
    failed, _ = failure(asking(POST), answer)
    assert (type(failed.error), failed.acted) == (error, acted)


@pytest.mark.parametrize("answer", [UnclearError("x"), Response(status=502), ContractError("x")])
@pytest.mark.parametrize("question", [GET, QUESTION])
def test_a_question_never_counts_as_acting(question, answer):
    assert not failure(asking(question, question), OK, answer)[0].acted


@pytest.mark.parametrize(
    "answer", [NotSentError("x"), UnclearError("x"), Response(status=429), Response(status=401), OSError()]
)
def test_what_was_done_before_stays_done_whatever_comes_after(answer):
    assert failure(asking(POST, GET), OK, answer)[0].acted
    assert failure(asking(POST, QUESTION), OK, answer)[0].acted
    assert failure(asking(POST, POST), OK, answer)[0].acted


def test_a_status_that_the_call_handles_itself_is_no_failure():
    request = post("/sales", json={}, accept=(503,))
    assert perform(asking(request, end=Refused(reason="busy")), Response(status=503))[0].reason == "busy"


def test_a_422_reaches_the_connector():
    def calls():
        return refused((yield POST))

    outcome, _ = perform(calls(), Response(status=422, body=b'{"detail":"no such SKU","field":"sku"}'))
    assert outcome == Refused(reason="no such SKU", code="422", field="sku")


@pytest.mark.parametrize(
    ("status", "error", "acted"),
    [
        (200, ContractError("no id"), True),
        (200, MappingError("no id"), True),
        (200, ValueError("a defect"), True),
        (200, ThrottledError("said in a 200"), False),
        (409, ContractError("no id"), False),
    ],
)
def test_an_error_over_a_reply_says_whether_the_partner_had_acted(status, error, acted):
    def calls():
        yield POST
        raise error

    failed, _ = failure(calls(), Response(status=status))
    assert failed.error is error
    assert failed.acted == acted


def test_a_call_without_an_outcome_is_never_success():
    def calls():
        yield POST

    failed, _ = failure(calls())
    assert isinstance(failed.error, ContractError)
    assert failed.acted


@pytest.mark.fault(21)
def test_a_call_that_never_ends_is_ended():
    def calls():
        while True:
            yield GET

    failed, sent = failure(calls())
    assert isinstance(failed.error, ContractError)
    assert len(sent) == REQUESTS_PER_CALL_MAX


@pytest.mark.parametrize("script", [(OK,), (UnclearError("x"),), (Response(status=500),)])
def test_the_connectors_generator_is_always_closed(script):
    closed = []

    def calls():
        try:
            yield POST
            yield POST
            return Done()
        finally:
            closed.append(True)

    clock = Clock()
    performing = steps(calls(), deadline=NOW + S, clock=clock)
    with contextlib.suppress(CallFailed):
        run(performing, Wire(clock, *script))
    assert closed == [True]


def test_a_call_that_is_dropped_half_way_is_closed_too():
    closed = []

    def calls():
        try:
            yield POST
            return Done()
        finally:
            closed.append(True)

    performing = steps(calls(), deadline=NOW + S, clock=Clock())
    next(performing)
    performing.close()
    assert closed == [True]

"""Once in effect: whatever a partner does to our calls, and whenever we die, no effect has two documents."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.errors import ContractError, NotSentError, UnclearError
from crossdock.sdk.calls import Response
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from tests.engine.conftest import KEY
from tests.engine.partner import Outbound

FATES = (
    "well",
    "never sent",
    "lost on the way",
    "lost on the way back",
    "500 before",
    "500 after",
    "503",
    "429",
    "401",
    "408",
    "cut off",
    "html",
)
OPERATIONS = ("by_key", "by_lookup", "by_none")
DEATHS = ("none", "claimed", "performed")
PARKED, IN_DOUBT = 4, 5
SILENCE = UnclearError("no whole reply came")

rounds = st.tuples(st.sampled_from(FATES), st.sampled_from(DEATHS), st.integers(0, 400))


class Books:
    """The partner: keeps a document for every request that reaches it, by key, unless it dedupes."""

    def __init__(self):
        self.documents, self.fate, self.keyed = {}, "well", True
        self.sent = []

    def send(self, request, timeout_s, traceparent="", tracestate=""):
        self.sent.append(request)
        fate, self.fate = self.fate, "well"
        if fate == "never sent":
            raise NotSentError("no connection was made")
        if fate == "lost on the way":
            raise SILENCE
        if status := {"500 before": 500, "503": 503, "429": 429, "401": 401, "408": 408}.get(fate):
            return Response(status=status)
        answer = self._act(request)
        if fate == "lost on the way back" or fate == "cut off":
            raise SILENCE
        if fate == "html":
            raise ContractError("a page of HTML")
        return Response(status=500) if fate == "500 after" else answer

    def _act(self, request):
        if request.method == "GET":
            known = self.documents.get(request.path, 0)
            return Response(status=200 if known else 404)
        if request.path == "/by_key" and self.documents.get(request.path):
            return Response(status=200, body=b"D1")
        self.documents[request.path] = self.documents.get(request.path, 0) + 1
        return Response(status=201, body=b"D1")


def live(rig, death):
    """One round of the dispatcher, in which it may die."""
    effects = rig.dispatcher.take(rig.now)
    if death == "claimed" and effects:
        return die(rig)
    attempts = [rig.dispatcher.perform(effect) for effect in effects]
    if death == "performed" and effects:
        return die(rig)
    rig.dispatcher.settle(attempts, rig.now)
    rig.run()
    return None


def die(rig):
    rig.store.recover(rig.now, 5_000_000)
    for lane in rig.lanes.values():
        lane.in_flight = 0


def play(rig, operation, history):
    """Have one effect performed under these fates; then the partner is well, and people answer what they are asked."""
    books = rig.wires["partner"] = rig.lanes["partner"].transport = Books()
    receipt = rig.effect(operation)
    for fate, death, seconds in history:
        books.fate = fate
        live(rig, death)
        rig.later(seconds)
        for case in rig.cases():
            if operation != "by_none":
                rig.act("retry", case["id"], case["subject"])
        rig.run()
    books.fate = "well"
    for _ in range(12):
        rig.later(4_000)
        live(rig, "none")
        for case in rig.cases():
            if operation != "by_none" and case["reason"] != "credentials":
                rig.act("retry", case["id"], case["subject"])
        rig.run()
    return books, receipt


def check(rig, operation, history):
    books, receipt = play(rig, operation, history)
    made = books.documents.get(f"/{operation}", 0)
    (effect,) = rig.story(receipt)["effects"]
    assert made <= 1
    if operation != "by_none":
        assert (made, effect["outcome"]) == (1, "done")
    elif effect["outcome"] == "done":
        assert made == 1
    else:
        assert effect["state"] in (PARKED, IN_DOUBT)
        assert [case["effect"] for case in rig.cases() if case["effect"]] == [effect["id"]]
    assert not any(rig.balance().values())


@pytest.mark.fault(3)
@pytest.mark.fault(17)
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_failure_and_no_death_makes_two_documents(store, operation, fate, death):
    check(Outbound(store), operation, [(fate, death, 0), (fate, "none", 60)])


@pytest.mark.fault(3)
@pytest.mark.fault(17)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(operation=st.sampled_from(OPERATIONS), history=st.lists(rounds, min_size=2, max_size=8))
def test_no_history_of_failures_and_deaths_makes_two_documents(operation, history):
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "x.db", Vault(KEY))
        try:
            check(Outbound(store), operation, history)
        finally:
            store.close()

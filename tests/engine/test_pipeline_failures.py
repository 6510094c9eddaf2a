"""When the store cannot write, when a message kills the process, and what an operator does about what is parked."""

import msgspec
import pytest

from crossdock.engine import crash
from crossdock.engine.port import Claim
from crossdock.errors import OverloadedError
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from tests.engine.conftest import KEY
from tests.engine.trade import Rig, Word

READY, DELAYED, WAITING, PARKED = range(4)


class Full:
    """A disk that is full for as long as it is told to be: the store refuses to write batches."""

    def __init__(self, store, times):
        self.times, self.tried, self._prepared = times, 0, store.prepared
        store.prepared = self.prepared

    def prepared(self, batch):
        write = self._prepared(batch)

        def tried():
            self.tried += 1
            if self.tried <= self.times:
                raise OverloadedError("The disk is full.", retry_after=5)
            write()

        return tried


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
@pytest.mark.parametrize("bad", [0, -1, None])
def test_a_failing_write_bisects_to_the_one_bad_message(rig, count, bad):
    position = count // 2 if bad is None else bad % count
    sent = [rig.send(str(n), f"w{n}", poison=n == position, take=1) for n in range(count)]
    rig.run()
    for n, receipt in enumerate(sent):
        assert rig.words(receipt) == ([] if n == position else [f"w{n}"])
    (case,) = rig.cases()
    assert (case["message"], case["reason"]) == (sent[position].message, "conflict")
    assert not rig.ask("stock_differences")
    assert count == 1 or rig.ask("get_stock", "SKU")[0][2] == -(count - 1)


def test_two_bad_messages_are_both_found(rig):
    sent = [rig.send(str(n), f"w{n}", poison=n in (2, 9)) for n in range(16)]
    rig.run()
    assert {case["message"] for case in rig.cases()} == {sent[2].message, sent[9].message}
    assert sum(bool(rig.words(receipt)) for receipt in sent) == 14


def test_messages_of_one_order_in_both_halves_stay_in_order_and_see_each_other(rig):
    sent = [rig.send("1", f"w{n}", take=1) for n in range(6)]
    rig.send("2", "bad", poison=True)
    sent += [rig.send("1", f"w{n}", take=1) for n in range(6, 9)]
    rig.run()
    assert rig.words(sent[0]) == [f"w{n}" for n in range(9)]
    assert rig.ask("get_stock", "SKU")[0][2] == -9
    assert len(rig.cases()) == 1


def test_what_cannot_be_written_holds_back_its_own_stream(rig):
    bad = rig.send("1", "bad", poison=True)
    behind = rig.send("1", "behind")
    rig.run()
    assert rig.waiting(bad) == {bad.message: PARKED, behind.message: WAITING}


@pytest.mark.fault(8)
def test_while_the_store_cannot_write_nothing_is_spent_parked_or_lost(rig):
    full = Full(rig.store, times=3)
    sent = [rig.send(str(n), f"w{n}") for n in range(5)]
    for _ in range(3):
        with pytest.raises(OverloadedError):
            rig.run()
    assert full.tried == 3
    assert rig.run() == 5
    assert [rig.words(receipt) for receipt in sent] == [[f"w{n}"] for n in range(5)]
    assert not rig.cases()


@pytest.mark.fault(8)
def test_a_store_that_fills_up_in_the_middle_of_halving_loses_nothing(rig):
    sent = [rig.send(str(n), f"w{n}", poison=n == 5) for n in range(8)]
    prepared, tried = rig.store.prepared, []

    def sometimes(batch):
        tried.append(batch)
        if len(tried) == 3:
            raise OverloadedError("The disk is full.")
        return prepared(batch)

    rig.store.prepared = sometimes
    with pytest.raises(OverloadedError):
        rig.run()
    rig.run()
    assert [bool(rig.words(receipt)) for receipt in sent] == [n != 5 for n in range(8)]
    assert len(rig.cases()) == 1


# A message that kills the process


class Killed(BaseException):
    """What a kill looks like to a test that stays alive: nothing of ours catches it."""


def handle_all(path, deadly, make=lambda store: Rig(store, batch_max=8)):
    """Handle in one process after another, each killed when it comes to a deadly message; returns how many it took."""
    processes = 0
    while True:
        processes += 1
        assert processes < 40, "it never came through"
        store = open_store(path, Vault(KEY))
        rig = make(store)
        translate = rig.trade.translate

        def kill(message, translate=translate):
            if message.body in deadly:
                raise Killed
            return translate(message)

        rig.trade.translate = kill
        try:
            rig.run()
        except Killed:
            store.close()
        else:
            return rig, processes


@pytest.mark.fault(16)
@pytest.mark.parametrize("place", [0, 3, 7, 12])
def test_a_message_that_kills_the_process_is_quarantined_and_only_that_one(tmp_path, place):
    path = tmp_path / "x.db"
    store = open_store(path, Vault(KEY))
    first = Rig(store)
    sent = [first.send(str(n), f"w{n}") for n in range(14)]
    behind = first.send(str(place), "behind")
    store.close()
    deadly = {msgspec.json.encode(Word(text=f"w{place}"))}
    rig, processes = handle_all(path, deadly)
    (case,) = rig.cases()
    assert (case["reason"], case["message"]) == ("crash", sent[place].message)
    assert [bool(rig.words(receipt)) for receipt in sent] == [n != place for n in range(14)]
    assert rig.waiting(behind) == {sent[place].message: PARKED, behind.message: WAITING}
    assert processes <= 16
    assert not any(rig.balance().values())
    deadly.clear()
    rig.act("retry", case["id"], behind.subject)
    rig.run()
    assert rig.words(behind) == [f"w{place}", "behind"]
    rig.store.close()


def test_a_quarantined_message_is_written_by_the_batch_like_any_other(rig):
    sent = rig.send("1", "w")
    (message,) = rig.store.claim(1, rig.now).messages
    ready = rig.pipeline.translate(Claim(messages=[message], crashes=2))
    assert not rig.trade.translated
    assert not rig.cases()
    rig.pipeline.write(rig.pipeline.decide(ready, rig.now))
    assert rig.waiting(sent) == {message.id: PARKED}
    assert "killed the worker 2 times" in rig.cases()[0]["text"]


def test_every_crash_point_of_a_batch_is_reached_in_order(store):
    points = []
    rig = Rig(store, reach=points.append)
    rig.send("1", "w")
    rig.run()
    assert points == [
        crash.BATCH_CLAIMED,
        crash.BATCH_DECIDED,
        crash.BATCH_BEFORE_COMMIT,
        crash.BATCH_COMMITTED,
    ]


# Operators


def parked(rig, text="bad"):
    receipt = rig.send("1", text, mood="mapping")
    behind = rig.send("1", "behind")
    rig.run()
    return receipt, behind, rig.cases()[0]["id"]


def test_retry_runs_the_message_again_and_releases_what_waits_in_order(rig):
    receipt, _, case = parked(rig)
    rig.trade.moods["bad"] = ""
    rig.act("retry", case, receipt.subject)
    rig.send("1", "newest")
    rig.run()
    assert rig.words(receipt) == ["bad", "behind", "newest"]
    assert not rig.cases()
    (closed,) = rig.cases("closed")
    assert (closed["owner"], closed["resolution"]) == ("ann", "retry by ann: because")


def test_a_retry_that_fails_again_holds_on_and_opens_a_case_again(rig):
    receipt, behind, case = parked(rig)
    rig.act("retry", case, receipt.subject)
    rig.run()
    assert rig.waiting(receipt) == {receipt.message: PARKED, behind.message: WAITING}
    assert [row["id"] != case for row in rig.cases()] == [True]


def test_edit_gives_the_message_a_new_body_and_keeps_the_old_one(rig):
    receipt, _, case = parked(rig)
    rig.act("edit", case, receipt.subject, body=msgspec.json.encode(Word(text="good")))
    rig.run()
    assert rig.words(receipt) == ["good", "behind"]


def test_drop_resolves_the_message_and_frees_what_waits(rig):
    receipt, _, case = parked(rig)
    rig.act("drop", case, receipt.subject)
    rig.run()
    assert rig.words(receipt) == ["behind"]
    assert "resolved" in rig.outcomes(receipt)


@pytest.mark.parametrize("second", ["drop", "retry", "edit", "resolve_case", "done"])
@pytest.mark.parametrize("first", ["drop", "retry"])
def test_a_second_click_on_a_case_that_is_settled_changes_nothing(rig, first, second):
    receipt, _, case = parked(rig)
    rig.trade.moods["bad"] = ""
    rig.act(first, case, receipt.subject)
    rig.act(second, case, receipt.subject, body=b'{"text":"other"}')
    rig.run()
    rig.act(second, case, receipt.subject, body=b'{"text":"other"}')
    rig.run()
    assert rig.words(receipt) == (["bad", "behind"] if first == "retry" else ["behind"])
    assert not rig.waiting(receipt)


def test_a_stale_click_does_not_free_another_message_of_the_stream(rig):
    receipt, behind, case = parked(rig)
    stop = rig.send("1", "stop", kind="cancel", mood="conflict")
    rig.run()
    of_stop = next(row["id"] for row in rig.cases() if row["message"] == stop.message)
    rig.act("drop", of_stop, receipt.subject)
    rig.run()
    assert rig.waiting(receipt) == {receipt.message: PARKED, behind.message: WAITING}
    assert [row["id"] for row in rig.cases()] == [case]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"case": "7"}, "data.case"),
        ({"case": True}, "data.case"),
        ({"case": 1, "actor": ""}, "actor"),
        ({"case": 1, "reason": ""}, "reason"),
    ],
)
def test_an_action_that_names_no_case_or_nobody_becomes_a_case_itself(rig, data, field):
    receipt = rig.send("1", "w")
    rig.run()
    more = {name: data[name] for name in ("actor", "reason") if name in data}
    rig.act("retry", data["case"], receipt.subject, **more)
    rig.run()
    assert [case["field"] for case in rig.cases()] == [field]


def test_an_action_on_a_case_that_there_is_not_parks_alone(rig):
    receipt = rig.send("1", "w")
    other = rig.send("2", "w2")
    rig.act("retry", 999, receipt.subject)
    rig.run()
    assert (rig.words(receipt), rig.words(other)) == (["w"], ["w2"])
    assert [case["reason"] for case in rig.cases()] == ["not_found"]


def test_a_snooze_after_a_retry_lets_the_stream_go_on(rig):
    head = rig.send("1", "head", mood="retry")
    rig.send("1", "next")
    rig.run()
    rig.trade.moods["head"] = "snooze"
    rig.later(10)
    assert rig.words(head) == ["next"]
    assert not rig.store.holds([head.subject])


@pytest.mark.parametrize("kind", ["connection.paused", "mark.refused", "operator.action", "effect.settled"])
def test_a_partner_cannot_speak_as_the_hub_itself(rig, kind):
    body = b'{"connection":"bank","operation":"o","key":"k","reason":"r","field":""}'
    receipt = rig.send("1", kind=kind, raw=body)
    rig.run()
    assert rig.outcomes(receipt) == ["unhandled"]
    assert not rig.cases()

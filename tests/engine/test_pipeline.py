"""The pipeline over the real store: order, waiting, overtaking, and a message that fails among others that do not."""

import pytest

from crossdock.engine.messages import HUB
from tests.engine.trade import Rig

READY, DELAYED, WAITING, PARKED = range(4)


def test_messages_of_a_subject_are_handled_in_the_order_accepted(rig):
    sent = [rig.send(str(n % 3), f"w{n}") for n in range(30)]
    assert rig.run() == 30
    for n in range(3):
        assert rig.words(sent[n]) == [f"w{i}" for i in range(n, 30, 3)]


def test_order_holds_across_batches_and_sources(store):
    rig = Rig(store, batch_max=4)
    sent = [rig.send("1", f"w{n}", source="shop") for n in range(11)]
    rig.run()
    assert rig.words(sent[0]) == [f"w{n}" for n in range(11)]
    assert rig.outcomes(sent[0]) == ["processed"] * 11


def test_what_one_message_of_a_batch_changed_the_next_one_sees(rig):
    for n in range(5):
        rig.send(str(n), "buy", take=1)
    rig.run()
    assert rig.trade.worlds == 1
    assert rig.ask("get_stock", "SKU")[0][2] == -5
    assert not rig.ask("stock_differences")


def test_a_parked_message_holds_back_only_its_own_stream(rig):
    bad = rig.send("1", "bad", mood="mapping")
    behind = rig.send("1", "behind")
    same_order_of_another = rig.send("1", "warehouse", source="wms")
    other = rig.send("2", "other")
    rig.run()
    assert rig.words(bad) == []
    assert rig.waiting(bad) == {bad.message: PARKED, behind.message: WAITING}
    assert rig.words(same_order_of_another) == ["warehouse"]
    assert rig.words(other) == ["other"]
    (case,) = rig.cases()
    assert (case["reason"], case["field"], case["message"], case["waiting"]) == (
        "mapping",
        "words[0]",
        bad.message,
        1,
    )
    later = rig.send("1", "later")
    rig.run()
    assert rig.waiting(bad)[later.message] == WAITING


def test_what_overtakes_never_waits_behind_a_parked_message(rig):
    bad = rig.send("1", "bad", mood="rejected")
    rig.send("1", "behind")
    rig.send("1", "stop", kind="cancel")
    rig.act("note", 0, bad.subject)
    rig.run()
    assert rig.words(bad) == ["stop", "note"]


def test_an_overtaking_message_that_parks_holds_nothing_back(rig):
    first = rig.send("1", "stop", kind="cancel", mood="conflict")
    rig.send("1", "word")
    rig.run()
    assert rig.words(first) == ["word"]
    assert [case["reason"] for case in rig.cases()] == ["conflict"]


def test_a_newer_whole_version_supersedes_a_parked_one_and_frees_those_behind_it(rig):
    bad = rig.send("1", "v1", kind="whole", mood="mapping")
    rig.run()
    behind = rig.send("1", "behind")
    rig.run()
    assert rig.waiting(bad)[behind.message] == WAITING
    rig.send("1", "v2", kind="whole")
    rig.run()
    assert rig.words(bad) == ["v2", "behind"]
    assert not rig.cases()
    assert sorted(rig.outcomes(bad)) == ["processed", "processed", "superseded"]


def test_an_older_whole_version_that_comes_later_does_not_make_the_parked_newer_one_moot(rig):
    newer = rig.send("1", "v2", kind="whole", mood="mapping", version=2)
    older = rig.send("1", "v1", kind="whole", version=1)
    rig.run()
    assert rig.waiting(newer) == {newer.message: PARKED, older.message: WAITING}
    rig.trade.moods["v2"] = ""
    (case,) = rig.cases()
    rig.act("retry", case["id"], newer.subject)
    rig.run()
    assert rig.outcomes(newer).count("superseded") == 0


def test_what_is_parked_and_superseded_in_one_batch_leaves_no_case_and_holds_nothing(rig):
    bad = rig.send("1", "v1", kind="whole", mood="mapping")
    rig.send("1", "v2", kind="whole", effects=("release",), held=True)
    rig.run()
    assert rig.outcomes(bad) == ["superseded", "processed"]
    assert rig.cases() == []
    assert rig.waiting(bad) == {}
    assert [state for _, _, state, *_ in rig.ask("outbox_by_state")] == [0]


def test_a_newer_whole_version_that_fails_waits_like_any_other(rig):
    bad = rig.send("1", "v1", kind="whole", mood="mapping")
    worse = rig.send("1", "v2", kind="whole", mood="mapping")
    rig.run()
    assert rig.waiting(bad) == {bad.message: PARKED, worse.message: WAITING}
    assert len(rig.cases()) == 1


def test_a_stale_whole_version_supersedes_nothing(rig):
    bad = rig.send("1", "v2", kind="whole", mood="mapping")
    rig.send("1", "v1", kind="whole", outcome="stale")
    rig.run()
    assert rig.waiting(bad) == {bad.message: PARKED}
    assert len(rig.cases()) == 1


@pytest.mark.parametrize(("first", "second"), [("word", "whole"), ("whole", "word")])
def test_only_a_whole_object_supersedes_only_a_whole_object(rig, first, second):
    bad = rig.send("1", "bad", kind=first, mood="mapping")
    behind = rig.send("1", "next", kind=second)
    rig.run()
    assert rig.waiting(bad) == {bad.message: PARKED, behind.message: WAITING}


@pytest.mark.fault(31)
def test_a_snooze_holds_nothing_back_and_spends_no_attempt(rig):
    early = rig.send("1", "early", mood="snooze")
    rig.send("1", "next")
    rig.run()
    assert rig.words(early) == ["next"]
    assert rig.waiting(early) == {early.message: DELAYED}
    for _ in range(5):
        rig.later(5)
    assert rig.story(early)["inbox"][0]["attempt"] == 0
    rig.trade.moods["early"] = ""
    rig.later(5)
    assert rig.words(early) == ["next", "early"]


def test_a_retry_holds_its_stream_and_frees_it_in_order(rig):
    head = rig.send("1", "head", mood="retry")
    rig.send("1", "b")
    rig.send("1", "c")
    other = rig.send("2", "other")
    rig.run()
    assert rig.words(other) == ["other"]
    assert list(rig.waiting(head).values()) == [DELAYED, WAITING, WAITING]
    assert rig.later(1) == 0
    rig.trade.moods["head"] = ""
    rig.send("1", "d")
    rig.later(2)
    assert rig.words(head) == ["head", "b", "c", "d"]
    assert not rig.store.holds([head.subject])


def test_a_retried_message_parks_when_its_attempts_run_out(rig):
    head = rig.send("1", "head", mood="retry")
    behind = rig.send("1", "b")
    rig.run()
    rig.later(10)
    rig.later(10)
    assert rig.waiting(head) == {head.message: PARKED, behind.message: WAITING}
    assert [case["reason"] for case in rig.cases()] == ["retryable"]
    assert [attempt["number"] for attempt in rig.story(head)["attempts"]] == [1, 2, 3]


def test_a_retry_of_what_overtakes_holds_nothing(rig):
    stop = rig.send("1", "stop", kind="cancel", mood="retry")
    rig.send("1", "word")
    rig.run()
    assert rig.words(stop) == ["word"]


@pytest.mark.parametrize("early", ["", "translate", "needs"])
def test_a_defect_parks_as_internal_wherever_it_strikes_and_leaves_its_neighbours_alone(rig, early):
    before = rig.send("1", "before")
    defect = rig.send("2", "defect", early=early, mood="" if early else "defect")
    after = rig.send("3", "after")
    rig.run()
    assert rig.words(before) == ["before"]
    assert rig.words(after) == ["after"]
    assert rig.waiting(defect) == {defect.message: PARKED}
    (case,) = rig.cases()
    assert case["reason"] == "internal"
    assert "A defect" in case["text"]


def test_bytes_that_mean_nothing_park_under_the_field_that_is_wrong(rig):
    sent = rig.send("1", raw=b'{"text": 7}')
    rig.run()
    assert rig.waiting(sent) == {sent.message: PARKED}
    assert rig.cases()[0]["field"] == "text"


@pytest.mark.parametrize("source", ["shop", HUB])
def test_a_kind_without_a_flow_is_kept_unhandled(rig, source):
    sent = rig.send("1", "x", kind="fax", source=source)
    rig.run()
    (row,) = rig.story(sent)["messages"]
    assert (row["outcome"], row["note"]) == ("unhandled", "no flow for fax")
    reads = rig.store.reads()
    assert b'"text":"x"' in reads.raw(sent.message, sent.subject)["body"]
    reads.close()
    assert ("unhandled", 1) in [(name, value) for of, name, value in rig.ask("counters") if of == source]


def test_a_timer_comes_back_as_a_message_when_it_is_due_and_not_before(rig):
    sent = rig.send("1", "set", alarm_s=60)
    rig.run()
    assert rig.later(59) == 0
    assert rig.later(1) == 1
    assert rig.words(sent) == ["set", "alarm"]


def test_a_timer_is_not_held_by_a_parked_message(rig):
    sent = rig.send("1", "set", alarm_s=60)
    rig.run()
    rig.send("1", "bad", mood="mapping")
    rig.run()
    rig.later(60)
    assert rig.words(sent) == ["set", "alarm"]


@pytest.mark.fault(35)
def test_a_clock_that_jumps_back_and_forth_fires_a_timer_once(rig):
    sent = rig.send("1", "set", alarm_s=60)
    rig.run()
    rig.later(-600)
    rig.later(600)
    assert rig.words(sent) == ["set"]
    rig.later(600)
    rig.later(-600)
    rig.later(600)
    assert rig.words(sent) == ["set", "alarm"]


def test_a_pair_is_split_into_messages_that_park_alone(rig):
    sent = rig.send("1", raw=b'[{"text":"a"},{"text":"b","mood":"mapping"}]', kind="pair")
    rig.run()
    assert rig.outcomes(sent) == ["split"]
    (case,) = rig.cases()
    assert case["field"] == "words[0]"
    assert {source: left for source, left in rig.balance().items() if left} == {}


def test_a_page_moves_its_cursor_with_its_children(rig):
    rig.send("feed", raw=b'[{"text":"a"},{"text":"b"}]', kind="page.words")
    rig.store.schedules({"shop/words": ("shop", "words", 60_000_000)}, rig.now)
    rig.run()
    rig.store.wake(rig.now)
    (tick,) = rig.store.claim(10, rig.now).messages
    assert tick.headers["cursor"] == "c1"
    rig.store.give_back([tick])

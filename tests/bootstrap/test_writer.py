"""The one writer: groups, intake first, an error undoes only its own, and nobody's absence ends it."""

import asyncio
import threading

import pytest

from crossdock.bootstrap.gathering import Gathering
from crossdock.bootstrap.writer import on_writer
from crossdock.engine import crash
from crossdock.engine.messages import HUB
from crossdock.engine.port import Want
from crossdock.errors import NotFoundError, OverloadedError, RejectedError
from crossdock.testing.store_case import NOW, SECOND, arrival
from tests.bootstrap.waiting import eventually

HOMELESS = arrival("x", source=HUB, subject=999_999)
"""An arrival that the store refuses: it is about a subject that there is not."""


def watched(store, name):
    """Count the calls of a method of the store."""
    calls, method = [], getattr(store, name)

    def counted(*arguments):
        calls.append(arguments)
        return method(*arguments)

    setattr(store, name, counted)
    return calls


def test_what_gathers_while_the_writer_is_busy_is_one_commit(running, store):
    groups, accepted = [], watched(store, "accept")
    for n in range(20):
        running.writer.take_in([arrival(str(n)), arrival(f"{n}b")], groups.append)
    running.start()
    eventually(lambda: len(groups) == 20)
    assert len(accepted) == 1
    numbers = [receipt.message for group in groups for receipt in group]
    assert numbers == list(range(1, 41))
    assert running.points == [crash.INTAKE_BEFORE_COMMIT, crash.INTAKE_COMMITTED]


def test_jobs_that_gather_share_a_transaction_and_each_gets_its_result(running, store):
    grouped = watched(store, "group")
    tickets = [running.writer.submit(lambda n=n: n * n) for n in range(10)]
    running.start()
    assert [ticket.wait(20) for ticket in tickets] == [n * n for n in range(10)]
    assert len(grouped) == 1


def test_intake_goes_before_jobs_that_came_earlier(running):
    order = []
    running.writer.submit(lambda: order.append("job"))
    running.writer.take_in([arrival()], lambda _: order.append("intake"))
    running.start()
    eventually(lambda: len(order) == 2)
    assert order == ["intake", "job"]


def test_intake_that_comes_during_a_job_goes_before_the_next_group_of_jobs(running):
    order = []

    def first():
        running.writer.take_in([arrival()], lambda _: order.append("intake"))
        running.writer.submit(lambda: order.append("next job"))
        order.append("first job")

    running.writer.submit(first)
    running.start()
    eventually(lambda: len(order) == 3)
    assert order == ["first job", "intake", "next job"]


def test_an_error_undoes_only_its_own_job_all_of_it(running, store):
    writer = running.writer

    def half_done():
        store.accept([arrival("2")], NOW)
        store.accept([arrival("3")], NOW)
        raise NotFoundError("no")

    tickets = [
        writer.submit(lambda: store.accept([arrival("1")], NOW)),
        writer.submit(half_done),
        writer.submit(lambda: store.accept([arrival("4")], NOW)),
    ]
    running.start()
    tickets[0].wait(20)
    with pytest.raises(NotFoundError):
        tickets[1].wait(20)
    tickets[2].wait(20)
    assert len(writer.call(lambda: store.claim(10, NOW).messages)) == 2


def test_a_job_that_wrote_and_then_failed_has_claimed_nothing(running, store):
    writer = running.start()
    writer.call(lambda: store.accept([arrival()], NOW))

    def claims_and_fails():
        store.claim(10, NOW)
        raise NotFoundError("no")

    with pytest.raises(NotFoundError):
        writer.call(claims_and_fails)
    assert len(writer.call(lambda: store.claim(10, NOW).messages)) == 1


def test_one_bad_group_of_arrivals_does_not_harm_its_neighbours(running):
    results = []
    for arrivals in ([arrival("1")], [HOMELESS], [arrival("2")]):
        running.writer.take_in(arrivals, results.append)
    running.start()
    eventually(lambda: len(results) == 3)
    assert isinstance(results[1], RejectedError)
    assert [len(results[0]), len(results[2])] == [1, 1]


def test_who_has_gone_away_does_not_stop_the_writer(running):
    def gone(_):
        raise RuntimeError("Event loop is closed")

    running.writer.take_in([arrival("1")], gone)
    writer = running.start()
    assert writer.call(lambda: 2) == 2


def test_what_is_queued_is_written_before_it_stops(running, store):
    results = []
    running.writer.take_in([arrival()], results.append)
    ticket = running.writer.submit(lambda: 1)
    running.writer.stop()
    running.start()
    running.stop()
    assert results[0][0].message == 1
    assert ticket.wait(0) == 1


def test_alone_is_outside_of_any_transaction_and_after_those_under_way(running, store):
    writer = running.start()
    inside = writer.call(lambda: store._db.connection.in_transaction)
    outside = writer.alone(lambda: store._db.connection.in_transaction)
    assert (inside, outside) == (True, False)
    with pytest.raises(NotFoundError):
        writer.alone(raising)
    assert writer.call(lambda: 1) == 1


def raising():
    raise NotFoundError("no")


@pytest.mark.fault(9)
def test_who_waits_with_a_limit_is_told_when_it_is_over(running):
    ticket = running.writer.submit(lambda: 1)
    with pytest.raises(OverloadedError):
        ticket.wait(0.01)
    running.start()
    assert ticket.wait(20) == 1


def test_the_store_on_the_writer_answers_and_raises_as_the_store_does(running, store):
    running.start()
    seen = on_writer(store, running.writer)
    threads = []
    claim = store.claim

    def noted(*arguments):
        threads.append(threading.current_thread())
        return claim(*arguments)

    store.claim = noted
    (receipt,) = seen.accept([arrival()], NOW)
    assert [m.id for m in seen.claim(10, NOW).messages] == [receipt.message]
    assert seen.claim_effects([Want(connection="erp", limit=1, lease_until=NOW + SECOND)], NOW) == []
    assert threads[0] is not threading.current_thread()
    with pytest.raises(RejectedError):
        seen.accept([HOMELESS], NOW)


# The way from event loops to the writer


def gather(running, arrivals, waiting_max=100):
    """Hand arrivals to a gate at once; returns their receipts or errors, in order."""

    async def main():
        gate = Gathering(running.writer, waiting_max)
        tasks = [asyncio.ensure_future(gate.accept(one)) for one in arrivals]
        await asyncio.sleep(0)
        running.start()
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)

    return asyncio.run(main())


def test_arrivals_of_a_loop_gather_while_one_is_written(running, store):
    accepted = watched(store, "accept")
    receipts = gather(running, [arrival(str(n)) for n in range(50)])
    assert [receipt.message for receipt in receipts] == list(range(1, 51))
    assert [len(arguments[0]) for arguments in accepted] == [1, 49]


def test_one_bad_arrival_is_refused_alone(running):
    results = gather(running, [arrival("0"), arrival("1"), HOMELESS, arrival("2"), HOMELESS])
    assert [isinstance(result, RejectedError) for result in results] == [False, False, True, False, True]


@pytest.mark.fault(9)
def test_too_many_that_wait_are_sent_away_at_once(running):
    results = gather(running, [arrival(str(n)) for n in range(8)], waiting_max=5)
    assert [isinstance(result, OverloadedError) for result in results] == [False] * 5 + [True] * 3


def test_a_caller_that_has_hung_up_disturbs_nobody(running):
    async def main():
        gate = Gathering(running.writer, 100)
        tasks = [asyncio.ensure_future(gate.accept(arrival(str(n)))) for n in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        tasks[2].cancel()
        running.start()
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)

    results = asyncio.run(main())
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [False, True, True, False]

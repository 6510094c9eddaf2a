"""The live view: what it says of what was seen, and that it fits a terminal."""

import io
from datetime import UTC, datetime

import msgspec
import pytest
from rich.console import Console
from rich.text import Text

from crossdock.console.overview import (
    CaseCount,
    ConnectionState,
    Latency,
    Overview,
    SourceCount,
    StageCount,
)
from crossdock.demo.options import Options
from crossdock.demo.screen import PlainScreen, drawn, plain
from crossdock.demo.view import brief_time, clock, picture
from crossdock.demo.watch import Deliveries, Look, Partner, Shop, ShopCounts, Store, Tills

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPTIONS = Options(rate=20, seconds=60)
NOTHING = Look()
QUIET = {"erp": Partner(), "warehouse": Partner()}


def connection(name, **more):
    told = {
        "connector": name,
        "mode": "live",
        "state": "ok",
        "text": "is well",
        "waiting": 0,
        "sending": 0,
        "held": 0,
        "parked": 0,
        "in_doubt": 0,
        "values_waiting": 0,
        "oldest_s": 0.0,
        "done": 0,
        "failed": 0,
        "latencies": [],
    }
    return ConnectionState(name=name, **{**told, **more})


def overview(*connections, stages=(), cases=()):
    return Overview(
        hub="demo",
        at=NOON,
        started_at=NOON,
        sources=[
            SourceCount(
                source="shop",
                accepted=1421,
                processed=1421,
                parked=0,
                in_flight=0,
                unhandled=0,
                repeated=63,
                balanced=True,
            )
        ],
        stages=[StageCount(stage=text.replace(" ", "_"), text=text, count=count) for text, count in stages],
        connections=list(connections),
        cases=[CaseCount(reason=text, text=text, count=count) for text, count in cases],
        decided=[],
        captured=[Latency(name="erp", count=500, p50_ms=1234.0, p95_ms=4100.0)],
    )


def busy():
    sales = [Latency(name="create_sale", count=9, p50_ms=8.0, p95_ms=31.0)]
    gone = "does not answer (12 failures in a row); next probe in 4 s"
    hub = overview(
        connection("shop", waiting=10, sending=2, oldest_s=0.3),
        connection("erp", waiting=1210, oldest_s=12.0, latencies=sales),
        connection("warehouse", waiting=80, oldest_s=20.0, state="not_answering", text=gone),
        stages=[(f"stage number {n} has a long name", 10 * n) for n in range(9)],
        cases=[(f"case number {n} has a long name", n + 1) for n in range(9)],
    )
    faults = {
        name: n + 1 for n, name in enumerate(("duplicate", "reorder", "error", "slow", "gone", "throttled"))
    }
    return Look(
        shop=Shop(counts=ShopCounts(orders=680, events=1500), faults=faults, stocked=True),
        erp=Partner(faults={"error": 5, "cut_body": 1, "lost_reply": 7}),
        warehouse=Partner(faults={"gone": 70}),
        hub=hub,
        store=Store(orders=676, finished=402),
    )


def view_of(look, last=NOTHING, **more):
    return picture(look, last, OPTIONS, at_s=34.2, phase="orders come in", **more)


def test_a_view_counts_what_was_sold_taken_finished_and_left():
    view = view_of(busy())
    assert (view.sold, view.target, view.taken, view.repeated) == (680, 1200, 1421, 63)
    assert (view.finished, view.under_way, view.open_cases, view.backlog) == (402, 274, 45, 1302)
    assert view.captured == (1234.0, 4100.0)
    assert view.hub_up


def test_long_lists_show_the_largest_and_sum_up_the_rest():
    view = view_of(busy())
    assert view.stages[0] == ("stage number 8 has a long name", 80)
    assert view.stages[-1] == ("other", 0 + 10 + 20 + 30)
    assert view.faults[0] == ("calls into the void", 75)
    assert sum(count for _, count in view.faults) == 1 + 2 + 3 + 4 + 5 + 6 + 5 + 1 + 7 + 70


def test_a_partner_is_well_or_behind_or_ill():
    shop, erp, warehouse = view_of(busy()).partners
    assert (shop.health, shop.waiting, shop.p50_ms) == ("ok", 12, None)
    assert (erp.health, erp.text, erp.p50_ms, erp.p95_ms) == (
        "behind",
        "is slower than what comes",
        8.0,
        31.0,
    )
    assert (warehouse.health, warehouse.text) == ("ill", "no answer; next probe in 4 s")


def test_a_call_that_waits_behind_a_case_does_not_make_its_partner_slow():
    look = Look(hub=overview(connection("shop", waiting=1, parked=1, oldest_s=90.0)))
    assert view_of(look).partners[0].health == "ok"


def test_a_dead_hub_is_shown_as_it_was_last_seen():
    dead = Look(shop=Shop(counts=ShopCounts(orders=700)))
    view = view_of(dead, busy())
    assert not view.hub_up
    assert (view.sold, view.taken, view.finished) == (700, 1421, 402)


def test_a_dead_worker_is_named_and_the_others_go_on():
    view = view_of(busy(), dead="worker 2")
    assert plain(view).startswith("WORKER 2 IS DOWN; sold 680")
    stream = io.StringIO()
    Console(file=stream, width=100).print(drawn(view, OPTIONS, (), ""))
    assert "WORKER 2 IS DOWN" in stream.getvalue()


def test_a_partner_whose_calls_fail_is_ill_though_the_gateway_does_not_know():
    look = Look(
        hub=overview(connection("warehouse", waiting=12, oldest_s=9.0)),
        store=Store(retrying={"warehouse": 8}),
    )
    options = Options(store="postgres")
    (row,) = picture(look, NOTHING, options, at_s=1, phase="").partners
    assert (row.health, row.text) == ("ill", "fails: 8 calls are tried again")


def stores_selling():
    tills = Tills(tickets=612, closed=75, offline=["store-214"], waiting=23)
    return msgspec.structs.replace(
        busy(),
        tills=tills,
        hub=overview(stages=[("day open", 225), ("day closed", 12), ("to be shipped", 3)]),
    )


def test_the_stores_are_told_in_one_line_and_their_days_are_no_orders():
    view = view_of(stores_selling())
    assert view.tills == ("612 tickets, 75 of 300 closed (12 to be posted), store-214 offline: 23 wait")
    assert view.stages == (("to be shipped", 3),)
    assert plain(view).endswith(f"\n       stores: {view.tills}")


def test_before_anything_was_seen_there_is_a_view_all_the_same():
    view = view_of(Look())
    assert (view.sold, view.under_way, view.captured, view.partners) == (0, 0, None, ())
    assert plain(view).startswith("THE HUB IS DOWN; sold 0")


@pytest.mark.parametrize("width", [80, 100, 132])
@pytest.mark.parametrize("look", [busy(), stores_selling(), Look()], ids=["busy", "stores", "nothing"])
def test_the_picture_fits_a_small_terminal(width, look):
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=24, highlight=False)
    told = [Text(f"00:0{n}  the hub is killed (SIGKILL), 16 calls to partners under way") for n in range(4)]
    page = "http://127.0.0.1:43755  cdk_" + "x" * 43
    console.print(drawn(view_of(look, memory_mib=181.2, dead="worker 2"), OPTIONS, told, page))
    lines = stream.getvalue().splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= width
    assert page in stream.getvalue()


def test_without_a_terminal_there_is_a_line_now_and_then():
    stream = io.StringIO()
    screen = PlainScreen(stream, OPTIONS)
    for half_seconds in range(30):
        screen.show(picture(busy(), Look(), OPTIONS, at_s=half_seconds / 2, phase="orders come in"))
    screen.tell(15.0, "the warehouse is gone")
    screen.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert "sold 680, finished 402, under way 274, cases 45" in lines[0]
    assert lines[-1] == "00:15  * the warehouse is gone"


def test_times_are_brief():
    assert [brief_time(ms) for ms in (None, 0.4, 12.0, 3400.0)] == ["-", "0 ms", "12 ms", "3.4 s"]
    assert [clock(at) for at in (-1.0, 0.9, 61.0, 3600.0)] == ["00:00", "00:00", "01:01", "60:00"]


def at_rest(**more):
    told = {
        "shop": Shop(counts=ShopCounts(orders=5)),
        "hub": overview(connection("shop"), connection("erp")),
        "store": Store(orders=5, finished=5),
        **QUIET,
    }
    return Look(**{**told, **more}).at_rest(5)


def test_everything_rests_when_all_is_sold_told_and_done():
    assert at_rest()


@pytest.mark.parametrize(("closed", "open_days", "rests"), [(300, 1, True), (299, 1, False), (300, 2, False)])
def test_stores_rest_when_all_have_closed_and_all_but_the_day_that_differs_is_posted(
    closed, open_days, rests
):
    told = {"store": Store(orders=5, finished=5, days_open=open_days), "tills": Tills(closed=closed)}
    look = Look(shop=Shop(counts=ShopCounts(orders=5)), hub=overview(), **QUIET, **told)
    assert look.at_rest(5, 300, 1) is rests


@pytest.mark.parametrize(
    "more",
    [
        {"shop": Shop(counts=ShopCounts(orders=4))},
        {"shop": None},
        {"hub": None},
        {"store": None},
        {"warehouse": Partner(next_due=1)},
        {"warehouse": Partner(deliveries=Deliveries(waiting=1))},
        {"hub": overview(connection("shop", values_waiting=1))},
        {"store": Store(orders=5, finished=5, calls=1)},
        {"store": Store(orders=5, finished=5, messages=1)},
    ],
)
def test_nothing_rests_while_somebody_has_something_to_do(more):
    assert not at_rest(**more)

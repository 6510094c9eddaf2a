"""The end of the demo: what is printed, what a machine is told, and when it has failed."""

import io

import pytest
from rich.console import Console

from crossdock.bootstrap.proof import Check
from crossdock.demo.balance import compare
from crossdock.demo.books import Books, Case
from crossdock.demo.killing import Death
from crossdock.demo.last_units import Gone
from crossdock.demo.options import Options
from crossdock.demo.play import Played
from crossdock.demo.report import make_report, print_report, report_json
from tests.demo.books import balanced

NO_STORES = Options(tickets=0)
WELL = Check(letter="a", name="nothing is dropped", ok=True, count=3, text="shop: 3 accepted = 3 processed")


def report_of(books=None, options=NO_STORES, *, rested=True, memory_mib=120.0, check=WELL):
    books = books if books is not None else balanced()
    played = Played(
        deaths=[Death(name="hub", killed_at=4.1, back_at=6.0)],
        sold_at=8.0,
        rested_at=12.4,
        rested=rested,
        memory_mib=memory_mib,
    )
    times = [n * 1000 for n in range(1, 101)]
    return make_report(options, played, found=compare(books), books=books, checks=[check], times=times)


def printed(report, width=80):
    stream = io.StringIO()
    print_report(Console(file=stream, width=width, highlight=False), report)
    return stream.getvalue()


def test_a_balanced_run_is_told_line_by_line():
    text = printed(report_of())
    story = " ".join(text.split())
    assert "the warehouse was gone for a minute; hub killed at 00:04, back at 00:06" in story
    assert "51 ms (half of them), 96 ms (95 of 100)" in story
    assert "✓ every order once in the ERP   5 orders, 5 sales" in text
    assert "✓ a shop: 3 accepted = 3 processed" in text
    assert "1 stock.short" in text
    assert "✗" not in text
    assert text.rstrip().endswith("Everything balances.")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    "more",
    [
        {"books": Books(cases=[Case(order="CD1", reason="internal")])},
        {"rested": False},
        {"memory_mib": 400.0},
        {"check": Check(letter="f", name="stock", ok=False, count=1, text="A at main: 3 is not 4")},
    ],
)
def test_one_cross_is_enough_to_fail(more):
    report = report_of(**more)
    text = printed(report)
    assert not report.ok
    assert not report_json(report)["ok"]
    assert "✗" in text
    assert "look at" in text
    assert "It does not balance: 1 of the above." in text


def test_a_machine_is_told_everything():
    found = report_json(report_of())
    assert found["ok"] is True
    assert found["played"]["deaths"] == [{"name": "hub", "killed_at": 4.1, "back_at": 6.0}]
    assert found["captured_ms"] == (51.0, 96.0)
    assert found["cases"] == {"stock.short": 1}
    assert len(found["findings"]) == 13


def test_many_processes_share_the_memory_and_their_deaths_are_counted():
    deaths = [Death(name=f"worker {n}", killed_at=10.0 * n, back_at=10.0 * n + n) for n in (1, 2, 3)]
    played = Played(deaths=deaths, rested=True, memory_mib=800.0, processes=6)
    books = balanced()
    report = make_report(NO_STORES, played, found=compare(books), books=books, checks=[WELL], times=[])
    text = printed(report, 120)
    assert report.ok
    assert "3 times a worker was killed, and was back after 3.0 s at most" in " ".join(text.split())
    assert "800 MiB at most; it must stay under 900 in 6 processes" in text


@pytest.mark.parametrize(
    ("options", "memory_mib", "ok", "told"),
    [
        (NO_STORES, 399.0, True, "399 MiB at most; it must stay under 400 without stores"),
        (NO_STORES, 400.0, False, "it must stay under 400 without stores"),
        (Options(), 599.0, True, "599 MiB at most; it must stay under 600 with the tills of 300 stores"),
        (Options(), 600.0, False, "it must stay under 600 with the tills of 300 stores"),
    ],
)
def test_the_hub_has_400_mib_without_stores_and_600_with_them(options, memory_mib, ok, told):
    report = report_of(options=options, memory_mib=memory_mib)
    (memory,) = [found for found in report.findings if found.name == "memory of the hub"]
    assert memory.ok is ok
    assert told in memory.text


HALF = "it must take half of them under a second"


@pytest.mark.parametrize(
    ("took", "ok", "told"),
    [
        ((84.0, 120.0, 2100.0), True, "after 120 ms, the slowest, LAST-3 of store-3, after 2.1 s; " + HALF),
        ((84.0, 2100.0), True, "half of them were listed no more after 84 ms"),
        ((84.0, 1000.0, 2100.0), False, "what the shop's calls waited for, and how busy the machine was"),
        ((1000.0,), False, "what the shop's calls waited for"),
        ((84.0, 120.0, None), False, "LAST-3 of store-3 is still listed"),
        ((None,), False, "LAST-1 of store-1 is still listed"),
        ((), False, "why none was sold: the hub was never calm for long enough"),
    ],
)
def test_half_of_the_last_units_leave_the_shop_in_under_a_second_or_the_demo_fails(took, ok, told):
    gone = [
        Gone(sku=f"LAST-{n}", store=f"store-{n}", sold_at=1, took_ms=ms) for n, ms in enumerate(took, start=1)
    ]
    played = Played(rested=True, last_units=gone)
    books = balanced()
    report = make_report(Options(), played, found=compare(books), books=books, checks=[WELL], times=[])
    assert report.ok is ok
    assert told in " ".join(printed(report, 120).split())


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(90, "the warehouse was gone for a minute;"), (60, "gone for 40 s (a minute in a run of 90 s or more)")],
)
def test_it_is_told_how_long_the_warehouse_was_gone(seconds, told):
    options = Options(tickets=0, seconds=seconds)
    assert told in " ".join(printed(report_of(options=options), 120).split())


def test_without_faults_no_warehouse_was_gone():
    assert "gone" not in printed(report_of(options=Options(tickets=0, faults=False)))

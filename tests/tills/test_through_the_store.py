"""Tills over the embedded store: whatever order things come in, however often, the same end, and one document each."""

import base64
import tempfile
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.errors import RacedError
from tests.flows.stores import line, store_plan, ticket, void, z_report, z_till
from tests.tills.rig import Rig

TICKETS = [
    ticket(1, line(quantity=2)),
    ticket(2, line("SKU-2", 1, 2500), line("SKU-1", -1), kind="mixed"),
    void(3),
    ticket(
        4, line("SKU-2", -1, 2500), kind="return", original={"store": "berlin", "till": "T1", "sequence": 2}
    ),
    ticket(
        5,
        line(),
        tip=50,
        rounding=-3,
        tenders=[{"kind": "cash", "amount": 547}, {"kind": "card", "amount": 500}],
    ),
    ticket(1, line("SKU-3", 3, 333), till="T2"),
]
CASH = {"store": "berlin", "till": "T2", "sequence": 2, "kind": "paid_out", "amount": 700}
CASH |= {"at": "2026-03-28T12:00:00+01:00", "currency": "EUR"}
CLOSE = z_report(
    z_till(last=5, cash=2000 + 1500 - 2500 + 547, card=500), z_till("T2", last=2, cash=999), paid_out=700
)
DELIVERIES = [*(("ticket", each) for each in TICKETS), ("cash.movement", CASH), ("day.closed", CLOSE)]


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path)
    yield made
    made.close()


def stand(rig):
    """All that must be the same however it came about."""
    days = sorted(
        (b.business_date.isoformat(), b.store, b.total, b.credited, b.tickets) for b in rig.documents("days")
    )
    return {
        "stock": {key: level.on_hand for key, level in rig.levels().items() if level.on_hand},
        "journal": rig.balance(),
        "posted": (sum(d[2] for d in days), sum(d[3] for d in days), sum(d[4] for d in days)),
        "credits": sorted(credit.total for credit in rig.documents("credits")),
        "doubles": rig.erp.simulator.books.doubles(),
        "tickets": len(rig.ask("select 1 from ticket")),
        "stage": rig.day().stage,
        "cases": [case for case in rig.cases() if case[0] != "stock.unknown"],
    }


EXPECTED = {
    "stock": {("SKU-1", "berlin"): -2, ("SKU-3", "berlin"): -3},
    "posted": (2000 + 2500 + 1000 + 50 - 3 + 999, -3500, 7),
    "credits": [-2500, -1000],
    "doubles": {},
    "tickets": 7,
    "stage": "day_posted",
    "cases": [],
}


def test_a_day_goes_from_its_tickets_to_one_document(rig):
    for kind, body in DELIVERIES:
        rig.post(kind, body)
    rig.run(120)
    found = stand(rig)
    assert {key: found[key] for key in EXPECTED} == EXPECTED
    (booked,) = rig.documents("days")
    assert (booked.posting_date.isoformat(), rig.day().postings[0].date) == ("2026-03-28", "2026-03-28")
    assert rig.day().postings[0].document == booked.id


@pytest.mark.fault(31)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    order=st.permutations(range(len(DELIVERIES))),
    again=st.lists(st.integers(0, len(DELIVERIES) - 1), max_size=5),
    runs=st.lists(st.integers(0, 12), max_size=4),
    late=st.booleans(),
)
def test_any_order_and_any_repetition_comes_to_the_same_end(order, again, runs, late):
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        try:
            if late:
                rig.erp.lost = 1
            for n, at in enumerate([*order, *again]):
                rig.post(*DELIVERIES[at])
                if n in runs:
                    rig.run(30)
            rig.run(1800)
            found = stand(rig)
            found["cases"] = [case for case in found["cases"] if len(rig.documents("days")) < 2]
            assert {key: found[key] for key in EXPECTED} == EXPECTED
            counters = rig.counters()
            assert counters["accepted"] == counters["processed"]
        finally:
            rig.close()


@pytest.mark.fault(40)
def test_an_upload_of_hours_is_taken_in_piece_by_piece_and_once(rig):
    tickets = [ticket(n) for n in range(1, 1001)]
    body = {
        "upload": "U1",
        "store": "berlin",
        "tickets": tickets,
        "control": {"tickets": 1000, "total": 1_000_000},
    }
    rig.post("tickets", body, delivery="d1")
    rig.post("tickets", body, delivery="d1")
    rig.post("tickets", body, delivery="d2")
    rig.post("day.closed", z_report(z_till(last=1000, cash=1_000_000)))
    rig.run(120)
    assert rig.levels()["SKU-1", "berlin"].on_hand == -1000
    assert [(b.total, b.tickets) for b in rig.documents("days")] == [(1_000_000, 1000)]
    assert [case for case in rig.cases() if case[0] != "stock.unknown"] == []


def test_an_upload_never_makes_a_long_transaction(rig):
    rig.post("tickets", {"tickets": [ticket(n) for n in range(1, 2001)]})
    most = 0
    while rig.pipeline.step(rig.now):
        most = max(most, rig.ask("select count(*) from inbox where state = 0")[0][0])
    assert most <= 50
    pieces = rig.ask("select count(*), min(due_at), max(due_at) from inbox where kind = 'tickets'")[0]
    assert pieces[0] == 399
    assert pieces[2] - pieces[1] == 398 * 50_000


def test_one_bad_ticket_of_an_upload_parks_alone_and_is_taken_when_it_is_mended(rig):
    good, bad = ticket(1), ticket(2) | {"total": "many"}
    rig.post("tickets", {"tickets": [good, bad, {"store": "berlin"}, ticket(3)], "control": {"tickets": 4}})
    rig.run(10)
    assert [case[0] for case in rig.cases() if case[0] == "mapping"] == ["mapping", "mapping"]
    assert [row[0] for row in rig.ask("select sequence from ticket order by 1")] == [1, 3]
    case = rig.ask("select id from case_file where reason = 'mapping' order by id")[0][0]
    subject = rig.ask("select subject from case_file where id = ?", case)[0][0]
    mended = base64.b64encode(msgspec.json.encode(ticket(2))).decode()
    rig.operator("edit", subject, case=case, body=mended)
    rig.run(10)
    assert [row[0] for row in rig.ask("select sequence from ticket order by 1")] == [1, 2, 3]


def test_a_lost_reply_of_a_day_makes_no_second_document(tmp_path):
    rig = Rig(tmp_path, idempotency="none")
    rig.erp.lost = 1
    for kind, body in DELIVERIES:
        rig.post(kind, body)
    rig.run(600)
    assert stand(rig)["doubles"] == {}
    assert rig.day().stage == "day_posted"
    rig.close()


def test_a_closed_period_is_posted_to_the_next_open_date(tmp_path):
    rig = Rig(tmp_path, closed_until="2026-03-31")
    rig.now += 10 * 86_400 * 1_000_000
    for kind, body in DELIVERIES:
        rig.post(kind, body)
    rig.run(120)
    (booked,) = rig.documents("days")
    assert (booked.business_date.isoformat(), booked.posting_date.isoformat()) == ("2026-03-28", "2026-04-01")
    assert rig.day().postings[0].date == "2026-04-01"
    assert {credit.posting_date.isoformat() for credit in rig.documents("credits")} == {"2026-04-01"}
    rig.close()


def test_a_document_leads_back_to_its_day_and_a_ticket_to_its_document(rig):
    for kind, body in DELIVERIES:
        rig.post(kind, body)
    rig.run(120)
    document = rig.documents("days")[0].id
    (subject,) = rig.ask(
        "select subject from reference where connection = 'erp' and kind = 'store_day' and ref = ?", document
    )[0]
    assert rig.ask("select external_id from process where subject = ?", subject) == [("berlin/2026-03-28",)]
    posting = rig.day().postings[0]
    assert all(posting.holds(till, n) for till, n in rig.ask("select till, sequence from ticket"))


@pytest.mark.fault(34)
def test_the_same_number_with_other_contents_is_a_case_and_overwrites_nothing(rig):
    rig.post("ticket", ticket(1))
    rig.post("ticket", ticket(1, line(quantity=9)))
    rig.run(5)
    assert [case[0] for case in rig.cases() if case[0] != "stock.unknown"] == ["conflict"]
    assert rig.levels()["SKU-1", "berlin"].on_hand == -1


@pytest.mark.fault(33)
def test_a_batch_that_is_decided_twice_knows_its_tickets_when_they_come_again(rig, monkeypatch):
    real, raced = rig.store.commit, iter([True])

    def commit(batch):
        if next(raced, False):
            raise RacedError("another worker was quicker")
        return real(batch)

    monkeypatch.setattr(rig.store, "commit", commit)
    for delivery in ("d1", "d2"):
        rig.post("ticket", ticket(1), delivery=delivery)
        rig.run(1)
    assert [case for case in rig.cases() if case[0] != "stock.unknown"] == []
    assert rig.levels()["SKU-1", "berlin"].on_hand == -1


def test_one_by_one_every_ticket_is_a_sale_and_what_it_took_back_a_credit(tmp_path):
    rig = Rig(tmp_path, store_plan(post="each"))
    for kind, body in DELIVERIES:
        rig.post(kind, body)
    rig.run(120)
    state = rig.erp.simulator.state()
    made = [state[kind] for kind in ("sales", "deliveries", "invoices", "credits", "days")]
    assert made == [4, 4, 4, 2, 0]
    back = {credit["reference"]: credit["total"] for credit in state["books"]["credits"]}
    assert back == {"CD0000000002-credit": -1000, "CD0000000004": -2500}  # the first sold something too
    assert state["doubles"] == {}
    assert (rig.day().stage, rig.cases()[0][0]) == ("day_closed", "stock.unknown")
    rig.close()


@pytest.mark.slow
def test_tickets_are_cheap(rig):
    """How many a second this machine takes is printed; that it is not absurdly few is checked."""
    bodies = [
        ticket(n, line(f"S{n % 500}"), line(f"S{n % 499}", 2), store=("berlin", "214")[n % 2])
        for n in range(4000)
    ]
    for body in bodies:
        rig.post("ticket", body)
    began = time.perf_counter()
    while rig.pipeline.step(rig.now):
        pass
    print(f"{len(bodies) / (time.perf_counter() - began):.0f} tickets/s")
    assert len(rig.ask("select 1 from ticket")) == 4000

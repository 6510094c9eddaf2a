"""The till connector: what stores post is verified, keyed, taken apart and read; all of it against the published contract."""

import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from crossdock.connectors.till import SPEC, build
from crossdock.errors import ConfigurationError, CrossdockError, MappingError, SignatureError
from crossdock.sdk import webhooks
from crossdock.sdk.spec import Translation
from tests.connectors.driving import contract, require_schema
from tests.flows.stores import line, ticket, z_report, z_till

CONNECTOR = build({"webhook_secret": "s", "upload_tickets_per_s": "100"})
CONTEXT = Translation(connection="pos", subject="")


WRAPPED = {"amount": 16, "rate": "0.19"}


def read(kind, body):
    (report,) = CONNECTOR.translate(kind, {}, msgspec.json.encode(body), CONTEXT)
    return report


def test_the_contract_is_valid_openapi_and_names_every_kind_that_a_store_posts():
    document = contract("till")
    OpenAPIV31SpecValidator(document).validate()
    assert set(document["webhooks"]) == {i.kind for i in SPEC.inbound} - {"upload.control"}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("Ticket", ticket(1, line(discount=5, unit_price="10.05", restock=False), tip=5, rounding=-2)),
        ("Ticket", ticket(1, charges=[{"kind": "gift_wrap", "gross": 100, "tax": 16, "taxes": [WRAPPED]}])),
        ("Ticket", ticket(2, original={"store": "berlin", "till": "T1", "sequence": 1})),
        ("Upload", {"tickets": [ticket(1)], "control": {"tickets": 1, "total": 1000}}),
        ("Close", z_report(z_till(cash=1), tenders=[{"kind": "card", "expected": 1, "counted": 2}])),
    ],
)
def test_what_the_tests_post_is_what_the_contract_says(name, body):
    require_schema(contract("till"), name, msgspec.json.encode(body))


@pytest.mark.parametrize("given_", ["", "sha256=00", "sha256=" + "0" * 64, "sha256=ü", "md5=1"])
def test_only_a_signed_body_is_taken(given_):
    CONNECTOR.verify({webhooks.SIGNATURE: webhooks.sign("s", b"{}")}, b"{}")
    with pytest.raises(SignatureError):
        CONNECTOR.verify({webhooks.SIGNATURE: given_}, b"{}")


@pytest.mark.parametrize(
    ("kind", "body", "ref"),
    [
        ("ticket", ticket(17), ("ticket", "berlin/T1/17")),
        ("cash.movement", {"store": "214", "till": "2", "sequence": 0}, ("ticket", "214/2/0")),
        ("day.closed", z_report(), ("store_day", "berlin/2026-03-28")),
        ("day.opened", z_report(), ("store_day", "berlin/2026-03-28")),
        ("tickets", {"tickets": []}, ("", "")),
    ],
)
def test_the_gate_reads_what_it_is_about(kind, body, ref):
    gate = CONNECTOR.gate({webhooks.EVENT: kind, webhooks.DELIVERY: "d"}, msgspec.json.encode(body))
    assert (gate.kind, gate.ref_kind, gate.ref, gate.delivery_id) == (kind, *ref, "d")


@pytest.mark.parametrize("field", ["store", "till"])
def test_a_name_that_would_break_a_reference_is_refused(field):
    with pytest.raises(MappingError) as error:
        CONNECTOR.gate({webhooks.EVENT: "ticket"}, msgspec.json.encode(ticket(1) | {field: "a/b"}))
    assert error.value.field == field


def test_a_delivery_without_a_kind_names_the_header():
    with pytest.raises(MappingError, match=webhooks.EVENT):
        CONNECTOR.gate({}, b"{}")


def test_a_small_batch_is_split_into_its_tickets():
    body = msgspec.json.encode({"tickets": [ticket(1), {"store": "x"}, 7, ticket(2)]})
    children = list(CONNECTOR.split("tickets", body))
    assert [child.ref for child in children] == ["berlin/T1/1", "", "", "berlin/T1/2"]
    assert {child.kind for child in children} == {"ticket"}


def test_a_large_upload_is_split_into_pieces_at_the_pace_of_the_connection():
    tickets = [ticket(n) for n in range(120)]
    control = {"tickets": 121, "total": 1}
    raw = msgspec.json.encode({"upload": "U", "store": "berlin", "tickets": tickets, "control": control})
    head, *pieces = CONNECTOR.split("tickets", raw)
    assert [piece.after_s for piece in pieces] == pytest.approx([n / 20 for n in range(24)])
    again = [child.ref for piece in pieces for child in CONNECTOR.split(piece.kind, piece.body)]
    assert again == [f"berlin/T1/{n}" for n in range(120)]
    (report,) = CONNECTOR.translate(head.kind, {}, head.body, CONTEXT)
    assert (report.tickets, report.total, report.stated_tickets, report.stated_total) == (
        120,
        120_000,
        121,
        1,
    )


def test_an_upload_beyond_the_limit_is_not_begun():
    raw = b'{"tickets":[' + b",".join([b"{}"] * 20_001) + b"]}"
    with pytest.raises(MappingError, match="up to 20000") as error:
        CONNECTOR.split("tickets", raw)
    assert error.value.field == "tickets"


def test_only_an_upload_is_split():
    assert CONNECTOR.split("ticket", b"{}") is None


def test_a_ticket_becomes_a_sale_that_is_handed_over():
    report = read("ticket", ticket(1, line(quantity=-2, discount=-10, unit_price="10.05"), cashier="7"))
    sale = report.ticket.sale
    (sold,) = sale.lines
    assert (sale.channel, sale.buyer_total, sale.external_id) == ("till", -2000, "berlin/T1/1")
    assert (sold.fulfilled_by, sold.ordered, sold.extended, sold.gross) == ("handed_over", -2, -2010, -2000)
    assert report.ticket.business_date is None
    assert report.ticket.location_ref.id == "berlin"


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (["", ""], ["1", "2"]),
        (["2", ""], ["2", "2.1"]),
        (["2", "", "2.1"], ["2", "2.2", "2.1"]),
        (["", "1", ""], ["1.1", "1", "3"]),
    ],
)
def test_a_line_without_a_name_gets_one_that_no_other_line_has(given_, expected):
    sale = read("ticket", ticket(1, *(line(id=id_) for id_ in given_))).ticket.sale
    assert [sold.id for sold in sale.lines] == expected


def test_a_charge_tells_its_taxes_as_a_line_does():
    wrap = {"kind": "gift_wrap", "gross": 100, "tax": 16, "taxes": [WRAPPED]}
    (charge,) = read("ticket", ticket(1, charges=[wrap])).ticket.sale.charges
    assert [(tax.amount, str(tax.rate)) for tax in charge.taxes] == [(16, "0.19")]


def test_prices_without_tax_are_told_so():
    (sold,) = read("ticket", ticket(1, prices_include_tax=False)).ticket.sale.lines
    assert (sold.price_includes_tax, sold.extended) == (False, sold.net)


def test_a_z_report_keeps_what_each_till_says():
    day = read(
        "day.closed", z_report(z_till(first=3, last=9, cash=5), z_till("T2", first=1, last=1))
    ).store_day
    assert [(s.register, s.first, s.last) for s in day.sequences] == [("T1", 3, 9), ("T2", 1, 1)]
    assert [(t.register, t.kind, t.expected) for t in day.tenders] == [("T1", "cash", 5)]
    assert (day.state, day.tickets, day.business_date) == ("closed", 8, datetime.date(2026, 3, 28))


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("ticket", ticket(1) | {"at": "2026-03-28T12:00:00"}, "at"),
        ("ticket", ticket(1, currency="EURO"), "currency"),
        ("ticket", ticket(1, line(quantity=0)), "lines[0].quantity"),
        ("ticket", ticket(1, line(unit_price="1e3")), "lines[0].unit_price"),
        (
            "ticket",
            ticket(1, charges=[{"kind": "fee", "gross": 1, "taxes": [WRAPPED | {"rate": "x"}]}]),
            "charges[0].taxes[0].rate",
        ),
        ("ticket", ticket(1, line(id="a"), line(), line(id="a")), "lines[2].id"),
        ("ticket", ticket(1, kind="void"), "kind"),
        ("ticket", ticket(1) | {"total": 10.5}, "total"),
        ("cash.movement", ticket(1), "kind"),
        ("cash.movement", ticket(1, kind="paid_in", amount=-1) | {"lines": [], "tenders": []}, "amount"),
        ("day.closed", z_report(z_till(first=9, last=1) | {"tickets": 0}), "tills.last"),
        ("day.closed", {"store": "berlin"}, "business_date"),
    ],
)
def test_what_cannot_be_understood_names_its_field(kind, body, field):
    with pytest.raises(MappingError) as error:
        read(kind, body)
    assert error.value.field == field


def test_a_key_that_stands_twice_is_refused():
    raw = msgspec.json.encode(ticket(1)).replace(b'"total":', b'"total":1,"total":', 1)
    with pytest.raises(MappingError, match="twice"):
        CONNECTOR.translate("ticket", {}, raw, CONTEXT)


@pytest.mark.parametrize("pace", ["0", "-1", "many", "1000000"])
def test_a_pace_that_is_none_is_a_mistake_of_the_configuration(pace):
    with pytest.raises(ConfigurationError):
        build({"upload_tickets_per_s": pace})


@given(st.binary(max_size=200), st.sampled_from([i.kind for i in SPEC.inbound]))
def test_no_bytes_are_a_defect(body, kind):
    for call in (
        lambda: CONNECTOR.gate({webhooks.EVENT: kind}, body),
        lambda: list(CONNECTOR.split(kind, body) or ()),
        lambda: CONNECTOR.translate(kind, {}, body, CONTEXT),
    ):
        try:
            call()
        except CrossdockError as error:
            assert isinstance(error, MappingError)  # noqa: PT017 - anything else is a defect

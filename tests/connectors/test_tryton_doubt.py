"""What Tryton's calls leave behind that failed: a refusal while they had only asked, doubt once they may have written."""

import json
from datetime import date

import msgspec
import pytest

from crossdock.connectors.tryton import build
from crossdock.engine.calling import run
from crossdock.engine.messages import Settled
from crossdock.engine.performing import Call, Performer
from crossdock.engine.port import ClaimedEffect
from crossdock.errors import UnclearError
from crossdock.model import LineId, OrderId, Rate, Sku, TaxLine
from crossdock.model.commands import (
    AmendSale,
    CameBack,
    CancelSale,
    CreateCredit,
    CreditPart,
    CreditRefund,
    DayLine,
    PostDay,
    ReceiveReturn,
)
from tests.connectors.driving import NOW, reply
from tests.connectors.test_tryton import LOGIN
from tests.model.builders import make_line, make_order

DAY = date(2026, 3, 27)
ORDER = make_order(make_line("1", price=1990, percent=19), id=OrderId("CD1"))
OF_ORDER = {"order_id": ORDER.id, "order": ORDER}
TAXES = (TaxLine(amount=190, rate=Rate(value=19, scale=2)),)
POST_DAY = PostDay(
    reference="CD7",
    connection="shop",
    store="store-7",
    business_date=DAY,
    posting_dates=(DAY,),
    currency="EUR",
    total=1190,
    lines=(DayLine(kind="goods", net=1000, tax=190, gross=1190, taxes=TAXES),),
    tenders=(),
)
CREATE_CREDIT = CreateCredit(
    lines=(LineId("1"),), total=-1990, store="store-7", business_date=DAY, posting_dates=(DAY,), **OF_ORDER
)
CREDIT_REFUND = CreditRefund(
    refund="shop 9",
    reference="CD1/refund:9",
    currency="EUR",
    total=1000,
    parts=(CreditPart(kind="rest", net=1000, tax=0, gross=1000),),
    **OF_ORDER,
)
RECEIVE_RETURN = ReceiveReturn(
    goods_return="shop 3",
    reference="CD1/return:3/1",
    lines=(CameBack(line=LineId("1"), sku=Sku("SKU-1"), quantity=1),),
    **OF_ORDER,
)
CANCEL_SALE, AMEND_SALE = CancelSale(**OF_ORDER), AmendSale(**OF_ORDER)


def amount(text):
    return {"__class__": "Decimal", "decimal": text}


def product(id_, code, type_="service"):
    unit = {"symbol": "u", "digits": 0}
    return {"id": id_, "code": code, "type": type_, "sale_uom": 1, "sale_uom.": unit}


def place(id_, code):
    return {"id": id_, "code": code, "input_location": 2, "output_location": 3, "storage_location": 4}


def sale(id_, state="processing"):
    states = {"state": state, "shipment_state": "none", "invoice_state": "none"}
    money = {"total_amount": amount("19.90"), "currency.": {"id": 1, "code": "EUR"}}
    return {"id": id_, "reference": "CD1", "number": str(id_), "party": 2, **states, **money}


CHARGE, MUG = product(9, "CHARGE"), product(1, "SKU-1", "goods")
TAX = {"id": 1, "name": "VAT", "description": None, "rate": amount("0.19"), "group.": None}
PARTY = {"id": 2, "code": "shop", "addresses": [2], "customer_location": 7}
EURO = {"id": 1, "code": "EUR"}
LIKE = {"id": 50, "journal": 1, "account": 2, "party": 2, "invoice_address": 2}
BILLED = {"id": 51, "origin": None, "account": 3, "product": 9}
HELD = {
    "product.product": [CHARGE, MUG],
    "account.tax": [TAX],
    "stock.location": [place(5, "WH")],
    "party.party": [PARTY],
    "currency.currency": [EURO],
}


class Server:
    """A Tryton that finds these rows by model, and answers a method as it is told; it keeps the methods called."""

    def __init__(self, rows, **answers):
        self.rows, self.answers, self.called, self._login = HELD | rows, answers, [], list(LOGIN)

    def send(self, request, timeout_s, traceparent="", tracestate=""):
        method = json.loads(request.body)["method"]
        if self._login:
            return self._login.pop(0)
        self.called.append(method)
        answer = self.answers.get(method.rpartition(".")[2])
        if method.endswith(".search_read"):
            answer = self.rows.get(method[len("model.") : -len(".search_read")], [])
            answer = answer(self.called) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return reply({"id": 0, "result": answer})

    @property
    def asked_only(self):
        return all(method.endswith(".search_read") for method in self.called)


def attempt(command, operation, server):
    """What becomes of one effect, and what its order is told."""
    performer = Performer({"erp": build({})}, lambda effect: command, clock=lambda: NOW, jitter=lambda: 0.5)
    texts = dict.fromkeys(("resume",), "") | dict.fromkeys(("command", "value", "party"), b"")
    numbers = dict.fromkeys(("document", "staged_at"), 0) | {"id": 7, "subject": 1, "attempt": 1}
    effect = ClaimedEffect(
        connection="erp",
        operation=operation,
        intent="1",
        unclear=False,
        trace="a" * 32,
        lease_until=NOW + 600_000_000,
        **texts,
        **numbers,
    )
    call = Call(connection="erp", operation=operation, effects=(effect,))
    result = run(performer.attempt(call), server).result
    said = msgspec.json.decode(result.reply.body, type=Settled) if result.reply is not None else None
    return result, said


@pytest.mark.parametrize(
    ("operation", "command", "rows", "kind", "field"),
    [
        ("post_day", POST_DAY, {"product.product": []}, "mapping", "lines[0]"),
        ("post_day", POST_DAY, {"account.tax": []}, "mapping", "lines[0].taxes[0]"),
        ("post_day", POST_DAY, {"party.party": []}, "mapping", "customer"),
        ("post_day", POST_DAY, {"stock.location": []}, "mapping", "store"),
        ("post_day", POST_DAY, {"currency.currency": []}, "mapping", "currency"),
        ("create_credit", CREATE_CREDIT, {"product.product": []}, "mapping", "lines[0].sku"),
        ("create_credit", CREATE_CREDIT, {"party.party": []}, "mapping", "customer"),
        ("create_credit", CREATE_CREDIT, {"sale.sale": [sale(1), sale(2)]}, "conflict", ""),
        ("credit_refund", CREDIT_REFUND, {"sale.sale": [sale(1)]}, "mapping", "order"),
        (
            "receive_return",
            RECEIVE_RETURN,
            {"sale.sale": [sale(1)], "stock.location": []},
            "mapping",
            "location",
        ),
        ("cancel_sale", CANCEL_SALE, {"sale.sale": [sale(1), sale(2)]}, "conflict", ""),
        ("amend_sale", AMEND_SALE, {"sale.sale": []}, "mapping", "order"),
    ],
)
def test_what_is_found_wrong_while_only_asking_is_refused_by_field_and_never_in_doubt(
    operation, command, rows, kind, field
):
    server = Server(rows)
    result, said = attempt(command, operation, server)
    assert server.called
    assert server.asked_only
    assert (result.state, result.kind, result.unclear) == ("parked", kind, False)
    assert (said.outcome, said.field) == ("refused", field)
    assert said.code == "", "codes are the partner's, and with one it would be its refusal"
    assert said.reason.endswith(".")


def draft_of(called):
    """The sales of an order: none, until one is made, whose total nobody can read."""
    return [sale(60, "draft") | {"total_amount": "19.90"}] if "model.sale.sale.create" in called else []


def note_of(called):
    """The invoices of an order: the one that was posted, then a credit note of another total than the refund's."""
    if "model.account.invoice.create" in called:
        return [{"id": 60, "state": "draft", "total_amount": amount("-9.99"), "currency.": EURO}]
    return [] if len(called) < 2 else [LIKE]


@pytest.mark.parametrize(
    ("operation", "command", "rows", "kind", "field"),
    [
        (
            "post_day",
            POST_DAY,
            {"sale.sale": draft_of, "product.product": [CHARGE, product(8, "ROUNDING")]},
            "contract",
            "",
        ),
        (
            "credit_refund",
            CREDIT_REFUND,
            {"sale.sale": [sale(1)], "account.invoice": note_of, "account.invoice.line": [BILLED]},
            "mapping",
            "rounding_product",
        ),
    ],
)
def test_what_is_found_wrong_after_something_was_written_is_in_doubt(operation, command, rows, kind, field):
    server = Server(rows, create=[60])
    result, said = attempt(command, operation, server)
    assert not server.asked_only
    assert (result.state, result.kind, result.unclear) == ("parked", kind, True)
    assert (said.outcome, said.field) == ("in_doubt", field)


@pytest.mark.parametrize(("lost", "unclear"), [("search_read", False), ("create", True)])
def test_a_lost_reply_leaves_doubt_only_where_it_was_not_one_to_a_question(lost, unclear):
    rows = {"product.product": [CHARGE, product(8, "ROUNDING")]}
    if lost == "search_read":
        rows["account.tax"] = UnclearError("no reply")
    result, _ = attempt(POST_DAY, "post_day", Server(rows, create=UnclearError("no reply")))
    assert (result.state, result.kind, result.unclear) == ("retry", "unclear", unclear)

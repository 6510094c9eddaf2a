"""Statuses are derived: every row is what an order has come to, and the three words for it."""

import pytest

from crossdock.domain.process import Item, Line, OrderProcess, Parcel, Piece, Refunded, Request, Sale, Stop
from crossdock.domain.status import status
from crossdock.model.fulfilment import Shipment


def make(*lines: Line, **fields: object) -> OrderProcess:
    return OrderProcess(
        order="O", lines=list(lines), **({"known": True, "commitment": "committed", "due": 100} | fields)
    )  # type: ignore[arg-type]


def line(ordered: int = 2, **fields: object) -> Line:
    return Line(id="1", sku="A", ordered=ordered, **fields)  # type: ignore[arg-type]


def piece(**fields: object) -> dict[str, object]:
    return {"pieces": [Piece(line="1", sku="A", **fields)]}  # type: ignore[arg-type]


def request(out: int = 2, **fields: object) -> dict[str, object]:
    items = [Item(line="1", sku="A", quantity=2, shipped=2 - out)]
    return {
        "pieces": [Piece(line="1", sku="A")],
        "requests": [Request(id="O-1", location="b", items=items, **fields)],
    }  # type: ignore[arg-type]


STOPPED = {"stops": [Stop(intent="x", lines=[("1", "A", 1)])]}
REFUND = {"refunds": [Refunded(key="r", done=True, total=40)]}

# name, process, custody, money, stage, finished
ROWS = [
    ("not known yet", OrderProcess(order="O"), "open", "unpaid", "unknown", False),
    ("tentative", make(line(), commitment="tentative", **piece()), "open", "unpaid", "tentative", False),
    ("a test", make(line(), test=True, **piece()), "open", "unpaid", "test", True),
    ("waiting for stock", make(line(), waiting=True, **piece()), "open", "unpaid", "waiting_stock", False),
    ("held", make(line(), holds={"x": ""}, **piece(claims={"b": 2})), "allocated", "unpaid", "held", False),
    (
        "gated",
        make(line(), gate="erp", **piece(claims={"b": 2})),
        "allocated",
        "unpaid",
        "waiting_erp",
        False,
    ),
    (
        "graced",
        make(line(), gate="time", **piece(claims={"b": 2})),
        "allocated",
        "unpaid",
        "waiting_release",
        False,
    ),
    (
        "observed",
        make(line(), mode="observe", **piece(claims={"b": 2})),
        "allocated",
        "unpaid",
        "observed",
        False,
    ),
    (
        "releasing",
        make(line(), pending={"w/release/O-1": "staged"}, **request()),
        "released",
        "unpaid",
        "releasing",
        False,
    ),
    ("at the warehouse", make(line(), **request()), "released", "unpaid", "at_warehouse", False),
    ("being stopped", make(line(removed=2), **request(**STOPPED)), "released", "unpaid", "cancelling", False),
    ("part shipped", make(line(shipped=1), **request(1)), "part_shipped", "unpaid", "shipping", False),
    ("others ship the rest", make(line(shipped=1, who="else")), "part_shipped", "unpaid", "shipping", False),
    (
        "shipped, not all told",
        make(line(shipped=2), pending={"e": "staged"}),
        "shipped",
        "unpaid",
        "closing",
        False,
    ),
    (
        "shipped, sale in doubt",
        make(line(shipped=2), sale=Sale(state="in_doubt")),
        "shipped",
        "unpaid",
        "closing",
        False,
    ),
    ("shipped", make(line(shipped=2)), "shipped", "unpaid", "done", True),
    ("delivered", make(line(shipped=2, delivered=2)), "delivered", "unpaid", "done", True),
    ("a part came back", make(line(shipped=2, returned=1)), "part_returned", "unpaid", "done", True),
    ("all came back", make(line(shipped=2, returned=2)), "returned", "unpaid", "done", True),
    ("cancelled", make(line(removed=2)), "cancelled", "unpaid", "cancelled", True),
    ("the rest cancelled", make(line(shipped=1, removed=1)), "shipped", "unpaid", "done", True),
    ("nothing to ship", make(line(who="none")), "not_needed", "unpaid", "done", True),
    (
        "nothing to ship, cancelled",
        make(line(who="none", removed=2)),
        "cancelled",
        "unpaid",
        "cancelled",
        True,
    ),
    ("a till took it back", make(line(-1, who="done", taken_back=True)), "returned", "unpaid", "done", True),
    ("authorised", make(line(shipped=2), authorised=100), "shipped", "authorised", "done", True),
    ("part paid", make(line(shipped=2), captured=40), "shipped", "part_paid", "done", True),
    ("paid", make(line(shipped=2), captured=100), "shipped", "paid", "done", True),
    ("free of charge", make(line(shipped=2), due=0), "shipped", "paid", "done", True),
    (
        "part refunded",
        make(line(shipped=2), captured=100, **REFUND),
        "shipped",
        "part_refunded",
        "done",
        True,
    ),
    ("refunded", make(line(shipped=2), captured=40, **REFUND), "shipped", "refunded", "done", True),
]


@pytest.mark.parametrize(
    ("process", "custody", "money", "stage", "finished"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_an_order_says_where_goods_and_money_are(process, custody, money, stage, finished):
    now = status(process)
    assert (now.custody, now.money, now.stage, now.finished) == (custody, money, stage, finished)


def test_a_refund_that_is_not_done_does_not_count():
    process = make(line(), captured=100, refunds=[Refunded(key="r", total=40)])
    assert status(process).money == "paid"


def test_a_parcel_tells_its_state():
    assert Parcel(key="k", shipment=Shipment(lines=(), state="lost")).state == "lost"

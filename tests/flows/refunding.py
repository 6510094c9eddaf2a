"""A shop of Shopify's that sells mugs and gives money back for them, and the hub that it tells."""

from typing import Any

import msgspec

from crossdock.model import LineId, ShipmentReported
from tests.connectors.shopify_payloads import line, order, reports, shipping, tax
from tests.flows.facts import answered, shipped
from tests.flows.hub import Hub, make_plan
from tests.flows.taken import commands

EARLY, REFUNDED, LATE = "2026-03-01T10:00:00+01:00", "2026-03-02T10:00:00+01:00", "2026-03-03T10:00:00+01:00"


def mug(quantity=2, **fields: Any) -> dict[str, Any]:
    """Mugs at 10.00 and 1.90 VAT."""
    return line(quantity=quantity, tax_lines=[tax(f"{1.9 * quantity:.2f}")], **fields)


def bought(*, at=EARLY, postage=False, quantity=2, **fields: Any) -> dict[str, Any]:
    """Two mugs, paid by card; with postage 5.95 more."""
    lines = fields.pop("lines", None) or [mug(quantity)]
    ship = [shipping(tax_lines=[tax("0.95")])] if postage else []
    total = 11.9 * quantity + (5.95 if postage else 0) + fields.pop("more", 0)
    state = {"payment_gateway_names": ["shopify_payments"], "updated_at": at, "shipping_lines": ship}
    return order(*lines, total=f"{total:.2f}", **{**state, **fields})


def gave_back(restock, amount="11.90", *, quantity=1, id_=8001, line_id=101, **fields: Any) -> dict[str, Any]:
    """A refund of mugs, done by a successful transaction."""
    item = {"id": id_ + 1, "line_item_id": line_id, "quantity": quantity, "restock_type": restock}
    money = {"id": id_ + 2, "kind": "refund", "status": "success", "amount": amount, "currency": "EUR"}
    return {
        "id": id_,
        "order_id": 5001,
        "created_at": REFUNDED,
        "processed_at": REFUNDED,
        "refund_line_items": [{**item, "subtotal": 10.0 * quantity, "total_tax": 1.9 * quantity}],
        "transactions": [{**money, "gateway": "shopify_payments", "order_id": 5001}],
        **fields,
    }


def postage_back() -> list[dict[str, Any]]:
    return [
        {"kind": "shipping_refund", "amount": "-5.00", "tax_amount": "-0.95", "reason": "Shipping refund"}
    ]


class Shop:
    """A hub that a shop of Shopify's tells."""

    def __init__(self) -> None:
        self.hub = Hub(make_plan())
        self.hub.stock(SKU_1=9, SKU_2=9)

    def order(self, body: dict[str, Any]) -> str:
        return self.hub.tell("shop", *reports("orders/updated", body)).outcome

    def refund(self, body: dict[str, Any]) -> str:
        return self.hub.tell("shop", *reports("refunds/create", body)).outcome

    def stopped(self) -> None:
        """The warehouse stops what it was asked to stop, where it was asked."""
        self.hub.settle_all()
        if commands(self.hub, "cancel_release"):
            self.hub.tell("wms", answered("accepted"))
            self.hub.settle_all()

    def left(self, quantity: int) -> None:
        """The warehouse sends mugs."""
        report = shipped("S1", l1=quantity)
        goods = (msgspec.structs.replace(report.shipment.lines[0], line=LineId("101")),)
        self.hub.tell("wms", ShipmentReported(shipment=msgspec.structs.replace(report.shipment, lines=goods)))
        self.hub.settle("confirm_shipment", reference="7001")
        self.hub.settle_all()

    def journal(self) -> dict[str, int]:
        """What stands in the journal, account by account; every posting of it balances."""
        sums: dict[str, int] = {}
        for posting in self.hub.postings:
            assert sum(amount for _, amount in posting.entries) == 0
            for account, amount in posting.entries:
                sums[account] = sums.get(account, 0) + amount
        return {account: amount for account, amount in sums.items() if amount}


def tell_both(shop: Shop, refund, after, first: str) -> None:
    """The refund by itself, and the order's version that holds it, in one order of arrival or the other."""
    if first == "refund":
        assert shop.refund(refund) == "processed"
        assert shop.order(after) == "processed"
    else:
        assert shop.order(after) == "processed"
        assert shop.refund(refund) in ("stale", "duplicate")


def fulfilled(quantity: int) -> dict[str, Any]:
    items = [{"id": 101, "quantity": quantity, "sku": "SKU-1"}]
    return {"id": 7001, "status": "success", "created_at": LATE, "updated_at": LATE, "line_items": items}


RESTOCKS = ["no_restock", "cancel", "return"]

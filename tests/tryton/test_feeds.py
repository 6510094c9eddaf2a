"""Levels, products and prices of a running Tryton: all of them, page by page, and then what has changed."""

import pytest

from crossdock.connectors.tryton import TrytonConnector
from crossdock.errors import RejectedError
from crossdock.model import LineId, LineQuantity, LocationId, OrderId, Shipment, ShipmentId
from crossdock.model.commands import CreateDelivery, CreateSale, Poll
from crossdock.sdk.calls import Intent
from crossdock.sdk.spec import Translation
from tests.model.builders import make_line, make_order

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

NOW = "2026-11-23T12:00:00+00:00"
CONTEXT = Translation(connection="erp", subject="")


def read(erp, connector: TrytonConnector, feed, cursor="", pages_max=100):
    """All pages of a pass: their messages as (delivery id, report), and the cursor of the next pass."""
    told = []
    for _ in range(pages_max):
        page = erp.do(connector.poll(Poll(feed=feed, cursor=cursor), Intent(key="poll", now=NOW)))
        for child in connector.split(page.kind, page.body):
            assert connector.spec.understands(child.kind)
            told += [
                (child.delivery_id, report)
                for report in connector.translate(child.kind, {}, child.body, CONTEXT)
            ]
        cursor = page.cursor
        if not page.more:
            return told, cursor
    raise AssertionError("the feed has no end")


def levels(told):
    found = {}
    for _, report in told:
        for level in report.levels:
            found[level.location_ref.id, level.sku] = level.on_hand * 10.0**-level.quantity_scale
    return found


def test_stock_is_read_per_warehouse_and_then_only_what_moved(erp):
    connector = erp.connector(page_size="5")
    told, cursor = read(erp, connector, "stock")
    first = levels(told)
    assert first["berlin", "SKU-1"] == erp.read.on_hand("SKU-1", "WH")
    assert first["madrid", "SKU-9"] == 50
    assert ("berlin", "CARD") not in first
    assert len(first) == len(told) == 22
    order = make_order(make_line("1", ordered=3, sku="SKU-4"), id=OrderId("F1"))
    erp.one(connector.create_sale, CreateSale(order=order, order_id=order.id))
    shipment = Shipment(
        id=ShipmentId("s"),
        order=order.id,
        location=LocationId("madrid"),
        lines=(LineQuantity(line=LineId("1"), quantity=3),),
    )
    command = CreateDelivery(order=order, order_id=order.id, shipment=shipment)
    done = erp.one(connector.create_delivery, command, key="d")
    assert max(report.levels[0].as_of for _, report in told) < done.booked_at
    told, cursor = read(erp, connector, "stock", cursor)
    assert levels(told)["madrid", "SKU-4"] == 47
    assert min(report.levels[0].as_of for _, report in told) >= done.booked_at
    again, _ = read(erp, connector, "stock", cursor)
    assert {id_ for id_, _ in again} <= {id_ for id_, _ in told}, (
        "what is told again is known by its delivery id"
    )


def test_products_and_their_prices_are_read(erp):
    connector = erp.connector(page_size="4")
    told, cursor = read(erp, connector, "products")
    products = {report.product.sku: report.product for _, report in told}
    assert products["BOOK"].name == "Book"
    assert products["SHIPPING"].kind == "service"
    assert (products["CHEESE"].unit, products["CHEESE"].quantity_scale > 0) == ("kg", True)
    prices = {report.price.sku: report.price for _, report in read(erp, connector, "prices")[0]}
    assert (str(prices["SKU-1"].unit_price), prices["SKU-1"].currency) == ("16.72", "EUR")
    assert not prices["SKU-1"].includes_tax
    again, _ = read(erp, connector, "products", cursor)
    assert {id_ for id_, _ in again} <= {id_ for id_, _ in told}


def test_a_warehouse_that_is_not_there_is_named(erp):
    with pytest.raises(RejectedError, match="nowhere"):
        read(erp, erp.connector(warehouses="berlin=nowhere"), "stock")

"""The simulated shop, and what is read from it page by page."""

import json

import pytest

from crossdock.connectors.shopify import build
from crossdock.errors import RejectedError, ThrottledError
from crossdock.model.commands import Acknowledge, Poll
from crossdock.sdk.calls import Intent, Page, Response
from crossdock.simulator.base import SECOND
from crossdock.simulator.shopify import ShopifySimulator
from tests.connectors.driving import FIRST, NOW, canned, drive, reply
from tests.connectors.shopify_payloads import CONNECTOR, CONTEXT, SETTINGS, SHOP, read, sent, shop


def polled(wire, connector, cursor="", feed="orders", now="2026-03-28T12:30:00Z"):
    return drive(connector.poll(Poll(feed=feed, cursor=cursor), Intent(key="p", now=now)), wire)


@pytest.mark.fault(27)
def test_a_poll_reads_page_after_page_and_then_what_changes():
    wire, _ = shop(orders_max=600, rate=2)
    wire.simulator.due_events(NOW + 900 * SECOND)
    connector = build({**SETTINGS, "poll_since": "2026-01-01T00:00:00Z"})
    seen, cursor, more = [], "", True
    while more:
        page = polled(wire, connector, cursor)
        assert isinstance(page, Page)
        seen += [child.ref for child in connector.split(page.kind, page.body)]
        cursor, more = page.cursor, page.more
    assert len(seen) == len(set(seen)) == 600
    assert len(wire.requests) == 3
    next_round = polled(wire, connector, cursor)
    assert len(connector.split(next_round.kind, next_round.body)) < 300
    assert "updated_at_min" in wire.requests[-1].query
    assert "updated_at_max" in wire.requests[-1].query


def test_a_first_poll_without_a_start_begins_now_and_an_idle_one_stays():
    wire, _ = shop(orders_max=1)
    page = polled(wire, CONNECTOR, now="2026-04-28T12:30:00Z")
    assert json.loads(page.body) == {"orders": []}
    assert polled(wire, CONNECTOR, page.cursor).cursor == page.cursor


@pytest.mark.fault(27)
def test_a_first_poll_after_one_that_was_not_understood_begins_where_that_began():
    wire, _ = shop(orders_max=1, rate=2)
    wire.simulator.due_events(NOW + 900 * SECOND)
    again = Poll(feed="orders", since="2026-03-28T11:00:00+00:00")
    page = drive(CONNECTOR.poll(again, Intent(key="p", now="2026-04-28T12:30:00Z")), wire)
    assert len(CONNECTOR.split(page.kind, page.body)) == 1


@pytest.mark.fault(27)
def test_a_page_mark_that_shopify_forgot_begins_the_round_again():
    mark = json.dumps({"since": "2026-01-01T00:00:00Z", "page": "gone"})
    asked = []
    replies = canned(Response(status=400, body=b"{}"), reply({"orders": []}))

    def answer(request):
        asked.append(request.query)
        return replies(request)

    page = polled(answer, CONNECTOR, mark)
    assert (page.more, asked[0]["page_info"], asked[1]["updated_at_min"]) == (
        False,
        "gone",
        "2026-01-01T00:00:00Z",
    )


def test_the_other_feeds_and_no_others():
    wire, _ = shop()
    assert polled(wire, CONNECTOR, feed="payouts").kind == "page.payouts"
    assert polled(wire, CONNECTOR, feed="balance").kind == "page.balance"
    with pytest.raises(RejectedError):
        polled(wire, CONNECTOR, feed="carts")


def test_a_cursor_that_cannot_be_read_begins_anew():
    wire, _ = shop()
    assert isinstance(polled(wire, CONNECTOR, "\x00garbage"), Page)


def test_the_shop_is_a_function_of_its_seed():
    def run(seed):
        simulator = ShopifySimulator(
            {**SHOP, "orders_max": 50, "cancel_rate": 0.2, "unpaid_rate": 0.2, "change_rate": 0.2}, seed
        )
        events, now = [], NOW
        while (due := simulator.next_due()) is not None:
            now = max(now, due)
            events += simulator.due_events(now)
        return events, simulator.state()

    assert run(1) == run(1)
    assert run(1) != run(2)
    events, state = run(1)
    assert state["counts"]["orders"] == 50
    assert {headers["x-shopify-topic"] for headers, _ in events} == {
        "orders/create",
        "orders/paid",
        "orders/cancelled",
        "orders/updated",
    }
    for headers, body in events:
        CONNECTOR.verify(headers, body)
        (report,) = CONNECTOR.translate(headers["x-shopify-topic"], headers, body, CONTEXT)
        assert report.order.version


def test_a_shop_that_waits_for_stock_sells_once_it_was_told_every_quantity():
    simulator = ShopifySimulator({"rate": 10, "orders_max": 3, "skus": 2, "opens_when_stocked": True}, 1)
    assert simulator.next_due() is None
    assert simulator.due_events(NOW) == []
    simulator.admin.quantities |= {"SKU-0001": 5}
    assert simulator.next_due() is None
    simulator.admin.quantities |= {"SKU-0002": 0}
    assert simulator.state(documents=False)["open"]
    simulator.due_events(NOW + SECOND)
    assert len(simulator.due_events(NOW + 60 * SECOND)) == 2
    assert simulator.next_due() is None


def test_what_we_do_comes_back_as_the_shops_news():
    wire, (held, *_) = shop()
    drive(CONNECTOR.acknowledge(Acknowledge(order=held), FIRST), wire)
    drive(CONNECTOR.confirm_shipment(sent(held), FIRST), wire)
    told = wire.simulator.due_events(wire.now + SECOND)
    topics = [headers["x-shopify-topic"] for headers, _ in told]
    assert topics == ["orders/updated", "fulfillments/create", "orders/fulfilled"]
    last = read(told[-1][1])
    assert (last.tags, [item.fulfilled for item in last.lines]) == ((), [item.ordered for item in last.lines])


def test_a_throttled_shop_says_so_in_a_200():
    wire, (held, *_) = shop(throttle_rate=1.0)
    with pytest.raises(ThrottledError):
        drive(CONNECTOR.acknowledge(Acknowledge(order=held), FIRST), wire)

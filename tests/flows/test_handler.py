from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pytest

from crossdock.engine.messages import (
    DUE_AT,
    HUB,
    LANE_FREE,
    LANE_STREAM,
    OPERATOR,
    SETTLED,
    TICK,
    UNREADABLE,
    Message,
)
from crossdock.errors import ConfigurationError, ContractError, MappingError
from crossdock.flows.desk import moment
from crossdock.flows.documents import fill_command
from crossdock.flows.handler import RetailHandler
from crossdock.model.commands import Poll, SetQuantity
from crossdock.model.reports import Report
from crossdock.sdk.spec import Child, ConnectorSpec, Gate, Inbound, Translation
from tests.flows.facts import order, told
from tests.flows.hub import Hub, make_plan


class Paper:
    """A connector whose messages are canonical reports, and whose pages are lists of them."""

    spec = ConnectorSpec(
        name="paper",
        title="Paper",
        roles=("channel",),
        settings=(),
        operations=(),
        inbound=(Inbound(kind="order", doc="one"), Inbound(kind="stop", doc="one", overtakes=True)),
        mapping_revision=2,
    )

    def verify(self, headers: Mapping[str, str], body: bytes) -> None: ...

    def gate(self, headers: Mapping[str, str], body: bytes) -> Gate:
        if body == b"broken":
            raise MappingError("id: it is missing.", field="id")
        return Gate(kind=headers.get("topic", "order"), ref_kind="order", ref="7", delivery_id="d1")

    def split(self, kind: str, body: bytes) -> Iterable[Child] | None:
        if not kind.startswith("page."):
            return None
        return [
            Child(kind=k, body=b"{}", ref_kind="order", ref=str(n))
            for n, k in enumerate(msgspec.json.decode(body))
        ]

    def translate(
        self, kind: str, headers: Mapping[str, str], body: bytes, context: Translation
    ) -> tuple[Report, ...]:
        assert context.received_at == "2023-11-14T22:13:20+00:00"
        return (told(version=7, note=f"{context.connection} {context.subject}"),)

    def request_headers(self) -> Mapping[str, str]:
        return {}


def message(source: str, kind: str, body: Any = None, **fields: Any) -> Message:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body or {})
    defaults: dict[str, Any] = {
        "id": 5,
        "subject": 1,
        "lane": 0,
        "attempt": 0,
        "received_at": 1_700_000_000_000_000,
    }
    return Message(source=source, kind=kind, body=raw, trace="t", **({"headers": {}} | defaults | fields))


@pytest.fixture
def handler() -> RetailHandler:
    return RetailHandler(make_plan(), {"shop": Paper()})


def test_kinds_are_known_by_their_source(handler):
    assert handler.inbound("shop", "order").kind == "order"
    assert handler.inbound("shop", "dance") is None
    assert handler.inbound("nobody", "order") is None
    assert handler.inbound("api", "order.canonical").whole_object
    assert handler.inbound("api", "order") is None
    assert all(handler.inbound(HUB, kind).overtakes for kind in (SETTLED, OPERATOR, TICK, "order.source"))
    assert handler.inbound(HUB, "dance") is None


def test_a_page_becomes_children_that_each_go_their_way(handler):
    arrivals = handler.split(message("shop", "page.orders", ["order", "stop"]))
    assert [(a.kind, a.ref, a.lane, a.parent, a.position) for a in arrivals] == [
        ("order", "0", LANE_STREAM, 5, 0),
        ("stop", "1", LANE_FREE, 5, 1),
    ]
    assert handler.split(message("shop", "order")) is None
    assert handler.split(message("nobody", "order")) is None


def test_a_delivery_whose_key_cannot_be_read_names_the_field(handler):
    assert handler.inbound("shop", UNREADABLE) is not None
    assert handler.inbound("nobody", UNREADABLE) is None
    with pytest.raises(MappingError, match="id: it is missing") as raised:
        handler.split(message("shop", UNREADABLE, b"broken"))
    assert raised.value.field == "id"


def test_a_delivery_that_was_corrected_is_read_by_its_key(handler):
    corrected = message("shop", UNREADABLE, b"{}", headers={"topic": "stop"})
    (arrival,) = handler.split(corrected)
    assert (arrival.kind, arrival.ref, arrival.lane, arrival.parent) == ("stop", "7", LANE_FREE, 5)
    assert (arrival.headers, arrival.body, arrival.delivery_id) == ({"topic": "stop"}, b"{}", "d1")
    assert handler.translate(corrected) == ()


def test_a_page_moves_the_cursor_and_asks_for_the_next():
    hub = Hub()
    first = message("erp", "page.stock", headers={"cursor": "c2", "more": "true"})
    world = hub._world([(first, ())])
    decision = world.handle(first, (), hub.now)
    assert decision.cursor == ("erp", "stock", "c2")
    ((connection, operation, intent, command),) = [
        (e.connection, e.operation, e.intent, fill_command(e.operation, e.command, None))
        for e in decision.effects
    ]
    assert (connection, operation, intent, command) == (
        "erp",
        "poll",
        "stock:5",
        Poll(feed="stock", cursor="c2"),
    )
    last = message("erp", "page.stock", headers={"cursor": "c3"})
    assert world.handle(last, (), hub.now).effects == []


def test_a_tick_asks_for_what_changed_since_the_cursor(handler):
    tick = message(HUB, TICK, {"connection": "erp", "feed": "stock"}, headers={"cursor": "c9"})
    reports = handler.translate(tick)
    hub = Hub()
    decision = hub._world([(tick, reports)]).handle(tick, reports, hub.now)
    assert msgspec.json.decode(decision.effects[0].command) == {"feed": "stock", "cursor": "c9"}
    assert decision.cursor is None
    other = message(HUB, TICK, {"connection": "wms", "feed": "stock"})
    reports = handler.translate(other)
    assert hub._world([(other, reports)]).handle(other, reports, hub.now).outcome == "unhandled"


def test_until_a_page_was_understood_a_feed_is_read_since_it_was_first_asked_for(handler):
    """A first page that was parked must not have the second begin at its own moment, nor the first tick at its own."""
    hub, cursor, first = Hub(), "", 1_700_000_000_000_000
    for _ in range(2):
        headers = {"cursor": cursor, DUE_AT: str(first)}
        tick = message(HUB, TICK, {"connection": "erp", "feed": "stock"}, headers=headers)
        reports = handler.translate(tick)
        decision = hub._world([(tick, reports)]).handle(tick, reports, hub.now + 5_000_000)
        asked = msgspec.json.decode(decision.effects[0].command)
        assert asked == {"feed": "stock", "since": moment(first).isoformat()}
        cursor = decision.cursor[2] if decision.cursor else cursor
    assert decision.cursor is None


def test_a_connector_translates_with_its_context(handler):
    (report,) = handler.translate(message("shop", "order"))
    assert report.order.note == "shop CD0000000001"
    with pytest.raises(ConfigurationError, match="nobody"):
        handler.translate(message("nobody", "order"))


def test_a_canonical_order_of_the_api_is_taken_as_its_channels(handler):
    body = msgspec.json.encode(order())
    (report,) = handler.translate(message("api", "order.canonical", body))
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("api", report)
    assert hub.rows[1].connection == "shop"
    assert "acknowledge" in hub.staged()


def test_a_canonical_order_that_cannot_be_read_names_the_field(handler):
    body = msgspec.json.decode(msgspec.json.encode(order()))
    body["lines"][0]["ordered"] = "two"
    with pytest.raises(MappingError) as caught:
        handler.translate(message("api", "order.canonical", body))
    assert caught.value.field == "lines[0].ordered"
    with pytest.raises(MappingError):
        handler.translate(message("api", "order.canonical", b"{"))
    with pytest.raises(MappingError) as caught:
        handler.translate(message("api", "order.canonical", msgspec.json.encode(order(id="CD0000000009"))))
    assert caught.value.field == "id"


def test_another_reading_of_the_same_version_is_no_conflict():
    hub = Hub()
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    hub.handler = RetailHandler(hub.plan, {"shop": Paper()})
    decision = hub.tell("shop", told(tags=("read", "anew")))
    assert decision.outcome == "processed"
    assert decision.seen[0].kind == "order@2"


def test_needs_name_every_sku_of_a_batch_once(handler):
    batch = [(message("shop", "order"), (told(),)), (message("shop", "order", subject=2), (told(2),))]
    needs = handler.needs(batch)
    assert (needs.orders, needs.skus) == ((1, 2), ("SKU-1", "SKU-2"))
    assert needs.seen == ((1, "shop", "order@2", "1"), (2, "shop", "order@2", "2"))


def test_a_command_without_an_order_and_one_that_nobody_knows():
    assert fill_command("set_quantities", b'{"sku":"A","quantity":1}', order()) == SetQuantity(
        sku="A", quantity=1
    )
    with pytest.raises(ContractError):
        fill_command("dance", b"{}", None)

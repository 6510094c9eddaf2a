"""Reading ahead gives what the core would have read, and whatever cannot be read is left to it."""

import random

import msgspec
import pytest

from crossdock.bootstrap.reading import ReadAhead, read_ahead
from crossdock.connectors.shopify import build
from crossdock.engine.messages import Arrival, Message, Receipt
from crossdock.errors import MappingError
from crossdock.flows.handler import RetailHandler
from crossdock.simulator.shopify_orders import Catalogue, make_order
from crossdock.testing.store_case import NOW
from tests.flows.hub import make_plan


@pytest.fixture
def handler():
    shop = build({"url": "http://127.0.0.1:9", "access_token": "a", "webhook_secret": "b"})
    return RetailHandler(make_plan(), {"shop": shop})


def orders(count):
    dice, catalogue = random.Random(3), Catalogue.of(9)
    return [msgspec.json.encode(make_order(n, NOW, dice, catalogue, lines=1 + n % 4)) for n in range(count)]


def arrivals(*bodies, kind="orders/create"):
    return [Arrival(source="shop", kind=kind, body=body, received_at=NOW) for body in bodies]


def receipts(count, **more):
    return [Receipt(message=n + 1, subject=n + 101, **more) for n in range(count)]


def message(number, body, attempt=0):
    return Message(
        id=number,
        source="shop",
        kind="orders/create",
        subject=100 + number,
        lane=0,
        attempt=attempt,
        received_at=NOW,
        trace="",
        headers={},
        body=body,
    )


def test_what_was_read_ahead_is_what_the_core_would_read(handler):
    bodies = orders(40)
    ahead = ReadAhead(handler)
    ahead.remember(read_ahead(handler, arrivals(*bodies), receipts(40)))
    for n, body in enumerate(bodies, 1):
        assert ahead.split(message(n, b"not looked at")) is None
        assert ahead.translate(message(n, b"not looked at")) == handler.translate(message(n, body))


def test_it_is_used_once_and_for_a_first_attempt_only(handler):
    (body,) = orders(1)
    ahead = ReadAhead(handler)
    ahead.remember(read_ahead(handler, arrivals(body), receipts(1)))
    with pytest.raises(MappingError):
        ahead.translate(message(1, b"{}", attempt=1))
    assert ahead.translate(message(1, b"{}"))
    with pytest.raises(MappingError):
        ahead.translate(message(1, b"{}"))


def test_what_cannot_be_read_and_what_is_not_single_is_left_to_the_core(handler):
    good, bad = orders(1)[0], b'{"id": 1}'
    read = read_ahead(handler, arrivals(good, bad), receipts(2))
    assert [number for number, _ in read] == [1]
    assert read_ahead(handler, arrivals(b"[]", kind="page.orders"), receipts(1)) == []
    assert read_ahead(handler, arrivals(good, kind="carts/update"), receipts(1)) == []


def test_what_was_known_or_refused_is_not_read(handler):
    (body,) = orders(1)
    assert read_ahead(handler, arrivals(body), receipts(1, duplicate=True)) == []
    assert read_ahead(handler, arrivals(body), receipts(1, conflict=True)) == []

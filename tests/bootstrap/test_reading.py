"""Reading ahead gives what the core would have read, and whatever cannot be read is left to it."""

import asyncio
import contextlib
import random
import socket
import threading

import msgspec
import pytest

from crossdock.bootstrap import reading
from crossdock.bootstrap.link import ReadThese, Unpacker, packed
from crossdock.bootstrap.reading import ReadAhead, messages_of, read_ahead
from crossdock.connectors import wms
from crossdock.connectors.shopify import build
from crossdock.engine.messages import HUB, Arrival, Message, Receipt
from crossdock.errors import MappingError
from crossdock.flows.day_book import TOUCHED
from crossdock.flows.desk import canonical_hash
from crossdock.flows.handler import RetailHandler
from crossdock.gateway.edge import Core
from crossdock.simulator.shopify_orders import Catalogue, make_order
from crossdock.stores.opening import open_messages
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
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
    ahead = ReadAhead(handler, lambda number: None)
    ahead.remember(read_ahead(handler, messages_of(arrivals(*bodies), receipts(40))))
    for n, body in enumerate(bodies, 1):
        assert ahead.split(message(n, b"not looked at")) is None
        assert ahead.translate(message(n, b"not looked at")) == handler.translate(message(n, body))


def test_it_is_used_once_and_for_a_first_attempt_only(handler):
    (body,) = orders(1)
    ahead = ReadAhead(handler, lambda number: None)
    read = read_ahead(handler, messages_of(arrivals(body, body), receipts(2)))
    ahead.remember(read)
    assert ahead.translate(message(1, b"{}"))
    with pytest.raises(MappingError):
        ahead.translate(message(1, b"{}"))
    with pytest.raises(MappingError):
        ahead.translate(message(2, b"{}", attempt=1))


def test_what_comes_too_late_is_not_kept_for_its_message_may_have_been_edited(handler):
    (body,) = orders(1)
    ahead = ReadAhead(handler, lambda number: None)
    with pytest.raises(MappingError):
        ahead.translate(message(1, b"{}"))
    ahead.remember(read_ahead(handler, messages_of(arrivals(body), receipts(1))))
    with pytest.raises(MappingError):
        ahead.translate(message(1, b'{"edited": true}'))


def test_each_is_asked_for_once(handler):
    ahead = ReadAhead(handler, lambda number: None)
    assert ahead.wanted([]) == []
    assert ahead.wanted(range(11, 41)) == list(range(11, 41))
    assert ahead.wanted(range(21, 51)) == list(range(41, 51))
    ahead.being_read([61, 62])
    assert ahead.wanted(range(41, 71)) == [*range(51, 61), *range(63, 71)]
    ahead.alone()
    assert ahead.wanted(range(41, 71)) == list(range(41, 71))


def test_nothing_of_a_person_who_was_forgotten_is_kept_and_what_is_still_being_read_is_not_taken(handler):
    ahead = ReadAhead(handler, lambda number: None)
    read = read_ahead(handler, messages_of(arrivals(*orders(3)), receipts(3)))
    ahead.being_read([1, 2, 3])
    ahead.remember(read[:2])
    ahead.forget()
    ahead.remember(read[2:])
    for number in (1, 2, 3):
        with pytest.raises(MappingError):
            ahead.translate(message(number, b"{}"))


def test_only_so_many_bytes_are_remembered_and_large_bodies_are_left_to_the_core(handler, monkeypatch):
    (body,) = orders(1)
    read = read_ahead(handler, messages_of(arrivals(body, body), receipts(2)))
    monkeypatch.setattr(reading, "READ_BYTES_MAX", len(read[0][1]) + 10)
    ahead = ReadAhead(handler, lambda number: None)
    ahead.remember(read)
    assert ahead.translate(message(1, b"{}"))
    with pytest.raises(MappingError):
        ahead.translate(message(2, b"{}"))
    monkeypatch.setattr(reading, "BODY_BYTES_MAX", len(body) - 1)
    assert read_ahead(handler, messages_of(arrivals(body), receipts(1))) == []


ABOUT = {
    "order_id": "CD0000000001",
    "request_id": "CD0000000001-1",
    "lines": [{"line_id": "1", "quantity": 1}],
}
TOLD = [
    ("pick.short", ABOUT | {"occurred_at": "2026-03-28T12:00:00+01:00"}),
    ("shipment.created", ABOUT | {"id": "S1", "shipped_at": "2026-03-28T12:00:00+01:00"}),
    (
        "stock.snapshot",
        {
            "location": "MAIN",
            "as_of": "2026-03-28T12:00:00.5-05:30",
            "levels": [{"sku": "A", "on_hand": 3}],
        },
    ),
]


@pytest.mark.parametrize(("kind", "body"), TOLD, ids=[kind for kind, _ in TOLD])
def test_what_was_read_ahead_hashes_as_what_the_core_reads(kind, body):
    warehouse = wms.build({"url": "http://127.0.0.1:9", "token": "t", "webhook_secret": "s"})
    handler = RetailHandler(make_plan(), {"wms": warehouse})
    told = Arrival(source="wms", kind=kind, body=msgspec.json.encode(body), received_at=NOW)
    (waiting,) = messages_of([told], receipts(1))
    ahead = ReadAhead(handler, lambda number: None)
    ahead.remember(read_ahead(handler, [waiting]))
    assert [canonical_hash(report) for report in ahead.translate(waiting)] == [
        canonical_hash(report) for report in handler.translate(waiting)
    ]


class Outliving(Core):
    """An edge whose process goes on when the core is gone."""

    def connection_lost(self, exc):
        pass


async def read_by_the_edge(frames, handler, stored):
    """What the edge answers to frames of the core."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    await loop.create_unix_connection(
        lambda: Outliving(None, handler, stored, threading.Event()), sock=theirs
    )
    ours.setblocking(False)
    for frame in frames:
        await loop.sock_sendall(ours, packed(frame))
    told, unpacker = [], Unpacker()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            while True:
                told += unpacker.feed(await loop.sock_recv(ours, 65_536))
    ours.close()
    return [number for frame in told for number, _ in frame.messages]


def test_the_edge_reads_what_waits_in_the_store_and_leaves_out_what_is_too_late(handler, tmp_path):
    vault = Vault(b"k" * 32)
    opened = open_store(tmp_path / "x.db", vault)
    numbers = [r.message for r in opened.accept(arrivals(*orders(60)), NOW)]
    stored = open_messages(tmp_path / "x.db", vault, 1_000_000)
    frames = [ReadThese(numbers[:50], numbers[0]), ReadThese(numbers[50:], numbers[30])]
    told = asyncio.run(read_by_the_edge(frames, handler, stored))
    assert told[-30:] == numbers[30:]
    assert told == sorted(set(told))
    assert open_messages(tmp_path / "x.db", vault, 10)(numbers) == []
    assert open_messages("postgresql://nowhere", vault, 1_000_000)(numbers) == []
    opened.close()


def test_what_cannot_be_read_and_what_is_not_single_is_left_to_the_core(handler):
    good, bad = orders(1)[0], b'{"id": 1}'
    read = read_ahead(handler, messages_of(arrivals(good, bad), receipts(2)))
    assert [number for number, _ in read] == [1]
    for unread in (arrivals(b"[]", kind="page.orders"), arrivals(good, kind="carts/update")):
        assert read_ahead(handler, messages_of(unread, receipts(1))) == []


@pytest.mark.parametrize(
    ("source", "kind", "body"),
    [
        (
            HUB,
            "effect.settled",
            {
                "effect": 7,
                "connection": "erp",
                "operation": "create_sale",
                "intent": "sale",
                "outcome": "done",
            },
        ),
        ("shop", TOUCHED, {"store": "berlin", "date": "2026-03-14", "currency": "EUR"}),
    ],
)
def test_a_message_of_our_own_is_left_to_the_core(handler, source, kind, body):
    ours = Arrival(source=source, kind=kind, body=msgspec.json.encode(body), received_at=NOW)
    (whole,) = messages_of([ours], receipts(1))
    assert handler.translate(whole)
    assert read_ahead(handler, [whole]) == []


def test_what_was_read_ahead_and_is_not_understood_is_read_by_the_core(handler):
    (body,) = orders(1)
    ahead = ReadAhead(handler, {1: message(1, body)}.get)
    ahead.remember([(1, b'[{"outcome":"done"}]')])
    assert ahead.translate(message(1, b"")) == handler.translate(message(1, body))


def test_what_was_read_ahead_is_claimed_without_its_body_but_for_a_later_attempt(handler, tmp_path):
    opened = open_store(tmp_path / "x.db", Vault(b"k" * 32))
    bodies = orders(3)
    numbers = [r.message for r in opened.accept(arrivals(*bodies), NOW)]
    ahead = ReadAhead(handler, opened.message)
    ahead.remember([(number, b"[]") for number in numbers[:2]])
    opened._db.connection.execute("update inbox set attempt = 1 where id = ?", (numbers[1],))
    claim = opened.claim(3, NOW, ahead.read)
    assert [m.body for m in claim.messages] == [b"", *bodies[1:]]
    assert ahead.translate(claim.messages[1]) == handler.translate(claim.messages[1])
    opened.close()


def test_the_store_tells_partners_messages_behind_the_next_batch(tmp_path):
    opened = open_store(tmp_path / "x.db", Vault(b"k" * 32))
    theirs = arrivals(*orders(4))
    ours = [Arrival(source=HUB, kind="effect.settled", body=b"{}", received_at=NOW)]
    numbers = [r.message for r in opened.accept([*theirs[:2], *ours, *theirs[2:], *ours], NOW)]
    assert opened.behind(1, 10) == [numbers[1], numbers[3], numbers[4]]
    assert opened.behind(1, 2) == [numbers[1]]
    assert opened.behind(9, 2) == []
    opened.close()


def test_what_was_known_or_refused_is_not_read():
    (body,) = orders(1)
    assert messages_of(arrivals(body), receipts(1, duplicate=True)) == []
    assert messages_of(arrivals(body), receipts(1, conflict=True)) == []

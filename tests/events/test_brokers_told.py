"""The same hub, told to brokers: a real NATS server that is killed under load, and librdkafka's mock cluster."""

import asyncio
import json
import threading

import pytest

from crossdock.connectors.kafka import build as build_kafka
from crossdock.transport.kafka import KafkaTransport
from tests.bootstrap.waiting import eventually
from tests.events.subscribed import subscribed
from tests.events.test_telling import ids
from tests.transport.nats_here import NatsHere
from tests.transport.test_brokers import MOCK, consumed, stored

pytestmark = [pytest.mark.slow, pytest.mark.serial]
NATS = """
[connections.stream]
connector = "nats"
servers = ["{url}"]
"""


@pytest.fixture
def server(tmp_path):
    made = NatsHere(tmp_path).start()
    yield made
    made.kill()


def everything_is_in_the_stream(shop, server):
    """Nothing is lost, nothing doubled, and every order's events stand in the order in which they were decided."""
    eventually(lambda: not shop.rows("inbox_by_state"))
    eventually(lambda: shop.waiting("stream") == 0, 40, told=lambda: f"{shop.waiting('stream')} wait")
    found = asyncio.run(stored(server.url, "CROSSDOCK"))
    events = [json.loads(message.data) for message in found]
    assert [message.headers["Nats-Msg-Id"] for message in found] == [event["id"] for event in events]
    assert len(events) == len({event["id"] for event in events}), "doubled"
    assert {event["id"] for event in events} == ids(shop.events()), "lost, or made up"
    last = {}
    for event in events:
        assert event["sequence"] > last.get(event["subject"], ""), "out of order"
        last[event["subject"]] = event["sequence"]
    for message, event in zip(found, events, strict=True):
        assert message.subject == f"crossdock.{event['type']}"
    return events


def test_every_event_stands_once_in_the_stream(tmp_path, server):
    with subscribed(tmp_path, subscribers=(), brokers=NATS.format(url=server.url)) as shop:
        shop.send(6)
        shop.settled()
        events = everything_is_in_the_stream(shop, server)
        assert len(events) > 60
        assert shop.cases() == []


@pytest.mark.fault(10)
def test_a_broker_that_is_killed_and_started_under_load_stops_nothing_loses_nothing_and_doubles_nothing(
    tmp_path, server
):
    with subscribed(tmp_path, subscribers=("audit",), brokers=NATS.format(url=server.url)) as shop:
        pause = threading.Event()
        with shop.sending(40, every_s=0.03):
            for _ in range(3):
                pause.wait(0.3)
                server.kill()
                pause.wait(0.3)
                server.start()
        shop.settled()
        events = everything_is_in_the_stream(shop, server)
        eventually(lambda: shop.waiting("audit") == 0)
        assert {event["id"] for event in events} == set(shop.subscriber().events)
        assert shop.cases() == []


@pytest.mark.fault(10)
@pytest.mark.fault(19)
def test_a_broker_that_was_never_there_holds_nothing_back_and_is_told_when_it_comes(tmp_path, server):
    server.kill()
    with subscribed(tmp_path, subscribers=(), brokers=NATS.format(url=server.url)) as shop:
        shop.send(4)
        shop.settled()
        eventually(lambda: shop.waiting("stream") > 40)
        assert shop.cases() == []
        shop.stop()
        server.start()
        shop.start()
        everything_is_in_the_stream(shop, server)


def test_kafka_is_told_by_the_same_capability(tmp_path, monkeypatch):
    """No broker is at hand: the hub's own producer brings librdkafka's mock cluster with it."""
    made = []

    class WithMockCluster(KafkaTransport):
        def __init__(self, servers, options):
            super().__init__(servers, {**options, **MOCK})
            made.append(self)

    monkeypatch.setattr("crossdock.transport.kafka.KafkaTransport", WithMockCluster)
    lines = (
        '\n[connections.stream]\nconnector = "kafka"\nservers = ["kafka://127.0.0.1:1"]\ntopic = "orders"\n'
    )
    assert build_kafka({"servers": "kafka://127.0.0.1:1"}).spec.roles == ("subscriber",)
    with subscribed(tmp_path, subscribers=(), brokers=lines) as shop:
        shop.send(3)
        shop.settled()
        eventually(lambda: not shop.rows("inbox_by_state"))
        eventually(lambda: shop.waiting("stream") == 0, 40)
        wanted = ids(shop.events())
        (transport,) = [one for one in made if one._producer is not None]
        found = consumed(transport.servers, "orders", len(wanted))
        events = [json.loads(message.value()) for message in found]
        assert {event["id"] for event in events} == wanted
        assert [message.key().decode() for message in found] == [event["subject"] for event in events]
        last = {}
        for event in events:
            assert event["sequence"] > last.get(event["subject"], "")
            last[event["subject"]] = event["sequence"]

"""The transports of brokers, against a real NATS server and librdkafka's own mock cluster."""

import asyncio

import msgspec
import nats
import pytest

from crossdock.connectors.nats import build
from crossdock.errors import ConfigurationError, CredentialsError, NotSentError, UnclearError
from crossdock.sdk.calls import Request, raise_for_reply
from crossdock.transport.http import HttpTransport
from crossdock.transport.jetstream import JetStreamTransport
from crossdock.transport.kafka import KafkaTransport
from crossdock.transport.opening import OneByOne, async_transport_for, transport_for
from tests.transport.nats_here import NatsHere, free_port

STREAM = {"name": "TEST", "subjects": ["test.>"], "replicas": 1, "duplicate_window_s": 60}
MAKE = Request(method="MAKE", path="TEST", body=msgspec.json.encode(STREAM))


def publish(n, subject="test.a"):
    return Request(method="PUBLISH", path=subject, headers={"Nats-Msg-Id": f"m{n}"}, body=b"%d" % n)


@pytest.fixture
def server(tmp_path):
    made = NatsHere(tmp_path).start()
    yield made
    made.kill()


def run(server, body):
    """Run `body` with a transport to the server."""

    async def main():
        transport = JetStreamTransport([server.url], {})
        try:
            return await body(transport)
        finally:
            await transport.close()

    return asyncio.run(main())


async def stored(url, stream="TEST"):
    """Every message of a stream, in order."""
    client = await nats.connect(url)
    js = client.jetstream()
    count = (await js.stream_info(stream)).state.messages
    subscription = await js.pull_subscribe("", stream=stream)
    found = []
    while len(found) < count:
        for message in await subscription.fetch(min(500, count - len(found)), timeout=5):
            found.append(message)
            await message.ack()
    await client.close()
    return found


def test_a_published_message_is_acknowledged_with_its_place_in_the_stream(server):
    async def body(transport):
        assert (await transport.send(publish(0), 5.0)).status == 404
        assert (await transport.send(MAKE, 5.0)).status == 200
        assert (await transport.send(MAKE, 5.0)).status == 200  # made before, just so
        replies = [msgspec.json.decode((await transport.send(publish(n), 5.0)).body) for n in (1, 2, 1)]
        return replies, await stored(server.url)

    replies, found = run(server, body)
    assert replies[:2] == [
        {"stream": "TEST", "seq": 1, "duplicate": False},
        {"stream": "TEST", "seq": 2, "duplicate": False},
    ]
    assert replies[2] == {"stream": "TEST", "seq": 1, "duplicate": True}
    assert [message.data for message in found] == [b"1", b"2"]


def test_the_trace_travels_in_a_header(server):
    async def body(transport):
        await transport.send(MAKE, 5.0)
        await transport.send(publish(1), 5.0, "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "a=1")
        return await stored(server.url)

    (message,) = run(server, body)
    assert message.headers["traceparent"].startswith("00-aaaa")
    assert message.headers["tracestate"] == "a=1"


def test_with_no_server_nothing_is_sent():
    async def main():
        transport = JetStreamTransport([f"nats://127.0.0.1:{free_port()}"], {})
        with pytest.raises(NotSentError):
            await transport.send(publish(1), 5.0)
        with pytest.raises(NotSentError, match="no time"):
            await transport.send(publish(1), 0)

    asyncio.run(main())


def test_a_server_that_dies_under_a_message_leaves_it_unclear_at_once(server):
    async def body(transport):
        await transport.send(MAKE, 5.0)
        server.freeze()
        sending = asyncio.ensure_future(transport.send(publish(1), 60.0))
        await asyncio.sleep(0.1)
        server.kill()
        with pytest.raises(UnclearError, match="lost"):
            await sending

    run(server, body)


def test_a_frozen_server_leaves_the_message_unclear_when_the_time_is_over(server):
    async def body(transport):
        await transport.send(MAKE, 5.0)
        server.freeze()
        try:
            with pytest.raises(UnclearError):
                await transport.send(publish(1), 0.3)
        finally:
            server.thaw()
        return await transport.send(publish(1), 5.0)

    reply = run(server, body)
    assert reply.status == 200  # the stream may have had it from the first time: either way it has it once


def test_after_a_restart_the_next_message_goes_over_a_new_connection(server):
    async def body(transport):
        await transport.send(MAKE, 5.0)
        await transport.send(publish(1), 5.0)
        server.kill()
        with pytest.raises((NotSentError, UnclearError)):
            await transport.send(publish(2), 2.0)
        server.start()
        for n in (1, 2):
            assert (await transport.send(publish(n), 5.0)).status == 200
        return await stored(server.url)

    found = run(server, body)
    assert [message.data for message in found] == [b"1", b"2"], (
        "acknowledged, synced, deduplicated after a kill"
    )


def test_a_wrong_password_is_a_matter_of_credentials(tmp_path):
    server = NatsHere(tmp_path, authorization='{ user: "hub", password: "right" }').start()
    try:

        async def main(password):
            transport = JetStreamTransport([server.url], {"user": "hub", "password": password})
            try:
                return await transport.send(MAKE, 5.0)
            finally:
                await transport.close()

        assert asyncio.run(main("right")).status == 200
        with pytest.raises(CredentialsError):
            raise_for_reply(MAKE, asyncio.run(main("wrong")))
    finally:
        server.kill()


def test_an_event_too_large_for_the_server_is_refused_and_not_tried_again(tmp_path):
    server = NatsHere(tmp_path, max_payload=1000).start()
    try:

        async def body(transport):
            await transport.send(MAKE, 5.0)
            return await transport.send(Request(method="PUBLISH", path="test.a", body=b"x" * 2000), 5.0)

        assert run(server, body).status == 413
    finally:
        server.kill()


def test_threads_send_one_by_one(server):
    transport = transport_for({"servers": server.url}, {})
    assert isinstance(transport, OneByOne)
    assert transport.send(MAKE, 5.0).status == 200
    assert transport.send(publish(1), 5.0).status == 200


def test_the_scheme_chooses_the_transport():
    assert isinstance(transport_for({"url": "http://127.0.0.1:1"}, {}), HttpTransport)
    assert isinstance(
        async_transport_for({"servers": "tls://one:4222,tls://two:4222"}, {}), JetStreamTransport
    )
    assert isinstance(async_transport_for({"servers": "kafka://one:9092"}, {}), KafkaTransport)
    with pytest.raises(ConfigurationError, match="scheme"):
        transport_for({"servers": "amqp://one"}, {})
    assert build({"servers": "nats://one:4222", "user": "hub"}).request_headers() == {"user": "hub"}


# Kafka: librdkafka brings a cluster of its own for tests; no broker was at hand.

MOCK = {"security.protocol": "plaintext", "test.mock.num.brokers": "3"}


def consumed(servers, topic, count):
    from confluent_kafka import Consumer

    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "test",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    found = []
    try:
        while len(found) < count:
            message = consumer.poll(20)
            assert message is not None, f"{len(found)} of {count} came"
            assert message.error() is None, message.error()
            found.append(message)
    finally:
        consumer.close()
    return found


def produce(n, key, topic="events"):
    return Request(
        method="PUBLISH", path=topic, query={"key": key}, headers={"content-type": "x/y"}, body=b"%d" % n
    )


def test_kafka_holds_what_was_acknowledged_in_order_per_key():
    async def main():
        transport = KafkaTransport(["kafka://127.0.0.1:1"], MOCK)
        for n in range(20):
            pair = [transport.send(produce(n, key), 20.0, "00-t", "a=1") for key in ("A", "B")]
            for reply in await asyncio.gather(*pair):
                assert reply.status == 200
        found = consumed(transport.servers, "events", 40)
        await transport.close()
        return found

    found = asyncio.run(main())
    for key in (b"A", b"B"):
        of_key = [message for message in found if message.key() == key]
        assert [int(message.value()) for message in of_key] == list(range(20))
        assert len({message.partition() for message in of_key}) == 1
        assert dict(of_key[0].headers()) == {
            "content-type": b"x/y",
            "traceparent": b"00-t",
            "tracestate": b"a=1",
        }


def test_kafka_that_does_not_answer_leaves_a_message_unclear():
    async def main():
        transport = KafkaTransport(
            [f"kafka://127.0.0.1:{free_port()}"],
            {"security.protocol": "plaintext", "delivery.timeout.ms": "300", "linger.ms": "0"},
        )
        with pytest.raises(UnclearError):
            await transport.send(produce(1, "A"), 20.0)
        with pytest.raises(NotSentError):
            await transport.send(produce(1, "A"), 0)

    asyncio.run(main())


def test_an_event_too_large_for_kafka_is_refused():
    async def main():
        transport = KafkaTransport(["kafka://127.0.0.1:1"], {**MOCK, "message.max.bytes": "2000"})
        return await transport.send(Request(method="PUBLISH", path="events", body=b"x" * 5000), 20.0)

    assert asyncio.run(main()).status == 413


def test_options_that_kafka_does_not_know_are_a_mistake_in_the_configuration():
    async def main():
        transport = KafkaTransport(
            ["kafka://127.0.0.1:1"], {"ssl.ca.location": "/nowhere", "security.protocol": "ssl"}
        )
        await transport.send(produce(1, "A"), 5.0)

    with pytest.raises(ConfigurationError):
        asyncio.run(main())

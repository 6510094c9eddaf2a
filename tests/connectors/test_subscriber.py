"""Events to subscribers: signed webhooks, the requests of brokers, and what may be wrong in their settings."""

import base64
import json
from datetime import UTC, datetime

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from crossdock.connectors import kafka, nats, subscriber
from crossdock.errors import (
    ConfigurationError,
    CredentialsError,
    GoneError,
    NotSentError,
    SignatureError,
    ThrottledError,
    UnclearError,
)
from crossdock.model.commands import Tell
from crossdock.model.events import CloudEvent
from crossdock.sdk.calls import Done, Intent, Refused, Response
from crossdock.sdk.telling import Wants, encoded
from crossdock.simulator.base import SECOND
from crossdock.simulator.subscriber import SubscriberSimulator
from tests.config.test_load import mistakes
from tests.connectors.driving import AGAIN, FIRST, NOW, Wire, canned, drive, reply

NEW, OLD, FOREIGN = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))
EVENT = CloudEvent(
    id="CD0000000001.7.0",
    source="urn:crossdock:test",
    type="order.accepted",
    subject="CD0000000001",
    time=datetime(2026, 3, 28, 12, tzinfo=UTC),
    datacontenttype="application/json",
    data={"number": "#1001 ü"},
    partitionkey="CD0000000001",
)
TELL = Tell(event=EVENT)
SETTINGS = {"url": "https://audit.example", "secret": NEW}
AT = datetime.fromtimestamp(NOW / SECOND, UTC).isoformat()


def wire(*secrets, **settings):
    return Wire(SubscriberSimulator({"secrets": secrets, **settings}, 1), {})


def told(connector, answer, **intent):
    return drive(connector.tell(TELL, Intent(**{"key": "k", "now": AT, **intent})), answer)


def test_a_delivery_is_verified_kept_once_and_known_again():
    there = wire(NEW)
    connector = subscriber.build(SETTINGS)
    assert told(connector, there) == Done()
    assert told(connector, there, attempt=2, may_have_happened=True) == Done()
    state = there.simulator.state()
    assert (state["kept"], state["repeated"], state["forged"]) == (1, 1, 0)
    assert [r.headers["webhook-id"] for r in there.requests] == [EVENT.id] * 2
    assert there.requests[0].body == there.requests[1].body
    body = json.loads(there.requests[0].body)
    assert body["specversion"] == "1.0"
    assert body["data"] == {"number": "#1001 ü"}


def test_the_time_is_that_of_the_attempt_and_the_id_is_not():
    there = wire()
    connector = subscriber.build(SETTINGS)
    for intent in (FIRST, AGAIN):
        drive(connector.tell(TELL, intent), there)
    first, again = there.requests
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert int(again.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 60
    assert first.headers["webhook-signature"] != again.headers["webhook-signature"]


@pytest.mark.parametrize("theirs", [(OLD,), (NEW,), (OLD, NEW), (FOREIGN, NEW)])
def test_while_secrets_are_changed_either_side_may_go_first(theirs):
    there = wire(*theirs)
    assert told(subscriber.build({**SETTINGS, "older_secrets": OLD}), there) == Done()
    assert there.simulator.forged == 0


def test_a_secret_that_is_not_theirs_is_refused_there():
    there = wire(FOREIGN)
    with pytest.raises(UnclearError):
        told(subscriber.build({**SETTINGS, "older_secrets": OLD}), there)
    assert there.simulator.forged == 1


def test_the_standard_library_takes_what_we_sign():
    there = wire()
    now = datetime.now(UTC).isoformat()
    told(subscriber.build({**SETTINGS, "older_secrets": OLD}), there, now=now)
    (request,) = there.requests
    for secret in (NEW, OLD):
        Webhook(secret).verify(request.body, dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(FOREIGN).verify(request.body, dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(request.body + b" ", dict(request.headers))


def test_our_signatures_are_those_of_the_standards_vectors(shared):
    path = shared / "specs" / "standard_webhooks" / "vectors.json"
    good = [
        vector
        for vector in json.loads(path.read_text())["vectors"]
        if vector["valid"] and " " not in vector["signature"]
    ]
    assert len(good) >= 2
    for vector in good:
        key = Webhook(subscriber.connector._key("secret", vector["secret"]))
        at = datetime.fromtimestamp(vector["timestamp"], UTC)
        assert key.sign(vector["id"], at, vector["payload"]) == vector["signature"]


@pytest.mark.parametrize("status", [301, 400, 404, 409, 422, 500, 503])
def test_whatever_is_no_receipt_is_tried_again(status):
    with pytest.raises(UnclearError):
        told(subscriber.build(SETTINGS), canned(Response(status=status)))


@pytest.mark.parametrize(
    ("status", "error"), [(410, GoneError), (401, CredentialsError), (429, ThrottledError)]
)
def test_a_reply_that_says_more_is_heard(status, error):
    with pytest.raises(error):
        told(subscriber.build(SETTINGS), canned(Response(status=status)))


def test_nothing_comes_in_from_a_subscriber():
    for connector in (subscriber.build(SETTINGS), nats.build({"servers": "nats://a:1"})):
        with pytest.raises(SignatureError):
            connector.verify({}, b"{}")


def test_a_token_travels_where_there_is_one():
    assert subscriber.build(SETTINGS).request_headers() == {}
    assert subscriber.build({**SETTINGS, "token": "t"}).request_headers() == {"authorization": "Bearer t"}


# Brokers


def test_nats_is_told_under_the_events_id_and_type():
    requests = []

    def stream(request):
        requests.append(request)
        return reply({"stream": "CROSSDOCK", "seq": 5, "duplicate": True})

    connector = nats.build({"servers": "nats://one.example:4222", "subject": "retail.events"})
    assert told(connector, stream) == Done(reference="CROSSDOCK:5")
    (request,) = requests
    assert (request.method, request.path) == ("PUBLISH", "retail.events.order.accepted")
    assert request.headers["Nats-Msg-Id"] == EVENT.id
    assert msgspec.json.decode(request.body, type=CloudEvent) == EVENT


def test_a_stream_that_is_not_there_is_made_once_and_the_event_told_again():
    seen = []

    def server(request):
        seen.append(request)
        if request.method == "MAKE":
            return reply({"stream": "CROSSDOCK"})
        return reply({"stream": "CROSSDOCK", "seq": 1}) if len(seen) == 3 else reply(status=404)

    assert told(nats.build({"servers": "nats://a:1", "replicas": "3"}), server) == Done(
        reference="CROSSDOCK:1"
    )
    assert [request.method for request in seen] == ["PUBLISH", "MAKE", "PUBLISH"]
    assert json.loads(seen[1].body) == {
        "name": "CROSSDOCK",
        "subjects": ["crossdock.>"],
        "replicas": 3,
        "duplicate_window_s": 1200,
    }


def test_a_stream_that_we_may_not_make_is_waited_for():
    with pytest.raises(NotSentError, match="Make one"):
        told(nats.build({"servers": "nats://a:1", "make_stream": "no"}), lambda _: reply(status=404))


def test_what_a_broker_will_never_take_is_refused():
    for connector in (nats.build({"servers": "nats://a:1"}), kafka.build({"servers": "kafka://a:1"})):
        outcome = told(connector, lambda _: Response(status=413, body=b"too large"))
        assert outcome == Refused(reason="too large", code="413")


def test_kafka_is_told_under_the_key_of_the_order():
    requests = []

    def topic(request):
        requests.append(request)
        return reply({"topic": "t", "partition": 2, "offset": 9})

    assert told(kafka.build({"servers": "kafka://a:9092", "topic": "t"}), topic) == Done(reference="t:2:9")
    assert requests[0].query == {"key": "CD0000000001"}
    assert requests[0].body == encoded(EVENT)


def test_kafka_is_spoken_to_with_tls_unless_told_otherwise():
    assert kafka.build({"servers": "kafka://a:1"}).request_headers() == {"security.protocol": "ssl"}
    options = kafka.build(
        {"servers": "kafka://a:1", "security": "sasl_ssl", "user": "u", "password": "p", "ca_file": "/ca"}
    ).request_headers()
    assert options["sasl.mechanism"] == "SCRAM-SHA-512"
    assert options["ssl.ca.location"] == "/ca"


# Settings

GOOD = (
    '[connections.audit]\nconnector = "subscriber"\nurl = "https://audit.example/in"\nsecret = "${WHSEC}"\n'
)


@pytest.fixture
def secrets(monkeypatch):
    from tests.config import test_load

    monkeypatch.setitem(test_load.ENVIRON, "WHSEC", NEW)
    monkeypatch.setitem(test_load.ENVIRON, "SHORT", "whsec_c2hvcnQ=")


def test_a_subscriber_is_a_connection_like_any_other(tmp_path, secrets):
    assert mistakes(tmp_path, GOOD + 'events = ["order.*", "shipment.recorded"]\n') == []


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ('events = ["order.*", "shipment.sent"]', "events", "no event 'shipment.sent'"),
        ('events = ["odrer.accepted"]', "events", "Did you mean 'order.accepted'?"),
        ('older_secrets = "${SHORT}"', "older_secrets", "24 to 64 bytes"),
        ('older_secrets = "whsec_abc"', "older_secrets", "stands in the file"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_remedy(tmp_path, secrets, line, field, words):
    ((at, place, told_),) = mistakes(tmp_path, GOOD + line + "\n")
    assert (at, place) == (5, f"connections.audit.{field}")
    assert words in told_


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ('"nats"\nservers = ["http://a:1"]', "servers", "nats://"),
        ('"nats"\nservers = ["nats://u:p@a:1"]', "servers", "credentials"),
        ('"nats"\nservers = ["nats://a:1"]\nsubject = "a b"', "subject", "no subject"),
        ('"nats"\nservers = ["nats://a:1"]\nstream = "a.b"', "stream", "no name"),
        ('"nats"\nservers = ["nats://a:1"]\nreplicas = 2', "replicas", "1, 3, 5"),
        ('"nats"\nservers = ["nats://a:1"]\nduplicate_window_s = 0', "duplicate_window_s", "at least 1"),
        ('"kafka"\nservers = ["a:9092"]', "servers", "kafka://"),
        ('"kafka"\nservers = ["kafka://a:1"]\ntopic = "a/b"', "topic", "no name"),
        ('"kafka"\nservers = ["kafka://a:1"]\nsecurity = "sasl_ssl"', "security", "user and password"),
        ('"kafka"\nservers = ["kafka://a:1"]\nsecurity = "tls"', "security", "not one of"),
    ],
)
def test_a_brokers_mistake_is_told_with_its_line_and_remedy(tmp_path, text, field, words):
    whole = f"[connections.stream]\nconnector = {text}\n"
    ((at, place, told_),) = mistakes(tmp_path, whole)
    assert (at, place) == (whole.count("\n"), f"connections.stream.{field}")
    assert words in told_


def test_a_route_cannot_lead_to_a_subscriber(tmp_path, secrets):
    found = mistakes(tmp_path, GOOD + "[routes.audit]\n")
    assert any("no connection to a channel" in words for _, _, words in found)


def test_secrets_that_are_wrong_are_not_printed():
    with pytest.raises(ConfigurationError) as caught:
        subscriber.build({**SETTINGS, "secret": "whsec_geheim!"})
    assert "geheim" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="older secrets"):
        subscriber.build({**SETTINGS, "older_secrets": ",".join([OLD] * 5)})


# Which events

TABLE = [
    ("", "order.accepted", True),
    ("", "poll.asked", False),
    ("", "ours.happened", True),
    ("*", "poll.asked", True),
    ("order.*", "order.accepted", True),
    ("order.*", "shipment.recorded", False),
    ("shipment.recorded,order.accepted", "order.accepted", True),
    ("order.accepted", "order.updated", False),
]


@pytest.mark.parametrize(("patterns", "type_", "wanted"), TABLE)
def test_a_subscriber_is_told_what_it_asks_for(patterns, type_, wanted):
    wants = Wants({"events": patterns})
    assert (type_ in wants) is wanted
    assert (type_ in wants) is wanted

"""A shop's request to forget a person, through gate, pipeline and store: on both databases, and through a kill."""

import pytest

from crossdock.engine import crash
from crossdock.engine.messages import Arrival
from crossdock.engine.pipeline import Pipeline
from crossdock.flows.handler import RetailHandler
from crossdock.stores.postgres.store import PostgresStore
from crossdock.stores.sqlite import open_store as open_sqlite
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW
from tests.connectors.shopify_payloads import CONNECTOR, order, raw
from tests.flows.hub import make_plan

KEY = b"k" * 32
NAME = b"Zebedee"
GONE = order(
    cancelled_at="2026-03-02T10:00:00+01:00",
    cancel_reason="customer",
    financial_status="voided",
    shipping_address={"name": "Zebedee", "address1": "Elm St 1", "country_code": "DE", "city": "Berlin"},
)


class Killed(BaseException):
    """The process is gone: nothing in it catches that."""


@pytest.fixture(params=["sqlite", "postgres"])
def opening(request, tmp_path):
    """Opens the store, again and again."""
    if request.param == "sqlite":
        return lambda: open_sqlite(tmp_path / "crossdock.db", Vault(KEY))
    url = request.getfixturevalue("url")
    return lambda: PostgresStore(url, Vault(KEY), owner="worker")


@pytest.fixture
def store(opening):
    opened = opening()
    yield opened
    opened.close()


def send(store, topic, body):
    headers = {"x-shopify-topic": topic}
    gate = CONNECTOR.gate(headers, raw(body))
    about = {"ref_kind": gate.ref_kind, "ref": gate.ref}
    arrival = Arrival(source="shop", kind=topic, body=raw(body), headers=headers, **about)
    return store.accept([arrival], NOW)[0]


def run(store, reach=crash.nowhere):
    pipeline = Pipeline(store, RetailHandler(make_plan(offers={}), {"shop": CONNECTOR}), reach=reach)
    while pipeline.step(NOW):
        pass


def asked(*orders):
    customer = {"id": 7, "email": "zebedee@doe.example", "phone": "555"}
    return {"shop_id": 1, "customer": customer, "orders_to_redact": list(orders)}


def kept(store, receipt):
    """Whatever is kept of the subject that could be personal."""
    reads = store.reads()
    found = [reads.document(receipt.subject), reads.raw(receipt.message, receipt.subject)["body"]]
    events = [event["type"] for event in reads.timeline(receipt.subject)["events"]]
    reads.close()
    return found, events


def test_the_orders_that_a_shop_names_are_forgotten_and_no_other(store):
    named, other = send(store, "orders/create", GONE), send(store, "orders/create", {**GONE, "id": 5002})
    run(store)
    request = send(store, "customers/redact", asked(5001))
    run(store)
    ((document, body), events) = kept(store, named)
    assert (document[1], body) == (b"", b"")
    assert NAME not in document[0]
    assert events[-1] == "person.erased"
    ((document, body), events) = kept(store, other)
    assert NAME in document[1]
    assert NAME in body
    assert "person.erased" not in events
    ((_, body), events) = kept(store, request)
    assert body == b"", "the request names the person too"
    assert events == ["person.erasure_requested"]


def test_a_request_that_comes_twice_does_no_harm(store):
    named = send(store, "orders/create", GONE)
    for _ in range(2):
        send(store, "customers/redact", asked(5001))
        run(store)
    ((document, body), _) = kept(store, named)
    assert (document[1], body) == (b"", b"")


def test_an_order_that_is_not_held_is_a_case(store):
    send(store, "customers/redact", asked(999))
    run(store)
    reads = store.reads()
    (case,) = reads.cases(after=0, state="open", limit=10)
    reads.close()
    assert case["reason"] == "erasure.unknown"
    assert "999" in case["text"]


@pytest.mark.parametrize("point", [crash.BATCH_BEFORE_COMMIT, crash.BATCH_COMMITTED])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_kill_at_any_point_leaves_the_request_to_whoever_comes_next(opening, point, batch):
    store = opening()
    named = send(store, "orders/create", GONE)
    run(store)
    send(store, "customers/redact", asked(5001))
    reached = []

    def reach(name):
        reached.append(name)
        if name == point and reached.count(point) == batch:
            raise Killed

    with pytest.raises(Killed):
        run(store, reach)
    store.close()
    store = opening()
    store.recover(NOW, 0)
    run(store)
    ((document, body), events) = kept(store, named)
    store.close()
    assert (document[1], body) == (b"", b"")
    assert events.count("person.erased") == 1

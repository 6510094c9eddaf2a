"""An order and its copy through the gate, the store and the flows: whichever comes first, they find each other."""

import itertools
import json

import msgspec
import pytest

from crossdock.config.registry import Registry
from crossdock.domain.process import decode_process
from crossdock.domain.state import Changes, Level, Movement, Needs
from crossdock.engine.messages import Arrival
from crossdock.engine.pipeline import Pipeline
from crossdock.engine.port import Batch
from crossdock.flows.handler import RetailHandler
from crossdock.simulator.shopify_orders import Catalogue, quick_orders
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW
from tests.flows.hub import make_plan

SETTINGS = {"url": "http://shop.example", "access_token": "t", "webhook_secret": "s"}


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "x.db", Vault(b"k" * 32))
    yield opened
    opened.close()


def arrival(connector, source, body):
    headers = {"x-shopify-topic": "orders/create", "x-shopify-webhook-id": source}
    gate = connector.gate(headers, body)
    return Arrival(
        source=source,
        kind=gate.kind,
        body=body,
        headers=headers,
        ref_kind=gate.ref_kind,
        ref=gate.ref,
        delivery_id=gate.delivery_id,
        trace="a" * 32,
    )


@pytest.mark.parametrize("order", list(itertools.permutations(["shop", "market"])))
def test_an_order_that_a_tool_copied_is_sent_once(store, order):
    catalogue = Catalogue.of(3)
    sold, copy = (json.loads(body) for body in quick_orders(1, 2, NOW, 7, catalogue))
    copy |= {"source_name": "amazon-us", "source_identifier": str(sold["id"])}
    bodies = {"market": json.dumps(sold).encode(), "shop": json.dumps(copy).encode()}
    plan = make_plan()
    shop = msgspec.structs.replace(plan.routes["shop"], copies={"amazon-us": "market"})
    plan = msgspec.structs.replace(plan, routes={**plan.routes, "shop": shop})
    connectors = {name: Registry().get("shopify").build(SETTINGS) for name in ("shop", "market")}
    levels = [Level(sku, "berlin", 100) for sku in catalogue.skus]
    moves = [
        Movement(0, 0, n, sku, "berlin", "on_hand", 100, "opening", NOW)
        for n, sku in enumerate(catalogue.skus)
    ]
    store.commit(Batch(changes=Changes(levels=levels, movements=moves), now=NOW))
    pipeline = Pipeline(store, RetailHandler(plan, connectors))
    subjects = {}
    for source in order:
        (receipt,) = store.accept([arrival(connectors[source], source, bodies[source])], NOW)
        subjects[source] = receipt.subject
        while pipeline.step(NOW):
            pass
    reads = store.reads()
    found = store.load(Needs(orders=tuple(subjects.values()))).orders
    processes = {source: decode_process(found[subject].value) for source, subject in subjects.items()}
    assert processes["shop"].copy_of == f"market:{sold['id']}"
    assert processes["market"].copies == [f"shop:{copy['id']}"]
    assert len(found) == 2
    waiting = {(row[0], row[1], row[3]) for row in reads.rows("outbox_by_state")}
    assert waiting == {("erp", "create_sale", 1), ("market", "acknowledge", 1), ("wms", "release", 1)}
    reads.close()

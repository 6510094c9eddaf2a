"""A whole hub, started, stopped and started again over one folder, with its partners over loopback."""

import logging
from contextlib import closing

import apsw
import msgspec
import pytest

from crossdock.bootstrap.loops import clock_us
from crossdock.bootstrap.proof import prove
from crossdock.engine.messages import HUB, LANE_FREE, OPERATOR, Arrival, OperatorAction
from crossdock.errors import ConfigurationError
from tests.bootstrap.waiting import eventually
from tests.faults.here import retailer

pytestmark = pytest.mark.slow

ORDERS = 12


@pytest.fixture
def shop(tmp_path):
    with retailer(tmp_path) as made:
        yield made


def test_orders_go_from_dock_to_dock_and_the_books_balance(shop):
    shop.send(ORDERS)
    shop.settled()
    shop.stop()
    shop.check_partners()
    shop.check_hub()


def test_stopped_in_the_middle_and_started_again_it_goes_on_where_it_was(shop):
    for _ in range(4):
        shop.send(ORDERS)
        shop.stop()
        shop.start()
    shop.settled()
    shop.check_partners()
    shop.stop()
    shop.check_hub()


def test_a_clean_stop_is_no_crash_and_leaves_no_doubt(shop, caplog):
    caplog.set_level(logging.WARNING, logger="crossdock")
    for _ in range(3):
        shop.send(ORDERS)
        shop.stop()
        assert store_rows(shop, "select count(*) from batch") == [(0,)]
        assert store_rows(shop, "select count(*) from outbox where state = 3") == [(0,)]
        shop.start()
    assert caplog.messages == []


def test_bodies_that_are_past_their_time_go_by_themselves_and_the_books_still_balance(shop):
    shop.send(ORDERS)
    shop.settled()
    shop.stop()
    past = "select count(*) from message m join body b on b.message = m.id where m.handled_at = 1"
    store_rows(shop, "update message set handled_at = 1")
    store_rows(shop, "update process set finished = 1, updated_at = 1")
    assert store_rows(shop, past) > [(ORDERS,)]
    shop.start()
    eventually(lambda: store_rows(shop, past) == [(0,)])
    shop.send(ORDERS)
    shop.settled()
    shop.stop()
    shop.check_hub()


def store_rows(shop, question):
    connection = apsw.Connection(str(shop.folder / "data" / "crossdock.db"))
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def test_a_second_hub_on_the_same_folder_is_refused_and_the_first_goes_on(shop):
    first = shop.hub
    with pytest.raises(ConfigurationError, match="Another process"):
        shop.start()
    shop.hub = first
    shop.send(2)
    shop.settled()


def test_the_published_quantities_are_those_of_the_stock_in_the_end(shop):
    shop.send(ORDERS)
    shop.settled()
    eventually(
        lambda: shop.rows("marks_by_state") and all(row[1] == 4 for row in shop.rows("marks_by_state"))
    )
    for name in ("shop", "market"):
        quantities = shop.state(name)["quantities"]
        for sku, quantity in quantities.items():
            (level,) = shop.rows("get_stock", sku)
            assert quantity == level[2] - level[3] - level[4], (name, sku)


def test_a_channel_that_does_not_answer_delays_no_other_channels_quantities(tmp_path):
    with retailer(tmp_path, shop_faults={"slow_rate": 1.0, "slow_s": 60.0}) as made:
        eventually(lambda: made.state("market")["quantities"])
        silent = made.hub.lanes["shop"]
        assert (silent.done, silent.failed) == (0, 0), (
            "it was told while the other's call was still under way"
        )


def test_who_asks_the_shop_to_be_forgotten_is_forgotten_when_the_order_is_done(shop):
    shop.send(ORDERS)
    connected = "select subject, external_id from process where connection = 'shop' and external_id <> ''"
    eventually(lambda: len(store_rows(shop, connected)) >= 2)
    (subject, named), (other, _) = store_rows(shop, connected)[:2]
    body = msgspec.json.encode({"customer": {"id": 7, "email": "z@doe.example"}, "orders_to_redact": [named]})
    kind = "customers/redact"
    shop.hub.accept([Arrival(source="shop", kind=kind, body=body, headers={"x-shopify-topic": kind})])
    asked = f"select id from case_file where subject = {subject} and reason = 'order.held' and closed_at = 0"
    events = f"select type from event where subject = {subject} and type like 'person.%'"
    eventually(lambda: store_rows(shop, events))
    for (case,) in store_rows(shop, asked):
        lift = OperatorAction(
            action="release_hold", actor="ann", reason=f"case {case}", data={"code": "erasure"}
        )
        shop.hub.accept(
            [
                Arrival(
                    source=HUB,
                    kind=OPERATOR,
                    body=msgspec.json.encode(lift),
                    subject=subject,
                    lane=LANE_FREE,
                )
            ]
        )
    shop.settled()
    eventually(lambda: ("person.erased",) in store_rows(shop, events))
    parties = "select length(party) from document where id / 1024 = {}"
    assert {size for (size,) in store_rows(shop, parties.format(subject))} == {0}
    assert all(size for (size,) in store_rows(shop, parties.format(other)))
    shop.stop()
    shop.check_partners()
    with closing(shop.reads()) as reads:
        assert [check.text for check in prove(reads, clock_us()) if not check.ok] == []

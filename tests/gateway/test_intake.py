"""The gate without a server: what it keeps of a delivery, and how much may wait to be kept."""

import asyncio

import pytest

from crossdock.bootstrap import gathering
from crossdock.bootstrap.gathering import Gathering
from crossdock.connectors import till, wms
from crossdock.engine.messages import Arrival, Receipt
from crossdock.errors import MappingError, OverloadedError
from crossdock.gateway.intake import UNREADABLE, IntakeApp, TooLargeError, read_body
from crossdock.sdk.spec import Gate
from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import NOW


class Anything:
    """A connector whose senders say themselves what they send."""

    def gate(self, headers, body):
        return Gate(kind=headers["kind"], ref_kind="order", ref="1", delivery_id="d1")


class Nameless:
    """A connector whose senders tell of many things at once."""

    def gate(self, headers, body):
        return Gate(kind="tickets", delivery_id=headers["id"])


def kept(kind="", connector=None, **headers):
    app = IntakeApp({}, None, None, body_bytes_max=9, new_trace=lambda: "a" * 32, overtakes=lambda *_: False)
    return app.arrival("shop", connector or Anything(), {"kind": kind, "cursor": "9999", **headers}, b"{}")


def test_a_delivery_about_nothing_that_has_a_name_is_known_again_by_its_own(tmp_path):
    store = open_store(tmp_path / "x.db", Vault(b"k" * 32))
    named, again, other, nameless = (kept(connector=Nameless(), id=name) for name in ("u1", "u1", "u2", ""))
    receipts = store.accept([named, again, other, nameless, nameless], NOW)
    assert [receipt.duplicate for receipt in receipts] == [False, True, False, False, False]
    store.close()


def test_nobody_delivers_a_page_and_so_moves_the_cursor():
    assert kept("orders/create").kind == "orders/create"
    assert kept("page.orders").kind == UNREADABLE


@pytest.mark.fault(48)
@pytest.mark.parametrize("length", ["\xb2", "-1", "x", "", "9" * 5_000])
def test_no_length_that_a_sender_states_is_a_defect(length):
    async def receive():
        return {"type": "http.request", "body": b"{}"}

    try:
        assert asyncio.run(read_body(receive, {"content-length": length}, 9)) == b"{}"
    except TooLargeError:
        assert length.startswith("9")


class Slow:
    """A writer that keeps what it is handed until it is told to go on."""

    def __init__(self):
        self.groups, self.waiting = [], []

    def take_in(self, arrivals, deliver):
        self.groups.append([len(arrival.body) for arrival in arrivals])
        self.waiting.append((len(arrivals), deliver))

    def go_on(self):
        count, deliver = self.waiting.pop(0)
        deliver([Receipt(1, 1)] * count)


@pytest.mark.fault(9)
def test_large_bodies_go_in_groups_that_can_be_written_and_only_so_many_wait(monkeypatch):
    monkeypatch.setattr(gathering, "GROUP_BYTES_MAX", 100)
    monkeypatch.setattr(gathering, "WAITING_BYTES_MAX", 400)

    async def senders():
        writer = Slow()
        gate = Gathering(writer, 1_000)

        def send(size):
            return asyncio.create_task(gate.accept(Arrival(source="shop", kind="k", body=b"x" * size)))

        tasks = [send(size) for size in (40, 40, 40, 30, 250)]
        await asyncio.sleep(0)
        refused = send(1)
        with pytest.raises(OverloadedError):
            await refused
        while not all(task.done() for task in tasks):
            writer.go_on()
            await asyncio.sleep(0.01)
        assert writer.groups == [[40], [40, 40], [30], [250]]
        alone = send(9_999)
        await asyncio.sleep(0)
        writer.go_on()
        assert (await alone).message == 1

    asyncio.run(senders())


@pytest.mark.parametrize("build", [wms.build, till.build], ids=["wms", "till"])
def test_an_event_that_the_contract_does_not_have_is_told_by_its_name(build):
    connector = build({"url": "http://127.0.0.1:9", "token": "t", "webhook_secret": "s"})
    with pytest.raises(MappingError, match=r"no event 'sale'.*Let the sender name one") as told:
        connector.gate({"x-crossdock-event": "sale", "x-crossdock-delivery": "d1"}, b"{}")
    assert told.value.field == "x-crossdock-event"

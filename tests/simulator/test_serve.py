"""Simulators over loopback: what a simulator decides is what the wire does, and deliveries reach the hub in the end."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from crossdock.connectors.wms import build
from crossdock.errors import UnclearError
from crossdock.sdk.calls import get, post
from crossdock.simulator.base import SimRequest, SimResponse
from crossdock.simulator.serve import App, Config, Served
from crossdock.simulator.serve.http import HttpProtocol, HttpServer
from crossdock.transport.http import HttpTransport

AUTH = {"authorization": "Bearer t"}
RELEASE = {"request_id": "r1", "order_id": "CD1", "lines": [{"line_id": "1", "sku": "A", "quantity": 2}]}


class Hub:
    """The hub's gate: sends the first delivery away, and takes the rest."""

    def __init__(self) -> None:
        self.taken: list[SimRequest] = []
        self.refused = 0

    def answer(self, request: SimRequest) -> SimResponse:
        if not self.refused:
            self.refused += 1
            return SimResponse(status=503)
        self.taken.append(request)
        return SimResponse(status=202)


@contextmanager
def serving(*simulators: Served, hub: Hub | None = None) -> Iterator[str]:
    """Serve in a thread of this process; yields the address."""
    addresses: list[str] = []
    up = threading.Event()
    stop: list[Callable[[], None]] = []

    def told(address: str) -> None:
        addresses.append(address)
        up.set()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        end = asyncio.Event()
        stop.append(lambda: loop.call_soon_threadsafe(end.set))
        where = ""
        if hub is not None:
            gate = HttpServer(hub.answer)
            where = await gate.start("127.0.0.1", 0)
        await App(Config(simulators=simulators, hub=where)).serve(end, told)
        if hub is not None:
            await gate.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert up.wait(5)
    yield addresses[0]
    stop[0]()
    thread.join(5)
    assert not thread.is_alive()


def transport(address: str, name: str = "wms") -> HttpTransport:
    return HttpTransport(f"{address}/{name}", AUTH)


def eventually(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < limit, "it never came to pass"
        time.sleep(0.005)


def wms(**settings):
    return Served(name="wms", kind="wms", settings={"token": "t", "webhook_secret": "s", **settings})


def test_each_simulator_answers_under_its_name_and_shows_its_state():
    with serving(wms(), Served(name="erp", kind="erp", settings={"token": "t"})) as address:
        assert transport(address).send(post("/releases", json=RELEASE), 2).status == 201
        assert transport(address).send(get("/releases/r1"), 2).status == 200
        assert transport(address, "erp").send(get("/sales", query={"reference": "CD 1/2"}), 2).status == 200
        own = HttpTransport(address)
        state = msgspec.json.decode(own.send(get("/_state/wms"), 2).body)
        brief = msgspec.json.decode(own.send(get("/_state/wms", query={"brief": "1"}), 2).body)
        assert (state["releases"], state["documents"][0]["request_id"]) == (1, "r1")
        assert "documents" not in brief
        assert own.send(get("/_health"), 2).status == 200
        assert own.send(get("/fax/x"), 2).status == 404


def test_events_are_posted_until_the_hub_takes_them_with_their_signature():
    hub = Hub()
    with serving(wms(accept_after_s=0, ship_after_s=0), hub=hub) as address:
        transport(address).send(post("/releases", json=RELEASE), 2)
        eventually(lambda: len(hub.taken) == 2)
        state = msgspec.json.decode(HttpTransport(address).send(get("/_state/wms"), 2).body)
        assert state["deliveries"] == {"delivered": 2, "waiting": 0, "refused": {"503": 1}}
    connector = build({"webhook_secret": "s"})
    for request in hub.taken:
        assert request.path == "/in/wms"
        connector.verify(request.headers, request.body)
    assert {r.headers["x-crossdock-event"] for r in hub.taken} == {"release.accepted", "shipment.created"}


@pytest.mark.parametrize("fault", ["lost_request_rate", "lost_reply_rate", "cut_body_rate"])
def test_a_broken_reply_is_unclear_to_who_asked(fault):
    broken = msgspec.structs.replace(wms(), faults={fault: 1.0})
    with serving(broken) as address, pytest.raises(UnclearError):
        transport(address).send(post("/releases", json=RELEASE), 2)


def test_a_late_reply_holds_up_no_other_connection():
    slow = Served(name="erp", kind="erp", settings={"token": "t"}, faults={"slow_rate": 1.0, "slow_s": 0.3})
    with serving(slow, wms()) as address:
        started = time.monotonic()
        with pytest.raises(UnclearError):
            transport(address, "erp").send(get("/stock"), 0.1)
        assert transport(address).send(get("/releases/none"), 2).status == 404
        assert time.monotonic() - started < 0.3
        assert transport(address, "erp").send(get("/stock"), 2).status == 200


def test_a_defect_in_a_simulator_is_a_500_and_is_printed(capfd):
    with serving(Served(name="erp", kind="erp", settings={"token": "t"})) as address:
        assert transport(address, "erp").send(get("/stock", query={"cursor": "x"}), 2).status == 500
    assert "ValueError" in capfd.readouterr().err


def chunks(*parts: bytes) -> list[bytes]:
    """What a partner answers to a request that arrives in these pieces."""
    written: list[bytes] = []

    class Transport(asyncio.Transport):
        def write(self, data):
            written.append(bytes(data))

        def abort(self):
            written.append(b"aborted")

        def close(self):
            written.append(b"closed")

    protocol = HttpProtocol(
        HttpServer(lambda request: SimResponse(body=request.body or request.path.encode()))
    )
    protocol.connection_made(Transport())
    for part in parts:
        protocol.data_received(part)
    return written


def test_requests_may_come_in_pieces_or_several_at_once():
    whole = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    for cut in range(1, len(whole)):
        (answer,) = chunks(whole[:cut], whole[cut:])
        assert answer.endswith(b"\r\n\r\nabc")
    assert [answer[-3:] for answer in chunks(whole + b"GET /de HTTP/1.1\r\n\r\n")] == [b"abc", b"/de"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"x" * 100_000, b"400"),
    ],
)
def test_a_request_that_is_not_understood_ends_the_connection(data, status):
    answer, end = chunks(data)
    assert (answer[9:12], end) == (status, b"closed")


@pytest.mark.serial
def test_it_runs_as_a_process_that_says_where_it_listens_and_ends_when_told(tmp_path):
    config = tmp_path / "simulators.json"
    config.write_text(
        json.dumps({"simulators": [{"name": "wms", "kind": "wms", "settings": {"token": "t"}}]})
    )
    command = [sys.executable, "-m", "crossdock.simulator.serve", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        address = json.loads(process.stdout.readline())["listening"]
        assert HttpTransport(address).send(get("/_health"), 2).status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0

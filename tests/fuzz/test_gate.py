"""A real hub in a process of its own takes whatever is posted to its gate, signed: every delivery is answered, kept and
accounted for, none is a defect, and its memory stays where it was."""

import http.client
import socket
import time
from contextlib import contextmanager

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.bootstrap.proof import prove
from tests.bootstrap.waiting import eventually
from tests.faults.hub_process import SMALL_CACHES
from tests.faults.retailer import Retailer
from tests.fuzz.budget import ANSWER_S, examples
from tests.fuzz.mutate import TEXTS, bodies_of, bytes_of
from tests.fuzz.samples import KINDS, SAMPLES, headers_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]

MORE = """\
[limits]
body_bytes_max = 262144
[connections.tills]
connector = "till"
webhook_secret = "${WMS_SECRET}"
[routes.tills]
erp = "erp_key"
post = "day"
[locations.berlin]
zone = "Europe/Berlin"
"""
GROWTH_BYTES_MAX = 32 * 2**20
"""Once its memories are full. Two rounds send almost three times as much."""
ANSWERS = {200, 400, 401, 404, 408, 413, 431}
CONNECTIONS = {"shopify": "shop", "wms": "wms", "erp": "erp_key", "till": "tills"}
SECRETS = {"shopify": "shop-secret", "wms": "wms-secret", "erp": "wms-secret", "till": "wms-secret"}
NAMES = st.sampled_from(
    ("content-type", "content-encoding", "x-shopify-topic", "x-shopify-webhook-id", "x-crossdock-event")
) | st.sampled_from(("x-crossdock-delivery", "traceparent", "x-shopify-triggered-at", "expect", "te", "via"))
VALUES = TEXTS | st.sampled_from(("gzip", "chunked", "100-continue", "orders/create", "application/xml"))


class Gate:
    """One connection to the gate that is kept open, as a sender's is."""

    def __init__(self, shop):
        self.shop, self.taken = shop, {}
        self._connection = None

    def post(self, path, headers, body):
        """Post, and return the status; fails where the answer takes long or is a defect."""
        began = time.monotonic()
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.shop.port, timeout=ANSWER_S)
        try:
            self._connection.request("POST", path, body, headers)
            reply = self._connection.getresponse()
            said = reply.read()
        except ConnectionError:  # a request that is no HTTP is hung up on
            self.close()
            return 400
        except BaseException:
            self.close()
            raise
        assert time.monotonic() - began < ANSWER_S
        assert reply.status in ANSWERS, (reply.status, said, headers, body[:500])
        if reply.status == 200 and b'"duplicate":false' in said:
            name = path.removeprefix("/in/")
            self.taken[name] = self.taken.get(name, 0) + 1
        return reply.status

    def close(self):
        if self._connection is not None:
            self._connection.close()
        self._connection = None


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    with hurt(Retailer(tmp_path_factory.mktemp("fuzz"), more=MORE)) as made:
        yield made


@contextmanager
def hurt(shop):
    """A hub that has worked already, for whatever is posted to it; in the end it has accounted for all of that."""
    small = pytest.MonkeyPatch()
    small.setenv(SMALL_CACHES, "1")
    text = shop.config.read_text().replace(
        "[connections.erp_key]\n", '[connections.erp_key]\nwebhook_secret = "${WMS_SECRET}"\n'
    )
    shop.config.write_text(text)
    try:
        shop.start()
        shop.stock()
        shop.send(4)
        shop.settled()
        made = Gate(shop)
        yield made
        made.close()
        require_accounted(made)
    finally:
        shop.close()
        small.undo()


def require_accounted(gate):
    """After whatever was posted: all of it is accounted for, and none of it is a defect."""
    shop = gate.shop
    eventually(lambda: not [row for row in rows(shop, "inbox_by_state") if row[1] == 0], 60.0)
    shop.stop()
    reads = shop.reads()
    try:
        assert [check.text for check in prove(reads, time.time_ns() // 1000) if not check.ok] == []
        counted = {source: n for source, name, n in reads.rows("counters") if name == "accepted"}
        for name, count in gate.taken.items():
            assert counted[name] >= count
        assert not {case["reason"] for case in every_case(reads)} & {"internal", "crash"}
    finally:
        reads.close()
    assert "Traceback" not in shop.hub.log.read_text()


def latin(headers):
    """Headers that a client can send at all."""
    kept = {}
    for name, value in headers.items():
        raw = value.encode("utf-8", "surrogatepass")[:2_000]
        kept[name] = bytes(byte for byte in raw if byte >= 32 and byte != 127)
    return kept


@pytest.mark.fault(47)
@pytest.mark.parametrize(("name", "kind"), [pair for pair in KINDS if not pair[1].startswith("page.")])
@given(data=st.data())
@examples(15)
def test_a_signed_body_that_was_mutated_is_kept(gate, name, kind, data):
    body = data.draw(bodies_of(SAMPLES[name][kind]))
    assert gate.post(f"/in/{CONNECTIONS[name]}", headers_of(name, kind, body, SECRETS[name]), body) in (
        200,
        413,
    )


@pytest.mark.fault(47)
@pytest.mark.fault(53)
@given(
    name=st.sampled_from(sorted(CONNECTIONS)),
    more=st.dictionaries(NAMES, VALUES, max_size=4),
    body=st.binary(max_size=200),
    signed=st.booleans(),
)
@examples(150)
def test_no_header_and_no_bytes_are_a_defect(gate, name, more, body, signed):
    headers = headers_of(name, "orders/create", body, SECRETS[name] if signed else "wrong")
    gate.post(f"/in/{CONNECTIONS[name]}", latin(headers | more), body)


GOOD = b"POST /in/shop HTTP/1.1\r\nhost: hub\r\ncontent-length: 2\r\nx-shopify-topic: orders/create\r\n\r\n{}"
OTHER = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\xff" * 40


@pytest.mark.fault(47)
@given(raw=bytes_of(GOOD) | bytes_of(OTHER) | st.binary(max_size=300), chunked=st.booleans())
@examples(80)
def test_bytes_that_are_no_http_end_their_own_connection_and_no_other(gate, raw, chunked):
    if chunked:
        raw = raw.replace(b"content-length: 2", b"transfer-encoding: chunked")
    told = b""
    with socket.create_connection(("127.0.0.1", gate.shop.port), ANSWER_S) as connection:
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65_536):
                told += part
        except TimeoutError:
            pytest.fail("neither an answer nor an end")
        except OSError:
            pass  # hung up on
    assert not told.startswith(b"HTTP/1.1 5"), told
    assert gate.post("/in/nobody", {}, b"") == 404


@pytest.mark.fault(48)
def test_what_is_too_large_or_too_deep_leaves_no_memory_behind(gate):
    deep = b'{"id": 9, "line_items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    wide = b'{"id": 9, "note": "' + b"x" * 250_000 + b'"}'

    def send():
        for n in range(60):
            for body in (deep, wide, b"9" * 250_000, b"x" * 400_000):
                told = body + b" " * (n % 7)
                gate.post("/in/shop", headers_of("shopify", "orders/updated", told, "shop-secret"), told)
        eventually(lambda: not [row for row in rows(gate.shop, "inbox_by_state") if row[1] == 0], 60.0)
        return memory(gate.shop.hub.process.pid)

    send()
    warm = send()
    grown = max(send() for _ in range(2)) - warm
    assert grown < GROWTH_BYTES_MAX, f"{grown >> 20} MB more than before the same again"


def memory(pid):
    """What a hub and its second process have in memory."""
    hub = psutil.Process(pid)
    processes = (hub, *hub.children(recursive=True))
    return sum(part.anonymous for process in processes for part in process.memory_maps())


def rows(shop, name):
    reads = shop.reads()
    try:
        return reads.rows(name)
    finally:
        reads.close()


def every_case(reads):
    after = 0
    while found := reads.cases(after=after, state="all", limit=200):
        yield from found
        after = int(found[-1]["id"])

"""A proxy on the way to partners, and on the way to the gate, breaks what it is told to break."""

import http.client
import ssl
import threading

import pytest

from crossdock.transport.http import HttpTransport
from tests.bootstrap.waiting import eventually
from tests.faults import proxy as way
from tests.faults.here import retailer
from tests.faults.proxy import every, proxy
from tests.transport.test_http import Server, answer, self_signed

pytestmark = pytest.mark.slow

OFTEN = [
    pytest.param(way.request_lost, marks=pytest.mark.fault(10)),
    pytest.param(way.request_cut, marks=pytest.mark.fault(10)),
    pytest.param(way.reply_lost, marks=[pytest.mark.fault(3), pytest.mark.fault(17)]),
    pytest.param(way.reply_cut, marks=pytest.mark.fault(22)),
    pytest.param(way.head_cut, marks=pytest.mark.fault(22)),
    pytest.param(way.not_http, marks=pytest.mark.fault(23)),
]
SELDOM = [
    pytest.param(way.reply_late, marks=pytest.mark.fault(17)),
    pytest.param(way.reply_trickled, marks=pytest.mark.fault(21)),
]


def finished(shop):
    """All is settled, the books balance, and nobody is needed."""
    shop.settled()
    assert shop.cases() == []
    shop.stop()
    shop.check_partners()
    shop.check_hub()


def through(middle):
    return dict.fromkeys(("erp_key", "erp_lookup", "wms"), middle)


@pytest.mark.parametrize("fault", OFTEN)
def test_whatever_breaks_on_the_way_to_a_partner_leaves_one_document_each(tmp_path, fault):
    with proxy(every(3, fault)) as middle, retailer(tmp_path, via=through(middle)) as shop:
        shop.send(12)
        finished(shop)
        assert middle.spoilt > 12


@pytest.mark.parametrize("fault", SELDOM)
def test_a_reply_that_outlasts_the_deadline_leaves_one_document_each(tmp_path, fault):
    with proxy(every(12, fault)) as middle, retailer(tmp_path, via=through(middle)) as shop:
        shop.send(12)
        finished(shop)
        assert middle.spoilt > 3


@pytest.mark.fault(10)
def test_connections_that_are_cut_all_at_once_are_made_anew(tmp_path):
    with proxy() as middle, retailer(tmp_path, via=through(middle)) as shop:
        cut = 0
        with shop.sending(24, every_s=0.02):
            for _ in range(12):
                threading.Event().wait(0.05)
                cut += middle.cut_all()
        finished(shop)
        assert cut > 12


@pytest.mark.fault(10)
@pytest.mark.parametrize("fault", [way.request_lost, way.request_cut, way.reply_lost, way.reply_cut])
def test_whatever_breaks_on_the_way_to_the_gate_each_order_is_taken_once(tmp_path, fault):
    with retailer(tmp_path) as shop, proxy(every(3, fault)) as middle:
        middle.aim(shop.url)
        shop._gate = HttpTransport(middle.url)
        with shop.sending(24):
            pass
        assert middle.spoilt > 8
        finished(shop)


@pytest.mark.fault(21)
def test_who_delivers_one_byte_at_a_time_is_sent_away_and_nobody_waits_for_them(tmp_path, monkeypatch):
    from crossdock.gateway import intake

    monkeypatch.setattr(intake, "BODY_S", 1.0)
    with retailer(tmp_path) as shop:
        channel, _, headers, body = shop.order()
        slow = []
        for _ in range(50):
            connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=20)
            connection.putrequest("POST", f"/in/{channel}")
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("content-length", str(len(body)))
            connection.endheaders(body[:10])
            slow.append(connection)
        shop.send(8)
        assert {connection.getresponse().status for connection in slow} == {408}
        for connection in slow:
            connection.close()
        finished(shop)


@pytest.mark.fault(24)
@pytest.mark.parametrize("certified", [True, False], ids=["by nobody", "without tls"])
def test_a_partner_that_cannot_be_trusted_is_sent_nothing_and_no_other_waits(tmp_path, certified):
    context = None
    if certified:
        file, _ = self_signed(tmp_path)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
    server = Server(answer(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"), context)
    try:
        with retailer(tmp_path, urls={"erp_key": f"https://127.0.0.1:{server.port}"}) as shop:
            shop.send(4)
            eventually(lambda: shop.state("erp_lookup")["sales"] == 2)
            eventually(lambda: server.connections > 2)
            assert not any(b"/sales" in request for request in server.requests)
            assert shop.cases() == []
    finally:
        server.close()

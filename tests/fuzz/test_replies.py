"""Whatever a partner answers: a call ends, in time, in an outcome or in an error that says what to do."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import ContractError, CrossdockError
from crossdock.model.commands import (
    Acknowledge,
    AmendSale,
    CancelOrder,
    CancelSale,
    CreateDelivery,
    CreateInvoice,
    Poll,
    SetQuantity,
)
from crossdock.sdk.calls import DETAIL_CHARS_MAX, Done, Page, Pending, Refused, Response, Results, refused
from tests.connectors import test_erp as erp
from tests.connectors import test_wms as wms
from tests.connectors.driving import AGAIN, FIRST, drive
from tests.connectors.shopify_payloads import CONNECTOR as SHOPIFY
from tests.connectors.shopify_payloads import sent, shop
from tests.fuzz.budget import examples, in_time
from tests.fuzz.mutate import TEXTS, bodies_of

OUTCOMES = (Done, Refused, Pending, Page, Results)
REQUESTS_MAX = 60
STATUSES = st.sampled_from(
    (100, 199, 200, 200, 200, 201, 202, 204, 206, 299, 301, 304, 400, 401, 404, 408, 409)
)
STATUSES |= st.sampled_from((418, 422, 425, 429, 451, 499, 500, 502, 503, 599, 999))
HEADERS = st.dictionaries(
    st.sampled_from(("retry-after", "link", "content-type", "x-shopify-shop-api-call-limit", "location")),
    TEXTS | st.sampled_from(("30", "-1", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT", "<http://x>; rel=next")),
    max_size=2,
)
ERP = {
    "create_sale": erp.SALE,
    "create_delivery": CreateDelivery(
        order=erp.ORDER, order_id=erp.ORDER_ID, shipment=erp.shipment(("1", 1)), sale_reference="S1"
    ),
    "create_invoice": CreateInvoice(
        order=erp.ORDER, order_id=erp.ORDER_ID, shipment=erp.shipment(("1", 1)), sale_reference="S1"
    ),
    "cancel_sale": CancelSale(order=erp.ORDER, order_id=erp.ORDER_ID, sale_reference="S1"),
    "amend_sale": AmendSale(order=erp.ORDER, order_id=erp.ORDER_ID, sale_reference="S1"),
    "poll": Poll(feed="stock", cursor="3"),
}
WMS = {"release": wms.release(), "cancel_release": wms.cancel(("1", 1))}


def shops():
    """Calls to a shop, and the shop."""
    wire, (held, *_) = shop()
    commands = {
        "acknowledge": Acknowledge(order=held, order_id="CD0000000001"),
        "confirm_shipment": sent(held),
        "cancel_order": CancelOrder(order=held, order_id="CD0000000001", reason="buyer"),
        "set_quantities": tuple(SetQuantity(sku=line.sku, quantity=1) for line in held.lines),
        "poll": Poll(feed="orders", cursor=""),
    }
    return wire, commands


CALLS = [("erp", name) for name in ERP] + [("wms", name) for name in WMS]
CALLS += [("shopify", name) for name in shops()[1]]


def call_of(partner, name):
    """(connector, command, wire to its simulator)."""
    if partner == "erp":
        return erp.CONNECTOR, ERP[name], erp.erp(stock={"A": 1, "B": 2})
    if partner == "wms":
        return wms.CONNECTOR, WMS[name], wms.warehouse()
    wire, commands = shops()
    return SHOPIFY, commands[name], wire


def answered(wire, request):
    """What the simulator answers; it need not bear what a call asks for after a reply that was nonsense."""
    try:
        return wire(request)
    except Exception:
        return Response(status=500)


@pytest.mark.fault(23)
@pytest.mark.fault(47)
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"detail":' + b"[" * 100_000])
def test_a_reply_that_is_nested_without_end_is_outside_of_the_contract(body):
    with pytest.raises(ContractError):
        Response(status=200, body=body).decode(dict)
    assert len(refused(Response(status=422, body=body)).reason) <= DETAIL_CHARS_MAX


@pytest.mark.fault(23)
@pytest.mark.fault(54)
@pytest.mark.parametrize(("partner", "name"), CALLS)
@given(data=st.data())
@examples(40)
def test_no_answer_makes_a_call_fail_otherwise_than_in_words(partner, name, data):
    connector, command, wire = call_of(partner, name)
    asked = []

    def answer(request):
        asked.append(request)
        if len(asked) > REQUESTS_MAX:
            pytest.fail("the call does not end")
        good = answered(wire, request)
        if data.draw(st.integers(0, 3)) == 0:
            return good
        body = data.draw(bodies_of(good.body)) if good.body else data.draw(st.binary(max_size=50))
        status = good.status if data.draw(st.booleans()) else data.draw(STATUSES)
        return Response(status=status, headers=data.draw(HEADERS), body=body)

    intent = data.draw(st.sampled_from((FIRST, AGAIN)))
    with in_time((partner, name)):
        try:
            outcome = drive(getattr(connector, name)(command, intent), answer)
        except CrossdockError as error:
            if not error.message or not str(error).encode("utf-8", "replace"):
                pytest.fail(f"an error that says nothing: {error!r}")
        else:
            assert isinstance(outcome, OUTCOMES)
            msgspec.json.encode(outcome)

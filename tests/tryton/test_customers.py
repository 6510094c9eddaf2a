"""Whom a running Tryton books a sale to, by the setting `customers`: persons are sent only where each is an account."""

import pytest

from crossdock.model import Address, LocationId, OrderId, Party
from crossdock.model.commands import CreateSale
from crossdock.sdk.calls import Done, Refused
from tests.model.builders import make_line, make_order

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

HOME = Address(name="Eva Berg", lines=("Ringweg 1",), city="Kiel", postal_code="24103", country="DE")
WORK = Address(name="Eva Berg", lines=("Am Kai 9",), city="Lübeck", postal_code="23552", country="DE")


def sell(erp, id_, customers, *, buyer="B7", **fields):
    person = Party(external_id=buyer, name="Eva Berg", email="eva@example.org", phone="+49 431 0000")
    fields = {"buyer": person, "ship_to": HOME, "billing_address": HOME, **fields}
    order = make_order(make_line("1", price=1990, percent=19), id=OrderId(id_), **fields)
    return erp.one(
        erp.connector(customers=customers).create_sale, CreateSale(order=order, order_id=order.id), key=id_
    )


def billed(erp, id_):
    """The party of a sale, its name, and the cities that it is invoiced and shipped to."""
    fields = ("party.code", "party.name", "invoice_address.city", "shipment_address.city")
    (row,) = erp.read.rows("sale.sale", [["reference", "=", id_]], *fields)
    addresses = row["invoice_address."]["city"], row["shipment_address."]["city"]
    return row["party."]["code"], row["party."]["name"], *addresses


BERLIN = ("Berlin", "Berlin")
AT_STORE = {"location": LocationId("store-7")}


@pytest.mark.parametrize(
    ("id_", "customers", "fields", "expected"),
    [
        ("CU1", "channel", AT_STORE, ("shop", "Customers of shop", *BERLIN)),
        ("CU2", "store", AT_STORE, ("store-7", "Customers of store-7", *BERLIN)),
        ("CU3", "store", {}, ("shop", "Customers of shop", *BERLIN)),
        ("CU4", "buyer", {"ship_to": WORK}, ("shop:CU4", "Eva Berg", "Kiel", "Lübeck")),
        ("CU5", "buyer", {"buyer": ""}, ("order:CU5", "Eva Berg", "Kiel", "Kiel")),
    ],
)
def test_a_sale_is_booked_to_whom_the_setting_says(erp, id_, customers, fields, expected):
    done = sell(erp, id_, customers, **{"buyer": id_, **fields})
    assert isinstance(done, Done), done
    assert billed(erp, id_) == expected
    persons = erp.read.rows("party.party", [["code", "like", f"%{id_}"]])
    assert len(persons) == (customers == "buyer")


def test_a_buyer_who_comes_again_is_one_party_with_each_address_once(erp):
    for n, home in enumerate((HOME, WORK, HOME)):
        assert isinstance(sell(erp, f"CB{n}", "buyer", buyer="B8", ship_to=home), Done)
    (party,) = erp.read.rows("party.party", [["code", "=", "shop:B8"]], "addresses", "contact_mechanisms")
    assert (len(party["addresses"]), len(party["contact_mechanisms"])) == (2, 2)


def test_an_account_that_is_missing_refuses_the_order_and_names_its_code(erp):
    refused = sell(erp, "CM1", "store", location=LocationId("store-99"))
    assert isinstance(refused, Refused)
    assert "store-99" in refused.reason

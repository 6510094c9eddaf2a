"""The Tryton connector without a Tryton: what it makes of orders, errors, settings and pages."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.connectors.tryton import SPEC, build
from crossdock.connectors.tryton.books import Books, Customer, Product, Tax, Warehouse
from crossdock.connectors.tryton.customers import BilledTo, code_of
from crossdock.connectors.tryton.mapping import Entry, roundings, sale
from crossdock.connectors.tryton.options import read_options
from crossdock.connectors.tryton.rpc import Client, ServerRefusedError, moment, moment_of
from crossdock.engine.messages import subject_id
from crossdock.errors import (
    ConfigurationError,
    CredentialsError,
    MappingError,
    RejectedError,
    RetryableError,
    SignatureError,
)
from crossdock.model import OrderId, Party, Rate, Sku, TaxLine
from crossdock.sdk.spec import Translation
from tests.connectors.driving import canned, drive, reply
from tests.model.builders import make_line, make_order

OPTIONS = read_options({})
VAT, LOW = Tax(1, ("VAT 19%",), Decimal("0.19")), Tax(2, ("VAT 7%",), Decimal("0.07"))
STATE, COUNTY = Tax(3, ("State",), Decimal("0.04")), Tax(4, ("County",), Decimal("0.04"))
SERVICE = Product(9, 1, "u", False)
BOOKS = Books(
    products={
        **{f"SKU-{n}": [Product(n, 1, "u", True)] for n in range(1, 60)},
        "TWICE": [SERVICE, SERVICE],
        **{code: [SERVICE] for code in ("SHIPPING", "CHARGE", "ROUNDING")},
    },
    taxes=(VAT, LOW, STATE, COUNTY),
    warehouses={"WH": Warehouse(5, "WH", 1, 2, 3)},
    customers={"shop": Customer(2, (2,), 7)},
    currencies={"EUR": 1, "JPY": 3},
)
BILLED = BilledTo(2, 7, 2, 2)
CONTEXT = Translation(connection="erp", subject="")


def plan(order, options=OPTIONS):
    return sale(order, BOOKS, options, company=1, billed=BILLED)


def computed(values):
    """What Tryton makes of lines: net, and the tax of all lines with the same taxes together, rounded once."""
    rates = {tax.id: tax.rate for tax in BOOKS.taxes}
    cent = Decimal("0.01")
    net, groups = Decimal(0), {}
    for row in values["lines"][0][1]:
        exact = Decimal(str(row["quantity"])) * Decimal(row["unit_price"]["decimal"])
        net += exact.quantize(cent, "ROUND_HALF_EVEN")
        taxes = tuple(row["taxes"][0][1])
        key = (taxes, exact >= 0)
        groups[key] = groups.get(key, Decimal(0)) + exact * sum((rates[id_] for id_ in taxes), Decimal(0))
    return net, sum((amount.quantize(cent, "ROUND_HALF_EVEN") for amount in groups.values()), Decimal(0))


@given(
    lines=st.lists(
        st.tuples(st.integers(1, 400), st.integers(1, 99_999), st.sampled_from([0, 7, 19]), st.booleans()),
        min_size=1,
        max_size=25,
    )
)
def test_any_order_comes_to_its_net_tax_and_total(lines):
    order = make_order(
        *(
            make_line(str(n), ordered=ordered, price=price, percent=percent, includes_tax=included)
            for n, (ordered, price, percent, included) in enumerate(lines, 1)
        ),
        id=OrderId("CD1"),
    )
    net, tax = computed(plan(order).values)
    assert tax == Decimal(sum(line.tax for line in order.lines)).scaleb(-2)
    assert net + tax == Decimal(order.buyer_total).scaleb(-2)


def test_an_order_that_rounds_as_tryton_does_has_no_line_more():
    order = make_order(make_line("1", ordered=3, price=1990, percent=19), id=OrderId("CD1"))
    assert [row["note"] for row in plan(order).values["lines"][0][1]] == ["1"]


def test_a_tax_that_is_not_the_stated_rates_is_no_rounding():
    taxes = (TaxLine(amount=500, rate=Rate(value=19, scale=2)),)
    order = make_order(make_line("1", net=1000, tax=500, gross=1500, taxes=taxes), id=OrderId("CD1"))
    with pytest.raises(MappingError, match="Name the right tax") as told:
        plan(order)
    assert told.value.field == "taxes"


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ({"sku": Sku("NOBODYS")}, "lines[0].sku", "no salable product of code 'NOBODYS'"),
        ({"sku": Sku("TWICE")}, "lines[0].sku", "2 products"),
        ({"unit": "kg"}, "lines[0].unit", "'kg'"),
        ({"percent": 21}, "lines[0].taxes[0]", "no sales tax of the rate 0.21"),
        ({"percent": 4}, "lines[0].taxes[0]", "2 sales taxes of the rate 0.04"),
    ],
)
def test_what_tryton_lacks_is_told_by_field_and_name(line, field, words):
    with pytest.raises(MappingError) as told:
        plan(make_order(make_line("1", price=1000, **line), id=OrderId("CD1")))
    assert told.value.field == field
    assert words in str(told.value)


def test_a_tax_is_named_by_the_setting_where_its_rate_does_not_tell():
    options = read_options({"taxes": "NY 0.04=State; NYC 0.040=County"})
    for place, tax in (("NY", STATE), ("NYC", COUNTY)):
        taxes = (TaxLine(amount=40, rate=Rate(value=4, scale=2), jurisdiction=place),)
        order = make_order(make_line("1", net=1000, tax=40, gross=1040, taxes=taxes), id=OrderId("CD1"))
        (row,) = plan(order, options).values["lines"][0][1]
        assert row["taxes"] == [["add", [tax.id]]]


def test_yen_are_rounded_to_whole_ones():
    entry = Entry(
        note="1",
        product=SERVICE,
        quantity=Decimal(3),
        price=Decimal("333.5"),
        net=1000,
        tax=191,
        taxes=(VAT,),
    )
    made = roundings([entry], "JPY", BOOKS, OPTIONS)
    assert [(line.price, line.taxes) for line in made] == [(Decimal(5), (VAT,)), (Decimal(-5), ())]


def test_a_sale_is_booked_to_the_buyer_the_channel_or_the_store():
    order = make_order(id=OrderId("CD1"), buyer=Party(external_id="77"), location="berlin")
    assert [code_of(order, kind) for kind in ("buyer", "channel", "store")] == ["shop:77", "shop", "berlin"]
    guest = make_order(id=OrderId("CD1"), buyer=Party())
    assert code_of(guest, "buyer") == "order:CD1"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"taxes": "0.19"}, "taxes"),
        ({"taxes": "0.19=A; 0.19=B"}, "taxes"),
        ({"warehouses": "=WH"}, "warehouses"),
        ({"page_size": "5000"}, "page_size"),
        ({"price_decimals": "four"}, "price_decimals"),
    ],
)
def test_a_setting_that_says_nothing_is_told_by_its_name(settings, field):
    with pytest.raises(ConfigurationError) as told:
        build(settings)
    assert told.value.field == field


LOGIN = (
    reply({"id": 0, "result": [1, "key", None]}),
    reply({"id": 0, "result": {"company": 1, "language": "en"}}),
    reply({"id": 0, "result": [{"name": "sale"}]}),
)


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        (["UserError", ["Not so.", "Because", None]], ServerRefusedError, "Not so. Because"),
        (["UserWarning", ["a.b", "Sure?", ""]], ServerRefusedError, "Sure?"),
        (["ConcurrencyException", "changed"], RetryableError, "same moment"),
        (["'NoneType' object is not iterable", ""], ServerRefusedError, "failed in model.x"),
    ],
)
def test_errors_of_tryton_say_what_to_do(error, raised, words):
    with pytest.raises(raised, match=words):
        drive(Client("u", "p").call("model.x"), canned(*LOGIN, reply({"id": 0, "error": error})))


def test_a_session_that_has_ended_is_replaced_once():
    client = Client("u", "p")
    ended = reply(status=401)
    assert drive(client.call("m"), canned(*LOGIN, ended, *LOGIN, reply({"id": 0, "result": 7}))) == 7
    assert drive(client.call("m"), canned(reply({"id": 0, "result": 8}))) == 8, "the session is used again"
    with pytest.raises(CredentialsError):
        drive(client.call("m"), canned(ended, *LOGIN, ended))
    with pytest.raises(CredentialsError):
        drive(Client("u", "wrong").call("m"), canned(ended))


def test_a_database_that_is_not_there_is_told():
    with pytest.raises(RejectedError, match="name of the database"):
        drive(Client("u", "p").call("m"), canned(reply(status=404)))


def test_a_batch_that_is_refused_is_halved_until_the_culprit_is_alone():
    client = Client("u", "p")
    calls = []

    def answer(request):
        body = json.loads(request.body)
        if body["method"] != "model.x.do":
            return login.pop(0)
        ids = body["params"][0]
        calls.append(ids)
        bad = 5 in ids
        return reply(
            {"id": 0, "error": ["UserError", ["No 5.", "", None]]} if bad else {"id": 0, "result": None}
        )

    login = list(LOGIN)
    refused = drive(client.each("model.x.do", [1, 2, 3, 4, 5, 6, 7, 8]), answer)
    assert list(refused) == [5]
    done = [id_ for ids in calls if 5 not in ids for id_ in ids]
    assert sorted(done) == [1, 2, 3, 4, 6, 7, 8], "each of the others once"


def test_pages_are_cut_into_messages_that_are_known_again():
    connector = build({})
    body = (
        b'{"rows":[{"kind":"stock.changed","body":{"levels":[{"sku":"A","on_hand":3}],"location":"WH",'
        b'"as_of":"2026-03-28T12:00:00Z"}},{"kind":"price.changed","body":{"code":"A","currency":"EUR",'
        b'"price":"9.9917"}},{"kind":"price.changed","body":{"code":"B","currency":"EUR"}}]}'
    )
    level, price, none = connector.split("page.stock", body)
    assert connector.split("page.stock", body)[0] == level
    (stock,) = connector.translate(level.kind, {}, level.body, CONTEXT)
    assert (stock.levels[0].sku, stock.levels[0].on_hand) == ("A", 3)
    (told,) = connector.translate(price.kind, {}, price.body, CONTEXT)
    assert str(told.price.unit_price) == "9.9917"
    assert connector.translate(none.kind, {}, none.body, CONTEXT) == ()
    assert connector.split("stock.changed", b"{}") is None
    with pytest.raises(MappingError):
        connector.translate("page.unknown", {}, b"{}", CONTEXT)


def test_tryton_posts_nothing_to_our_gate():
    with pytest.raises(SignatureError):
        build({}).verify({}, b"")
    with pytest.raises(MappingError):
        build({}).gate({}, b"")


def test_times_go_there_and_back():
    text = "2026-03-28T12:00:00.000123+00:00"
    assert moment_of(moment(text)) == text


def test_every_operation_is_looked_up_and_there():
    connector = build({})
    for operation in SPEC.operations:
        assert callable(getattr(connector, operation.name))
        assert operation.kind == "poll" or operation.doubles == "lookup"


def sale_row(reference, *, party="shop", **fields):
    row = {"number": "17", "reference": reference, "party": party, "state": "processing", "currency": "EUR"}
    body = {**row, "total": 2500, "made_at": "2026-03-01T10:00:00.000000+00:00", "changed": "", **fields}
    return {"kind": "sale.told", "body": body}


def of_sale(text, *rows):
    """Whose sale each row is, by these conventions."""
    body = json.dumps({"rows": rows}).encode()
    return [(c.ref_source, c.ref_kind, c.ref) for c in build({"references": text}).split("page.sales", body)]


@pytest.mark.parametrize(
    ("reference", "party", "expected"),
    [
        ("#1001", "shop", ("shop", "number", "#1001")),
        ("M-302-77", "market", ("market", "order", "302-77")),
        ("55", "OUTLET", ("outlet", "number", "55")),
        ("55", "shop", None),
        ("M-", "market", None),
        ("", "OUTLET", None),
        (subject_id(42), "shop", ("", "hub", subject_id(42))),
        (f"{subject_id(42)}-2", "store-7", ("", "hub", subject_id(42))),
        (f"{subject_id(42)}-credit", "store-7", None),
    ],
)
def test_a_sale_is_about_the_order_that_its_reference_names(reference, party, expected):
    text = "{#number}=shop, M-{order}=market, {number} of OUTLET=outlet"
    assert of_sale(text, sale_row(reference, party=party)) == ([expected] if expected else [])


def test_a_sale_that_an_amended_one_has_replaced_counts_as_none_of_its_order():
    connector = build({"references": "{number}=shop"})
    for reference, state in ((subject_id(42), "posted"), (f"{subject_id(42)}/erp:amend_sale:1", "reversed")):
        body = json.dumps(sale_row(reference)["body"]).encode()
        (report,) = connector.translate("sale.told", {}, body, CONTEXT)
        assert (report.posting.state, report.posting.order_ref) == (state, None)


def test_a_sale_that_cannot_be_read_parks_alone():
    connector = build({"references": "{number}=shop"})
    body = json.dumps({"rows": [sale_row("1001"), sale_row("1002", total="much")]}).encode()
    good, bad = connector.split("page.sales", body)
    assert (good.ref, bad.ref) == ("1001", "")
    with pytest.raises(MappingError, match="total"):
        connector.translate("sale.told", {}, bad.body, CONTEXT)


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"references": "#*=shop"}, "references"), ({"sales_since": "lately"}, "sales_since")],
)
def test_conventions_that_say_nothing_are_named(settings, field):
    with pytest.raises(ConfigurationError, match=field):
        build(settings)

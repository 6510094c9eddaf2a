"""Weighed goods: what a till, a product and a stock statement say of one SKU, each in a scale of its own."""

from fractions import Fraction

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crossdock.domain.day_sums import day_goods
from crossdock.domain.scales import rescaled
from crossdock.domain.tickets import Goods, Value, decode_value
from crossdock.model.catalogue import Product
from crossdock.model.ids import Sku
from crossdock.model.reports import ProductReported
from tests.flows.stores import StoreHub, line, ticket, z_report, z_till

SCALES = st.integers(0, 6)


def cheese(quantity, scale, **more):
    return line("CHEESE", 1, 500, tax=0) | {
        "quantity": quantity,
        "unit": "kg",
        "quantity_scale": scale,
        **more,
    }


def state(hub, on_hand, scale, location="berlin"):
    statement = hub.statement("CHEESE", on_hand, "pos", location, scale)
    hub.now += 1
    return hub.tell("pos", statement, subject=901)


def scale_cases(hub):
    return [about for _, reason, about in hub.cases if reason == "stock.scale"]


def test_what_a_till_weighs_leaves_stock_in_the_scale_in_which_it_is_counted():
    hub = StoreHub()
    state(hub, 500, 2)
    hub.post("ticket", ticket(1, cheese(350, 3)))
    hub.post("ticket", ticket(2, cheese(1, 0)))
    assert hub.level("CHEESE").on_hand == 500 - 35 - 100
    assert scale_cases(hub) == []


def test_what_comes_back_is_converted_too():
    hub = StoreHub()
    state(hub, 500, 2)
    hub.post("ticket", ticket(1, cheese(-350, 3, gross=-500, restock=False), kind="return"))
    level = hub.level("CHEESE")
    assert (level.on_hand, level.quarantined) == (535, 35)


def test_a_product_says_the_scale_where_no_stock_was_told():
    hub = StoreHub()
    product = Product(sku=Sku("CHEESE"), quantity_scale=3, unit="kg")
    hub.tell("erp", ProductReported(product=product), subject=902)
    hub.post("ticket", ticket(1, cheese(35, 2)))
    assert hub.level("CHEESE").on_hand == -350


def test_a_product_of_another_scale_does_not_change_what_stands():
    hub = StoreHub()
    hub.stock(source="pos", CHEESE=5)
    product = Product(sku=Sku("CHEESE"), quantity_scale=3, unit="kg")
    hub.tell("erp", ProductReported(product=product), subject=902)
    hub.post("ticket", ticket(1, cheese(2000, 3)))
    assert hub.level("CHEESE").on_hand == 3


def test_a_statement_in_another_scale_is_converted_to_the_first():
    hub = StoreHub()
    state(hub, 500, 2)
    state(hub, 4, 0)
    assert hub.level("CHEESE").on_hand == 400
    state(hub, 3, 0, location="lisbon")
    assert hub.level("CHEESE", "lisbon").on_hand == 300


def test_what_is_weighed_more_exactly_than_it_is_counted_is_recorded_and_is_one_case_of_the_sku():
    hub = StoreHub()
    state(hub, 500, 2)
    hub.post("ticket", ticket(1, cheese(356, 3)))
    hub.post("ticket", ticket(2, cheese(351, 3)))
    assert hub.level("CHEESE").on_hand == 500 - 36 - 35
    assert scale_cases(hub) == ["CHEESE"]
    (text,) = (text for (_, reason, _), text in hub.cases.items() if reason == "stock.scale")
    assert "0.356 of CHEESE (ticket berlin/T1/1)" in text
    assert "quantity_scale" in text
    assert len(hub.tickets) == 2


def test_a_level_stated_more_exactly_than_it_is_counted_is_a_case():
    hub = StoreHub()
    state(hub, 500, 2)
    state(hub, 5004, 3)
    assert (hub.level("CHEESE").on_hand, scale_cases(hub)) == (500, ["CHEESE"])


def test_the_erp_is_told_the_exact_sum_of_a_day_and_its_scale():
    hub = StoreHub()
    state(hub, 500, 2)
    hub.post("ticket", ticket(1, cheese(350, 3)))
    hub.post("ticket", ticket(2, cheese(1, 0)))
    hub.post("day.closed", z_report(z_till(last=2, cash=1000)))
    hub.advance(1_000_000)
    (command,) = hub.commands("post_day")
    assert command["goods"] == [{"sku": "CHEESE", "quantity": 1350, "quantity_scale": 3}]


def test_a_row_that_was_kept_before_scales_were_is_of_pieces():
    value = decode_value(msgspec.Raw(b'{"goods":[["SKU-1",2]]}'))
    assert value.goods == (Goods("SKU-1", 2),)


@given(st.lists(st.tuples(st.sampled_from(("A", "B")), st.integers(1, 10**6), SCALES), max_size=20))
def test_a_day_sums_what_left_exactly_whatever_the_scales_and_their_order(sold):
    values = [Value(goods=(Goods(sku, quantity, scale),)) for sku, quantity, scale in sold]
    found = day_goods(values)
    assert found == day_goods(values[::-1])
    for goods in found:
        units = sum(Fraction(q, 10**scale) for sku, q, scale in sold if sku == goods.sku)
        assert Fraction(goods.quantity, 10**goods.quantity_scale) == units
        assert goods.quantity_scale == max(scale for sku, _, scale in sold if sku == goods.sku)
    assert {goods.sku for goods in found} == {sku for sku, _, _ in sold}


@given(st.integers(-(10**9), 10**9), SCALES, SCALES)
def test_a_quantity_is_rescaled_exactly_or_to_the_nearest_and_says_which(quantity, scale, to):
    found, exact = rescaled(quantity, scale, to)
    apart = abs(Fraction(found, 10**to) - Fraction(quantity, 10**scale))
    assert exact == (apart == 0)
    assert apart <= Fraction(1, 2 * 10**to)
    assert rescaled(-quantity, scale, to) == (-found, exact)


@given(st.integers(0, 3), st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 3)), max_size=5))
def test_stock_falls_by_what_tills_weigh_to_half_of_its_last_place_a_ticket(counted, weighed):
    hub = StoreHub()
    state(hub, 10**6, counted)
    for n, (quantity, scale) in enumerate(weighed, 1):
        hub.post("ticket", ticket(n, cheese(quantity, scale)))
    left = Fraction(10**6, 10**counted) - sum(Fraction(q, 10**scale) for q, scale in weighed)
    apart = abs(Fraction(hub.level("CHEESE").on_hand, 10**counted) - left)
    assert apart <= Fraction(len(weighed), 2 * 10**counted)
    assert not (apart and not scale_cases(hub))

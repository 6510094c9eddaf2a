"""The comparison of everybody's books: silent where they agree, and loud about every violation that is planted."""

import pytest

from crossdock.demo.balance import compare
from crossdock.demo.books import Case, add
from crossdock.demo.findings import LOOK_MAX
from crossdock.domain.state import Level
from tests.demo.books import balanced, release, sale


def failing(books):
    return {finding.name: finding.look for finding in compare(books) if not finding.ok}


def test_books_that_agree_give_only_ticks_with_their_numbers():
    found = {finding.name: finding.text for finding in compare(balanced())}
    assert failing(balanced()) == {}
    assert found["every order once in the ERP"] == "5 orders, 5 sales"
    assert found["the same total to the cent"] == "35.99 EUR sold, 35.99 EUR booked"
    assert found["released once a request"] == "4 requests, 4 releases"
    assert found["stock agrees everywhere"] == "14 units - 6 shipped = 8 on hand"
    assert found["every webhook kept once"] == "17 webhooks signed and kept, 2 repetitions known again"
    assert found["nothing dropped"].startswith(
        "37 accepted = 31 processed + 0 parked + 2 to come + 4 unhandled"
    )
    assert found["only cases that must be"] == "4 of 5 orders finished; 1 cases that a person must decide"


def a_lost_order(books):
    del books.sales[0]


def a_double_sale(books):
    books.sales.append(sale(1, 1999, {}))


def a_sale_of_nobodys_order(books):
    books.sales.append(sale(99, 1, {}))


def a_cent(books):
    books.sales[0].total += 1


def another_currency(books):
    books.sales[0].currency = "USD"


def a_lost_release(books):
    books.releases.pop()


def a_release_of_other_quantities(books):
    books.releases[3].asked = {"a": 2}


def a_release_that_nobody_made(books):
    books.releases.append(release(1, 7, {"a": 1}))


def a_second_release_of_a_request(books):
    books.warehouse_doubles = 1


def a_shipment_that_the_shop_was_not_told(books):
    books.sold["2"].fulfilled = {"a": 2}


def a_delivery_that_the_erp_lacks(books):
    books.sales[1].delivered = {"a": 2}


def an_invoice_too_many(books):
    books.sales[1].invoiced = {"a": 4}


def a_cancellation_that_the_erp_was_not_told(books):
    books.sales[2].cancelled = {}


def a_cancellation_that_nobody_wanted(books):
    books.sales[4].cancelled = {"a": 1}


def a_cancelled_order_that_is_still_picked(books):
    books.releases[3].open = {"a": 1}


def a_cancelled_order_that_was_shipped_unseen(books):
    books.sold["1"].cancelled = True


def two_documents_of_one_reference(books):
    books.doubles.append("deliveries:CD1-1")


def a_fulfilment_too_many(books):
    books.shop_fulfilments += 1


def a_unit_that_vanished_in_the_hub(books):
    books.levels["A"] = Level("A", "main", on_hand=3)
    books.shown["A"] = 3


def a_unit_that_the_erp_forgot(books):
    books.erp_stock["B"] = 3


def a_last_unit_sold_twice(books):
    books.opening = {"A": 5, "B": 4}
    books.warehouse_stock["A"] = books.erp_stock["A"] = -1
    books.levels["A"] = Level("A", "main", on_hand=-1)
    books.shown["A"] = 0


def an_offer_of_what_is_reserved(books):
    books.levels["A"] = Level("A", "main", on_hand=4, reserved=1)


def a_webhook_that_was_lost(books):
    books.shop_events += 1


def a_webhook_that_was_taken_twice(books):
    books.sources["warehouse"].accepted += 1
    books.sources["warehouse"].processed += 1


def a_message_that_vanished(books):
    books.sources["hub"].processed -= 1


def a_case_that_need_not_be(books):
    books.cases.append(Case(order="CD1", reason="internal", text="a defect"))


def a_refusal_without_a_late_cancellation(books):
    books.cases.append(Case(order="CD1", reason="effect.refused"))


def an_order_that_nobody_looks_after(books):
    books.taken["CD5"].cases = []
    books.cases = []


@pytest.mark.parametrize(
    ("plant", "name"),
    [
        (a_lost_order, "every order once in the ERP"),
        (a_double_sale, "every order once in the ERP"),
        (a_sale_of_nobodys_order, "every order once in the ERP"),
        (a_cent, "the same total to the cent"),
        (another_currency, "the same total to the cent"),
        (a_lost_release, "released once a request"),
        (a_release_of_other_quantities, "released once a request"),
        (a_release_that_nobody_made, "released once a request"),
        (a_second_release_of_a_request, "released once a request"),
        (a_shipment_that_the_shop_was_not_told, "told of what left"),
        (a_delivery_that_the_erp_lacks, "told of what left"),
        (an_invoice_too_many, "told of what left"),
        (a_cancellation_that_the_erp_was_not_told, "cancelled as told"),
        (a_cancellation_that_nobody_wanted, "cancelled as told"),
        (a_cancelled_order_that_is_still_picked, "cancelled as told"),
        (a_cancelled_order_that_was_shipped_unseen, "cancelled as told"),
        (two_documents_of_one_reference, "no document twice"),
        (a_fulfilment_too_many, "no document twice"),
        (a_unit_that_vanished_in_the_hub, "stock agrees everywhere"),
        (a_unit_that_the_erp_forgot, "stock agrees everywhere"),
        (a_last_unit_sold_twice, "stock agrees everywhere"),
        (an_offer_of_what_is_reserved, "the shop offers what there is"),
        (a_webhook_that_was_lost, "every webhook kept once"),
        (a_webhook_that_was_taken_twice, "every webhook kept once"),
        (a_message_that_vanished, "nothing dropped"),
        (a_case_that_need_not_be, "only cases that must be"),
        (a_refusal_without_a_late_cancellation, "only cases that must be"),
        (an_order_that_nobody_looks_after, "only cases that must be"),
    ],
)
def test_a_planted_violation_is_found_with_what_to_look_at(plant, name):
    books = balanced()
    plant(books)
    found = failing(books)
    assert found.get(name), found


def test_a_cancellation_that_came_too_late_is_a_case_and_no_finding():
    books = balanced()
    books.sold["2"].cancelled = True
    books.sold["2"].fulfilled = {"a": 2}
    books.taken["CD2"].cases = ["order.cancelled_and_shipped", "effect.refused"]
    books.cases += [
        Case(order="CD2", reason="order.cancelled_and_shipped"),
        Case(order="CD2", reason="effect.refused"),
    ]
    books.shop_fulfilments -= 1
    assert failing(books) == {}


def test_many_violations_are_listed_briefly():
    books = balanced()
    for name in books.opening:
        books.erp_stock[name] = 0
    books.opening = books.opening | {f"C{n}": 1 for n in range(20)}
    look = failing(books)["stock agrees everywhere"]
    assert len(look) == LOOK_MAX + 1
    assert look[-1] == "... and 17 more"


def test_quantities_add_up_line_by_line():
    assert add({"a": 1, "b": 2}, {"b": -2, "c": 3}) == {"a": 1, "c": 3}

"""Do the books of shop, ERP, warehouse and hub agree? Each question is answered with its numbers, and what to look at.

Pure. The partners' own books are the witnesses here: what the hub believes of itself is the other half of the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from crossdock.demo.books import Books, Case, Quantities, Release, Sale, Taken, add
from crossdock.demo.days import DIFFERENCE, compare_stores
from crossdock.demo.findings import Finding, finding, money, n, orders

TOO_LATE = frozenset({"order.cancelled_and_shipped", "cancellation.too_late", "cancellation.refused"})
"""Cases of a cancellation that the goods were quicker than."""
EXPLAINED = {
    "stock.short": "Too little stock: a scarce SKU is sold out, or a shelf was empty and was not counted since.",
    "order.cancelled_and_shipped": "Cancelled while the parcel left. Somebody must intercept it.",
    "cancellation.too_late": "Cancelled when the parcel had left. Somebody must intercept it.",
    "cancellation.refused": "The warehouse could not stop it any more.",
    DIFFERENCE: "A Z report is not what its tickets come to, see above. Somebody must ask the store.",
    "effect.refused": "The shop takes no shipment of what it has cancelled: the same orders as above.",
}
"""Why a case may be left at the end; any other reason is a finding."""


class Trail(msgspec.Struct, kw_only=True):
    """What everybody has of one order of the shop."""

    id: str
    taken: Taken | None
    sales: list[Sale]
    releases: list[Release]

    @property
    def shipped(self) -> Quantities:
        """What the warehouse sent, by line."""
        return add(*(release.shipped for release in self.releases))

    @property
    def too_late(self) -> bool:
        """Whether a person has the case of a cancellation that came too late."""
        return self.taken is not None and not TOO_LATE.isdisjoint(self.taken.cases)

    def name(self, number: str) -> str:
        """How to find it: the shop's number and the hub's id."""
        return f"{number} ({self.taken.id})" if self.taken is not None else number


Trails = Mapping[str, Trail]


def compare(books: Books) -> list[Finding]:
    """Answer every question."""
    trails = follow(books)
    asked: tuple[Callable[[Books, Trails], Finding], ...] = (
        once_in_the_erp,
        to_the_cent,
        released_once,
        told_what_left,
        cancelled_as_told,
        nothing_twice,
        stock_agrees,
        offered_what_there_is,
        every_delivery_kept,
        every_message_counted,
        only_cases_that_must_be,
    )
    found = [question(books, trails) for question in asked]
    return [*found[:-1], *compare_stores(books.stores), found[-1]]


def follow(books: Books) -> dict[str, Trail]:
    """Everything of each order that the shop sold, by the shop's id."""
    by_shop_id = {taken.external_id: taken for taken in books.taken.values()}
    trails = {id_: Trail(id=id_, taken=by_shop_id.get(id_), sales=[], releases=[]) for id_ in books.sold}
    for sale in books.sales:
        if sale.channel_order in trails:
            trails[sale.channel_order].sales.append(sale)
    for release in books.releases:
        taken = books.taken.get(release.order_id)
        if taken is not None and taken.external_id in trails:
            trails[taken.external_id].releases.append(release)
    return trails


def once_in_the_erp(books: Books, trails: Trails) -> Finding:
    """Every order that the shop sold stands exactly once in the ERP, be it cancelled since; no other stands there."""
    wrong = []
    for id_, sold in books.sold.items():
        trail = trails[id_]
        if len(trail.sales) != 1:
            listed = ", ".join(sale.id for sale in trail.sales) or "no sale"
            wrong.append(f"{trail.name(sold.number)}: the ERP has {listed}")
    strangers = [sale for sale in books.sales if sale.channel_order not in books.sold]
    wrong += [f"sale {sale.id} is of {sale.channel_order}, which the shop never sold" for sale in strangers]
    text = f"{orders(len(books.sold))}, {n(len(books.sales))} sales"
    return finding("every order once in the ERP", text, wrong)


def to_the_cent(books: Books, trails: Trails) -> Finding:
    """The ERP's totals are the shop's."""
    wrong, ours, theirs = [], 0, 0
    for id_, sold in books.sold.items():
        for sale in trails[id_].sales[:1]:
            ours, theirs = ours + sold.total, theirs + sale.total
            if (sale.total, sale.currency) != (sold.total, sold.currency):
                told = f"{money(sold.total)} {sold.currency} in the shop, {money(sale.total)} {sale.currency} in {sale.id}"
                wrong.append(f"{trails[id_].name(sold.number)}: {told}")
    return finding("the same total to the cent", f"{money(ours)} EUR sold, {money(theirs)} EUR booked", wrong)


def released_once(books: Books, trails: Trails) -> Finding:
    """What the hub asked for stands at the warehouse, once a request, in the same quantities."""
    held = {release.request_id: release for release in books.releases}
    wrong, count = [], 0
    for taken in books.taken.values():
        for id_, quantities in taken.requests.items():
            count += 1
            release = held.pop(id_, None)
            if release is None:
                wrong.append(f"request {id_} of {taken.id} is not known to the warehouse")
            elif release.asked != quantities:
                wrong.append(f"request {id_}: {quantities} asked for, {release.asked} understood")
    wrong += [f"the warehouse has request {id_}, which the hub never made" for id_ in held]
    if books.warehouse_doubles:
        wrong.append(f"{books.warehouse_doubles} requests were released a second time")
    text = f"{n(count)} requests, {n(len(books.releases))} releases"
    return finding("released once a request", text, wrong)


def told_what_left(books: Books, trails: Trails) -> Finding:
    """What left the warehouse is what the shop confirms to the buyer, and what the ERP delivers and invoices."""
    wrong, units, late = [], 0, 0
    for id_, sold in books.sold.items():
        trail = trails[id_]
        left = trail.shipped
        units += sum(left.values())
        if left and trail.too_late:
            late += 1
            continue
        said = {"the shop": add(sold.fulfilled)}
        for sale in trail.sales:
            said |= {"the ERP's delivery": add(sale.delivered), "the ERP's invoice": add(sale.invoiced)}
        differing = [f"{who} has {quantities}" for who, quantities in said.items() if quantities != left]
        if differing:
            wrong.append(f"{trail.name(sold.number)}: {left} left, {'; '.join(differing)}")
    text = f"{n(units)} units shipped, confirmed, delivered and invoiced"
    if late:
        text += f"; {orders(late)} cancelled too late"
    return finding("told of what left", text, wrong)


def cancelled_as_told(books: Books, trails: Trails) -> Finding:
    """What the shop cancelled is cancelled in the ERP and not picked any more; nothing else is."""
    wrong, cancelled, late = [], 0, 0
    for id_, sold in books.sold.items():
        trail = trails[id_]
        cancelled += sold.cancelled
        if sold.cancelled and trail.shipped:
            late += 1
            if not trail.too_late:
                wrong.append(f"{trail.name(sold.number)} was shipped though cancelled, and is nobody's case")
            continue
        still = add(*(release.open for release in trail.releases))
        if sold.cancelled and still:
            wrong.append(f"{trail.name(sold.number)} is cancelled, the warehouse still picks {still}")
        for sale in trail.sales:
            wanted = add(sale.lines) if sold.cancelled else {}
            if add(sale.cancelled) != wanted:
                wrong.append(
                    f"{trail.name(sold.number)}: {add(sale.cancelled)} cancelled in the ERP, not {wanted}"
                )
    text = f"{orders(cancelled)} in the shop, the same in the ERP and at the warehouse"
    if late:
        text += f"; {orders(late)} too late, a case each"
    return finding("cancelled as told", text, wrong)


def nothing_twice(books: Books, trails: Trails) -> Finding:
    """No partner made two documents of one effect."""
    wrong = [f"the ERP has {name} more than once" for name in books.doubles]
    left = sum(release.shipments for release in books.releases)
    if books.shop_fulfilments > left:
        wrong.append(f"{books.shop_fulfilments} fulfilments in the shop of {left} shipments")
    text = f"{n(left)} shipments, {n(books.shop_fulfilments)} fulfilments; no document has a double"
    return finding("no document twice", text, wrong)


def stock_agrees(books: Books, trails: Trails) -> Finding:
    """On hand = opening stock - what left, for the hub, the ERP and the warehouse alike; and it is never below zero."""
    left: Quantities = {}
    for release in books.releases:
        left = add(left, _by_sku(release))
    wrong = []
    for sku, opening in books.opening.items():
        level = books.levels.get(sku)
        held = {
            "hub": level.on_hand if level is not None else None,
            "ERP": books.erp_stock.get(sku),
            "warehouse": books.warehouse_stock.get(sku),
        }
        wanted = opening - left.get(sku, 0)
        differing = [f"{who} {quantity}" for who, quantity in held.items() if quantity != wanted]
        if differing:
            wrong.append(
                f"{sku}: {wanted} must be there ({opening} - {left.get(sku, 0)}), {', '.join(differing)}"
            )
    wrong += [
        f"{sku}: {-quantity} more left than there was: the last unit was sold twice"
        for sku, quantity in books.warehouse_stock.items()
        if quantity < 0
    ]
    opened, gone = sum(books.opening.values()), sum(left.values())
    hand = sum(level.on_hand for level in books.levels.values())
    return finding(
        "stock agrees everywhere", f"{n(opened)} units - {n(gone)} shipped = {n(hand)} on hand", wrong
    )


def offered_what_there_is(books: Books, trails: Trails) -> Finding:
    """The shop offers what is available, no more and no less."""
    wrong = []
    for sku, level in books.levels.items():
        available = max(0, level.available)
        if books.shown.get(sku) != available:
            wrong.append(f"{sku}: {available} available, the shop offers {books.shown.get(sku)}")
    return finding("the shop offers what there is", f"{n(len(books.levels))} SKUs", wrong)


def every_delivery_kept(books: Books, trails: Trails) -> Finding:
    """Every webhook that a partner signed was kept once, however often it was posted."""
    told = {"shop": books.shop_events, "warehouse": books.warehouse_events}
    wrong, repeated = [], 0
    for name, signed in told.items():
        source = books.sources.get(name)
        kept = source.accepted if source is not None else 0
        repeated += source.repeated if source is not None else 0
        if kept != signed:
            wrong.append(f"{name}: {signed} webhooks signed, {kept} kept")
    text = f"{n(sum(told.values()))} webhooks signed and kept, {n(repeated)} repetitions known again"
    return finding("every webhook kept once", text, wrong)


def every_message_counted(books: Books, trails: Trails) -> Finding:
    """accepted = processed + parked + in flight + unhandled, for every source."""
    wrong = []
    sums = dict.fromkeys(("accepted", "processed", "parked", "in_flight", "unhandled"), 0)
    for name, source in books.sources.items():
        outcomes = source.processed + source.parked + source.in_flight + source.unhandled
        if source.accepted != outcomes:
            wrong.append(f"{name}: {source.accepted} accepted, {outcomes} accounted for")
        for key in sums:
            sums[key] += getattr(source, key)
    accepted, processed, parked, flying, unhandled = (n(count) for count in sums.values())
    text = f"{accepted} accepted = {processed} processed + {parked} parked + {flying} to come + {unhandled} unhandled"
    return finding("nothing dropped", text, wrong)


def only_cases_that_must_be(books: Books, trails: Trails) -> Finding:
    """What is left for people is what only people can decide; every order that is not finished is such a case."""
    wrong = [
        f"case of {case.order}: {case.reason}: {case.text}"
        for case in books.cases
        if not _must_be(books, case)
    ]
    idle = [taken for taken in books.taken.values() if not taken.finished and not taken.cases]
    wrong += [f"{taken.id} is not finished, and is nobody's case" for taken in idle]
    finished = sum(taken.finished for taken in books.taken.values())
    text = f"{n(finished)} of {orders(len(books.taken))} finished; {n(len(books.cases))} cases that a person must decide"
    return finding("only cases that must be", text, wrong)


def _must_be(books: Books, case: Case) -> bool:
    """A refusal belongs to a cancellation that came too late, a difference to the store that is a cent off; or is a finding."""
    if case.reason == "effect.refused":
        taken = books.taken.get(case.order)
        return taken is not None and not TOO_LATE.isdisjoint(taken.cases)
    if case.reason == DIFFERENCE:
        return books.stores is not None and case.store == books.stores.cent_off
    return case.reason in EXPLAINED


def _by_sku(release: Release) -> Quantities:
    return add(*({release.skus.get(line, ""): quantity} for line, quantity in release.shipped.items()))

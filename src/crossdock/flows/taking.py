"""Taking an order: one version of it, checked, absorbed, kept as a document, and all that follows from it."""

from __future__ import annotations

import msgspec

from crossdock.domain.journal import extras_of
from crossdock.domain.lines import absorb_lines, needs_stock
from crossdock.domain.policy import Route
from crossdock.domain.process import ADOPTED, DOCUMENTS_MAX, OUR_HOLDS, PRICE, OrderProcess
from crossdock.domain.products import expected_extended
from crossdock.domain.state import DocumentRow
from crossdock.domain.totals import check_totals
from crossdock.engine.messages import Reference
from crossdock.errors import MappingError, RejectedError
from crossdock.flows.comparing import take_over
from crossdock.flows.consequences import follow
from crossdock.flows.copying import copied_from, keep_copy
from crossdock.flows.desk import SECOND, Again, Desk, digest, micros
from crossdock.flows.documents import split_document, with_entity, with_receipt
from crossdock.flows.facts import record, record_nested
from crossdock.flows.goods import RELEASE, source
from crossdock.flows.telling import watch_acknowledged
from crossdock.model.order import Order
from crossdock.model.party import Address
from crossdock.model.reports import OrderReported
from crossdock.model.versions import is_newer

_encode = msgspec.json.Encoder().encode


def take_order(desk: Desk, report: OrderReported) -> str:
    """Decide on one version of an order. Returns the outcome: processed, duplicate or stale."""
    process = desk.process
    order = report.order
    value, party, content = split_document(order, process.order)
    said = b""
    if report.shipments or report.refunds or report.returns or report.cancellations or report.payments:
        said = _encode(
            (report.shipments, report.refunds, report.returns, report.cancellations, report.payments)
        )
    if not desk.first_time(seen_kind(desk.revision), order.version, digest(content + said)):
        return "duplicate"
    if process.known and is_newer(process.version, order.version):
        desk.event("order.stale_ignored", {"version": order.version, "held": process.version})
        return "stale"
    if process.known and order.external_id != process.external_id:
        raise MappingError(
            f"This is a version of order {process.external_id} of {process.connection}, and names {order.external_id}. Correct the "
            "id, then retry.",
            field="external_id",
        )
    connection = order.connection
    route = desk.plan.routes.get(connection)
    if route is None:
        raise RejectedError(
            f"Order {order.number or order.external_id} of {connection} has no route. Add [routes.{connection}] to the "
            "configuration, then retry the message."
        )
    first = not process.known
    if first:
        process.copy_of = copied_from(order, route)
    _check(desk, order, route)
    _absorb(desk, order, route, address=_address_hash(order.ship_to))
    if not order.legal_entity and process.legal_entity:
        value = with_entity(value, process.legal_entity)
    _keep_document(desk, with_receipt(value, order.received_at), party)
    _tell(desk, order, first)
    if process.copy_of:
        keep_copy(desk, order, first=first)
    elif not process.test:
        _record_facts(desk, report, first=first)
    if first:
        watch_acknowledged(desk)
    follow(desk, "sale" if first else "amendment")
    return "processed"


def _record_facts(desk: Desk, report: OrderReported, *, first: bool) -> None:
    """Record what came with the version, and what came before the first one."""
    process = desk.process
    if first and (process.early or report.shipments):
        source(desk)  # so that what has left already leaves the place that it would have come from
    record_nested(desk, report, first=first)
    early, process.early = process.early, []
    for fact in early:
        record(desk, fact)


def seen_kind(revision: int) -> str:
    """The kind under which versions are seen: another reading of the same bytes is not a conflict."""
    return "order" if revision <= 1 else f"order@{revision}"


def _check(desk: Desk, order: Order, route: Route) -> None:
    """Refuse what does not add up, and SKUs of which nothing is known; either parks the message with its field."""
    differences = check_totals(order)
    if differences:
        raise MappingError(
            f"Order {order.number or order.external_id} of {order.connection} does not add up: "
            f"{'; '.join(map(str, differences[:3]))} (minor units). Correct it at the source or in the message.",
            field=differences[0].field,
        )
    if (order.test and not desk.plan.policy.post_test_orders) or desk.process.copy_of:
        return
    strict = (
        desk.plan.policy.unknown_sku == "park" and order.commitment != "void" and order.cancelled_at is None
    )
    for n, line in enumerate(order.lines):
        sku = line.sku
        card = desk.catalogue.card(sku) if sku else None
        if card is not None:
            if card.prices:
                _check_price(desk, order, n)
        elif (
            strict
            and sku
            and line.current > 0
            and not _stocked(desk, sku, route)
            and needs_stock(order, line)
        ):
            raise MappingError(
                f"Order {order.number or order.external_id} of {order.connection} sells {sku}, of which we hold neither "
                "product nor stock. Map or create the SKU, then retry the message.",
                field=f"lines[{n}].sku",
            )


def _stocked(desk: Desk, sku: str, route: Route) -> bool:
    ledger = desk.ledger
    for location in route.locations:
        if ledger.known(sku, location):
            return True
    return any(ledger.known(sku, location) for location in desk.plan.places)


def _check_price(desk: Desk, order: Order, n: int) -> None:
    """A price that differs from ours warns, for the sale is made; only what we may still refuse is held (RETAIL 9)."""
    line = order.lines[n]
    card = desk.catalogue.card(line.sku)
    expected = expected_extended(card, line, order.connection, order.currency) if card is not None else None
    if expected is None or abs(expected - line.extended) <= desk.plan.policy.price_tolerance:
        return
    desk.event(
        "order.price_differs",
        {"line": line.id, "sku": line.sku, "stated": line.extended, "expected": expected},
    )
    if order.channel == "b2b" and PRICE not in desk.process.lifted:
        desk.process.holds[PRICE] = f"line {line.id} costs {line.extended} instead of {expected} minor units"


def _absorb(desk: Desk, order: Order, route: Route, *, address: str) -> None:
    """Take over what decisions need of a version."""
    process, plan = desk.process, desk.plan
    first = not process.known
    committed = process.commitment == "committed"
    if first:
        process.known = True
        process.connection, process.external_id = order.connection, order.external_id
        process.mode = plan.mode_at(order.connection, order.occurred_at)
        process.placed_at = micros(order.occurred_at) or desk.now
    process.legal_entity = order.legal_entity or process.legal_entity or route.legal_entity
    process.test = order.test and not plan.policy.post_test_orders
    process.number, process.version, process.channel = order.number, order.version, order.channel
    process.currency, process.commitment = order.currency, order.commitment
    process.total = order.buyer_total or 0
    process.due = process.total if order.current_total is None else order.current_total
    process.cancelled = order.cancelled_at is not None
    _absorb_tenders(process, order)
    extras = extras_of(order) if order.shipping or order.charges else {}
    changed = absorb_lines(
        process, order, desk.catalogue.card, stocked=bool(route.locations), place=desk.place
    )
    changed = changed or (not first and extras != process.extras)
    process.extras = extras
    if address != process.address:
        if not first:
            _readdress(desk)
            changed = changed or not any("create_delivery" in parcel.told for parcel in process.shipments)
        process.address = address
    if changed and process.sale is not None:
        process.sale.amended = True
    _absorb_holds(desk, order, first=first)
    if order.commitment == "committed" and not committed and not process.copy_of:
        process.expired = False
        grace = desk.now + plan.policy.grace_s * SECOND
        process.release_at = max(grace, micros(order.ship_after))
        if process.release_at > desk.now:
            desk.timer(RELEASE, process.release_at, Again(skus=process.skus()))
        else:
            process.release_at = 0


def _absorb_tenders(process: OrderProcess, order: Order) -> None:
    authorised = captured = 0
    for tender in order.tenders:
        if tender.state == "captured":
            captured += tender.amount
        elif tender.state == "authorised":
            authorised += tender.amount
    process.authorised, process.captured = authorised, captured


def _absorb_holds(desk: Desk, order: Order, *, first: bool) -> None:
    """Holds of the channel come and go with its versions; ours stay until a person lifts them."""
    process = desk.process
    tags = desk.plan.policy.hold_tags
    if not (order.holds or tags or process.holds or process.mode == "adopt"):
        return
    holds = {code: reason for code, reason in process.holds.items() if code in OUR_HOLDS}
    if first and process.mode == "adopt":
        holds[ADOPTED] = "taken over; release it if nobody else has shipped it"
        process.acknowledged = True
        process.holds = holds
        take_over(desk, order)
    for hold in order.holds:
        if hold.released_at is None:
            holds[hold.code] = hold.reason
    for tag in order.tags:
        if tag in tags:
            holds[f"tag:{tag}"] = ""
    process.holds = {code: reason for code, reason in holds.items() if code not in process.lifted}


def _readdress(desk: Desk) -> None:
    """What is already with a warehouse goes to the old address: it is stopped, and released anew once that is sure."""
    open_requests = [r for r in desk.process.requests if any(item.out > 0 for item in r.items)]
    for request in open_requests:
        request.stale = True
    desk.event("order.address_changed", {"requests": [request.id for request in open_requests]})


def _keep_document(desk: Desk, value: bytes, party: bytes) -> None:
    process = desk.process
    if process.document >= DOCUMENTS_MAX:
        raise RejectedError(
            f"Order {process.order} has {DOCUMENTS_MAX} versions; no more are kept. Ask the channel why it changes so often."
        )
    process.document += 1
    desk.documents.append(
        DocumentRow(subject=desk.message.subject, version=process.document, value=value, party=party)
    )


def _tell(desk: Desk, order: Order, first: bool) -> None:
    process = desk.process
    desk.event(
        "order.accepted" if first else "order.updated",
        {
            "connection": order.connection,
            "number": order.number,
            "version": order.version,
            "document": process.document,
            "commitment": order.commitment,
            "currency": order.currency,
            "total": order.buyer_total,
            "lines": len(order.lines),
        },
    )
    if first and order.number:
        desk.decision.references.append(
            Reference(connection=order.connection, kind="number", ref=order.number)
        )
    if process.test:
        desk.event("order.test_ignored", {"number": order.number})


def _address_hash(address: Address | None) -> str:
    return digest(_encode(address)) if address is not None else ""

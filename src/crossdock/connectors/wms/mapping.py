"""The warehouse contract's own words to the canonical model, and back. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from crossdock.errors import MappingError
from crossdock.model.base import Instant
from crossdock.model.commands import CancelRelease, Release
from crossdock.model.fulfilment import Package, Shipment
from crossdock.model.ids import ConnectionId, FulfilmentRequestId, LineId, OrderId, Sku
from crossdock.model.lines import OrderLine
from crossdock.model.party import Address
from crossdock.model.quantity import LineQuantity
from crossdock.model.reports import CancellationAnswered, ReturnReported, ShipmentReported, ShortPickReported
from crossdock.model.returns import Condition, Disposition, Return, ReturnLine
from crossdock.sdk.decode import decode
from crossdock.sdk.plain import Item, Positive, Text, items, line_quantities, location_ref, require_once


class ReleaseLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line to pick: `quantity` in 10**-quantity_scale of `unit`."""

    line_id: str
    quantity: int
    sku: str
    title: str = ""
    unit: str = "ea"
    quantity_scale: int = 0


class ReleaseBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What POST /releases carries."""

    request_id: str
    order_id: str
    location: str
    lines: tuple[ReleaseLine, ...]
    attempt: int = 1
    order_number: str = ""
    replaces: str = ""
    delivery: str = "ship"
    ship_to: Address | None = None
    carrier: str = ""
    service: str = ""
    ship_after: Instant | None = None
    ship_by: Instant | None = None
    deliver_by: Instant | None = None
    gift_message: str = ""
    note: str = ""
    test: bool = False


class CancelBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What POST /releases/{request_id}/cancel carries; `lines` left out asks for all that is left."""

    order_id: str
    lines: tuple[Item, ...] = ()
    reason: str = ""


class PackageBody(msgspec.Struct, frozen=True, kw_only=True):
    """One parcel."""

    id: str = ""
    tracking_number: str = ""
    tracking_url: str = ""
    carrier: str = ""
    service: str = ""
    weight_grams: Annotated[int, msgspec.Meta(ge=0, le=10**9)] | None = None
    lines: tuple[Item, ...] = ()


class ShipmentBody(msgspec.Struct, frozen=True, kw_only=True):
    """The event shipment.created; `lines` may be left out where every package says what is in it."""

    id: Text
    order_id: Text
    request_id: Text
    packages: tuple[PackageBody, ...] = ()
    lines: tuple[Item, ...] = ()
    number: str = ""
    version: str = ""
    location: str = ""
    shipped_at: Instant | None = None


class ShortPickBody(msgspec.Struct, frozen=True, kw_only=True):
    """The events pick.short (what is missing) and release.refused (everything)."""

    order_id: Text
    request_id: Text
    lines: tuple[Item, ...] = ()
    reason: str = ""
    occurred_at: Instant | None = None


class ReturnItem(msgspec.Struct, frozen=True, kw_only=True):
    """So much of one line that has come back, in all, by this return; what becomes of it is undecided until it is said."""

    line_id: Text
    quantity: Positive
    sku: str = ""
    reason: str = ""
    condition: Condition = "unknown"
    disposition: Disposition = "undecided"
    received_at: Instant | None = None
    decided_at: Instant | None = None


class ReturnBody(msgspec.Struct, frozen=True, kw_only=True):
    """The event return.received; the same id again, under a later version, says what the return is by then."""

    id: Text
    order_id: Text
    lines: tuple[ReturnItem, ...]
    version: str = ""
    number: str = ""
    location: str = ""
    reason: str = ""
    received_at: Instant | None = None


class CancellationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a cancellation: in the reply, or as the event release.cancelled."""

    order_id: Text
    request_id: Text
    outcome: Literal["accepted", "part_accepted", "refused"]
    accepted: tuple[Item, ...] = ()
    refused: tuple[Item, ...] = ()
    reason: str = ""
    occurred_at: Instant | None = None


class AcceptedBody(msgspec.Struct, frozen=True, kw_only=True):
    """The event release.accepted."""

    order_id: Text
    request_id: Text
    occurred_at: Instant | None = None


def release(command: Release) -> ReleaseBody:
    """Write a fulfilment request for the warehouse; titles, units and the address come from the order."""
    request, order = command.request, command.order
    lines = {line.id: line for line in order.lines} if order is not None else {}
    return ReleaseBody(
        request_id=request.id,
        order_id=request.order,
        location=request.location,
        lines=tuple(_release_line(quantity, lines.get(quantity.line)) for quantity in request.lines),
        attempt=request.attempt,
        order_number=request.order_number or (order.number if order is not None else ""),
        replaces=request.replaces,
        delivery=request.delivery,
        ship_to=request.ship_to or (order.ship_to if order is not None else None),
        carrier=request.carrier,
        service=request.service,
        ship_after=request.ship_after,
        ship_by=request.ship_by,
        deliver_by=request.deliver_by,
        gift_message=request.gift_message,
        note=request.note,
        test=order is not None and order.test,
    )


def cancellation(command: CancelRelease) -> CancelBody:
    """Write what to stop."""
    order_id = command.order_id or (command.order.id if command.order is not None else OrderId(""))
    return CancelBody(order_id=order_id, lines=items(command.lines), reason=command.reason)


def accepted(body: bytes, connection: str) -> None:
    """Check the event; the release is already known to be with the warehouse."""
    decode(body, AcceptedBody)


def shipment(body: bytes, connection: str) -> ShipmentReported:
    """Read shipment.created. Lines and packages must agree where both say what was sent."""
    event = decode(body, ShipmentBody)
    return ShipmentReported(
        shipment=Shipment(
            lines=_shipped_lines(event),
            connection=ConnectionId(connection),
            external_id=event.id,
            version=event.version,
            order=OrderId(event.order_id),
            request=FulfilmentRequestId(event.request_id),
            number=event.number,
            location_ref=location_ref(connection, event.location),
            packages=tuple(_package(package) for package in event.packages),
            shipped_at=event.shipped_at,
        )
    )


def goods_return(body: bytes, connection: str) -> ReturnReported:
    """Read return.received: every line of it as it stands."""
    event = decode(body, ReturnBody)
    if not event.lines:
        raise MappingError(
            "lines: a return names what came back. Send the quantities received.", field="lines"
        )
    require_once(event.lines, "lines")
    return ReturnReported(
        goods_return=Return(
            lines=tuple(_returned(item) for item in event.lines),
            connection=ConnectionId(connection),
            external_id=event.id,
            version=event.version,
            order=OrderId(event.order_id),
            number=event.number,
            state="received",
            location_ref=location_ref(connection, event.location),
            reason=event.reason,
            received_at=event.received_at,
        )
    )


def short_pick(body: bytes, connection: str) -> ShortPickReported:
    """Read pick.short: it must say what is missing."""
    event = decode(body, ShortPickBody)
    if not event.lines:
        raise MappingError(
            "lines: a short pick names what is missing. Send release.refused for all.", field="lines"
        )
    require_once(event.lines, "lines")
    return _short(event, refused=False)


def release_refused(body: bytes, connection: str) -> ShortPickReported:
    """Read release.refused: nothing of the request will be shipped."""
    return _short(decode(body, ShortPickBody), refused=True)


def cancellation_answer(body: bytes, connection: str) -> CancellationAnswered:
    """Read what came of a cancellation; `accepted` must be told except where nothing or everything was."""
    event = decode(body, CancellationAnswer)
    require_once(event.accepted, "accepted")
    require_once(event.refused, "refused")
    if event.outcome == "part_accepted" and not event.accepted:
        raise MappingError(
            "accepted: a part acceptance names the quantities that were stopped. Send them.", field="accepted"
        )
    if event.outcome == "refused" and event.accepted:
        raise MappingError("accepted: a refusal stops nothing. Send part_accepted instead.", field="accepted")
    return CancellationAnswered(
        order=OrderId(event.order_id),
        request=FulfilmentRequestId(event.request_id),
        outcome=event.outcome,
        accepted=line_quantities(event.accepted),
        refused=line_quantities(event.refused),
        reason=event.reason,
        occurred_at=event.occurred_at,
    )


def _release_line(quantity: LineQuantity, line: OrderLine | None) -> ReleaseLine:
    if line is None:
        return ReleaseLine(line_id=quantity.line, quantity=quantity.quantity, sku=quantity.sku)
    return ReleaseLine(
        line_id=quantity.line,
        quantity=quantity.quantity,
        sku=quantity.sku or line.sku,
        title=line.title,
        unit=line.unit,
        quantity_scale=line.quantity_scale,
    )


def _returned(item: ReturnItem) -> ReturnLine:
    return ReturnLine(
        line=LineId(item.line_id),
        sku=Sku(item.sku),
        quantity=item.quantity,
        received=item.quantity,
        reason=item.reason,
        condition=item.condition,
        disposition=item.disposition,
        received_at=item.received_at,
        decided_at=item.decided_at,
    )


def _short(event: ShortPickBody, *, refused: bool) -> ShortPickReported:
    return ShortPickReported(
        request=FulfilmentRequestId(event.request_id),
        order=OrderId(event.order_id),
        lines=line_quantities(event.lines),
        refused=refused,
        reason=event.reason,
        occurred_at=event.occurred_at,
    )


def _package(package: PackageBody) -> Package:
    return Package(
        id=package.id,
        tracking_number=package.tracking_number,
        tracking_url=package.tracking_url,
        carrier=package.carrier,
        service=package.service,
        weight_grams=package.weight_grams,
        lines=line_quantities(package.lines),
    )


def _shipped_lines(event: ShipmentBody) -> tuple[LineQuantity, ...]:
    """The totals over all packages, checked against them; a shipment of nothing is a mistake."""
    require_once(event.lines, "lines")
    packed: Counter[tuple[str, str]] = Counter()
    for package in event.packages:
        for item in package.lines:
            packed[item.line_id, item.sku] += item.quantity
    if not event.lines:
        if not packed or not all(package.lines for package in event.packages):
            raise MappingError(
                "lines: they are missing, and not every package says what is in it. Send the quantities shipped.",
                field="lines",
            )
        return line_quantities(
            Item(line_id=line, sku=sku, quantity=quantity) for (line, sku), quantity in packed.items()
        )
    if packed and all(package.lines for package in event.packages):
        stated, held = _by_line(event.lines), _by_line(item for p in event.packages for item in p.lines)
        if stated != held:
            raise MappingError(
                f"packages: they hold {dict(held)}, the shipment says {dict(stated)}. Send one truth.",
                field="packages",
            )
    return line_quantities(event.lines)


def _by_line(given: Iterable[Item]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for item in given:
        sums[item.line_id] += item.quantity
    return sums

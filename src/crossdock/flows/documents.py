"""The order as a document: what is kept in the open, what is kept sealed, and how a command gets its order back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import force_setattr

from crossdock.errors import ContractError
from crossdock.model.base import Instant, Model
from crossdock.model.commands import COMMANDS, CreateCredit, CreateSale, Release
from crossdock.model.order import Order
from crossdock.model.party import Address, Party
from crossdock.model.pricing import Charge, ShippingCharge

_encode = msgspec.json.Encoder().encode


class Persons(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The personal parts of an order: everything of it that erasure destroys."""

    buyer: Party | None = None
    ship_to: Address | None = None
    billing_address: Address | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    purchase_order: str = ""
    cancel_reason: str = ""
    properties: dict[str, tuple[tuple[str, str], ...]] = {}
    """What the buyer had written on lines, by the place of the line in the order: an engraving is a name."""


_order = msgspec.json.Decoder(Order)
_persons = msgspec.json.Decoder(Persons)
_commands: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(type_) for name, type_ in COMMANDS.items()
}


class Split(NamedTuple):
    """An order in two, both as JSON, and what a version of it is known by. `join_document` puts the two together.

    The time of our receipt is in none of them, because it differs for the same version; `with_receipt` adds it.
    """

    value: bytes
    """The order under our id, without its persons."""
    party: bytes
    """Its persons, and whatever else somebody has typed."""
    said: bytes
    """All of it, as it was arranged when versions were first hashed: what is told again must hash the same."""


def split_document(order: Order, id_: str) -> Split:
    """Part an order from its persons."""
    persons = Persons(
        buyer=order.buyer, ship_to=order.ship_to, billing_address=order.billing_address, note=order.note
    )
    bare = order.__copy__()  # type: ignore[attr-defined]  # shallow, many times cheaper than structs.replace, and ours
    force_setattr(bare, "id", id_)
    force_setattr(bare, "received_at", None)
    force_setattr(bare, "buyer", None)
    force_setattr(bare, "ship_to", None)
    force_setattr(bare, "billing_address", None)
    force_setattr(bare, "note", "")
    value, party = _encode(bare), _encode(persons)
    said = value + party
    properties = {str(n): line.properties for n, line in enumerate(order.lines) if line.properties}
    if not (properties or order.tags or order.purchase_order or order.cancel_reason):
        return Split(value, party, said)
    typed = msgspec.structs.replace(
        persons,
        tags=order.tags,
        purchase_order=order.purchase_order,
        cancel_reason=order.cancel_reason,
        properties=properties,
    )
    force_setattr(bare, "tags", ())
    force_setattr(bare, "purchase_order", "")
    force_setattr(bare, "cancel_reason", "")
    if properties:
        lines = tuple(
            msgspec.structs.replace(line, properties=()) if line.properties else line for line in order.lines
        )
        force_setattr(bare, "lines", lines)
    return Split(_encode(bare), _encode(typed), said)


def with_receipt(value: bytes, received_at: Instant | None) -> bytes:
    """The document with the time of its receipt in it."""
    if received_at is None:
        return value
    return value[:-1] + b',"received_at":' + _encode(received_at) + b"}"


def with_entity(value: bytes, legal_entity: str) -> bytes:
    """The document with the company of ours whose sale it is; it names none."""
    return value[:-1] + b',"legal_entity":' + _encode(legal_entity) + b"}"


def join_document(value: bytes, party: bytes) -> Order:
    """The whole order again. Once its persons were erased (party is b"") they stand there masked."""
    order = _order.decode(value)
    if party:
        persons = _persons.decode(party)
    else:
        masked = Address(masked=True)
        persons = Persons(buyer=Party(masked=True), ship_to=masked, billing_address=masked)
    force_setattr(order, "buyer", persons.buyer)
    force_setattr(order, "ship_to", persons.ship_to)
    force_setattr(order, "billing_address", persons.billing_address)
    force_setattr(order, "note", persons.note)
    if persons.tags or persons.purchase_order or persons.cancel_reason or persons.properties:
        _retype(order, persons)
    return order


def _retype(order: Order, persons: Persons) -> None:
    """Put back what somebody has typed. A document of before that was sealed holds it in the open, and keeps it."""
    force_setattr(order, "tags", persons.tags)
    force_setattr(order, "purchase_order", persons.purchase_order)
    force_setattr(order, "cancel_reason", persons.cancel_reason)
    for place, properties in persons.properties.items():
        force_setattr(order.lines[int(place)], "properties", properties)


def fill_command(operation: str, command: bytes, order: Order | None) -> Model:
    """The typed command of an effect, with the order that it speaks of; a release gets its address from there."""
    decoder = _commands.get(operation)
    if decoder is None:
        raise ContractError(
            f"There is no command for the operation {operation!r}. Compare the connector's version."
        )
    filled: Model = decoder.decode(command)
    if order is None:
        return filled
    if isinstance(filled, Release):
        return _release(filled, order)
    if isinstance(filled, CreateSale) and filled.lines:
        order = _sold(order, filled.lines)
    elif isinstance(filled, CreateCredit) and filled.order_id != order.id:
        order = msgspec.structs.replace(order, id=filled.order_id)
    if "order" in filled.__struct_fields__:
        force_setattr(filled, "order", order)
    return filled


def command_for(operation: str, command: bytes, value: bytes, party: bytes) -> Model:
    """The typed command of a claimed effect: `value` and `party` are those of the document that it speaks of."""
    return fill_command(operation, command, join_document(value, party) if value else None)


def _sold(order: Order, wanted: Collection[str]) -> Order:
    """What a ticket sold, without what it took back; what was paid is what it was."""
    lines = tuple(line for line in order.lines if line.id in wanted)
    kept = {part.discount for line in lines for part in line.discounts}
    others = {part.discount for line in order.lines for part in line.discounts} - kept
    charges: tuple[Charge | ShippingCharge, ...] = (*order.charges, *order.shipping)
    return msgspec.structs.replace(
        order,
        lines=lines,
        discounts=tuple(discount for discount in order.discounts if discount.id not in others),
        buyer_total=sum(line.gross for line in lines) + sum(charge.gross for charge in charges),
    )


def _release(release: Release, order: Order) -> Release:
    """What the warehouse must know of the order besides quantities."""
    wanted = {line.line for line in release.request.lines}
    lines = [line for line in order.lines if line.id in wanted]
    bought = [charge for charge in order.shipping if charge.service] or order.shipping
    shipping = bought[0] if bought else None
    earliest = [line.ship_by for line in lines if line.ship_by is not None]
    first = [line.deliver_by for line in lines if line.deliver_by is not None]
    request = msgspec.structs.replace(
        release.request,
        ship_to=order.ship_to,
        note=order.note,
        delivery=lines[0].delivery if lines else "ship",
        carrier=shipping.carrier if shipping is not None else "",
        service=shipping.service if shipping is not None else "",
        ship_after=order.ship_after,
        ship_by=min(earliest, default=order.ship_by),
        deliver_by=min(first, default=order.deliver_by),
    )
    return Release(order=order, order_id=release.order_id, request=request)

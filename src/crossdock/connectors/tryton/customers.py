"""Whom a sale is booked to: an account per channel or store, which Tryton's people keep, or a party per buyer (ours)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crossdock.connectors.tryton.books import Books, Customer, load_addresses, load_customers
from crossdock.connectors.tryton.rpc import Ask, Client, Row, ServerRefusedError
from crossdock.model.order import Order
from crossdock.model.party import Address


class BilledTo(msgspec.Struct, frozen=True):
    """A party and its addresses for one sale, by id."""

    party: int
    location: int
    invoice: int
    shipment: int


def code_of(order: Order, customers: str) -> str:
    """The code of the party that an order is booked to."""
    if customers == "store":
        return order.location or order.connection
    if customers != "buyer" or order.buyer is None:
        return order.connection
    known = order.buyer.external_id
    return f"{order.connection}:{known}" if known else f"order:{order.id}"


def per_buyer(order: Order, customers: str) -> bool:
    """Whether the party is the buyer, whom we create where Tryton does not know them."""
    return customers == "buyer" and order.buyer is not None


def create_buyers(client: Client, orders: Sequence[Order], books: Books) -> Ask[Books]:
    """Create the buyers that are not there yet; who is refused is missed by `books.customer` later."""
    new = {code_of(order, "buyer"): order for order in orders}
    new = {code: order for code, order in new.items() if code not in books.customers}
    if not new:
        return books
    yield from client.create("party.party", [_party(code, order) for code, order in new.items()])
    # Looked up, not taken from the reply: another call may have created one of them a moment earlier.
    made = yield from load_customers(client, new)
    return msgspec.structs.replace(books, customers={**books.customers, **made})


def bill(client: Client, order: Order, customers: str, books: Books) -> Ask[BilledTo]:
    """The party of an order and the addresses that it is invoiced and shipped to."""
    customer = books.customer(code_of(order, customers))
    first = customer.addresses[0]
    if not per_buyer(order, customers):
        return BilledTo(customer.id, customer.location, first, first)
    held = yield from load_addresses(client, [customer.id])
    shipment = yield from _address(client, customer, held, order.ship_to)
    invoice = yield from _address(client, customer, held, order.billing_address or order.ship_to)
    return BilledTo(customer.id, customer.location, invoice, shipment)


def _address(client: Client, customer: Customer, held: list[Row], wanted: Address | None) -> Ask[int]:
    """The id of a buyer's address, which is added where it is new."""
    if wanted is None or wanted.masked:
        return customer.addresses[0]
    values = _values(wanted)
    for row in held:
        if all((row[name] or None) == values[name] for name in ("street", "postal_code", "city")):
            return int(row["id"])
    (made,) = yield from client.create("party.address", [{"party": customer.id, **values}])
    if isinstance(made, ServerRefusedError):
        raise made
    held.append({"id": made, **values})
    return made


def _party(code: str, order: Order) -> Row:
    buyer = order.buyer
    assert buyer is not None  # noqa: S101  # only orders with a buyer are asked for
    contacts = [("email", buyer.email), ("phone", buyer.phone)]
    address = order.billing_address or order.ship_to
    values: Row = {
        "code": code,
        "name": buyer.company or buyer.name or order.number or order.id,
        "addresses": [["create", [_values(address) if address is not None else {}]]],
    }
    made = [{"type": type_, "value": value} for type_, value in contacts if value]
    if made:
        values["contact_mechanisms"] = [["create", made]]
    return values


def _values(address: Address) -> Row:
    """An address as Tryton keeps it; the country stands in the street's last line, for not every database has countries."""
    lines = [address.company, *address.lines, address.country]
    return {
        "party_name": address.name or None,
        "street": "\n".join(filter(None, lines)) or None,
        "postal_code": address.postal_code or None,
        "city": address.city or None,
    }

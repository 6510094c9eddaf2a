"""What Tryton already holds and our documents refer to: products, taxes, warehouses, customers, by code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from crossdock.connectors.tryton.options import Options
from crossdock.connectors.tryton.rpc import Ask, Client, Row, number
from crossdock.errors import MappingError

_PRODUCT = ("code", "type", "sale_uom", "sale_uom.symbol", "sale_uom.digits")
_TAX = ("name", "description", "rate", "group.kind")
_PLACE = ("code", "input_location", "output_location", "storage_location")
_PARTY = ("code", "addresses", "customer_location")
_ADDRESS = ("party", "street", "postal_code", "city")


class Product(msgspec.Struct, frozen=True):
    """A product; `unit` is the id of the unit that it is sold in."""

    id: int
    unit: int
    symbol: str
    moves: bool
    digits: int = 0


class Tax(msgspec.Struct, frozen=True):
    """A tax on sales, by percentage; `rate` is a factor."""

    id: int
    names: tuple[str, ...]
    rate: Decimal


class Warehouse(msgspec.Struct, frozen=True):
    """A warehouse and the locations that goods pass in it."""

    id: int
    code: str
    input: int
    output: int
    storage: int


class Customer(msgspec.Struct, frozen=True):
    """A party; `addresses` by id, the first is its own."""

    id: int
    addresses: tuple[int, ...]
    location: int


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch refers to."""

    products: Mapping[str, Sequence[Product]] = {}
    taxes: Sequence[Tax] = ()
    warehouses: Mapping[str, Warehouse] = {}
    customers: Mapping[str, Customer] = {}
    currencies: Mapping[str, int] = {}

    def product(self, code: str, field: str) -> Product:
        """The one product of a code; MappingError where there is none, or more than one."""
        found = self.products.get(code, ())
        if len(found) == 1:
            return found[0]
        what = "no salable product" if not found else f"{len(found)} products"
        raise MappingError(
            f"{field}: Tryton has {what} of code {code!r}. Give one product that code.", field=field
        )

    def currency(self, code: str) -> int:
        """The id of a currency."""
        if code not in self.currencies:
            raise MappingError(f"currency: Tryton has no currency {code}. Create it there.", field="currency")
        return self.currencies[code]

    def customer(self, code: str) -> Customer:
        """The party of a code, which has an address."""
        found = self.customers.get(code)
        if found is None or not found.addresses:
            what = "no party" if found is None else "no address of the party"
            raise MappingError(
                f"customer: Tryton has {what} of code {code!r}. Create it there.", field="customer"
            )
        return found

    def warehouse(self, places: Iterable[str], options: Options, field: str) -> Warehouse:
        """The first of our places that has a warehouse; the usual one where none is named."""
        named = [place for place in places if place]
        for place in named:
            code = options.warehouses.get(place, place)
            if code in self.warehouses:
                return self.warehouses[code]
        usual = next(iter(options.warehouses.values()), "")
        if usual in self.warehouses and (not named or len(options.warehouses) == 1):
            return self.warehouses[usual]
        if len(self.warehouses) == 1:
            return next(iter(self.warehouses.values()))
        where = named[0] if named else usual or "(none named)"
        raise MappingError(
            f"{field}: no warehouse in Tryton has the code of {where!r}. Name it in the setting `warehouses`.",
            field=field,
        )


def load(
    client: Client, codes: Iterable[str], customers: Iterable[str], currencies: Iterable[str]
) -> Ask[Books]:
    """Look up what a batch needs, each kind in one request."""
    yield from client.open()
    products = yield from load_products(client, codes)
    taxes = yield from _load_taxes(client)
    places = yield from load_warehouses(client)
    parties = yield from load_customers(client, customers)
    money = yield from client.search("currency.currency", [["code", "in", sorted(set(currencies))]], ["code"])
    return Books(
        products=products,
        taxes=taxes,
        warehouses=places,
        customers=parties,
        currencies={row["code"]: row["id"] for row in money},
    )


def load_products(client: Client, codes: Iterable[str]) -> Ask[dict[str, list[Product]]]:
    """Salable products by code; a code that several have names them all."""
    rows = yield from client.search(
        "product.product", [["code", "in", sorted(set(codes))], ["salable", "=", True]], _PRODUCT
    )
    found: dict[str, list[Product]] = {}
    for row in rows:
        unit = row["sale_uom."]
        product = Product(
            row["id"],
            row["sale_uom"],
            unit["symbol"] or "",
            row["type"] != "service",
            int(unit["digits"] or 0),
        )
        found.setdefault(row["code"], []).append(product)
    return found


def load_warehouses(client: Client) -> Ask[dict[str, Warehouse]]:
    """Warehouses by code; one without a code cannot be named."""
    rows = yield from client.search(
        "stock.location", [["type", "=", "warehouse"]], _PLACE, order=[["id", "ASC"]]
    )
    return {
        row["code"]: Warehouse(
            row["id"], row["code"], row["input_location"], row["output_location"], row["storage_location"]
        )
        for row in rows
        if row["code"]
    }


def load_customers(client: Client, codes: Iterable[str]) -> Ask[dict[str, Customer]]:
    """Parties by code."""
    rows = yield from client.search("party.party", [["code", "in", sorted(set(codes))]], _PARTY)
    return {
        row["code"]: Customer(row["id"], tuple(row["addresses"]), row["customer_location"]) for row in rows
    }


def load_addresses(client: Client, parties: Iterable[int]) -> Ask[list[Row]]:
    """The addresses of parties."""
    rows: list[Row] = yield from client.search(
        "party.address", [["party", "in", sorted(set(parties))]], _ADDRESS, order=[["id", "ASC"]]
    )
    return rows


def _load_taxes(client: Client) -> Ask[list[Tax]]:
    domain = [["parent", "=", None], ["type", "=", "percentage"], ["company", "=", client.company]]
    rows = yield from client.search("account.tax", domain, _TAX, order=[["id", "ASC"]])
    return [
        Tax(row["id"], tuple({row["name"], row["description"]} - {None}), Decimal(number(row["rate"])))
        for row in rows
        if not row["group."] or row["group."]["kind"] in ("sale", "both")
    ]

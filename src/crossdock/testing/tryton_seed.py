"""Fill a Tryton database with a retailer: company, chart, taxes, products, warehouses, customers, stock.

A script for a process of its own, because Tryton is one database a process: `python -m crossdock.testing.tryton_seed
CONFIG NAME < retailer.json`. Nothing of Tryton is imported before it runs.
"""

from __future__ import annotations

import datetime
import importlib
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec


class SeedProduct(msgspec.Struct, frozen=True, kw_only=True):
    """One product: `price` is net, in major units; `tax` one of the retailer's rates or ""; `on_hand` by warehouse."""

    sku: str
    name: str = ""
    price: str = "10.00"
    tax: str = "0.19"
    kind: str = "goods"
    unit: str = "Unit"
    on_hand: Mapping[str, int] = {}


class Retailer(msgspec.Struct, frozen=True, kw_only=True):
    """What the database is to hold. `customers`, `warehouses` are codes; `rates` the taxes, as factors."""

    key: str
    products: tuple[SeedProduct, ...] = ()
    customers: tuple[str, ...] = ("shop",)
    warehouses: tuple[str, ...] = ("WH",)
    rates: tuple[str, ...] = ("0.19", "0.07")
    currency: str = "EUR"


PART_MAX = 40
SERVICES = ("SHIPPING", "CHARGE", "ROUNDING")
_CURRENCIES = {"EUR": "0.01", "USD": "0.01", "JPY": "1"}


def seed(config_file: str, database: str, retailer: Retailer) -> None:
    """Fill the database, which has its modules already."""
    importlib.import_module("trytond.config").update_etc(config_file)
    config = importlib.import_module("proteus.config")
    config.set_trytond(f"sqlite:///{database}", config_file=config_file)
    filler = _Filler(retailer)
    filler.books()
    filler.places()
    filler.goods()
    filler.people()


class _Filler:
    def __init__(self, retailer: Retailer) -> None:
        self.wanted = retailer
        self.model: Any = importlib.import_module("proteus").Model
        self.accounts: dict[str, Any] = {}
        self.categories: dict[str, Any] = {}
        self.stores: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        return self.model.get(name)

    def one(self, name: str, *domain: tuple[str, str, Any]) -> Any:
        return self.get(name).find(list(domain), limit=1)[0]

    def books(self) -> None:
        """Currencies, company, chart of accounts, a fiscal year around today, taxes, a way to pay."""
        tools = importlib.import_module("trytond.modules.account.tests.tools")
        invoicing = importlib.import_module("trytond.modules.account_invoice.tests.tools")
        company = importlib.import_module("trytond.modules.company.tests.tools")
        for code, rounding in _CURRENCIES.items():
            digits = 0 if rounding == "1" else 2
            currency = self.get("currency.currency")(
                name=code, symbol=code, code=code, rounding=Decimal(rounding), digits=digits
            )
            currency.rates.new(date=datetime.date.min, rate=Decimal(1))
            currency.save()
        party = self.get("party.party")(name="Crossdock Retail")
        party.save()
        company.create_company(
            party=party, currency=self.one("currency.currency", ("code", "=", self.wanted.currency))
        )
        tools.create_chart()
        today = datetime.date.today()  # noqa: DTZ011  # the fiscal year is around the server's own day
        year = tools.create_fiscalyear(
            today=(today - datetime.timedelta(days=400), today + datetime.timedelta(days=400))
        )
        invoicing.set_fiscalyear_invoice_sequences(year).click("create_period")
        self.accounts = tools.get_accounts()
        for rate in self.wanted.rates:
            tax = tools.create_tax(Decimal(rate))
            tax.name = tax.description = f"VAT {rate}"
            tax.save()
            self._category(rate, [tax])
        self._category("", [])
        cash = self.accounts["cash"]
        self.get("account.invoice.payment.method")(
            name="Clearing",
            journal=self.one("account.journal", ("type", "=", "cash")),
            credit_account=cash,
            debit_account=cash,
        ).save()

    def _category(self, rate: str, taxes: list[Any]) -> None:
        category = self.get("product.category")(name=f"Taxed {rate or 'not'}", accounting=True)
        category.account_revenue = self.accounts["revenue"]
        category.account_expense = self.accounts["expense"]
        category.customer_taxes.extend(taxes)
        category.save()
        self.categories[rate] = category

    def places(self) -> None:
        """A warehouse for each code; the one that Tryton brings is WH."""
        location = self.get("stock.location")
        first = self.one("stock.location", ("type", "=", "warehouse"))
        for code in self.wanted.warehouses:
            if code == first.code:
                self.stores[code] = first
                continue
            parts = {kind: location(name=f"{code} {kind}", type="storage") for kind in ("in", "out", "sto")}
            for part in parts.values():
                part.save()
            warehouse = location(name=code, code=code, type="warehouse")
            warehouse.input_location = parts["in"]
            warehouse.output_location = parts["out"]
            warehouse.storage_location = parts["sto"]
            warehouse.lost_found_location = first.lost_found_location
            warehouse.save()
            self.stores[code] = warehouse

    def goods(self) -> None:
        """Products with their opening stock; what is charged besides goods is a service."""
        services = [SeedProduct(sku=sku, name=sku.title(), kind="service", tax="") for sku in SERVICES]
        kilogram = self.one("product.uom", ("name", "=", "Kilogram"))
        kilogram.digits, kilogram.rounding = (
            3,
            0.001,
        )  # tills weigh to the gram; as it comes it has two decimals
        kilogram.save()
        template = self.get("product.template")
        made = {}
        for wanted in [*self.wanted.products, *services]:
            made[wanted.sku] = item = template(name=wanted.name or wanted.sku)
            item.code = wanted.sku
            item.type = wanted.kind
            item.default_uom = self.one("product.uom", ("name", "=", wanted.unit))
            item.salable = True
            item.list_price = Decimal(wanted.price)
            item.account_category = self.categories[wanted.tax]
        for some in _parts(list(made.values())):
            template.save(some)
        inventory = self.get("stock.inventory")
        for code, warehouse in self.stores.items():
            held = [wanted for wanted in self.wanted.products if wanted.on_hand.get(code)]
            for some in _parts(held):
                opening = inventory(location=warehouse.storage_location)
                for wanted in some:
                    line = opening.lines.new()
                    line.product = made[wanted.sku].products[0]
                    line.quantity = float(wanted.on_hand[code])
                opening.save()
                opening.click("confirm")

    def people(self) -> None:
        """The accounts that sales are booked to, and the key of the hub's own user."""
        for code in self.wanted.customers:
            party = self.get("party.party")(name=f"Customers of {code}", code=code)
            party.addresses[0].city = "Berlin"
            party.save()
        user = self.one("res.user", ("login", "=", "admin"))
        self.get("res.user.application")(
            key=self.wanted.key, user=user, application="rest", state="validated"
        ).save()


def _parts(rows: list[Any]) -> list[list[Any]]:
    """The rows in parts that SQLite can take in one of Tryton's statements."""
    return [rows[n : n + PART_MAX] for n in range(0, len(rows), PART_MAX)]


if __name__ == "__main__":
    seed(sys.argv[1], sys.argv[2], msgspec.json.decode(sys.stdin.buffer.read(), type=Retailer))

"""What an order's money is made of: taxes, discounts, shipping, charges and tenders.

Every priced component (line, shipping, charge) has net, tax and gross in minor units of the order's currency, after
its discounts and for its whole quantity, and says by `price_includes_tax` which of them its list price is: gross
where the price includes tax, else net. So tax-inclusive and tax-exclusive components mix in one order, and a total
adds tax once: buyer_total is the sum of the gross of all components.
"""

from typing import Literal

from crossdock.model.base import Amount, Instant, Model
from crossdock.model.ids import LineId, PaymentId
from crossdock.model.money import Rate, require_gross

TaxParty = Literal["seller", "marketplace", "carrier"]
Funder = Literal["seller", "marketplace", "shared"]
DiscountKind = Literal["coupon", "promotion", "manual", "loyalty", "staff", "price_match", "other"]
ChargeKind = Literal["tip", "duty", "levy", "fee", "gift_wrap", "deposit", "handling", "rounding", "other"]
TenderKind = Literal[
    "card",
    "cash",
    "gift_card",
    "store_credit",
    "voucher",
    "wallet",
    "bank_transfer",
    "invoice",
    "points",
    "pay_later",
    "cheque",
    "marketplace",
    "other",
]
TenderState = Literal["pending", "authorised", "captured", "voided", "failed"]


class TaxLine(Model, frozen=True, kw_only=True):
    """Hold one tax of a component: where it is due, at which rate, and whose business it is.

    `amount` is part of the component's `tax`, whoever collects it, because the buyer paid it. `collected_by` is who took
    it from the buyer, `remitted_by` who owes it to the authority; `in_payout` is False where the channel keeps it back.
    `rate` is None where the source tells only the amount. `registration` is the tax number it is reported under.
    """

    amount: Amount
    name: str = ""
    jurisdiction: str = ""
    rate: Rate | None = None
    registration: str = ""
    category: str = ""
    collected_by: TaxParty = "seller"
    remitted_by: TaxParty = "seller"
    in_payout: bool = True


class Discount(Model, frozen=True, kw_only=True):
    """Hold a discount of the order, frozen to its components: `amount` is exactly the sum of its allocations.

    `amount` is positive, in minor units, on the basis of the prices it reduces (with tax where they include it).
    `seller_share` is what the seller bears where it is `shared` and the channel says how much.
    """

    id: str
    amount: Amount
    kind: DiscountKind = "other"
    code: str = ""
    title: str = ""
    target: Literal["lines", "shipping", "order"] = "lines"
    funded_by: Funder = "seller"
    seller_share: Amount | None = None


class DiscountAllocation(Model, frozen=True, kw_only=True):
    """Hold the part of a discount that one component bears; the residue of the split is already in it."""

    discount: str
    amount: Amount


class ShippingCharge(Model, frozen=True, kw_only=True):
    """Hold what the buyer pays for one way of shipping; `price` is before discounts, with tax where it includes it."""

    id: str
    price: Amount
    net: Amount
    tax: Amount
    gross: Amount
    price_includes_tax: bool = False
    title: str = ""
    code: str = ""
    carrier: str = ""
    service: str = ""
    discounts: tuple[DiscountAllocation, ...] = ()
    taxes: tuple[TaxLine, ...] = ()

    def __post_init__(self) -> None:
        require_gross(self.net, self.tax, self.gross)


class Charge(Model, frozen=True, kw_only=True):
    """Hold what is neither goods nor shipping: tip, duty, levy, fee, gift wrap, or the explicit rounding line.

    `line` names the order line that caused it (a duty, a wrapping). A rounding may be negative and has no tax.
    """

    kind: ChargeKind
    price: Amount
    net: Amount
    tax: Amount
    gross: Amount
    id: str = ""
    price_includes_tax: bool = False
    title: str = ""
    line: LineId = LineId("")
    discounts: tuple[DiscountAllocation, ...] = ()
    taxes: tuple[TaxLine, ...] = ()

    def __post_init__(self) -> None:
        require_gross(self.net, self.tax, self.gross)


class Tender(Model, frozen=True, kw_only=True):
    """Hold one means by which the buyer pays; several split a total. A gift card that is redeemed is a tender.

    `amount` is in the order's currency, negative where money is handed back. Cash change is not in it: `amount` is
    what stays. `foreign_amount` of `foreign_currency` is what was handed over in another currency.
    """

    kind: TenderKind
    amount: Amount
    state: TenderState = "captured"
    id: str = ""
    payment: PaymentId = PaymentId("")
    provider: str = ""
    reference: str = ""
    foreign_currency: str = ""
    foreign_amount: Amount | None = None
    authorised_until: Instant | None = None
    occurred_at: Instant | None = None

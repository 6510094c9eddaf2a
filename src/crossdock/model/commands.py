"""What we ask of partners: one imperative command per operation, handed to the connector's method of that name.

In the outbox a command is kept without its order; the order of the version that it speaks of is filled in when it is
sent. `order` is therefore always there for a connector, and never in the outbox.
"""

from datetime import date
from typing import Literal

from crossdock.model.base import Amount, Model, Units
from crossdock.model.events import CloudEvent
from crossdock.model.fulfilment import FulfilmentRequest, Shipment
from crossdock.model.ids import ExternalRef, FulfilmentRequestId, LineId, OrderId, Sku
from crossdock.model.order import Order
from crossdock.model.pricing import TaxLine, TenderKind
from crossdock.model.quantity import LineQuantity
from crossdock.model.returns import AdjustmentKind


class OrderCommand(Model, frozen=True, kw_only=True):
    """What every command about an order carries."""

    order: Order | None = None
    order_id: OrderId = OrderId("")


class CreateSale(OrderCommand, frozen=True, kw_only=True):
    """ERP `create_sale`: record the order as a sale, once, under our order id.

    lines: what of the order it is, with its charges; () is all of it. A ticket that sells and takes back is a sale of what
    it sold and a credit of the rest: `order` has no other lines when it is sent.
    """

    connection: str = ""
    lines: tuple[LineId, ...] = ()


class AdoptSale(OrderCommand, frozen=True, kw_only=True):
    """ERP `adopt_sale`: find the sale that another integration has made of an order, by the channel's id of it."""

    connection: str
    channel_order: str
    number: str = ""


class CreateDelivery(OrderCommand, frozen=True, kw_only=True):
    """ERP `create_delivery`: post that goods left, once per shipment."""

    shipment: Shipment
    sale_reference: str = ""


class CreateInvoice(OrderCommand, frozen=True, kw_only=True):
    """ERP `create_invoice`: invoice what was delivered, once per shipment."""

    shipment: Shipment
    sale_reference: str = ""


class CancelSale(OrderCommand, frozen=True, kw_only=True):
    """ERP `cancel_sale`: take quantities off the sale; `lines` () takes all that is left."""

    lines: tuple[LineQuantity, ...] = ()
    reason: str = ""
    sale_reference: str = ""


class AmendSale(OrderCommand, frozen=True, kw_only=True):
    """ERP `amend_sale`: the sale is now as `order` says (before anything of it was delivered)."""

    sale_reference: str = ""


class DayLine(Model, frozen=True, kw_only=True):
    """What a store sold of one kind, category and combination of taxes, summed over tickets, in minor units.

    `kind` is that of the lines (goods, gift_card, deposit, service ...) or of the charges (tip, rounding ...): a gift card
    sold and a deposit are liabilities, a tip is the staff's. `discount` is already taken off.
    """

    kind: str
    net: Amount
    tax: Amount
    gross: Amount
    category: str = ""
    taxes: tuple[TaxLine, ...] = ()
    discount: Amount = 0
    lines: int = 0


class DayTender(Model, frozen=True, kw_only=True):
    """What came in by one tender less what was given back, over the tickets of a posting, in minor units."""

    kind: TenderKind
    amount: Amount


class DayGoods(Model, frozen=True, kw_only=True):
    """What left a store of one SKU, over the tickets of a posting, in 10**-quantity_scale of its unit.

    The scale is the finest that a ticket has of it, so that the sum is exact; yours may be another: convert it.
    """

    sku: Sku
    quantity: Units
    quantity_scale: int = 0


class PostDay(Model, frozen=True, kw_only=True):
    """ERP `post_day`: book the sales of one store and business day as one document, once under `reference`.

    `reference` is never that of another posting, though that was given up; `day` is our id of the day, whose all of them are.
    `total` is the gross of `lines`. What buyers brought back is not in it: each return posts a credit of its own, and
    `credited` is what those of the same tickets come to (not positive), so that `total` + `credited` = the sum of
    `tenders`, but for what stays owed. `posting_dates` are tried in order: the business date, then the next open dates
    if its period is closed. `supplement` counts from 1 where the day was posted before; then `supplements` is the
    reference of the first posting and `document` the ERP's own id of it. `over_short` is what people counted less what
    was expected, in a supplement what of it no earlier posting told. `paid_in`, `paid_out`: cash besides the sales, both
    not negative. `owed` is what of `total` buyers have not paid: what stays open, and tenders of the kind `invoice`.
    `goods` is what left the store, for an ERP that keeps stock; what came back is in the credits.
    """

    reference: str
    connection: str
    store: str
    business_date: date
    posting_dates: tuple[date, ...]
    currency: str
    total: Amount
    lines: tuple[DayLine, ...]
    tenders: tuple[DayTender, ...]
    credited: Amount = 0
    owed: Amount = 0
    tickets: int = 0
    day: str = ""
    supplement: int = 0
    supplements: str = ""
    document: str = ""
    legal_entity: str = ""
    over_short: Amount = 0
    paid_in: Amount = 0
    paid_out: Amount = 0
    goods: tuple[DayGoods, ...] = ()


class CreateCredit(OrderCommand, frozen=True, kw_only=True):
    """ERP `create_credit`: credit what a ticket took back, whether its sale was posted by itself or within a day's sum.

    Once under `order_id`, which is the id of `order` too when it is sent: the ticket's, or where a sale stands under that,
    one of its own. `lines` names the lines of `order` that are credited; they are negative there, and `total` is the sum
    of their gross (negative). `original` names the ticket that sold it, where the buyer had it. `posting_dates` as in
    PostDay. The money is booked with the store's day or with the sale of the same ticket, so nothing is paid out by this
    document, except `tenders` (negative) where there is neither.
    """

    lines: tuple[LineId, ...]
    total: Amount
    store: str
    business_date: date
    posting_dates: tuple[date, ...]
    original: ExternalRef | None = None
    legal_entity: str = ""
    charges: bool = False
    """The charges of the order (a rounding) belong to it: the ticket sold nothing else."""
    tenders: tuple[DayTender, ...] = ()
    repaid: Amount = 0
    """What of it the buyer has got, in money or against what was bought with the same ticket; not negative."""


CreditKind = Literal["line", "shipping", "rest"] | AdjustmentKind


class CreditPart(Model, frozen=True, kw_only=True):
    """What a refund gives back of a line, of shipping, or beside both; `rest` is what no part of it names.

    Amounts as in the refund: positive where the buyer gets it, negative where something is kept. `line`, `sku` and
    `quantity` are of a line; `shipping` is the id of the order's shipping charge where the source names it.
    """

    kind: CreditKind
    net: Amount
    tax: Amount
    gross: Amount
    line: LineId = LineId("")
    sku: Sku = Sku("")
    quantity: Units = 0
    shipping: str = ""
    taxes: tuple[TaxLine, ...] = ()


class CreditRefund(OrderCommand, frozen=True, kw_only=True):
    """ERP `credit_refund`: credit what a channel gave back of an order that is invoiced, once per refund.

    Once under `reference`. `refund` is its name, connection and id. `total` is the sum of the gross of `parts`, positive; the
    document that comes of it is negative, and so is its total that is read back. What was given back for goods that never
    left is not in it: `cancel_sale` took that off. The goods come by `receive_return`, so a credit moves none.
    """

    refund: str
    reference: str
    currency: str
    total: Amount
    parts: tuple[CreditPart, ...]
    sale_reference: str = ""


class CameBack(Model, frozen=True, kw_only=True):
    """So much of a line, or of a part of it, came back. held: it may not be sold, until somebody has said that it may."""

    quantity: Units
    line: LineId = LineId("")
    sku: Sku = Sku("")
    held: bool = False


class ReceiveReturn(OrderCommand, frozen=True, kw_only=True):
    """ERP `receive_return`: receive what came back of an order, once per return and receipt.

    Once under `reference`. `lines` is what came since the receipt before it; `location` is where it lies, ours.
    """

    goods_return: str
    reference: str
    lines: tuple[CameBack, ...]
    location: str = ""
    sale_reference: str = ""


class Release(OrderCommand, frozen=True, kw_only=True):
    """Warehouse `release`: pick, pack and ship these lines."""

    request: FulfilmentRequest


class CancelRelease(OrderCommand, frozen=True, kw_only=True):
    """Warehouse `cancel_release`: stop these quantities of a request; `lines` () asks for all that is left."""

    request: FulfilmentRequestId
    lines: tuple[LineQuantity, ...] = ()
    reason: str = ""


class Acknowledge(OrderCommand, frozen=True, kw_only=True):
    """Channel `acknowledge`: we have the order, durably, and mean to fulfil it."""


class ConfirmShipment(OrderCommand, frozen=True, kw_only=True):
    """Channel `confirm_shipment`: these quantities are on their way, in these packages."""

    shipment: Shipment


class CancelOrder(OrderCommand, frozen=True, kw_only=True):
    """Channel `cancel_order`: these quantities will not come; `lines` () is the whole order."""

    lines: tuple[LineQuantity, ...] = ()
    reason: str = ""


class SetQuantity(Model, frozen=True, kw_only=True):
    """Channel `set_quantities` (latest, batched): the published quantity of one SKU, absolute."""

    sku: str
    quantity: int
    location: str = ""


class Poll(Model, frozen=True, kw_only=True):
    """`poll`: read what changed since `cursor` ("" is the first time); the reply is a Page.

    since: until a first page has been understood, when the feed was first asked for (ISO 8601); what came since then is to
    be read however often that fails.
    """

    feed: str
    cursor: str = ""
    since: str = ""


class Tell(Model, frozen=True, kw_only=True):
    """Subscriber `tell`: this happened. The event's id is the same however often it is told."""

    event: CloudEvent


COMMANDS: dict[str, type[Model]] = {
    "create_sale": CreateSale,
    "adopt_sale": AdoptSale,
    "create_delivery": CreateDelivery,
    "create_invoice": CreateInvoice,
    "cancel_sale": CancelSale,
    "amend_sale": AmendSale,
    "post_day": PostDay,
    "create_credit": CreateCredit,
    "credit_refund": CreditRefund,
    "receive_return": ReceiveReturn,
    "release": Release,
    "cancel_release": CancelRelease,
    "acknowledge": Acknowledge,
    "confirm_shipment": ConfirmShipment,
    "cancel_order": CancelOrder,
    "set_quantities": SetQuantity,
    "poll": Poll,
    "tell": Tell,
}
"""The command of each operation, by its name."""

"""What we ask of partners: one imperative command per operation, handed to the connector's method of that name.

In the outbox a command is kept without its order; the order of the version that it speaks of is filled in when it is
sent. `order` is therefore always there for a connector, and never in the outbox.
"""

from crossdock.model.base import Model
from crossdock.model.events import CloudEvent
from crossdock.model.fulfilment import FulfilmentRequest, Shipment
from crossdock.model.ids import FulfilmentRequestId, OrderId
from crossdock.model.order import Order
from crossdock.model.quantity import LineQuantity


class OrderCommand(Model, frozen=True, kw_only=True):
    """What every command about an order carries."""

    order: Order | None = None
    order_id: OrderId = OrderId("")


class CreateSale(OrderCommand, frozen=True, kw_only=True):
    """ERP `create_sale`: record the order as a sale, once, under our order id."""

    connection: str = ""


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
    """`poll`: read what changed since `cursor` ("" is the first time); the reply is a Page."""

    feed: str
    cursor: str = ""


class Tell(Model, frozen=True, kw_only=True):
    """Subscriber `tell`: this happened. The event's id is the same however often it is told."""

    event: CloudEvent


COMMANDS: dict[str, type[Model]] = {
    "create_sale": CreateSale,
    "create_delivery": CreateDelivery,
    "create_invoice": CreateInvoice,
    "cancel_sale": CancelSale,
    "amend_sale": AmendSale,
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

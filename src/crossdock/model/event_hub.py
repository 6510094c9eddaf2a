"""The data of events about partners, cases, products and the hub itself, as subscribers are told it."""

from __future__ import annotations

from crossdock.model.event_orders import Data


class TotalDiffers(Data, frozen=True, kw_only=True):
    """The total of a sale in the ERP and the order's."""

    reference: str
    theirs: int
    ours: int


class CaseResolved(Data, frozen=True, kw_only=True):
    """A person has settled a case."""

    reason: str
    about: str
    actor: str


class OperatorUnhandled(Data, frozen=True, kw_only=True):
    """An action of a person that is only noted."""

    action: str
    actor: str


class EffectDone(Data, frozen=True, kw_only=True):
    """A partner has done what it was asked; `reference` is its id of it."""

    operation: str
    intent: str
    connection: str = ""
    reference: str = ""


class EffectNotDone(Data, frozen=True, kw_only=True):
    """A partner has not, or nobody knows."""

    operation: str
    intent: str
    connection: str = ""
    code: str = ""
    attempts: int = 0


class ProductKept(Data, frozen=True, kw_only=True):
    """A version of a product."""

    sku: str
    version: str
    deleted: bool = False


class PriceKept(Data, frozen=True, kw_only=True):
    """A price of a SKU, as decimal text."""

    sku: str
    currency: str
    unit_price: str


class ValueRefused(Data, frozen=True, kw_only=True):
    """A partner does not take the value of a key."""

    connection: str
    operation: str
    key: str
    reason: str
    field: str


class ConnectionNamed(Data, frozen=True, kw_only=True):
    """The connection that it is about."""

    connection: str


class FeedNamed(Data, frozen=True, kw_only=True):
    """The feed of a connection; `more`: its end was not reached."""

    connection: str
    feed: str
    more: bool = False


class VersionSeen(Data, frozen=True, kw_only=True):
    """The version that was told twice."""

    version: str


class EventsReplayed(Data, frozen=True, kw_only=True):
    """How many events are told to a subscriber again, by whom and why."""

    connection: str
    events: int
    actor: str
    reason: str

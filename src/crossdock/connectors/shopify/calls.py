"""What we ask of Shopify. Every call is a generator of requests; nothing here waits, retries or opens a socket."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from crossdock.connectors.shopify import feeds, graphql, stock
from crossdock.connectors.shopify.fulfilment import Fulfilments, allocate, missing, tracking
from crossdock.connectors.shopify.graphql import UserError
from crossdock.connectors.shopify.words import optional_id, shop
from crossdock.errors import ContractError, RejectedError
from crossdock.model.commands import (
    Acknowledge,
    CancelOrder,
    ConfirmShipment,
    OrderCommand,
    Poll,
    SetQuantity,
)
from crossdock.sdk.calls import Calls, Done, Intent, Pending, Refused, Request, Response, Results

T = TypeVar("T")
Asked = Generator[Request, Response, T]

CANCEL_AGAIN_S = 2.0
"""How long Shopify's job of cancelling usually takes."""

_REASONS = ("customer", "declined", "fraud", "inventory", "staff")


class ShopifyCalls:
    """The operations of a shop."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._version = settings.get("api_version") or "2025-07"
        self._tag = shop(settings).acknowledge_tag
        self._notify = settings.get("notify_customer") != "false"
        self._refund = settings.get("refund_on_cancel") != "false"
        self._restock = settings.get("restock_on_cancel") == "true"
        self._since = settings.get("poll_since", "")
        self._places = stock.places(settings)

    def acknowledge(
        self, command: Acknowledge | Sequence[Acknowledge], intent: Intent | Sequence[Intent]
    ) -> Calls:
        """Tag the order, or many, as taken; the tag is a set, so that doing it again changes nothing."""
        if isinstance(intent, Intent):
            single: Any = command
            return (yield from self._tag_one(single))
        commands: Any = command
        if len(intent) == 1:
            return Results(by_key={intent[0].key: (yield from self._tag_one(commands[0]))})
        return (yield from self._tag_many(commands, intent))

    def _tag_one(self, command: Acknowledge) -> Asked[Done | Refused]:
        order = _order_gid(command)
        tagged = yield from self._ask(graphql.TAG, {"id": order, "tags": [self._tag]}, _Tagged)
        return _tagged(tagged.tags_add, order)

    def _tag_many(self, commands: Sequence[Acknowledge], intents: Sequence[Intent]) -> Asked[Results]:
        """Tag many in one document. One of which Shopify says nothing has no outcome; nor have all, if it is not understood."""
        outcomes: dict[str, Done | Refused] = {}
        orders: dict[str, str] = {}
        for command, intent in zip(commands, intents, strict=True):
            try:
                orders[intent.key] = _order_gid(command)
            except RejectedError as error:
                outcomes[intent.key] = Refused(reason=error.message, code=error.kind, field=error.field or "")
        if orders:
            variables: dict[str, Any] = {f"i{n}": order for n, order in enumerate(orders.values())}
            variables["tags"] = [self._tag]
            document = graphql.tags(len(orders))
            try:
                told = yield from graphql.ask(self._version, document, variables, _ManyTagged, partly=True)
            except ContractError:
                told = {}  # tried again with fewer; the one that is alone says what is wrong
            for n, (key, order) in enumerate(orders.items()):
                if (payload := told.get(f"a{n}")) is not None:
                    outcomes[key] = _tagged(payload, order)
        return Results(by_key=outcomes)

    def confirm_shipment(self, command: ConfirmShipment, intent: Intent) -> Calls:
        """Fulfil the lines of a shipment, per location that Shopify expects them from.

        The open fulfilment orders must be read in any case, and the fulfilments with them; after an unclear attempt what
        these already hold under the same tracking numbers is not fulfilled again.
        """
        shipment = command.shipment
        found = (yield from self._ask(graphql.FULFILMENTS, {"id": _order_gid(command)}, Fulfilments)).order
        if found is None:
            return Refused(reason="Shopify does not know the order.", code="not_found", field="id")
        wanted = {line.line: line.quantity for line in shipment.lines}
        reference = ""
        if intent.may_have_happened:
            wanted, reference = missing(found, shipment)
            if not wanted:
                return Done(reference=reference, already=True)
        groups = allocate(found, wanted, self._places.theirs(shipment.location))
        if isinstance(groups, Refused):
            return groups
        for group in groups:
            body = {
                "lineItemsByFulfillmentOrder": group,
                "notifyCustomer": self._notify,
                "trackingInfo": tracking(shipment),
            }
            made = (
                yield from self._ask(graphql.FULFIL, {"fulfillment": body}, _Fulfilled)
            ).fulfillment_create
            if made.user_errors or made.fulfillment is None:
                return _refusal(made.user_errors)
            reference = reference or optional_id(made.fulfillment.id)
        return Done(reference=reference)

    def cancel_order(self, command: CancelOrder, intent: Intent) -> Calls:
        """Cancel the whole order, or take lines off it: two different mutations of Shopify's."""
        order = _order_gid(command)
        if intent.resume or intent.may_have_happened:
            state = (yield from self._ask(graphql.CANCELLED, {"id": order}, _State)).order
            if state is None:
                return Refused(reason="Shopify does not know the order.", code="not_found", field="id")
            if done := _is_done(state, command, intent):
                return done
            if intent.resume:
                return Pending(resume=intent.resume, after=CANCEL_AGAIN_S)
        if command.lines:
            return (yield from self._remove(order, command, intent))
        variables = {
            "id": order,
            "reason": _reason(command.reason),
            "refund": self._refund,
            "restock": self._restock,
            "notify": self._notify,
            "note": f"{command.reason} ({intent.key})".strip(),
        }
        cancel = (yield from self._ask(graphql.CANCEL, variables, _Cancelled)).order_cancel
        if cancel.order_cancel_user_errors:
            state = (yield from self._ask(graphql.CANCELLED, {"id": order}, _State)).order
            done = None if state is None else _is_done(state, command, intent)
            return done or cancel.order_cancel_user_errors[0].refused()
        if cancel.job is not None and not cancel.job.done:
            return Pending(resume=cancel.job.id, after=CANCEL_AGAIN_S)
        return Done(reference=optional_id(order))

    def set_quantities(self, commands: Sequence[SetQuantity], intent: Intent) -> Calls:
        """Set what is available, each SKU with an outcome of its own."""
        return (yield from stock.set_quantities(self._version, self._places, commands, intent))

    def poll(self, command: Poll, intent: Intent) -> Calls:
        """Read the next page of a feed."""
        return (yield from feeds.poll(self._version, command, intent, self._since))

    def _remove(self, order: str, command: CancelOrder, intent: Intent) -> Calls:
        """Take lines off an order: a refund without money, marked with our key so that it can be found again."""
        place = self._places.default if self._restock else ""
        restock = (
            {"restockType": "CANCEL", "locationId": f"gid://shopify/Location/{place}"}
            if place
            else {"restockType": "NO_RESTOCK"}
        )
        lines = [
            {"lineItemId": f"gid://shopify/LineItem/{line.line}", "quantity": line.quantity, **restock}
            for line in command.lines
        ]
        body = {"orderId": order, "note": _note(command, intent), "notify": False, "refundLineItems": lines}
        made = (yield from self._ask(graphql.REMOVE, {"input": body}, _Removed)).refund_create
        if made.user_errors or made.refund is None:
            return _refusal(made.user_errors)
        return Done(reference=optional_id(made.refund.id))

    def _ask(self, document: str, variables: Mapping[str, Any], type_: type[T]) -> Asked[T]:
        return (yield from graphql.ask(self._version, document, variables, type_))


class _Node(msgspec.Struct, frozen=True, gc=False):
    id: str


class _Payload(msgspec.Struct, rename="camel", frozen=True, gc=False):
    user_errors: list[UserError] = []


class _Tagged(msgspec.Struct, rename="camel", frozen=True, gc=False):
    tags_add: _Payload


_ManyTagged = dict[str, _Payload | None]


class _FulfilledPayload(_Payload, rename="camel", frozen=True, gc=False):
    fulfillment: _Node | None = None


class _Fulfilled(msgspec.Struct, rename="camel", frozen=True, gc=False):
    fulfillment_create: _FulfilledPayload


class _RemovedPayload(_Payload, rename="camel", frozen=True, gc=False):
    refund: _Node | None = None


class _Removed(msgspec.Struct, rename="camel", frozen=True, gc=False):
    refund_create: _RemovedPayload


class _Job(msgspec.Struct, frozen=True, gc=False):
    id: str
    done: bool = False


class _CancelPayload(msgspec.Struct, rename="camel", frozen=True, gc=False):
    job: _Job | None = None
    order_cancel_user_errors: list[UserError] = []


class _Cancelled(msgspec.Struct, rename="camel", frozen=True, gc=False):
    order_cancel: _CancelPayload


class _Noted(msgspec.Struct, frozen=True, gc=False):
    id: str
    note: str | None = None


class _OrderState(msgspec.Struct, rename="camel", frozen=True, gc=False):
    id: str
    cancelled_at: str | None = None
    refunds: list[_Noted] = []


class _State(msgspec.Struct, frozen=True, gc=False):
    order: _OrderState | None = None


def _tagged(payload: _Payload, order: str) -> Done | Refused:
    return payload.user_errors[0].refused() if payload.user_errors else Done(reference=optional_id(order))


def _is_done(state: _OrderState, command: CancelOrder, intent: Intent) -> Done | None:
    """Whether what the command wants is so already."""
    if state.cancelled_at:
        return Done(reference=optional_id(state.id), already=True)
    if command.lines:
        for refund in state.refunds:
            if intent.key in (refund.note or ""):
                return Done(reference=optional_id(refund.id), already=True)
    return None


def _note(command: CancelOrder, intent: Intent) -> str:
    return f"{command.reason} ({intent.key})".strip()


def _reason(text: str) -> str:
    """One of Shopify's six reasons: the one that our words name, else OTHER."""
    low = text.lower()
    return next((reason.upper() for reason in _REASONS if reason in low), "OTHER")


def _refusal(errors: list[UserError]) -> Refused:
    if errors:
        return errors[0].refused()
    return Refused(reason="Shopify neither did it nor said why.", code="no_result")


def _order_gid(command: OrderCommand) -> str:
    if command.order is None or not command.order.external_id:
        raise RejectedError(
            "Shopify was to be told of an order without its id there. Send the effect again with its order.",
            field="order",
        )
    return f"gid://shopify/Order/{command.order.external_id}"

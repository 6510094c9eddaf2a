"""Shopify's GraphQL: the documents that we send, and the one place that tells an answer from an error in a 200."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from crossdock.errors import ContractError, CredentialsError, ThrottledError, UnclearError
from crossdock.sdk.calls import DETAIL_CHARS_MAX, Refused, Request, Response, post

T = TypeVar("T")

TAG = """mutation tag($id: ID!, $tags: [String!]!) {
  tagsAdd(id: $id, tags: $tags) { node { id } userErrors { field message } }
}"""


@lru_cache(maxsize=64)
def tags(count: int) -> str:
    """A document that tags so many orders, `$i0` and on, each under an alias of its own, `a0` and on.

    Fields of a mutation are carried out one after the other, in the order written (GraphQL, October 2021, 6.2.2).
    """
    ids = ", ".join(f"$i{n}: ID!" for n in range(count))
    fields = (
        f"  a{n}: tagsAdd(id: $i{n}, tags: $tags) {{ node {{ id }} userErrors {{ field message }} }}"
        for n in range(count)
    )
    return f"mutation tags($tags: [String!]!, {ids}) {{\n" + "\n".join(fields) + "\n}"


FULFILMENTS = """query fulfilments($id: ID!) {
  order(id: $id) {
    id
    fulfillmentOrders(first: 50) { nodes {
      id status assignedLocation { location { id } }
      lineItems(first: 100) { nodes { id remainingQuantity lineItem { id } } }
    } }
    fulfillments(first: 100) {
      id status trackingInfo(first: 20) { number }
      fulfillmentLineItems(first: 100) { nodes { quantity lineItem { id } } }
    }
  }
}"""

FULFIL = """mutation fulfil($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id status } userErrors { field message } }
}"""

CANCEL = """mutation cancel($id: ID!, $reason: OrderCancelReason!, $refund: Boolean!, $restock: Boolean!,
    $notify: Boolean!, $note: String) {
  orderCancel(orderId: $id, reason: $reason, refund: $refund, restock: $restock, notifyCustomer: $notify,
    staffNote: $note) {
    job { id done } orderCancelUserErrors { field message code }
  }
}"""

CANCELLED = """query cancelled($id: ID!) {
  order(id: $id) { id cancelledAt refunds(first: 100) { id note } }
}"""

REMOVE = """mutation remove($input: RefundInput!) {
  refundCreate(input: $input) { refund { id } userErrors { field message } }
}"""

ITEMS = """query items($query: String!, $after: String) {
  inventoryItems(first: 250, query: $query, after: $after) {
    nodes { id sku } pageInfo { hasNextPage endCursor }
  }
}"""

SET_QUANTITIES = """mutation setQuantities($input: InventorySetQuantitiesInput!) {
  inventorySetQuantities(input: $input) { userErrors { field message code } }
}"""


class UserError(msgspec.Struct, frozen=True, gc=False):
    """Shopify's refusal of a mutation: it stands in a 200 beside `data`."""

    message: str
    field: list[str] | None = None
    code: str | None = None

    def refused(self) -> Refused:
        """The refusal, with the path that Shopify objected to."""
        return Refused(
            reason=self.message[:DETAIL_CHARS_MAX], code=self.code or "", field=".".join(self.field or ())
        )


class _Throttle(msgspec.Struct, rename="camel", frozen=True, gc=False):
    currently_available: float = 0.0
    restore_rate: float = 0.0


class _Cost(msgspec.Struct, rename="camel", frozen=True, gc=False):
    requested_query_cost: float | None = None
    throttle_status: _Throttle | None = None


class _Extensions(msgspec.Struct, frozen=True, gc=False):
    code: str | None = None
    cost: _Cost | None = None


class _Error(msgspec.Struct, frozen=True, gc=False):
    message: str = ""
    extensions: _Extensions | None = None


class _Answer(msgspec.Struct, frozen=True, gc=False):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[_Error] | str | None = None
    extensions: _Extensions | None = None


def ask(
    version: str, document: str, variables: Mapping[str, Any], type_: type[T], *, partly: bool = False
) -> Generator[Request, Response, T]:
    """Send a document and return its `data`; raise for everything that is not an answer.

    partly: some of its fields may have been answered although others failed; those are null, and no error is raised.
    """
    name = document.split("(", 1)[0].rsplit(maxsplit=1)[-1]
    reply = yield post(
        f"/admin/api/{version}/graphql.json",
        json={"operationName": name, "query": document, "variables": variables},
    )
    answer = reply.decode(_Answer)
    data = bytes(answer.data)
    if answer.errors and not (partly and _has_some(data)):
        _raise(answer, name)
    if reply.status >= 400 or data == b"null":
        raise ContractError(
            f"Shopify answered {name} with {reply.status} and no data. Check the API version."
        )
    return msgspec.structs.replace(Response(status=reply.status), body=data).decode(type_)


def _has_some(data: bytes) -> bool:
    """Whether any field has an answer."""
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return False
    return any(bytes(field) != b"null" for field in fields.values())


def _raise(answer: _Answer, name: str) -> None:
    """Errors at the top mean that nothing, or not everything, was carried out: never success."""
    errors = [_Error(message=answer.errors)] if isinstance(answer.errors, str) else answer.errors or []
    codes = {error.extensions.code for error in errors if error.extensions is not None}
    detail = errors[0].message[:DETAIL_CHARS_MAX]
    if "THROTTLED" in codes:
        raise ThrottledError(
            f"Shopify throttled {name}. It is tried again at its pace.", retry_after=_wait(answer)
        )
    if "ACCESS_DENIED" in codes:
        raise CredentialsError(f"Shopify denies {name}: {detail}. Give the app the scope, then resume.")
    if codes & {"INTERNAL_SERVER_ERROR", "TIMEOUT"}:
        raise UnclearError(f"Shopify failed at {name}: {detail}. It is tried again by itself.")
    raise ContractError(f"Shopify did not understand {name}: {detail}. Compare the API version.")


def _wait(answer: _Answer) -> float | None:
    """Seconds until the bucket holds what the query costs."""
    cost = None if answer.extensions is None else answer.extensions.cost
    if cost is None or cost.throttle_status is None or cost.requested_query_cost is None:
        return None
    missing = cost.requested_query_cost - cost.throttle_status.currently_available
    rate = cost.throttle_status.restore_rate
    return max(0.1, missing / rate) if rate > 0 else None

"""`/v1/orders`: post one in the canonical model, find it again, read its story, act on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter, RawBody

from crossdock.bootstrap.gathering import ANSWER_S, Gathering, too_late
from crossdock.console import acting, erasing
from crossdock.console.face import API, Face
from crossdock.console.orders import LIST_MAX, OrderPage, OrderView, order_page, order_view, resolve
from crossdock.console.postings import postings_view
from crossdock.console.story import Timeline
from crossdock.engine.messages import LANE_STREAM, Arrival, Receipt, subject_id
from crossdock.engine.tracing import sent_trace, trace_headers
from crossdock.errors import RejectedError
from crossdock.flows.handler import CANONICAL
from crossdock.gateway.problems import ACTING, READING, KeyConflictError
from crossdock.gateway.strict import Strict
from crossdock.model.finance import Posting
from crossdock.model.order import Order
from crossdock.model.quantity import LineQuantity
from crossdock.stores.sqlite.intake import payload_hash

KEY_CHARS_MAX = 200
Text = Annotated[str, QueryParameter(max_length=200)]


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The order is kept, durably. It is decided upon at once, though after this answer."""

    id: str
    message: str


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The action is kept, durably, and carried out at once, though after this answer."""

    message: str
    order: str


Asked = Request[Any, Any, Any]


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who does it, and why."""

    actor: str
    reason: str


class Cancel(Act, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which quantities are not wanted any more; [] is all that has not left."""

    lines: tuple[LineQuantity, ...] = ()


class ReleaseHold(Act, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which hold; "" is all of them."""

    code: str = ""


class OrdersController(Controller):
    """Orders."""

    path = "/orders"
    tags = ["Orders"]  # noqa: RUF012 - the framework declares it so

    @post("/", dto=Strict[Order], return_dto=None, status_code=202, summary="Post an order", responses=ACTING)
    async def take(
        self,
        *,
        data: JSONBody[Order],
        body: RawBody,
        request: Asked,
        face: NamedDependency[Face],
        gathering: NamedDependency[Gathering],
        keys: NamedDependency[Keys],
        idempotency_key: Annotated[
            str,
            HeaderParameter(
                name="Idempotency-Key",
                description="Your name for this request: sent again, it is not done again.",
            ),
        ],
    ) -> Response[Accepted]:
        """Keep one version of an order, in the canonical model; `connection` is "api".

        The same key with the same body gets the first answer again; with another body it is refused (422). A newer
        version of the same order is posted under a new key, with the same `external_id` and a higher `version`. Ids, numbers,
        SKUs and versions have up to 255 characters each.
        """
        check_order(data)
        check_key(idempotency_key)
        arrival = Arrival(
            source=API,
            kind=CANONICAL,
            body=body,
            headers={"idempotency-key": idempotency_key} | trace_headers(request.headers),
            ref_kind="order",
            ref=data.external_id,
            delivery_id=idempotency_key,
            lane=LANE_STREAM,
            trace=sent_trace(request.headers) or face.hub.new_trace(),
            strict=True,
        )
        with keys.held(idempotency_key) as before:
            try:
                async with asyncio.timeout(ANSWER_S):
                    if before is not None:
                        await asyncio.shield(before)
                    receipt = await asyncio.to_thread(earlier, face, idempotency_key, body)
            except TimeoutError as error:
                raise too_late() from error
            repeated = receipt is not None
            if receipt is None:
                receipt = await gathering.accept(arrival)
        if receipt.conflict:
            raise key_conflict(idempotency_key)
        id_ = subject_id(receipt.subject)
        answer = {"location": f"/v1/orders/{id_}"}
        if repeated or receipt.duplicate:
            answer["idempotency-replayed"] = "true"
        return Response(Accepted(id=id_, message=str(receipt.message)), status_code=202, headers=answer)

    @get("/", sync_to_thread=True, summary="List orders", responses=READING)
    def list_orders(
        self,
        *,
        face: NamedDependency[Face],
        connection: Text = "",
        stage: Text = "",
        custody: Text = "",
        money: Text = "",
        number: Text = "",
        cursor: Text = "",
        limit: Annotated[int, QueryParameter(ge=1, le=LIST_MAX)] = 50,
    ) -> OrderPage:
        """Newest first. `number` is our id, or the channel's id or number; `cursor` is `next` of the page before."""
        with face.reads() as reads:
            return order_page(
                face,
                reads,
                cursor=cursor,
                limit=limit,
                number=number,
                connection=connection,
                stage=stage,
                custody=custody,
                money=money,
            )

    @get("/{order:str}", sync_to_thread=True, summary="Read an order", responses=READING)
    def read(self, face: NamedDependency[Face], order: FromPath[str]) -> OrderView:
        """By our id, or by the channel's id or number where only one order goes by it (else 409 with `candidates`)."""
        with face.reads() as reads:
            return order_view(reads, resolve(face, reads, order))

    @get("/{order:str}/timeline", sync_to_thread=True, summary="Read an order's story", responses=READING)
    def timeline(self, face: NamedDependency[Face], order: FromPath[str]) -> Timeline:
        """Every step in order of time, and what the order waits for: why, and what to do about it."""
        with face.reads() as reads:
            subject = resolve(face, reads, order)
        return face.timeline(subject)

    @get(
        "/{order:str}/postings",
        sync_to_thread=True,
        summary="Read what an ERP was told of an order, ticket or store day",
        responses=READING,
    )
    def postings(self, face: NamedDependency[Face], order: FromPath[str]) -> list[Posting]:
        """Each document with the facts that it holds and the ERP's total.

        The names of tickets and store days hold slashes, which a path cannot: `GET /v1/orders?number=store/date` gives the id.
        """
        with face.reads() as reads:
            return postings_view(reads, resolve(face, reads, order))

    @post(
        "/{order:str}/cancel",
        dto=Strict[Cancel],
        return_dto=None,
        status_code=202,
        sync_to_thread=True,
        responses=ACTING,
    )
    def cancel(
        self, request: Asked, face: NamedDependency[Face], order: FromPath[str], data: JSONBody[Cancel]
    ) -> Done:
        """Ask for quantities not to be shipped. The warehouse is asked; the channel and the ERP are told what came of it.

        A store's day cannot be cancelled (422), and neither can what is not understood (409): its case says what to do.
        """
        lines = msgspec.to_builtins(data.lines)
        return _act(face, order, "cancel_order", data, {"lines": lines} if lines else {}, request=request)

    @post(
        "/{order:str}/release-hold",
        dto=Strict[ReleaseHold],
        return_dto=None,
        status_code=202,
        sync_to_thread=True,
        responses=ACTING,
    )
    def release_hold(
        self, request: Asked, face: NamedDependency[Face], order: FromPath[str], data: JSONBody[ReleaseHold]
    ) -> Done:
        """Let a held order go on, or a store's day be posted with the difference that it is held for."""
        return _act(
            face, order, "release_hold", data, {"code": data.code} if data.code else {}, request=request
        )

    @post(
        "/{order:str}/erase",
        dto=Strict[Act],
        return_dto=None,
        status_code=202,
        sync_to_thread=True,
        responses=ACTING,
    )
    def erase(
        self, request: Asked, face: NamedDependency[Face], order: FromPath[str], data: JSONBody[Act]
    ) -> Done:
        """Forget the persons of an order, for good, in every copy. Money, stock and hashes stay."""
        with face.reads() as reads:
            subject = resolve(face, reads, order)
        caller = trace_headers(request.headers)
        receipt = erasing.erase(face, subject, data.actor, data.reason, caller=caller)
        return Done(message=str(receipt.message), order=subject_id(subject))


class Keys:
    """Idempotency keys under way in this process: the second request with a key waits for the first one's answer."""

    def __init__(self) -> None:
        self._busy: dict[str, asyncio.Future[None]] = {}

    @contextmanager
    def held(self, key: str) -> Iterator[asyncio.Future[None] | None]:
        """Hold the key; gives what to wait for first, if anything."""
        before = self._busy.get(key)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._busy[key] = mine
        try:
            yield before
        finally:
            mine.set_result(None)
            if self._busy.get(key) is mine:
                del self._busy[key]


def earlier(face: Face, key: str, body: bytes) -> Receipt | None:
    """What became of the key before, whichever order it was used for; KeyConflictError where the body was another."""
    with face.reads() as reads:
        found = reads.rows("api_delivery", key)
    if not found:
        return None
    subject, message, digest = found[0]
    if digest != payload_hash(body):
        raise key_conflict(key)
    return Receipt(message, subject, True)


def key_conflict(key: str) -> KeyConflictError:
    """The refusal of a key that came with another body."""
    return KeyConflictError(
        f"The key {key[:60]!r} came with another body before. Use a new key for a new request.",
        field="Idempotency-Key",
    )


def check_order(order: Order) -> None:
    """What only the API asks of an order."""
    if order.connection != API:
        raise RejectedError(
            f"connection: orders that are posted here stand under {API!r}, not {order.connection[:60]!r}; a connection's "
            "orders come by its own deliveries. Say where it was sold in `origin`.",
            field="connection",
        )
    if order.id:
        raise RejectedError("id: the hub gives it. Leave it out; yours is `external_id`.", field="id")


def check_key(key: str) -> None:
    """A key is short printable ASCII."""
    if not key or len(key) > KEY_CHARS_MAX or not key.isascii() or not key.isprintable():
        raise RejectedError(
            f"Idempotency-Key: send up to {KEY_CHARS_MAX} printable ASCII characters.",
            field="Idempotency-Key",
        )


def _act(face: Face, order: str, action: str, data: Act, more: dict[str, Any], *, request: Asked) -> Done:
    with face.reads() as reads:
        subject = resolve(face, reads, order)
        order_view(reads, subject)
    caller = trace_headers(request.headers)
    receipt = acting.act_on_order(
        face, subject, action, actor=data.actor, reason=data.reason, data=more, caller=caller
    )
    return Done(message=str(receipt.message), order=subject_id(subject))

"""`/v1` besides orders and cases: stock, the overview, the proof, replays; and the signs of life that need no token."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from crossdock.bootstrap.loops import clock_us
from crossdock.console import replaying
from crossdock.console.face import Face, Proof
from crossdock.console.orders import resolve
from crossdock.console.overview import Overview
from crossdock.console.times import moment
from crossdock.errors import MappingError, NotFoundError
from crossdock.gateway.cases import Key
from crossdock.gateway.orders import Act, check_key
from crossdock.gateway.problems import ACTING, READING, described, problem
from crossdock.gateway.strict import Strict


class LevelView(msgspec.Struct, frozen=True, kw_only=True):
    """Stock of one SKU at one location, by bucket, in the SKU's unit. It may be negative on hand.

    `untold` is the part of on hand that the master of the stock (an ERP) has not been told of yet: -3 are three that have left.
    """

    location: str
    available: int
    on_hand: int
    reserved: int
    allocated: int
    safety_stock: int
    quarantined: int
    committed_elsewhere: int
    incoming: int
    untold: int
    as_of: datetime | None


class PublishedView(msgspec.Struct, frozen=True, kw_only=True):
    """The quantity that a channel was told last; `pending`: another one is on its way."""

    connection: str
    quantity: int | None
    sent_at: datetime | None
    pending: bool


class StockView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of a SKU's stock."""

    sku: str
    available: int
    levels: list[LevelView]
    published: list[PublishedView]


class Replay(Act, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to run again: one `order`, or what a `connection` has sent `since` a time, in parts of `limit`."""

    order: str = ""
    connection: str = ""
    since: datetime | None = None
    after: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=replaying.REPLAY_MAX)] = replaying.REPLAY_MAX


def _as_sent(request: Request[Any, Any, Any]) -> str:
    """The SKU of the path as it was sent: the framework tidies paths, and two slashes are not one."""
    raw = request.scope.get("raw_path") or b""
    return unquote(raw.decode("latin-1").partition("?")[0].partition("/stock/")[2])


@get(
    "/stock/{sku:path}", sync_to_thread=True, tags=["Stock"], summary="Read a SKU's stock", responses=READING
)
def stock(face: NamedDependency[Face], sku: FromPath[str], request: Request[Any, Any, Any]) -> StockView:
    """Levels per location, and what each channel was told. A slash in the SKU may stand as it is, or as %2F."""
    sku = _as_sent(request) or sku
    with face.reads() as reads:
        levels = [level for _, level in sorted(reads.levels([sku]).items())]
        marks = reads.rows("get_marks", sku)
        untold = dict(reads.rows("untold_of", sku))
    if not levels and not marks:
        raise NotFoundError(
            f"Nothing is known of the stock of {sku[:60]!r}. It is known once a partner reports it."
        )
    return StockView(
        sku=sku,
        available=sum(level.available for level in levels),
        levels=[
            LevelView(
                location=level.location,
                available=level.available,
                on_hand=level.on_hand,
                reserved=level.reserved,
                allocated=level.allocated,
                safety_stock=level.safety_stock,
                quarantined=level.quarantined,
                committed_elsewhere=level.committed_elsewhere,
                incoming=level.incoming,
                untold=untold.get(level.location, 0),
                as_of=moment(level.as_of) if level.as_of else None,
            )
            for level in levels
        ],
        published=[
            PublishedView(
                connection=connection,
                quantity=int(sent) if sent.lstrip("-").isdigit() else None,
                sent_at=moment(sent_at) if sent_at else None,
                pending=state != 4,
            )
            for connection, _, _, state, _, sent, sent_at in marks
        ],
    )


@get("/overview", sync_to_thread=True, tags=["Operation"], summary="The hub at a glance", responses=READING)
def read_overview(face: NamedDependency[Face]) -> Overview:
    """Live numbers: sources, orders by stage, partners and how they are, open cases, latencies."""
    return face.overview()


@get("/proof", sync_to_thread=True, tags=["Operation"], summary="Check the invariants", responses=READING)
def read_proof(face: NamedDependency[Face]) -> Proof:
    """Check every invariant now, with its counts: what is under way altogether, of the orders the newest 5,000 one by one.

    A check with `whole` false was not read to the end, and says how far. The running hub reads every order, some each minute;
    what it has found of the others stands in the answer too.
    """
    return face.proof(fresh=True)


@post(
    "/replays",
    dto=Strict[Replay],
    return_dto=None,
    status_code=202,
    sync_to_thread=True,
    tags=["Operation"],
    responses=ACTING,
)
def replay(face: NamedDependency[Face], data: JSONBody[Replay], key: Key = "") -> replaying.Replayed:
    """Run messages again from their raw bytes. Nothing that was done is done twice; the replay names its actor.

    What a connection has sent is run again at a pace that leaves live messages their way. A request that comes again under
    its `Idempotency-Key` runs nothing twice. What is not kept any more is counted as `gone`; where nothing is, it is refused.
    """
    if key:
        check_key(key)
    if bool(data.order) == bool(data.connection):
        raise MappingError("Name one order, or one connection and since when.", field="order")
    if data.order:
        with face.reads() as reads:
            subject = resolve(face, reads, data.order)
        return replaying.replay_order(face, subject, data.actor, data.reason, key)
    if data.since is None:
        raise MappingError("since: say from when on.", field="since")
    if data.after and not (data.after.isascii() and data.after.isdigit() and len(data.after) < 19):
        raise MappingError("after: pass on `next` of the answer before, as it is.", field="after")
    return replaying.replay_since(
        face,
        data.connection,
        data.since,
        after=int(data.after or 0),
        limit=data.limit,
        actor=data.actor,
        reason=data.reason,
        once=key,
        now=clock_us(),
    )


@get("/healthz", tags=["Operation"], summary="Is the process alive?", sync_to_thread=False, security=[])
def healthz() -> dict[str, str]:
    """Always 200 while the process answers."""
    return {"status": "alive"}


@get(
    "/readyz",
    sync_to_thread=True,
    tags=["Operation"],
    summary="Does it take work?",
    security=[],
    responses=described(503),
)
def readyz(face: NamedDependency[Face]) -> Response[Any]:
    """200 while the writer writes and every thread of the hub runs; else 503 with what is wrong."""
    trouble = face.hub.trouble()
    return problem(503, trouble) if trouble else Response({"status": "ready"})

"""Persons who want to be forgotten, or to know what is held of them: orders are erased by the hub, the rest asks a person."""

from __future__ import annotations

import msgspec

from crossdock.domain.process import ERASURE, OrderProcess
from crossdock.domain.status import needs_address
from crossdock.engine.messages import HUB, LANE_FREE, Arrival
from crossdock.flows.desk import Desk
from crossdock.model.ids import ExternalRef
from crossdock.model.reports import ChannelErasureRequested, PersonDataRequested, PersonErasureRequested

FORGET = "person.forget"
UNKNOWN = "erasure.unknown"
_encode = msgspec.json.Encoder().encode


class Forget(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a message to an order: its person wants to be forgotten. order: its id as the connection has it."""

    connection: str
    order: str


def take_erasure(desk: Desk, report: PersonErasureRequested) -> str:
    """Hand the request on to every order that it names; one that names none asks a person. Returns the outcome."""
    orders = tuple(dict.fromkeys(report.order_refs))
    desk.event("person.erasure_requested", {"orders": len(orders)})
    desk.decision.note = f"{len(orders)} orders named"
    if not orders:
        desk.case(
            "erasure.asked",
            f"{desk.message.source} asks to forget {_person(report.person_ref)} and names no order. Look there for the orders "
            "of this person, erase each that is held here, then close this case.",
            field="order_refs",
        )
        return "processed"
    for n, ref in enumerate(orders):
        desk.decision.children.append(
            Arrival(
                source=HUB,
                kind=FORGET,
                body=_encode(Forget(connection=ref.connection, order=ref.id)),
                ref_kind=ref.kind,
                ref=ref.id,
                ref_source=ref.connection,
                lane=LANE_FREE,
                parent=desk.message.id,
                position=n,
                trace=desk.message.trace,
            )
        )
    desk.decision.erase = True  # the request names the person too
    return "processed"


def take_forget(desk: Desk, forget: Forget) -> str:
    """Forget the persons of one order at once, or as soon as nothing needs its address. Returns the outcome."""
    process = desk.process
    process.forget = True
    if process.known or process.day is not None or process.ticket:
        return "processed"
    process.connection = process.connection or forget.connection
    process.external_id = process.external_id or forget.order
    desk.event("person.erasure_waits", {})
    desk.case(
        UNKNOWN,
        f"{forget.connection} asks to forget the person of order {forget.order}, and no such order is held: nothing was erased. "
        "See whether its message is parked: then erase it and drop the message. Else say there that nothing is held, and close this "
        "case.",
        about=forget.order,
        field="order_refs",
    )
    return "processed"


def hold_if_asked(desk: Desk) -> None:
    """Nothing more of an order whose person is to be forgotten is asked of a warehouse, unless a person says so."""
    process = desk.process
    if not process.forget or not _needs_persons(process):
        return
    if needs_address(process) and ERASURE not in process.lifted:
        process.holds[ERASURE] = (
            "its person is to be forgotten, which happens by itself once nothing is to be shipped any more"
        )
    if desk.message.kind == FORGET:
        desk.event("person.erasure_waits", {})


def forget_if_asked(desk: Desk) -> None:
    """Forget the persons of an order where that is asked, unless its goods, or word of it, must still find their way."""
    process = desk.process
    if not process.forget:
        return
    if desk.message.kind != FORGET:
        desk.close(UNKNOWN, "the order has come", about=process.external_id)
    if not needs_address(process):
        process.holds.pop(ERASURE, None)  # there is nothing to hold any more
    if _needs_persons(process):
        return
    process.forget = False
    desk.decision.erase = True
    desk.event("person.erased", {})


def _needs_persons(process: OrderProcess) -> bool:
    """Whether goods are still to be sent, or calls are on their way: an ERP that books by buyer would be told of nobody.

    A call that has stopped waits for a person, who may take long; nobody's name waits for that.
    """
    return needs_address(process) or "staged" in process.pending.values()


def take_channel_erasure(desk: Desk, report: ChannelErasureRequested) -> str:
    """A whole channel wants its data gone: how far is for a person to say. Returns the outcome."""
    desk.event("channel.erasure_requested", {})
    desk.case(
        "erasure.channel",
        f"{report.connection} asks to forget all persons of its orders, as a shop does that has taken our app out. See whether it "
        "has left for good; then erase its orders, and take the connection out.",
    )
    return "processed"


def take_data_request(desk: Desk, report: PersonDataRequested) -> str:
    """A person wants to know what is held of them: somebody must answer. Returns the outcome."""
    orders = ", ".join(dict.fromkeys(ref.id for ref in report.order_refs))
    desk.event("person.data_requested", {"orders": len(report.order_refs)})
    desk.case(
        "person.data_requested",
        f"{desk.message.source} asks what is held of {_person(report.person_ref)}{f', in orders {orders}' if orders else ''}. Send "
        "the seller what these orders say of the person, then close this case.",
    )
    return "processed"


def _person(ref: ExternalRef | None) -> str:
    return f"{ref.kind} {ref.id}" if ref is not None else "a person"

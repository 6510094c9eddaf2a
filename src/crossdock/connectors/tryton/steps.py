"""Documents that go through states, many at once: each is taken as far as Tryton lets it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from crossdock.connectors.tryton.rpc import Ask, Client, Row, ServerRefusedError, number
from crossdock.errors import ConflictError, CrossdockError, MappingError
from crossdock.model.money import minor_units
from crossdock.sdk.calls import Done, Refused

Outcomes = dict[str, Done | Refused]
Steps = Sequence[tuple[str, str]]
"""(state, the method that leads out of it), in order."""


def told(error: CrossdockError) -> Refused:
    """An error that is one item's own, as its outcome."""
    code = error.code if isinstance(error, ServerRefusedError) else error.kind
    return Refused(reason=error.message, code=code, field=error.field or "")


def name_of(row: Row) -> str:
    """What people there call a document."""
    return str(row["number"] or row["id"])


def total_of(row: Row) -> int:
    """The total of a document, in minor units."""
    return minor_units(number(row["total_amount"]), row["currency."]["code"], field="total_amount")


def amount_of(value: Any) -> Decimal:
    """A decimal of a reply."""
    return Decimal(number(value))


def only(rows: Sequence[Row], reference: str, what: str) -> Row | None:
    """The one document of a reference; two are a conflict that a person must see."""
    if len(rows) > 1:
        names = ", ".join(name_of(row) for row in rows[:5])
        raise ConflictError(
            f"Tryton holds {len(rows)} {what} for {reference}: {names}. Cancel all but one there."
        )
    return rows[0] if rows else None


def held(
    client: Client, model: str, references: Iterable[str], fields: Sequence[str], *domain: Sequence[Any]
) -> Ask[dict[str, list[Row]]]:
    """Documents that were not cancelled, by our reference."""
    wanted = sorted(set(references))
    if not wanted:
        return {}
    conditions = [["reference", "in", wanted], ["state", "!=", "cancelled"], *domain]
    rows = yield from client.search(model, conditions, ("reference", *fields))
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["reference"], []).append(row)
    return found


def known(
    rows: Mapping[str, Sequence[Row]], references: Mapping[str, str], what: str, outcomes: Outcomes
) -> dict[str, int]:
    """Of keys and their references, those whose document is there, by key; doubles are refused in `outcomes`."""
    ids: dict[str, int] = {}
    for key, reference in references.items():
        try:
            row = only(rows.get(reference, ()), reference, what)
        except ConflictError as error:
            outcomes[key] = told(error)
        else:
            if row is not None:
                ids[key] = row["id"]
    return ids


def created(ids: Mapping[str, int | ServerRefusedError], outcomes: Outcomes) -> dict[str, int]:
    """Those that were created, by key; refusals go into `outcomes`."""
    made: dict[str, int] = {}
    for key, id_ in ids.items():
        if isinstance(id_, ServerRefusedError):
            outcomes[key] = told(id_)
        else:
            made[key] = id_
    return made


def advance(
    client: Client, model: str, ids: Iterable[int], steps: Steps, fields: Sequence[str]
) -> Ask[tuple[list[Row], dict[int, ServerRefusedError]]]:
    """Take each document through the steps that are still before it; returns them as they then are, and who was refused."""
    refused: dict[int, ServerRefusedError] = {}
    wanted = sorted(set(ids))
    rows: list[Row] = []
    for n in range(len(steps) + 1):
        going = [id_ for id_ in wanted if id_ not in refused]
        rows = (yield from client.search(model, [["id", "in", going]], fields)) if going else []
        todo = next(
            ((state, method) for state, method in steps[n:] if any(row["state"] == state for row in rows)),
            None,
        )
        if todo is None:
            break
        state, method = todo
        refused |= yield from client.each(
            f"model.{model}.{method}", [row["id"] for row in rows if row["state"] == state]
        )
    return rows, refused


def quantity_of(quantity: int, scale: int) -> Decimal:
    """A quantity of ours in whole units."""
    return Decimal(quantity).scaleb(-scale)


def require_reference(order: str, document: str) -> str:
    """The reference of a document about an order."""
    if not order or not document:
        raise MappingError(
            "shipment.id: a document needs our order id and a shipment id to be found again. Give both.",
            field="shipment.id",
        )
    return f"{order}/{document}"

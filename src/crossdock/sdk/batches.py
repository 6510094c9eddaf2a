"""Documents of a plain contract: made one by one, or many in one request with an answer of its own for each.

`POST {path}` makes one under its Idempotency-Key. `POST {path}/batch` carries `{"items": [{"key", "body"}]}` and is
answered with `{"results": [{"key", "status", "id", "total", "problem"}]}`, each as if it had been posted alone. What
goes wrong with one item is told of that item, never raised: an error that is raised would count for its neighbours.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from crossdock.errors import ConfigurationError, ConflictError, ContractError, MappingError, RejectedError
from crossdock.model.base import Amount, Instant
from crossdock.sdk.calls import Calls, Done, Intent, Refused, Request, Response, Results, post, refused
from crossdock.sdk.plain import KEY, Created
from crossdock.sdk.spec import Setting

C = TypeVar("C")
B = TypeVar("B")
T = TypeVar("T")
Asked = Generator[Request, Response, T]

BATCH_MAX = 500
"""Items of one request."""
ALONE_MAX = 10
"""Look-ups, and documents after a refused batch, that one call makes one by one, lest its deadline passes with nothing
to show for it; what is over waits for the next attempt."""
REFUSALS = tuple(status for status in range(400, 500) if status not in (401, 403, 408, 425, 429))
"""Statuses that mean "no": all the others of 400 and above mean "later" or "not you"."""

SETTING = Setting(
    name="batch_max",
    doc=f"Items of one request, 1 to {BATCH_MAX}; 1 where it serves no /batch",
    required=False,
    default="1",
    kind="whole",
    low=1,
    high=BATCH_MAX,
)


class Item(msgspec.Struct, frozen=True, gc=False):
    """One document of a batch, under the key that it would have alone."""

    key: str
    body: Any


class Result(msgspec.Struct, frozen=True, gc=False):
    """What became of one item; `problem` is read as the body of a single reply would be."""

    key: str
    status: int
    id: str = ""
    total: Amount | None = None
    booked_at: Instant | None = None
    problem: msgspec.Raw = msgspec.Raw(b"")


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The answer to a batch."""

    results: list[Result]


class Documents(Generic[C, B]):
    """Documents of one path. `write` makes the body of a command; `find` asks whether an earlier attempt made it."""

    def __init__(self, path: str, write: Callable[[C], B], find: Callable[[B], Asked[Done | None]]) -> None:
        self._path, self._write, self._find = path, write, find

    def make(self, command: C | Sequence[C], intent: Intent | Sequence[Intent]) -> Calls:
        """Make one, or as many as are given; what may have been made already is looked up first."""
        if isinstance(intent, Intent):
            single: Any = command
            return (yield from self._one(single, intent))
        commands: Any = command
        if len(intent) == 1:
            return Results(by_key={intent[0].key: (yield from self._one(commands[0], intent[0]))})
        return (yield from self._many(commands, intent))

    def _one(self, command: C, intent: Intent) -> Asked[Done | Refused]:
        body = self._write(command)
        if intent.may_have_happened:
            found = yield from self._find(body)
            if found is not None:
                return found
        return created((yield post(self._path, json=body, headers={KEY: intent.key})))

    def _many(self, commands: Sequence[C], intents: Sequence[Intent]) -> Asked[Results]:
        outcomes: dict[str, Done | Refused] = {}
        items: list[Item] = []
        asked = 0
        for command, intent in zip(commands, intents, strict=True):
            asked += intent.may_have_happened
            if intent.may_have_happened and asked > ALONE_MAX:
                continue
            ready = yield from self._ready(command, intent)
            if isinstance(ready, Item):
                items.append(ready)
            elif ready is not None:
                outcomes[intent.key] = ready
        if len(items) > 1:
            yield from self._together(items, outcomes)
        else:
            yield from self._alone(items, outcomes)
        return Results(by_key=outcomes)

    def _ready(self, command: C, intent: Intent) -> Asked[Item | Done | Refused | None]:
        """The item to be sent, or what is known of it without; None for what shows itself when it is alone."""
        try:
            body = self._write(command)
            if intent.may_have_happened:
                found = yield from self._find(body)
                if found is not None:
                    return found
        except (ConflictError, MappingError, RejectedError) as error:
            return Refused(reason=error.message, code=error.kind, field=error.field or "")
        except Exception:
            return None  # a defect, or an answer that cannot be read
        return Item(intent.key, body)

    def _together(self, items: Sequence[Item], outcomes: dict[str, Done | Refused]) -> Asked[None]:
        reply = yield post(f"{self._path}/batch", json={"items": items}, accept=REFUSALS)
        if reply.status >= 400:  # there is no such path, or one item spoils it for all
            yield from self._alone(items[:ALONE_MAX], outcomes)
            return
        try:
            results = reply.decode(Reply).results
        except ContractError:
            return  # tried again in smaller batches; the one that is alone says what is wrong
        for result in results:
            status = result.status
            if 200 <= status < 300:
                if result.id:
                    outcomes[result.key] = Done(
                        reference=result.id, total=result.total, booked_at=result.booked_at
                    )
            elif status in REFUSALS:
                problem = bytes(result.problem)
                outcomes[result.key] = refused(
                    Response(status=status, body=b"" if problem == b"null" else problem)
                )

    def _alone(self, items: Sequence[Item], outcomes: dict[str, Done | Refused]) -> Asked[None]:
        for item in items:
            reply = yield post(self._path, json=item.body, headers={KEY: item.key}, accept=REFUSALS)
            with contextlib.suppress(ContractError):
                outcomes[item.key] = created(reply)


def batch_max(settings: Mapping[str, str]) -> int:
    """The setting `batch_max` of a connection, or a ConfigurationError."""
    text = settings.get("batch_max") or SETTING.default
    if text.isdecimal() and 1 <= int(text) <= BATCH_MAX:
        return int(text)
    raise ConfigurationError(f"batch_max is a number from 1 to {BATCH_MAX}.", field="batch_max")


def created(reply: Response) -> Done | Refused:
    """Read the reply to the POST of one document."""
    if reply.status >= 400:
        return refused(reply)
    made = reply.decode(Created)
    return Done(reference=made.id, total=made.total, booked_at=made.booked_at)

"""Tryton's JSON-RPC: one request a method, a session that is renewed by itself, errors by what to do about them.

`POST /rpc/` with `{"id", "method", "params"}` is answered with 200 and either `result` or `error`: `["UserError",
[message, description, domain]]`, `["UserWarning", [name, message, description]]`, `["ConcurrencyException", message]`, or
`[text, traceback]` of a defect there. Each request is one transaction: an error leaves nothing of it.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import msgspec

from crossdock.errors import (
    ConfigurationError,
    ContractError,
    CredentialsError,
    RejectedError,
    RetryableError,
)
from crossdock.model.base import shown
from crossdock.sdk.calls import DETAIL_CHARS_MAX, Refused, Request, Response, post

T = TypeVar("T")
Ask = Generator[Request, Response, T]
Row = dict[str, Any]

CONCURRENT_RETRY_S = 2.0
_MOMENT = ("year", "month", "day", "hour", "minute", "second", "microsecond")
_CONTEXT = ("company", "company_filter", "language")


class ServerRefusedError(RejectedError):
    """Tryton said no to a request, and nothing of it happened: one of its rules, a warning, or a defect there."""

    def __init__(self, reason: str, *, code: str, warning: str = "") -> None:
        super().__init__(reason[:DETAIL_CHARS_MAX])
        self.code = code
        self.warning = warning

    def as_refused(self, where: str) -> Refused:
        """The same as an outcome; `where` says how far the work had come."""
        return Refused(reason=f"{where}: {self.message}"[:DETAIL_CHARS_MAX], code=self.code)


class _Reply(msgspec.Struct, frozen=True):
    result: Any = None
    error: Any = None


class Client:
    """Speaks to one database as one user.

    The only thing that it remembers is the session, which makes nothing true or false: logging in takes as long as
    ten requests, and a session that has ended is answered with 401 and replaced.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password
        self._session = ""
        self._context: Row = {}
        self.user_id = 0
        self.modules: frozenset[str] = frozenset()

    @property
    def company(self) -> int:
        """The company of the user, in which everything is booked."""
        return int(self._context["company"])

    def open(self) -> Ask[None]:
        """Log in, unless there is a session."""
        if not self._session:
            yield from self._login()

    def call(
        self, method: str, *params: Any, context: Mapping[str, Any] | None = None, asks: bool = False
    ) -> Ask[Any]:
        """Call a method of a model; raises ServerRefusedError, or what lets the whole call be tried again.

        asks: the method changes nothing, so that nothing is in doubt after it.
        """
        yield from self.open()
        for last in (False, True):
            whole = {**self._context, **(context or {})}
            reply = yield self._request(method, [*params, whole], asks=asks)
            if reply.status != 401:
                return _result(method, reply)
            if not last:
                yield from self._login()
        raise CredentialsError(
            f"{method} was answered with 401 in a fresh session. Look at the user's rights."
        )

    def search(
        self,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        *,
        limit: int | None = None,
        order: Sequence[Sequence[str]] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Ask[list[Row]]:
        """Rows that meet a domain."""
        rows: list[Row] = yield from self.call(
            f"model.{model}.search_read", domain, 0, limit, order, ["id", *fields], context=context, asks=True
        )
        return rows

    def each(self, method: str, ids: Sequence[int]) -> Ask[dict[int, ServerRefusedError]]:
        """Call a method on many records at once; where it refuses, on halves, until the culprits are alone.

        Returns who was refused, and why: the others went through.
        """
        if not ids:
            return {}
        try:
            yield from self.call(method, list(ids))
        except ServerRefusedError as error:
            if len(ids) == 1:
                return {ids[0]: error}
            half = len(ids) // 2
            first = yield from self.each(method, ids[:half])
            second = yield from self.each(method, ids[half:])
            return {**first, **second}
        return {}

    def create(self, model: str, values: Sequence[Row]) -> Ask[list[int | ServerRefusedError]]:
        """Create many records at once, or as many of them as Tryton takes; ids or refusals in the order given."""
        if not values:
            return []
        try:
            made: list[int | ServerRefusedError] = yield from self.call(f"model.{model}.create", list(values))
        except ServerRefusedError as error:
            if len(values) == 1:
                return [error]
            half = len(values) // 2
            first = yield from self.create(model, values[:half])
            second = yield from self.create(model, values[half:])
            return [*first, *second]
        return made

    def _login(self) -> Ask[None]:
        """A new session, and the context that the user works in."""
        reply = yield self._request(
            "common.db.login", [self._user, {"password": self._password}], "", asks=True
        )
        if reply.status == 401:
            raise CredentialsError(
                "Tryton refuses user and password. Renew them, then resume the connection."
            )
        given = _result("common.db.login", reply)
        if not isinstance(given, list) or len(given) < 2:
            raise CredentialsError(
                "Tryton wants more than a password of this user. Give the hub a user of its own."
            )
        text = f"{self._user}:{given[0]}:{given[1]}"
        session = "Session " + base64.b64encode(text.encode()).decode()
        reply = yield self._request("model.res.user.get_preferences", [True, {}], session, asks=True)
        preferences = _result("model.res.user.get_preferences", reply)
        if not preferences.get("company"):
            raise ConfigurationError(
                "The user of the connection has no company in Tryton. Give it one.", field="user"
            )
        self.user_id = int(given[0])
        self._context = {name: preferences[name] for name in _CONTEXT if name in preferences}
        domain = [["state", "=", "activated"]]
        params = [domain, 0, None, None, ["name"], self._context]
        reply = yield self._request("model.ir.module.search_read", params, session, asks=True)
        self.modules = frozenset(row["name"] for row in _result("model.ir.module.search_read", reply))
        self._session = session

    def _request(
        self, method: str, params: Sequence[Any], header: str | None = None, *, asks: bool
    ) -> Request:
        header = self._session if header is None else header
        headers = {"authorization": header} if header else {}
        body = {"id": 0, "method": method, "params": params}
        return post("/rpc/", json=body, headers=headers, accept=(401,), asks=asks)


def decimal(text: str) -> Row:
    """A decimal as Tryton reads it."""
    return {"__class__": "Decimal", "decimal": text}


def day(text: str) -> Row:
    """A date as Tryton reads it, of ISO 8601 text."""
    year, month, number = (int(part) for part in text[:10].split("-"))
    return {"__class__": "date", "year": year, "month": month, "day": number}


def date_of(value: Any) -> date:
    """A date as Tryton writes it."""
    if not isinstance(value, dict) or value.get("__class__") != "date":
        raise ContractError(f"Tryton gave {shown(value)} where a date stands. Compare its version with 8.0.")
    return date(int(value["year"]), int(value["month"]), int(value["day"]))


def number(value: Any) -> str:
    """The text of a decimal as Tryton writes it."""
    if not isinstance(value, dict) or value.get("__class__") != "Decimal":
        raise ContractError(
            f"Tryton gave {shown(value)} where a decimal stands. Compare its version with 8.0."
        )
    return str(value["decimal"])


def _result(method: str, reply: Response) -> Any:
    if reply.status >= 400:
        raise RejectedError(
            f"{method} was answered with {reply.status}. Look whether the url ends with the name of the database."
        )
    told = reply.decode(_Reply)
    if told.error is None:
        return told.result
    name, args = _error(told.error)
    if name == "ConcurrencyException":
        raise RetryableError(
            f"{method}: somebody changed the record at the same moment. It is tried again.",
            retry_after=CONCURRENT_RETRY_S,
        )
    if name == "UserWarning":
        raise ServerRefusedError(
            f"Tryton warns and waits for a yes: {args[1]}. Change what it warns of, or do the step there by hand, then retry",
            code="UserWarning",
            warning=args[0],
        )
    if name == "UserError":
        raise ServerRefusedError(" ".join(filter(None, args[:2])), code="UserError")
    raise ServerRefusedError(f"Tryton failed in {method}: {name}. See its log", code="defect")


def _error(error: Any) -> tuple[str, list[str]]:
    """The name of an error and its texts."""
    if not isinstance(error, list) or not error:
        return str(error), []
    args = error[1] if len(error) > 1 else ""
    texts = [str(part or "") for part in args] if isinstance(args, list) else [str(args)]
    return str(error[0]), [*texts, "", ""]


def moment(text: str) -> Row:
    """A time as Tryton reads it, of ISO 8601 text; Tryton's have no zone, they are the server's UTC."""
    at = datetime.fromisoformat(text).replace(tzinfo=None)
    parts = {name: getattr(at, name) for name in _MOMENT}
    return {"__class__": "datetime", **parts}


def moment_of(value: Any) -> str:
    """ISO 8601 text of a time as Tryton writes it; texts of this form sort by time."""
    if not isinstance(value, dict) or value.get("__class__") != "datetime":
        raise ContractError(f"Tryton gave {shown(value)} where a time stands. Compare its version with 8.0.")
    year, month, day_, hour, minute, second, micro = (int(value[name]) for name in _MOMENT)
    return f"{year:04}-{month:02}-{day_:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}+00:00"

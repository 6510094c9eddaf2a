"""Raw payloads to canonical objects without any hub: the core of `crossdock translate`.

A file may be a bare body, an object with `headers` and `body`, or one with `_meta` and `response` (the form of the
vendors' samples). Where no kind is given it is taken from the headers, as the gate takes it, then from `topic`, and
where only one fits from the shape, which a connector that can offers as `guess_kind(body) -> list[str]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from crossdock.errors import CrossdockError, MappingError
from crossdock.model.reports import Report
from crossdock.sdk.decode import decode, decode_checked, require_plain_json
from crossdock.sdk.spec import Connector, Translation

PAGE = "page."

Check = Callable[[Report], Iterable[Any]]
"""Returns what of a report does not add up: things with a `field`, whose text says what is wrong."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a payload was not understood: the kind of error ("mapping", "unhandled", "totals"), the field, the remedy."""

    kind: str
    field: str
    message: str


class TranslationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one file. Of a page, `objects` holds what was understood before the first piece that was not."""

    ok: bool
    objects: tuple[Report, ...] = ()
    error: Failure | None = None


class UnhandledError(CrossdockError):
    """The connector understands no such kind: a hub would keep it unhandled."""

    kind = "unhandled"


class TotalsError(CrossdockError):
    """It was understood, and its parts do not add up."""

    kind = "totals"


class _Payload(msgspec.Struct, frozen=True):
    """What a file holds: the body in its own bytes, and all that may name its kind."""

    body: bytes
    headers: Mapping[str, str] = {}
    topic: str = ""


class _Piece(msgspec.Struct, frozen=True):
    """One message of a file; `path` is where it stands on its page, "" where it is the whole."""

    kind: str
    body: bytes
    path: str = ""


def translate_file(
    connector: Connector, raw: bytes, kind: str | None, connection: str, *, check: Check | None = None
) -> TranslationResult:
    """Translate one file, or say what of it cannot be understood; what is in the file raises nothing."""
    objects: list[Report] = []
    path = ""
    try:
        payload = _unwrap(raw)
        for piece in _pieces(connector, kind or _kind(connector, payload), payload.body):
            path = piece.path
            reports = _translate(connector, piece, payload.headers, connection)
            _check(reports, check)
            objects += reports
    except CrossdockError as error:
        return TranslationResult(ok=False, objects=tuple(objects), error=_failure(error, path))
    return TranslationResult(ok=True, objects=tuple(objects))


def _unwrap(raw: bytes) -> _Payload:
    """Take the body out of what it was recorded in, in its own bytes: ids lose their last digits when rewritten."""
    require_plain_json(raw)
    if not raw.lstrip().startswith(b"{"):
        return _Payload(raw)
    members = decode_checked(raw, dict[str, msgspec.Raw])
    body = members.get("body")
    if body is not None and ("headers" in members or "topic" in members):
        headers = decode_checked(bytes(members.get("headers", b"{}")), dict[str, Any])
        topic = members.get("topic")
        return _Payload(
            _body(bytes(body)),
            {name.lower(): _header(value) for name, value in headers.items()},
            "" if topic is None else decode_checked(bytes(topic), str),
        )
    if "_meta" in members and "response" in members:
        return _Payload(_body(bytes(members["response"])))
    return _Payload(raw)


def _header(value: Any) -> str:
    """A recorded header: a text, or the list of its values, as many recorders keep it, of which the last counts."""
    return str(value[-1] if isinstance(value, list) and value else value)


def _body(raw: bytes) -> bytes:
    """A recorded body: as JSON, or as a string that holds it."""
    if not raw.startswith(b'"'):
        return raw
    body = decode_checked(raw, str).encode()
    require_plain_json(body)
    return body


def _kind(connector: Connector, payload: _Payload) -> str:
    """The kind of a file that nobody named: by its headers, by its topic, by its shape."""
    refusal: MappingError | None = None
    if payload.headers:
        try:
            return connector.gate(payload.headers, payload.body).kind
        except MappingError as error:
            refusal = error
    if payload.topic:
        return payload.topic
    guesses = _guess(connector, payload.body)
    if len(guesses) == 1:
        return guesses[0]
    if guesses:
        raise MappingError(f"kind: it may be {' or '.join(guesses)}. Say which with --kind.", field="kind")
    if refusal is not None:
        raise refusal
    raise MappingError("kind: neither headers nor shape tell what it is. Say so with --kind.", field="kind")


def _guess(connector: Connector, body: bytes) -> list[str]:
    guess = getattr(connector, "guess_kind", None)
    return [] if guess is None else list(guess(body))


def _pieces(connector: Connector, kind: str, body: bytes) -> Iterator[_Piece]:
    """The messages of a body: itself, or what stands on the page or in the batch that it is."""
    page = kind
    if not kind.startswith(PAGE):
        wrapped = [guess for guess in _guess(connector, body) if guess.startswith(PAGE)]
        page = wrapped[0] if connector.spec.understands(kind) is not None and wrapped else ""
    children = connector.split(page, body) if page else None
    if children is None:
        yield from _batch(connector, kind, body, {})
        return
    named = "" if kind.startswith(PAGE) else kind
    found = list(children)
    for child, path in zip(found, _paths(body, len(found)), strict=True):
        yield _Piece(named or child.kind, child.body, path)


def _batch(connector: Connector, kind: str, body: bytes, places: dict[bytes, list[str]]) -> Iterator[_Piece]:
    """A single message, or those of a batch that a partner sends as one, which may hold smaller batches."""
    children = None if kind.startswith(PAGE) else connector.split(kind, body)
    if children is None:
        found = places.get(body)
        yield _Piece(kind, body, found.pop(0) if found else "")
        return
    places = places or _places(body)
    for child in children:
        yield from _batch(connector, child.kind, child.body, places)


def _places(body: bytes) -> dict[bytes, list[str]]:
    """Where each item of a batch's lists stands, by its bytes: the same bytes may stand there twice."""
    places: dict[bytes, list[str]] = {}
    for name, value in decode(body, dict[str, msgspec.Raw]).items():
        if bytes(value).startswith(b"["):
            for n, item in enumerate(msgspec.json.decode(value, type=list[msgspec.Raw])):
                places.setdefault(bytes(item), []).append(f"{name}[{n}]")
    return places


def _paths(body: bytes, count: int) -> list[str]:
    """Where the pieces of a page stand, in the sender's own words: `orders[2]`."""
    name, single = "", False
    if body.lstrip().startswith(b"{"):
        members = decode(body, dict[str, msgspec.Raw])
        name = next(iter(members), "") if len(members) == 1 else ""
        single = bool(name) and bytes(members[name]).startswith(b"{")
    return [name] if single and count == 1 else [f"{name}[{n}]" for n in range(count)]


def _translate(
    connector: Connector, piece: _Piece, headers: Mapping[str, str], connection: str
) -> tuple[Report, ...]:
    if connector.spec.understands(piece.kind) is None:
        raise UnhandledError(
            f"kind: {connector.spec.name} gives {piece.kind[:60]!r} no meaning; a hub keeps it unhandled.",
            field="kind",
        )
    context = Translation(connection=connection, subject="")
    return connector.translate(piece.kind, headers, piece.body, context)


def _check(reports: Iterable[Report], check: Check | None) -> None:
    if check is None:
        return
    for report in reports:
        for problem in check(report):
            raise TotalsError(str(problem), field=str(getattr(problem, "field", "")))


def _failure(error: CrossdockError, path: str) -> Failure:
    """The error with its field put under the piece that it is about."""
    field, message = error.field or "", error.message
    if path and not isinstance(error, UnhandledError):
        whole = f"{path}.{field}" if field else path
        message = (
            whole + message[len(field) :] if field and message.startswith(field) else f"{whole}: {message}"
        )
        field = whole
    return Failure(kind=error.kind, field=field, message=message)

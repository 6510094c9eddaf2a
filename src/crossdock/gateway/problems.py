"""Errors as RFC 9457 problems: what went wrong, where, and what to do. A caller's mistake is never a 5xx."""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.datastructures import ResponseSpec

from crossdock.console.orders import Ambiguous
from crossdock.errors import (
    ConflictError,
    CrossdockError,
    MappingError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    RetryableError,
    SignatureError,
)

log = logging.getLogger("crossdock")
MEDIA_TYPE = "application/problem+json"
STATUSES: tuple[tuple[type[CrossdockError], int], ...] = (
    (SignatureError, 401),
    (NotFoundError, 404),
    (ConflictError, 409),
    (MappingError, 400),
    (RejectedError, 422),
    (OverloadedError, 503),
    (RetryableError, 503),
)
TITLES = {
    400: "Cannot be understood",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Contradicts what is held",
    413: "Too large",
    415: "Not JSON",
    422: "Refused",
    429: "Too many requests",
    500: "A defect of the hub",
    503: "Busy",
}


_MISSING = re.compile(r"Missing required (\w+) parameter '([^']+)'")
_NAMES = {"shown": "state"}
"""Parameters whose name the framework keeps for itself, as they are called in a request."""
MEANINGS = {
    400: "`field` is the part of the request that is wrong, `detail` says how.",
    401: "send a token.",
    404: "nothing goes by that name.",
    405: "this path is asked in another way.",
    409: "several go by that name, `candidates` are their ids; or it contradicts what is held.",
    413: "send a smaller body.",
    422: "it was understood, and is against a rule; or its idempotency key was used for another body.",
    503: "nothing was kept; send it again after `Retry-After`.",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem as RFC 9457 has it. `field` is the path in the request; `candidates` are ids to choose from."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    field: str = ""
    candidates: list[str] = []


def described(*statuses: int) -> dict[int, ResponseSpec]:
    """Errors as the API's own description has them."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            description=f"{TITLES[status]}: {MEANINGS[status]}",
            media_type=MEDIA_TYPE,
        )
        for status in statuses
    }


class KeyConflictError(RejectedError):
    """An idempotency key came again with another body: nothing was done."""

    kind = "idempotency_conflict"


READING = described(400, 401, 404, 405, 409, 503)
"""What a question may be answered instead."""
ACTING = described(400, 401, 404, 405, 409, 413, 422, 503)
"""What a request that changes something may be answered instead."""


def problem(
    status: int,
    detail: str,
    *,
    field: str = "",
    candidates: list[str] | None = None,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    """An answer that says what went wrong."""
    body = Problem(
        title=TITLES.get(status, "Error"),
        status=status,
        detail=detail,
        field=field,
        candidates=candidates or [],
    )
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **(headers or {})},
    )


def on_crossdock_error(request: Request[Any, Any, Any], error: CrossdockError) -> Response[bytes]:
    """One of ours: its class says the status."""
    for kind, status in STATUSES:
        if isinstance(error, kind):
            retry = {"retry-after": "1"} if status == 503 else None
            return problem(status, error.message, field=error.field or "", headers=retry)
    return _defect(request, error)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """One of the framework's: a wrong parameter, an unknown path, a missing token."""
    detail, field = error.detail, ""
    extra = error.extra if isinstance(error.extra, list) else []
    if extra and isinstance(extra[0], dict):
        field = str(extra[0].get("key", ""))
        detail = (
            f"{field}: {extra[0].get('message', detail)}" if field else str(extra[0].get("message", detail))
        )
    else:
        missing = _MISSING.search(detail)
        if missing is not None:
            where, field = missing.groups()
            detail = f"{field}: this {where} is missing. Send it with the request."
    if field in _NAMES:
        detail, field = detail.replace(field, _NAMES[field], 1), _NAMES[field]
    if field == "data":
        field, detail = "body", "body: send a JSON object."
    if error.status_code >= 500:
        return _defect(request, error)
    headers = {"www-authenticate": "Bearer"} if error.status_code == 401 else dict(error.headers or {})
    return problem(error.status_code, _clean(detail), field=_clean(field), headers=headers)


def on_ambiguous(_: Request[Any, Any, Any], error: Ambiguous) -> Response[bytes]:
    """Several orders go by the name."""
    return problem(409, f"{error} Ask for one of them by its id.", candidates=error.found)


def on_anything(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A defect, unless the caller's text could not even be carried."""
    if isinstance(error, UnicodeError):
        return problem(400, "The request holds text that is no Unicode. Send UTF-8.")
    return _defect(request, error)


def _defect(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    return problem(500, "The hub failed on this request. Its log says how; report it with the time.")


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


HANDLERS: dict[Any, Any] = {
    CrossdockError: on_crossdock_error,
    Ambiguous: on_ambiguous,
    HTTPException: on_http_error,
    Exception: on_anything,
}

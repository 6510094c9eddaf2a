"""What went wrong, as a page: in plain words, with the way back."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from crossdock.console.orders import Ambiguous
from crossdock.console.rendering import Pages
from crossdock.console.session import LoginNeeded
from crossdock.errors import (
    ConflictError,
    CrossdockError,
    MappingError,
    NotFoundError,
    RejectedError,
    RetryableError,
    SignatureError,
)

log = logging.getLogger("crossdock")
PAGES = Pages()
Ask = Request[Any, Any, Any]
STATUSES: tuple[tuple[type[CrossdockError], int], ...] = (
    (SignatureError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (MappingError, 400),
    (RejectedError, 422),
    (RetryableError, 503),
)


def _login(request: Ask, needed: LoginNeeded) -> Response[Any]:
    """To the login, and back to where one was; a part of a page is told to fetch itself anew."""
    if request.url.path.startswith("/live") or request.url.path.endswith("/live"):
        return Response("", status_code=401, media_type="text/plain")
    return Redirect(f"/login?then={quote(needed.then, safe='')}", status_code=303)


def _ours(request: Ask, error: CrossdockError) -> Response[str]:
    for kind, status in STATUSES:
        if isinstance(error, kind):
            return PAGES.page("problem.html", status=status, text=error.message, candidates=[])
    return _defect(request, error)


def _ambiguous(_: Ask, error: Ambiguous) -> Response[str]:
    return PAGES.page("problem.html", status=409, text=str(error), candidates=error.found)


def _framework(request: Ask, error: HTTPException) -> Response[str]:
    if error.status_code >= 500:
        return _defect(request, error)
    text = "There is no such page." if error.status_code == 404 else "This request cannot be understood."
    return PAGES.page("problem.html", status=error.status_code, text=text, candidates=[])


def _defect(request: Ask, error: Exception) -> Response[str]:
    log.error("the page %s failed", request.scope["path"], exc_info=error)
    return PAGES.page(
        "problem.html", status=500, text="The hub failed on this page. Its log says how.", candidates=[]
    )


HANDLERS: dict[Any, Any] = {
    LoginNeeded: _login,
    CrossdockError: _ours,
    Ambiguous: _ambiguous,
    HTTPException: _framework,
    Exception: _defect,
}

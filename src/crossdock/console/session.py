"""Who looks at the pages: a token given once becomes a signed cookie; every form carries the proof that it is ours."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar import Request
from litestar.datastructures import Cookie

from crossdock.console.face import Keys
from crossdock.errors import MappingError, SignatureError

COOKIE = "crossdock_session"
SESSION_S = 12 * 3600
FORM_FIELDS_MAX = 20


Ask = Request[Any, Any, Any]


class LoginNeeded(Exception):
    """Nobody is logged in; `then` is where to go on afterwards."""

    def __init__(self, then: str) -> None:
        super().__init__(then)
        self.then = then


class Session(msgspec.Struct, frozen=True):
    """Someone who gave the token of that name. `csrf` stands in every form of theirs."""

    name: str
    csrf: str


def begin(keys: Keys, name: str, request: Ask) -> Cookie:
    """The cookie of a new session. It holds no token, and is worth nothing once the token is withdrawn."""
    expires = int(time.time()) + SESSION_S
    plain = f"{base64.urlsafe_b64encode(name.encode()).decode()}.{expires}"
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
    return Cookie(
        key=COOKIE,
        value=f"{plain}.{_mac(keys, plain)}",
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=secure,
        path="/",
    )


def session_of(keys: Keys, request: Ask) -> Session:
    """The session of a request, or LoginNeeded."""
    found = _read(keys, request.cookies.get(COOKIE, ""))
    if found is None:
        path, query = request.url.path, request.url.query
        raise LoginNeeded(f"{path}?{query}" if query else path)
    return found


def local_path(text: str) -> str:
    """A place of ours to go to, or "/": never another site."""
    inside = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if inside else "/"


def read_form(request: Ask, body: bytes) -> dict[str, str]:
    """The fields of a posted form. One that another site sent is refused."""
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none") or (origin and origin.partition("//")[2] != host):
        raise SignatureError(
            "This form was sent from another page. Open the console itself and send it there."
        )
    try:
        fields = parse_qs(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX, errors="strict"
        )
    except ValueError as error:
        raise MappingError("The form cannot be read. Open the page anew.", field="body") from error
    return {name: values[-1] for name, values in fields.items()}


def require_ours(session: Session, form: dict[str, str]) -> None:
    """Refuse a form that does not come from a page of this session."""
    if not hmac.compare_digest(form.get("csrf", "").encode("utf-8", "replace"), session.csrf.encode()):
        raise SignatureError("This form is not from your session. Open the page anew and send it again.")


def _read(keys: Keys, cookie: str) -> Session | None:
    plain, _, mac = cookie.rpartition(".")
    if not plain or not hmac.compare_digest(mac.encode("utf-8", "replace"), _mac(keys, plain).encode()):
        return None
    encoded, _, expires = plain.rpartition(".")
    try:
        name = base64.urlsafe_b64decode(encoded).decode()
    except (ValueError, binascii.Error):
        return None
    if int(expires) < time.time() or not keys.known(name):
        return None
    return Session(name, _mac(keys, f"csrf {plain}"))


def _mac(keys: Keys, text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), key=keys.session_key, digest_size=24).hexdigest()

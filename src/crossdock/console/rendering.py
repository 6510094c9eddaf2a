"""From data to pages: Jinja with everything escaped, and the few filters that numbers and times need."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

from crossdock.console import words

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
ASSETS = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class Pages:
    """The templates of the console."""

    def __init__(self) -> None:
        self._jinja = Environment(
            loader=PackageLoader("crossdock.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.filters |= {
            "amount": words.amount,
            "clock": clock,
            "iso": datetime.isoformat,
            "span": lambda milliseconds: words.duration(int(milliseconds * 1000)),
            "plain": words.plain,
            "reason": words.reason,
            "operation": words.operation,
            "count": lambda number: f"{number:,}".replace(",", "\u202f"),
        }

    def page(self, template: str, *, status: int = 200, **values: object) -> Response[str]:
        """A page, with everything that keeps a browser from being talked into something."""
        text = self._jinja.get_template(template).render(status=status, **values)
        return Response(text, status_code=status, media_type="text/html; charset=utf-8", headers=HEADERS)


def asset(name: str) -> Response[bytes]:
    """A style sheet or a script, from the package."""
    body = files("crossdock.console").joinpath("assets", name).read_bytes()
    headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
    return Response(body, media_type=ASSETS[name], headers=headers)


def clock(moment: datetime | None) -> str:
    """A time in UTC: of today without its date."""
    if moment is None:
        return "\u2013"
    now = datetime.now(UTC)
    return f"{moment:%H:%M:%S}" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M:%S}"

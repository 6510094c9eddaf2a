"""The API and the console as one ASGI application: what is where, who may, and how it documents itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import NotAuthorizedException
from litestar.handlers.base import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Tag

from crossdock import __version__
from crossdock.bootstrap.gathering import Gathering
from crossdock.console.face import Face
from crossdock.console.pages import console_router
from crossdock.gateway.cases import CasesController
from crossdock.gateway.events import retell
from crossdock.gateway.metrics import metrics, registry_of
from crossdock.gateway.operation import healthz, read_overview, read_proof, readyz, replay, stock
from crossdock.gateway.orders import Keys, OrdersController
from crossdock.gateway.problems import HANDLERS
from crossdock.gateway.tokens import Tokens

if TYPE_CHECKING:
    from crossdock.bootstrap.front import Front

SECURITY: list[dict[str, list[str]]] = [{"token": []}]
DESCRIPTION = """\
The order backbone's API. Orders are posted in the canonical model and kept before they are answered; what becomes of
them is read from their timeline. Every action names its actor and its reason.

Money is in minor units of its currency, ids are strings, times are ISO 8601 in UTC. Errors are problems as RFC 9457 has
them, with the `field` that they are about and what to do. Vendors' webhooks are posted to `/in/{connection}`, signed as
the vendor signs; they are not described here.
"""


def build_app(hub: Front, gathering: Gathering | None = None, tokens: Tokens | None = None) -> Litestar:
    """Everything but the gate for webhooks. The gathering is the gate's, where there is one."""
    tokens = tokens or Tokens.load(hub.config.hub.tokens, hub.config.hub.key)
    face = Face(hub, tokens)
    found = {
        "face": face,
        "gathering": gathering or hub.gathering(),
        "keys": Keys(),
        "registry": registry_of(face),
    }
    guard = _guard(tokens)
    api = Router(
        "/v1",
        route_handlers=[OrdersController, CasesController, stock, read_overview, read_proof, replay, retell],
        guards=[guard],
        security=SECURITY,
    )
    numbers = Router("/", route_handlers=[metrics], guards=[guard], security=SECURITY)
    return Litestar(
        route_handlers=[api, numbers, healthz, readyz, console_router(face)],
        dependencies={name: Provide(_given(value), sync_to_thread=False) for name, value in found.items()},
        exception_handlers=HANDLERS,
        openapi_config=_openapi(),
        request_max_body_size=hub.config.limits.body_bytes_max,
        logging_config=None,
        debug=False,
    )


def _given(value: Any) -> Any:
    return lambda: value


def _guard(tokens: Tokens) -> Any:
    def wants_token(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not tokens.verify(token.strip()):
            raise NotAuthorizedException(
                detail="Send `Authorization: Bearer TOKEN` with a token that `crossdock init` made."
            )

    return wants_token


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Crossdock",
        version=__version__,
        description=DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        path="/schema",
        render_plugins=[JsonRenderPlugin(), YamlRenderPlugin()],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "token": SecurityScheme(
                    type="http", scheme="bearer", description="A token that `crossdock init` made."
                )
            }
        ),
        tags=[
            Tag(name="Orders", description="Orders: taken once, found by any name, told as a story."),
            Tag(name="Cases", description="What waits for a person."),
            Tag(name="Stock", description="What is where, and what the channels were told."),
            Tag(name="Operation", description="How the hub is."),
        ],
    )

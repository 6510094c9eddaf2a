"""Drive a connector's calls against a partner without a wire, and hold what crosses it to the published contract."""

import importlib.resources
from collections.abc import Callable, Mapping
from typing import Any

import jsonschema
import msgspec
import yaml

from crossdock.errors import UnclearError
from crossdock.sdk.calls import Calls, Intent, Outcome, Request, Response, raise_for_reply
from crossdock.simulator.base import SECOND, SimRequest, Simulator

NOW = 1_774_700_000 * SECOND
FIRST = Intent(key="key-1", now="2026-03-28T12:00:00Z")
OTHER = Intent(key="key-2", now="2026-03-28T12:00:30Z")
AGAIN = Intent(key="key-1", may_have_happened=True, attempt=2, now="2026-03-28T12:01:00Z")


def drive(calls: Calls, answer: Callable[[Request], Response]) -> Outcome:
    """Run a call to its outcome, as the engine does."""
    try:
        request = next(calls)
        while True:
            reply = answer(request)
            raise_for_reply(request, reply)
            request = calls.send(reply)
    except StopIteration as end:
        return end.value


class Wire:
    """A simulator as a connector meets it; keeps every request."""

    def __init__(self, simulator: Simulator, headers: Mapping[str, str]) -> None:
        self.simulator = simulator
        self.headers = headers
        self.now = NOW
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        inner = SimRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers={**self.headers, **request.headers},
            body=request.body,
        )
        reply = self.simulator.handle(inner, self.now)
        if reply.cut:
            raise UnclearError(f"{request.method} {request.path} got no whole reply")
        return Response(status=reply.status, headers=reply.headers, body=reply.body)

    def methods(self) -> list[str]:
        return [request.method for request in self.requests]


def canned(*replies: Response) -> Callable[[Request], Response]:
    """A partner that answers with these, one after the other."""
    waiting = list(replies)
    return lambda request: waiting.pop(0)


def reply(value: Any = None, status: int = 200) -> Response:
    return Response(status=status, body=b"" if value is None else msgspec.json.encode(value))


def contract(connector: str) -> dict[str, Any]:
    """The OpenAPI document in a connector's folder."""
    folder = importlib.resources.files(f"crossdock.connectors.{connector}")
    document: dict[str, Any] = yaml.safe_load((folder / "openapi.yaml").read_text())
    return document


def require_schema(document: Mapping[str, Any], name: str, body: bytes) -> None:
    """Fail unless a body is what the contract's schema of that name says, with no field that it does not name."""
    schemas = document["components"]["schemas"]
    parts = {part.get("$ref", "") for schema in schemas.values() for part in schema.get("allOf", ())}
    closed = {
        key: schema if f"#/components/schemas/{key}" in parts else _closed(schema)
        for key, schema in schemas.items()
    }
    root = {"components": {"schemas": closed}, "$ref": f"#/components/schemas/{name}"}
    jsonschema.Draft202012Validator(root | {"unevaluatedProperties": False}).validate(
        msgspec.json.decode(body)
    )


def _closed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Forbid fields that a schema does not list, so that the document cannot fall behind the code."""
    return {**schema, "unevaluatedProperties": False} if schema.get("type") == "object" else schema

"""The AsyncAPI 3.0 document of the events that the hub tells: `contracts/asyncapi.yaml`, made from the contracts.

It is written as JSON, which is YAML too: the same text for the same code. Schemas are written in JSON Schema draft 7, which is
what AsyncAPI reads them by.
"""

from __future__ import annotations

import inspect
import json
import types
import typing
from typing import Any

import msgspec

from crossdock.model.contracts import tidy
from crossdock.model.event_orders import Data
from crossdock.model.event_types import BUSINESS, EVENT_TYPES

FILE = "asyncapi.yaml"
VERSION = "1"
COMMENT = "# Made by `python -m crossdock.model.contracts`; a test holds it to the code.\n"
CONTENT_TYPE = "application/cloudevents+json"
_SAMPLES: dict[Any, Any] = {str: "text", int: 1, bool: True}
_TEXT = {"type": "string", "minLength": 1}
_ABOUT = """\
What happened to orders, stock and money, told to subscribers as CloudEvents 1.0 in the structured mode: over HTTP as
signed webhooks (Standard Webhooks), into NATS JetStream, into Kafka. Each event at least once, under an id that never
changes; in order per order. See docs/EVENTS.md."""


def document() -> dict[str, Any]:
    """The document as plain values."""
    schemas, components = msgspec.json.schema_components(
        sorted(set(EVENT_TYPES.values()), key=lambda type_: type_.__name__),
        ref_template="#/components/schemas/{name}",
    )
    refs = {schema["$ref"].rpartition("/")[2]: schema for schema in schemas}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:crossdock:events",
        "info": {
            "title": "Crossdock events",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            "events": {
                "address": None,
                "description": "The subscriber's address, the subject (crossdock.TYPE) or the topic, as configured.",
                "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in EVENT_TYPES},
            }
        },
        "operations": {
            "tell": {
                "action": "send",
                "channel": {"$ref": "#/channels/events"},
                "summary": "Tell a subscriber what happened",
                "messages": [{"$ref": f"#/channels/events/messages/{type_}"} for type_ in EVENT_TYPES],
            }
        },
        "components": {
            "messages": {
                type_: _message(type_, data, refs[data.__name__]) for type_, data in EVENT_TYPES.items()
            },
            "schemas": {
                "CloudEvent": _envelope(),
                **{name: _older(tidy(s)) for name, s in components.items()},
            },
        },
    }


def text() -> str:
    """The document as it is published."""
    return COMMENT + json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def _message(type_: str, data: type[Data], ref: dict[str, Any]) -> dict[str, Any]:
    quiet = "" if type_ in BUSINESS else " Told only to those who ask for it by name: nothing has changed."
    return {
        "name": type_,
        "title": type_,
        "summary": inspect.cleandoc(data.__doc__ or "").partition("\n")[0] + quiet,
        "contentType": CONTENT_TYPE,
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEvent"},
                {"type": "object", "properties": {"type": {"const": type_}, "data": ref}},
            ]
        },
        "examples": [{"payload": _example(type_, data)}],
    }


def _envelope() -> dict[str, Any]:
    """What is always in the envelope, besides what the standard allows."""
    optional = (
        "traceparent",
        "tracestate",
        "correlationid",
        "causationid",
        "sequence",
        "partitionkey",
        "dataschema",
    )
    return {
        "type": "object",
        "description": "CloudEvents 1.0. `source` and `id` together are unique: drop what you have seen.",
        "required": ["specversion", "id", "source", "type", "subject", "time"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _TEXT,
            "source": {**_TEXT, "format": "uri-reference"},
            "type": _TEXT,
            "subject": {**_TEXT, "description": "The order that it is about, as the hub calls it"},
            "time": {"type": "string", "format": "date-time", "description": "When it was decided"},
            "datacontenttype": {"const": "application/json"},
            **dict.fromkeys(optional, _TEXT),
            "data": {"type": "object"},
        },
    }


def _example(type_: str, data: type[Data]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "CD0000000042.1337.0",
        "source": "urn:crossdock:crossdock",
        "type": type_,
        "subject": "CD0000000042",
        "time": "2026-03-28T12:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": f"urn:crossdock:event:{type_}:1",
        "correlationid": "0af7651916cd43dd8448eb211c80319c",
        "causationid": "1337",
        "sequence": "01774699200000000-000000001337-0000",
        "partitionkey": "CD0000000042",
        "data": {field.encode_name: _sample(field.type) for field in msgspec.structs.fields(data)},
    }


def _sample(type_: Any) -> Any:
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is list:
        return [_sample(arguments[0])]
    if origin is tuple:
        return [_sample(part) for part in arguments]
    if origin in (typing.Union, types.UnionType):
        return _sample(arguments[0])
    return _SAMPLES[type_]


def _older(value: Any) -> Any:
    """Tuples as draft 7 writes them."""
    if isinstance(value, list):
        return [_older(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: _older(item) for key, item in value.items()}
    if "prefixItems" in value:
        value["items"] = value.pop("prefixItems")
        value["additionalItems"] = False
    return value

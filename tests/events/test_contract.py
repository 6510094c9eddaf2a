"""Every event that the hub tells has a contract, and the contract has no event that nobody tells."""

import ast
import importlib.resources
import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

import crossdock
from crossdock.engine.messages import SETTLED, Event, Message
from crossdock.flows.announcing import Announcer
from crossdock.flows.handler import _OWN
from crossdock.model.asyncapi import document, text
from crossdock.model.commands import Tell
from crossdock.model.event_types import BOOKKEEPING, BUSINESS, EVENT_TYPES
from crossdock.sdk.telling import Wants, encoded
from tests.events.contract import require_contract

SOURCE = Path(str(importlib.resources.files(crossdock)))
FORMED = {"effect.", "_due", ".duplicate_ignored"}
"""Parts of types that are formed as the hub runs; each of their values stands in the contract."""


def told():
    """Every type that the code of flows and engine tells, as text or as (beginning, end)."""
    for path in [*SOURCE.glob("flows/*.py"), *SOURCE.glob("engine/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0] if node.args else None
            if name == "Event":
                first = next((k.value for k in node.keywords if k.arg == "type"), first)
            if name in ("event", "Event") and first is not None:
                yield path.name, first


def types():
    literal, formed = set(), set()
    for where, node in told():
        if isinstance(node, ast.Constant):
            literal.add(node.value)
        elif isinstance(node, ast.IfExp):
            literal |= {node.body.value, node.orelse.value}
        elif isinstance(node, ast.JoinedStr):
            formed |= {part.value for part in node.values if isinstance(part, ast.Constant)}
        else:
            assert isinstance(node, ast.Name), (where, ast.dump(node))
    return literal, formed


def test_every_type_that_the_code_tells_has_a_contract():
    literal, formed = types()
    assert len(literal) > 40
    assert literal - set(EVENT_TYPES) == set(), "give these a contract in crossdock/model/event_types.py"
    assert formed == FORMED


def test_no_contract_is_left_over():
    literal, _ = types()
    by_name = {"request.short", "request.refused"}  # chosen into a variable first
    rest = {
        type_ for type_ in set(EVENT_TYPES) - literal - by_name if not any(part in type_ for part in FORMED)
    }
    assert rest == set()


def test_business_and_bookkeeping_are_two_kinds():
    assert not set(BUSINESS) & set(BOOKKEEPING)
    assert SETTLED in _OWN


def test_a_field_too_many_or_of_another_kind_is_found():
    require_contract("order.overdue", {"stage": "held"})
    for wrong in ({"stage": 1}, {}, {"stage": "held", "more": 1}):
        with pytest.raises(AssertionError):
            require_contract("order.overdue", wrong)
    with pytest.raises(AssertionError):
        require_contract("order.sung", {})


def test_what_is_told_is_a_cloud_event(shared):
    schema = json.loads((shared / "specs" / "cloudevents" / "cloudevents.json").read_text())
    validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())
    message = Message(
        id=7,
        source="shop",
        kind="x",
        subject=3,
        lane=0,
        attempt=0,
        received_at=0,
        trace="a" * 32 + "-00 vendor=1",
        headers={},
        body=b"",
    )
    events = [Event(type="order.overdue", data={"stage": "held"}), Event(type="reservation.expired")]
    stages = Announcer("urn:crossdock:test", {"audit": Wants({})})(message, events, 1_774_699_200_000_000)
    assert [stage.intent for stage in stages] == ["7.0", "7.1"]
    for stage in stages:
        told = json.loads(encoded(msgspec.json.decode(stage.command, type=Tell).event))
        validator.validate(told)
        assert told["id"] == f"CD0000000003.{stage.intent}"
        assert told["time"] == "2026-03-28T12:00:00Z"
        assert told["traceparent"] == f"00-{'a' * 32}-0000000000000007-00"
        assert (told["tracestate"], told["correlationid"]) == ("vendor=1", "a" * 32)
        assert all(key.isalnum() and key.islower() for key in told), (
            "names of attributes (CloudEvents 1.0, 3.1)"
        )


# AsyncAPI


def test_the_published_document_is_what_the_code_says(repository):
    path = repository / "contracts" / "asyncapi.yaml"
    assert path.is_file(), "contracts/asyncapi.yaml is missing; run `make contracts`"
    assert path.read_text(encoding="utf-8") == text(), (
        "contracts/asyncapi.yaml is not the code's; run `make contracts`"
    )


def test_the_document_is_json_too():
    assert json.loads(text().partition("\n")[2]) == document()


def refs(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from refs(item)


def resolve(root, ref):
    assert ref.startswith("#/"), ref
    value = root
    for part in ref[2:].split("/"):
        value = value[part.replace("~1", "/").replace("~0", "~")]
    return value


def test_every_reference_of_the_document_leads_somewhere():
    root = document()
    found = list(refs(root))
    assert len(found) > len(EVENT_TYPES)
    for ref in found:
        assert resolve(root, ref) is not None


NAME = {"type": "string", "pattern": "^[A-Za-z0-9._-]+$"}
REF = {
    "type": "object",
    "properties": {"$ref": {"type": "string"}},
    "required": ["$ref"],
    "additionalProperties": False,
}
ESSENCE = {
    "type": "object",
    "required": ["asyncapi", "info", "channels", "operations", "components"],
    "additionalProperties": False,
    "properties": {
        "asyncapi": {"const": "3.0.0"},
        "id": {"type": "string", "format": "uri"},
        "info": {"type": "object", "required": ["title", "version"]},
        "defaultContentType": {"type": "string"},
        "channels": {
            "type": "object",
            "propertyNames": NAME,
            "additionalProperties": {
                "type": "object",
                "required": ["address", "messages"],
                "properties": {
                    "address": {"type": ["string", "null"]},
                    "messages": {"type": "object", "propertyNames": NAME, "additionalProperties": REF},
                },
            },
        },
        "operations": {
            "type": "object",
            "propertyNames": NAME,
            "additionalProperties": {
                "type": "object",
                "required": ["action", "channel"],
                "properties": {
                    "action": {"enum": ["send", "receive"]},
                    "channel": REF,
                    "messages": {"type": "array", "items": REF},
                },
            },
        },
        "components": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "messages": {
                    "type": "object",
                    "propertyNames": NAME,
                    "additionalProperties": {
                        "type": "object",
                        "required": ["name", "contentType", "payload"],
                    },
                },
                "schemas": {"type": "object", "propertyNames": NAME},
            },
        },
    },
}
"""What AsyncAPI 3.0.0 asks of the parts that the document uses."""


def test_the_document_is_asyncapi():
    jsonschema.Draft202012Validator(ESSENCE).validate(document())


def test_the_hub_sends_every_event_over_a_channel_of_its_own_operation():
    root = document()
    (operation,) = root["operations"].values()
    assert operation["action"] == "send"
    names = {ref["$ref"].rpartition("/")[2] for ref in operation["messages"]}
    assert names == set(EVENT_TYPES)


@pytest.mark.parametrize("type_", sorted(EVENT_TYPES))
def test_a_message_of_each_type_validates_events_of_it_and_no_others(type_):
    root = document()
    message = root["components"]["messages"][type_]
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **message["payload"],
        "components": root["components"],
    }
    validator = jsonschema.Draft7Validator(schema)
    jsonschema.Draft7Validator.check_schema(schema)
    example = message["examples"][0]["payload"]
    validator.validate(example)
    require_contract(type_, example.get("data", {}))
    assert not validator.is_valid(example | {"type": "another"})
    assert not validator.is_valid({k: v for k, v in example.items() if k != "id"})
    msgspec.convert(example.get("data", {}), EVENT_TYPES[type_])

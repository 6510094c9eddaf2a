"""Whatever a partner sends or answers: connectors understand it, or say what is wrong with it, and soon."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import MappingError, SignatureError
from crossdock.model.reports import Report
from crossdock.sdk.spec import Translation
from crossdock.sdk.translate import translate_file
from tests.fuzz.budget import examples, in_time
from tests.fuzz.mutate import TEXTS, bodies_of
from tests.fuzz.samples import CONNECTORS, KINDS, SAMPLES, headers_of

CONTEXT = Translation(connection="c", subject="CD0000000001", received_at="2026-03-28T12:00:00Z")


def require_told(error):
    """An error says something, in words that can be written down."""
    if not error.message or (error.message + (error.field or "")).encode() == b"":
        pytest.fail(f"an error that says nothing: {error!r}")


def taken(name, kind, headers, body):
    """Read a body as a hub does: gate, split, translate; every report can be written and read again."""
    connector = CONNECTORS[name]
    with in_time(body[:200]):
        try:
            gate = connector.gate(headers, body)
            assert all(isinstance(field, str) for field in msgspec.structs.astuple(gate))
        except MappingError as error:
            require_told(error)
        try:
            children = connector.split(kind, body)
            pieces = [(kind, body)] if children is None else [(child.kind, child.body) for child in children]
        except MappingError as error:
            require_told(error)
            return
        for piece, inner in pieces:
            try:
                reports = connector.translate(piece, headers, inner, CONTEXT)
            except MappingError as error:
                require_told(error)
                continue
            for report in reports:
                msgspec.json.decode(msgspec.json.encode(report), type=Report)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_the_samples_themselves_are_understood(name, kind):
    connector, body = CONNECTORS[name], SAMPLES[name][kind]
    headers = headers_of(name, kind, body, "s" if name != "shopify" else "secret")
    children = connector.split(kind, body)
    pieces = [(kind, body)] if children is None else [(child.kind, child.body) for child in children]
    assert pieces
    for piece, inner in pieces:
        connector.translate(piece, headers, inner, CONTEXT)


@pytest.mark.fault(47)
@pytest.mark.fault(54)
@pytest.mark.parametrize(("name", "kind"), KINDS)
@given(data=st.data())
@examples(40)
def test_a_mutated_body_is_understood_or_named(name, kind, data):
    body = data.draw(bodies_of(SAMPLES[name][kind]))
    taken(name, kind, headers_of(name, kind, body), body)


@pytest.mark.fault(47)
@pytest.mark.parametrize("name", CONNECTORS)
@given(
    kind=TEXTS, body=st.binary(max_size=300), headers=st.dictionaries(TEXTS.map(str.lower), TEXTS, max_size=4)
)
@examples(150)
def test_no_headers_and_no_bytes_make_a_connector_fail(name, kind, body, headers):
    headers = headers_of(name, kind, body) | headers
    taken(name, kind, headers, body)
    try:
        CONNECTORS[name].verify(headers, body)
    except SignatureError as error:
        require_told(error)


@pytest.mark.fault(47)
@pytest.mark.parametrize("name", CONNECTORS)
@given(data=st.data())
@examples(100)
def test_no_file_makes_the_rehearsal_of_a_translation_fail(name, data):
    kind = data.draw(st.sampled_from(sorted(SAMPLES[name])))
    wrapped = b'{"topic": "%s", "headers": {"a": "b"}, "body": %s}' % (kind.encode(), SAMPLES[name][kind])
    body = data.draw(bodies_of(wrapped))
    with in_time(body[:200]):
        found = translate_file(CONNECTORS[name], body, data.draw(st.sampled_from([None, kind])), "c")
    assert found.ok or found.error.message

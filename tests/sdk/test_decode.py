"""What strangers send, and the place that each mistake is told by (FAULTS.md 47)."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import MappingError
from crossdock.sdk.decode import decode, require_plain_json


class Line(msgspec.Struct):
    sku: str
    quantity: int = 0


class Order(msgspec.Struct):
    id: str
    lines: list[Line] = []


HOSTILE = [
    (b'{"lines":[]}', "id"),
    (b'{"id":"1","lines":[{"sku":"a"},{}]}', "lines[1].sku"),
    (b'{"id":"1","lines":[{"sku":"a","quantity":"2"}]}', "lines[0].quantity"),
    (b'{"id":"1","lines":[{"sku":"a","quantity":2.0}]}', "lines[0].quantity"),
    (b'{"id":"1","id":"2"}', "id"),
    (b'{"id":"1","x":{"y":[{"z":1,"z":1}]}}', "x.y[0].z"),
    (b'{"id":"1","x":"\\u003a","id":"2"}', "id"),
    (b'{"id":"a\\u0000b"}', "id"),
    (b'{"id":"1","lines":[{"sku":"\\ud800"}]}', "lines[0].sku"),
    (b'{"id":"1","x":NaN}', "x"),
    (b'{"id":"1","x":-Infinity}', "x"),
    (b'{"id":"1","x":1e999}', "x"),
    (b'{"id":"1","x":' + b"9" * 5000 + b"}", "x"),
    (b'{"id":"1","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "body"),
    (b'{"id":"\xff"}', "body"),
    (b'{"id":"1"} {"id":"2"}', "body"),
    (b"<html>", "body"),
    (b"[]", "body"),
    (b"", "body"),
]


@pytest.mark.fault(47)
@pytest.mark.parametrize(("body", "field"), HOSTILE)
def test_hostile_json_is_refused_by_the_place_of_its_mistake(body, field):
    with pytest.raises(MappingError) as caught:
        decode(body, Order)
    assert caught.value.field == field


def test_unknown_fields_are_skipped():
    assert decode(b'{"id":"1","new":{"deep":[1,2]}}', Order) == Order(id="1")


def test_an_escaped_colon_is_not_taken_for_a_second_key():
    assert decode(b'{"id":"a\\u003Ab"}', Order) == Order(id="a:b")


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_whatever_one_writer_writes_once_is_plain(value):
    require_plain_json(msgspec.json.encode(value))
    require_plain_json(json.dumps(value).encode())


@pytest.mark.fault(47)
@given(st.binary(max_size=60))
def test_any_bytes_at_all_are_an_order_or_a_mapping_error(body):
    with contextlib.suppress(MappingError):
        assert isinstance(decode(body, Order), Order)

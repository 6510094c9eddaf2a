"""What strangers make of a good body: bytes that are flipped, cut, doubled and put in; members that vanish or lie."""

import json
from copy import deepcopy

from hypothesis import strategies as st

DEEP = 3_000
TOKENS = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 400,
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b'"',
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\x00",
    b"\xef\xbb\xbf",
    b"\x1b[2J",
    b"null",
    b"{}",
    b",",
    b"}",
    b"]",
    b"-",
    b"0",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
)
TEXTS = st.sampled_from(
    (
        "",
        "\0",
        "\ud800",
        "NaN",
        "-0",
        "1e400",
        "1E-400",
        "0.1",
        "-1.00",
        "9" * 400,
        "٣",
        "1_0",
        "0x1",
        "a" * 5_000,
        "../../etc/passwd",
        "=cmd()",
        "<script>alert(1)</script>",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-02-30T25:61:00Z",
        "2026-03-29T02:30:00+01:00",
        "EUR",
        "JPY",
        "KWD",
        "ZZZ",
        "no_such_value",
        "\u202e\u0000",
        "'; drop table inbox; --",
    )
) | st.text(max_size=12)
NUMBERS = st.sampled_from(
    (0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 0.1, 1e308, -0.0)
)
ODD = st.sampled_from((float("nan"), float("inf"), None, True, False, [], {}, [[]], [None], {"": None}))
VALUES = st.recursive(
    TEXTS | NUMBERS | ODD | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
TWICE = "stands twice"


@st.composite
def bytes_of(draw, raw):
    """A body after one to three accidents to its bytes."""
    body = bytearray(raw)
    for _ in range(draw(st.integers(1, 3))):
        at, end = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
        accident = draw(st.sampled_from(("flip", "cut", "drop", "double", "put", "replace")))
        if accident == "flip" and at < len(body):
            body[at] ^= 1 << draw(st.integers(0, 7))
        elif accident == "cut":
            del body[at:]
        elif accident == "drop":
            del body[at:end]
        elif accident == "double":
            body[at:at] = body[at:end]
        elif accident == "put":
            body[at:at] = draw(st.sampled_from(TOKENS))
        elif accident == "replace":
            body[at : at + draw(st.integers(1, 4))] = draw(st.sampled_from(TOKENS))
    return bytes(body)


@st.composite
def json_of(draw, raw):
    """A body whose members were replaced, dropped, doubled, buried or swapped: mostly JSON, seldom what was agreed."""
    body, doubled = json.loads(raw), []
    for _ in range(draw(st.integers(1, 4))):
        found = list(places(body))
        if not found:
            break
        path = draw(st.sampled_from(found))
        parent = at(body, path[:-1])
        change = draw(st.sampled_from(("set", "set", "set", "drop", "double", "bury", "swap")))
        if change == "set":
            parent[path[-1]] = deepcopy(draw(VALUES))
        elif change == "drop":
            del parent[path[-1]]
        elif change == "double" and isinstance(parent, dict):
            parent[TWICE + str(len(doubled))] = deepcopy(draw(VALUES))
            doubled.append(path[-1])
        elif change == "bury":
            for _ in range(draw(st.integers(1, 60))):
                parent[path[-1]] = [parent[path[-1]]]
        elif change == "swap":
            other = draw(st.sampled_from(found))
            value = at(body, path)
            holder = at(body, other[:-1], default=None)
            if isinstance(holder, dict):
                holder[other[-1]] = json.loads(json.dumps(value))
    text = json.dumps(body, ensure_ascii=draw(st.booleans()))
    for number, name in enumerate(doubled):
        text = text.replace(json.dumps(TWICE + str(number)), json.dumps(name))
    return text.encode("utf-8", "surrogatepass")


def bodies_of(raw):
    """Anything that may become of a body of JSON."""
    return bytes_of(raw) | json_of(raw)


def places(value, path=()):
    """The path of every member and item."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*path, key)
        yield from places(below, (*path, key))


def at(value, path, default=...):
    """What stands at a path."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            if default is ...:
                raise
            return default
    return value

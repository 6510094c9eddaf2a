"""An upload in which something cannot be read: the bad ticket stands alone with its own bytes, the others are taken."""

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.connectors.till import build
from crossdock.connectors.till.cutting import DEPTH_MAX, cut
from crossdock.errors import MappingError
from crossdock.sdk.spec import Translation
from tests.flows.stores import line, ticket
from tests.fuzz.budget import examples, in_time

CONNECTOR = build({"webhook_secret": "s"})
CONTEXT = Translation(connection="pos", subject="")
BAD = {
    "half a surrogate pair": lambda raw: raw.replace(b'"SKU-1"', b'"\\ud800"'),
    "no UTF-8": lambda raw: raw.replace(b'"SKU-1"', b'"\xff\xfe"'),
    "a NaN": lambda raw: raw.replace(b'"total":1000', b'"total":NaN'),
    "cut off in an object": lambda raw: raw[: raw.index(b',"tax"')],
    "cut off in a text": lambda raw: raw[: raw.index(b"KU-1")],
    "cut off in an array": lambda raw: raw[: raw.index(b"}],")],
    "a bracket too many": lambda raw: raw[:-1] + b"]}",
    "a line break in a text": lambda raw: raw.replace(b"SKU-1", b"SKU\n1"),
    "nested too deeply": lambda raw: raw[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
}
WAYS = st.sampled_from(sorted(BAD))


def raw(n):
    return msgspec.json.encode(ticket(n))


def upload(*tickets, between=b",", head=b""):
    return b'{"upload":"U1","tickets":[' + between.join(tickets) + b"]" + head + b"}"


def taken(body):
    """What becomes of an upload: refs of what can be read, bytes of what cannot."""
    refs, alone = [], []
    waiting = list(CONNECTOR.split("tickets", body))
    while waiting:
        child = waiting.pop(0)
        if child.kind == "tickets":
            waiting = [*CONNECTOR.split("tickets", child.body), *waiting]
        elif child.kind == "ticket":
            try:
                CONNECTOR.translate(child.kind, {}, child.body, CONTEXT)
                refs.append(int(child.ref.rpartition("/")[2]))
            except MappingError:
                alone.append(child.body)
    return refs, alone


@pytest.mark.fault(47)
@pytest.mark.parametrize("way", sorted(BAD))
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_ticket_that_makes_an_upload_unreadable_stands_alone_with_its_own_bytes(way, place):
    tickets = [raw(n) for n in (1, 2, 3)]
    tickets[place] = BAD[way](tickets[place])
    refs, alone = taken(upload(*tickets))
    assert refs == [n for n in (1, 2, 3) if n != place + 1]
    # A bracket too many ends its ticket, and is one bad thing more.
    assert b"".join(alone) == tickets[place]
    assert len(alone) <= 2


def test_what_stands_between_tickets_and_is_none_stands_alone():
    assert taken(upload(raw(1) + b"}", raw(2), b"]", raw(3), b"NaN", raw(4))) == (
        [1, 2, 3, 4],
        [b"}", b"]", b"NaN"],
    )


def test_what_the_upload_states_is_compared_with_all_that_it_holds():
    tickets = [raw(1), BAD["cut off in a text"](raw(2)), raw(3)]
    body = upload(*tickets, head=b',"control":{"tickets":3,"total":2000}')
    head = next(child for child in CONNECTOR.split("tickets", body) if child.kind == "upload.control")
    (report,) = CONNECTOR.translate(head.kind, {}, head.body, CONTEXT)
    assert (report.tickets, report.stated_tickets, report.total, report.stated_total) == (3, 3, 2000, 2000)


def test_a_head_that_cannot_be_read_stands_alone_and_holds_no_ticket_back():
    body = upload(raw(1), raw(2), head=b',"control":{"tickets":"two"}')
    head, *tickets = CONNECTOR.split("tickets", body)
    assert (head.kind, [child.ref for child in tickets]) == ("upload.control", ["berlin/T1/1", "berlin/T1/2"])
    with pytest.raises(MappingError):
        CONNECTOR.translate(head.kind, {}, head.body, CONTEXT)


def test_an_upload_that_is_cut_off_loses_its_last_ticket_only():
    body = upload(*(raw(n) for n in range(200)))
    refs, alone = taken(body[: -len(raw(199)) // 2])
    assert (refs, len(alone)) == (list(range(199)), 1)


def test_pieces_hold_what_can_be_read_and_the_rest_stands_beside_them():
    tickets = [raw(n) for n in range(120)]
    tickets[7] = BAD["a NaN"](tickets[7])
    tickets[60] = BAD["cut off in an object"](tickets[60])
    children = list(CONNECTOR.split("tickets", upload(*tickets)))
    assert [child.kind for child in children] == ["ticket"] * 2 + ["tickets"] * 24
    refs, alone = taken(upload(*tickets))
    assert refs == [n for n in range(120) if n not in (7, 60)]
    assert alone == [tickets[7], tickets[60]]


def test_what_is_no_upload_at_all_is_told_as_before():
    for body in (b"", b"nothing", b'{"tickets":7}', b'{"upload":"U1"}', b"\xff", b"[" * 100_000):
        with pytest.raises(MappingError):
            list(CONNECTOR.split("tickets", body))


def test_too_many_tickets_are_too_many_where_one_is_bad():
    body = upload(*([b'{"store":1}'] * 20_000), b"{")
    with pytest.raises(MappingError, match="up to 20000"):
        CONNECTOR.split("tickets", body)


SPACE = st.sampled_from([b"", b" ", b"\n  "])


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | WAYS), min_size=1, max_size=8), SPACE)
@examples(100)
def test_whichever_tickets_are_bad_the_others_are_taken_in_their_order(given_tickets, space):
    written = [BAD[way](raw(n)) if way else raw(n) for n, way in given_tickets]
    if not any(way for _, way in given_tickets):
        written.append(BAD["a NaN"](raw(11)))
    refs, alone = taken(upload(*written, between=space + b"," + space))
    assert refs == [n for n, way in given_tickets if not way]
    ways = [way for _, way in given_tickets] + ["a NaN"]
    bad = [each for each, way in zip(written, ways, strict=False) if way]
    assert sorted(b"".join(alone)) == sorted(b"".join(bad))


@given(st.lists(st.integers(0, 99), max_size=5), st.lists(st.tuples(st.integers(0), st.binary(max_size=4))))
@examples(200)
def test_whatever_is_written_over_an_upload_nothing_is_made_up_and_it_ends(numbers, strokes):
    body = bytearray(upload(*map(raw, numbers), head=b',"control":{"tickets":1}'))
    for at, stroke in strokes:
        body[at % len(body) : at % len(body) + len(stroke)] = stroke
    with in_time(bytes(body)):
        parts = cut(bytes(body), 20_000)
        try:
            children = list(CONNECTOR.split("tickets", bytes(body)))
        except MappingError:
            return
    assert all(child.body for child in children)
    at = 0
    for each in () if parts is None else parts.tickets:
        at = bytes(body).index(each, at) + len(each)


@pytest.mark.parametrize(
    "unit",
    [
        b'{"store":"',
        b'"',
        b'\\"',
        b'"\\"',
        b"[",
        b"{",
        b"]",
        b"}",
        b", ",
        b'{"store":{',
        b'{"a":[',
        b'"tickets":[',
    ],
)
def test_a_hostile_upload_takes_time_in_proportion_to_its_size(unit):
    def seconds(size):
        body = b'{"tickets":[' + unit * (size // len(unit))
        started = time.process_time()
        cut(body, 10**9)
        return time.process_time() - started

    small = max(seconds(100_000), 0.02)
    assert seconds(800_000) < 8 * small * 4


def test_brackets_are_followed_so_deep_and_no_deeper():
    deep = b'{"x":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}"
    parts = cut(upload(deep, b'{"store":1}', b"{"), 10)
    assert parts is not None
    assert parts.tickets == [deep, b'{"store":1}', b"{"]


def test_a_ticket_that_is_cut_within_is_read_by_its_own_connection():
    body = upload(BAD["a NaN"](msgspec.json.encode(ticket(1, line("SKU-1"), line("SKU-2")))), raw(2))
    good = [child for child in CONNECTOR.split("tickets", body) if child.ref == "berlin/T1/2"]
    (report,) = CONNECTOR.translate("ticket", {}, good[0].body, CONTEXT)
    assert report.ticket.external_id == "berlin/T1/2"

"""An upload that is no JSON as a whole, cut between its tickets, so that only those that cannot be read stand alone.

A ticket ends where its brackets do. One that is cut off, even within a text, ends at the latest where the next begins:
at an object of the array that starts with a key that only a ticket has, for within a text its quotes would be escaped. Each byte
is looked at once, whatever is wrong with it. Pure.
"""

from __future__ import annotations

import re

import msgspec

DEPTH_MAX = 64
"""Brackets within one another in a ticket; what goes deeper is cut off there, and cannot be read."""
_ARRAY = re.compile(rb'"tickets"[ \t\r\n]*:[ \t\r\n]*\[')
_START = re.compile(
    rb"[,\[][ \t\r\n]*(?=\{[ \t\r\n]*"
    rb'"(?:store|till|sequence|at|currency|business_date|lines|charges|tenders|total|tip|rounding|cashier|training|original'
    rb'|prices_include_tax)"[ \t\r\n]*:)'
)
_TOKEN = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\.)*+"|\\.|[\[\]{},]', re.DOTALL)
_BETWEEN = b" \t\r\n,"
_OPENS = {b"{": b"}", b"[": b"]"}
_CLOSES = frozenset(_OPENS.values())
_skip = msgspec.json.Decoder(msgspec.Raw).decode


class Cut(msgspec.Struct, frozen=True):
    """An upload in parts. head: all of it but its tickets. Each ticket is as it came, readable or not."""

    head: bytes
    tickets: list[bytes]


def cut(body: bytes, tickets_max: int) -> Cut | None:
    """The tickets of an upload and what stands around them; None where no array of tickets begins in it.

    There is at most one ticket more than `tickets_max` in it, however many there are.
    """
    found = _ARRAY.search(body)
    if found is None:
        return None
    before, at = body[: found.end()], found.end()
    starts = [match.end() for match in _START.finditer(body, at - 1)]
    starts.reverse()
    tail = body.rfind(b"]", at)
    if tail < 0 or not can_be_read(before + body[tail:]):
        tail = len(body)
    tickets: list[bytes] = []
    while len(tickets) <= tickets_max:
        at = _past(body, at)
        while starts and starts[-1] <= at:
            starts.pop()
        if at >= len(body) or (body[at : at + 1] == b"]" and not starts):
            break
        end = _next(body, at, starts[-1] if starts else 0, tail)
        tickets.append(body[at:end].rstrip(_BETWEEN))
        at = end
    return Cut(before + (body[at:] if body[at : at + 1] == b"]" else b"]}"), tickets)


def can_be_read(ticket: bytes) -> bool:
    """Whether it is one JSON value."""
    try:
        _skip(ticket)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _past(body: bytes, at: int) -> int:
    while at < len(body) and body[at] in _BETWEEN:
        at += 1
    return at


def _next(body: bytes, at: int, start: int, tail: int) -> int:
    """Where the value that begins here ends. start: of the next ticket, 0 for none; tail: the likely end of the array."""
    if start:
        if can_be_read(body[at:start].rstrip(_BETWEEN)):
            return start
        return _end(body, at, start, start)
    return _end(body, at, len(body), tail if tail > at else len(body))


def _end(body: bytes, at: int, limit: int, broken: int) -> int:
    """The end by brackets, or of what stands before the next comma; `broken` where they do not fit or pass the limit."""
    waiting: list[bytes] = []
    for match in _TOKEN.finditer(body, at):
        token = match.group()
        if match.end() > limit:
            return broken
        if token in _OPENS:
            waiting.append(_OPENS[token])
            if len(waiting) > DEPTH_MAX:
                return broken
        elif waiting and token == waiting[-1]:
            waiting.pop()
            if not waiting:
                return match.end()
        elif token in _CLOSES:
            return broken if waiting else max(match.start(), at + 1)
        elif token == b"," and not waiting:
            return match.start()
    return broken

"""Mistakes of partners are told in words: what must stand there, what came, and nothing of a person."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
import pytest

from crossdock.errors import MappingError
from crossdock.sdk.decode import decode


class Cash(msgspec.Struct, tag="cash"):
    given: int


class Card(msgspec.Struct, tag="card"):
    brand: Literal["visa", "amex"]


class Line(msgspec.Struct, rename="camel"):
    net_amount: int
    paid_by: Literal["cash", "card"] | None = None
    count: Annotated[int, msgspec.Meta(ge=1)] = 1


class Sale(msgspec.Struct):
    lines: list[Line] = []
    by_store: dict[str, Line] = {}
    at: datetime | None = None
    instant: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    day: date | None = None
    rate: Decimal | None = None
    tender: Cash | Card | None = None
    name: str = ""
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=3, pattern="^[A-Z]*$")] = "A"


TIME = "a time such as 2026-03-01T09:30:00+01:00"
WHOLE = "it must be a whole number (money in minor units: 1999 cents for 19.99)"
TOLD = [
    ('{"lines":[{"netAmount":19.99}]}', "lines[0].netAmount", f"{WHOLE}, and is 19.99"),
    (
        '{"lines":[{"netAmount":"19.99"}]}',
        "lines[0].netAmount",
        "it must be a whole number, and is the text '19.99'",
    ),
    ('{"by_store":{"a.b":{"netAmount":1.5}}}', "by_store[...].netAmount", f"{WHOLE}, and is a number"),
    (
        '{"lines":[{"netAmount":1,"count":0}]}',
        "lines[0].count",
        "it must be a whole number of at least 1, and is 0",
    ),
    ('{"lines":[{"netAmount":1,"paidBy":"Karte"}]}', "lines[0].paidBy", "'Karte' is not one of card, cash"),
    ('{"tender":{"type":"card","brand":"diners"}}', "tender.brand", "'diners' is not one of amex, visa"),
    ('{"tender":{"type":"cheque"}}', "tender.type", "'cheque' is not one of cash, card"),
    ('{"tender":{"type":1}}', "tender.type", "it must be a text"),
    ('{"lines":[{}]}', "lines[0].netAmount", "it is missing"),
    ('{"lines":{}}', "lines", "it must be a list, and is an object"),
    ('{"at":"01.03.2026 9:30"}', "at", f"it must be {TIME}, and is the text '01.03.2026 9:30'"),
    ('{"at":1740000000000}', "at", f"it must be {TIME}, and is 1740000000000"),
    (
        '{"instant":"2026-03-01T09:30:00"}',
        "instant",
        f"the time does not say its offset from UTC; write {TIME}",
    ),
    ('{"day":"1.3.26"}', "day", "it must be a date such as 2026-03-01, and is the text '1.3.26'"),
    ('{"rate":"7%"}', "rate", 'it must be a decimal number such as "19.99", and is a text'),
    ('{"code":""}', "code", "it must be a text of at least 1 character, and is empty"),
    ('{"code":"ABCD"}', "code", "it must be a text of at most 3 characters, and has 4"),
    ('{"code":"a"}', "code", "it must be a text of the form '^[A-Z]*$'"),
    ('{"name":true}', "name", "it must be a text, and is true"),
    ("[]", "body", "it must be an object, and is a list"),
    ("", "body", "it is empty, and no JSON"),
    ('{"name":"x"', "body", "it is no JSON: it ends too early"),
    ("<html>", "body", "it is no JSON: invalid character (byte 0)"),
]


@pytest.mark.parametrize(("body", "field", "words"), TOLD)
def test_what_is_wrong_is_told_in_words(body, field, words):
    with pytest.raises(MappingError) as caught:
        decode(body.encode(), Sale)
    assert caught.value.field == field
    assert caught.value.message == f"{field}: {words}. Correct it at the source."


@pytest.mark.parametrize(
    ("body", "secret"),
    [
        ('{"name":491701234567}', "491701234567"),
        ('{"at":"Erika Mustermann"}', "Erika"),
        ('{"lines":[{"netAmount":"Erika Mustermann"}]}', "Erika"),
        ('{"lines":[{"netAmount":1,"paidBy":"zebedee@ex.com"}]}', "zebedee"),
        ('{"lines":[{"netAmount":1,"paidBy":"Erika Mustermann"}]}', "Erika"),
        ('{"lines":[{"netAmount":1,"paidBy":"' + "x" * 900 + '"}]}', "x" * 50),
    ],
)
def test_what_may_be_a_persons_is_not_repeated(body, secret):
    with pytest.raises(MappingError) as caught:
        decode(body.encode(), Sale)
    assert secret not in str(caught.value)

"""What every canonical struct shares, and the kinds of value that have a rule of their own."""

import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from crossdock.errors import MappingError

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time with its zone; UTC by convention. A time without a zone does not decode."""


INTEGER_MAX = 2**53 - 1
"""The largest integer in the model, either way: what every JSON reader holds exactly (RFC 8259, section 6)."""

Amount = Annotated[int, msgspec.Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
"""Money in minor units of the currency that its struct names."""

Units = Annotated[int, msgspec.Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
"""A quantity in 10**-quantity_scale of the unit that its struct, or the line that it names, gives."""


ID_CHARS_MAX = 255
"""Characters of an id, a SKU, a number or a version: everything that is found again by it. Texts for people have no such limit."""


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Be immutable, small on the wire and cheap to make: the base of every canonical struct.

    Missing text is "", missing amounts, quantities and times are None, missing lists are ().
    Structs cannot form cycles (they are frozen and hold only tuples), so the garbage collector skips them.
    """


class ImpossibleError(MappingError, ValueError):
    """A value that cannot be: the message starts with the field and says the remedy.

    A ValueError, so that msgspec reports it with its path when it decodes; a MappingError, so that a mapping that
    builds one is parked with the field named and not as a defect.
    """


def require(condition: bool, field: str, remedy: str) -> None:
    """Refuse an impossible value with an ImpossibleError that names the field and the remedy."""
    if not condition:
        raise ImpossibleError(f"{field}: {remedy}", field=field)


_NUMBER = re.compile(r"[-+0-9.,:/TZeE ]{1,40}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,23}")


def shown(value: object, *, word: bool = False) -> str:
    """A value of a body as an error may show it: a number or a date; with `word` also one plain word; else its length.

    Whatever else stands where a number, or a word of a list, is wanted may be a person's.
    """
    text = value if isinstance(value, str) else str(value)
    if _NUMBER.fullmatch(text) or (word and _WORD.fullmatch(text)):
        return repr(text)
    return f"a text of {len(text)} characters" if text else "an empty text"


def require_short(value: Model, named: str, *fields: str) -> None:
    """Refuse ids, numbers and versions that are too long to find anything by; `named` is the struct in the error.

    What is made for every line of every order looks at the lengths itself, and calls this only to say what is wrong.
    """
    for field in fields:
        if len(getattr(value, field)) > ID_CHARS_MAX:
            require(
                False,
                f"{named}.{field}",
                f"it has {len(getattr(value, field))} characters, and up to {ID_CHARS_MAX} are taken; shorten it at its source",
            )


def require_zones(value: Model, *fields: str) -> None:
    """Refuse times without a zone: they would be written, and then never decode again."""
    for field in fields:
        moment = getattr(value, field)
        if moment is not None and moment.tzinfo is None:
            require(False, field, "the time has no zone; read it with the zone of its source")


def as_utc(moment: datetime, *, field: str = "time") -> datetime:
    """Return the same moment in UTC. A time without a zone is an ImpossibleError naming `field`."""
    require(moment.tzinfo is not None, field, "the time has no zone; read it with the zone of its source")
    return moment.astimezone(UTC)

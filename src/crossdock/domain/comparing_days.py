"""What a store's tickets of a day come to, against what an ERP holds of that day: missing, doubled, late, another total. Pure.

The ERP may hold one document of a day or many (parts, supplements, credits): what they come to together is what counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from crossdock.domain.comparing import KINDS, US, BookedSale, Compared, Finding, Kind

Key = tuple[str, str]
"""(connection of the tills, "store/date")"""


class WantedDay(msgspec.Struct, frozen=True, kw_only=True):
    """A store's day as its tickets have it: what they sold less what they took back, and when it was closed.

    name: "store/date" with our id of the store. closed_at: 0 while it is open. expected: False where nobody asks.
    """

    order: str
    connection: str
    name: str
    erp: str
    currency: str
    total: int
    closed_at: int
    expected: bool = True


def compare_days(
    days: Sequence[WantedDay],
    booked: Iterable[BookedSale],
    *,
    read_until: Mapping[str, int],
    late_us: int,
) -> Compared:
    """Set them side by side. `ref` of what is booked is the day's name, as in `days`.

    An open day may still sell, and what was closed less than `late_us` before its ERP's feed was read may still come: of
    both it is too early to say. What is booked of a day that is not known is a finding from the first day on that is.
    """
    known = {(day.connection, day.name): day for day in days}
    first: dict[Key, str] = {}
    for day in days:
        key = (day.connection, day.erp)
        first[key] = min(_date(day.name), first.get(key, _date(day.name)))
    held: dict[Key, dict[Key, BookedSale]] = {}
    findings: list[Finding] = []
    for sale in booked:
        day_key = (sale.channel, sale.ref)
        begins = first.get((sale.channel, sale.connection))
        if day_key in known:
            held.setdefault(day_key, {})[sale.connection, sale.document] = sale
        elif begins is not None and _date(sale.ref) >= begins and not sale.cancelled:
            findings.append(_unknown(sale))
    early = agree = 0
    expected = [day for day in days if day.expected]
    for day in expected:
        sales = [
            sale
            for sale in held.get((day.connection, day.name), {}).values()
            if sale.connection == day.erp and not sale.cancelled
        ]
        if not day.closed_at or (not sales and read_until.get(day.erp, 0) < day.closed_at + late_us):
            early += 1
            continue
        found = _judge(day, sales, late_us)
        agree += not found
        findings += found
    findings.sort(key=lambda f: (KINDS.index(f.kind), f.connection, f.number, f.documents))
    return Compared(findings=tuple(findings), orders=len(expected), agree=agree, early=early)


def _date(name: str) -> str:
    return name.rpartition("/")[2]


def _judge(day: WantedDay, sales: Sequence[BookedSale], late_us: int) -> list[Finding]:
    if not sales:
        return [_finding(day, "missing", day.total, ())] if day.total else []
    found = [
        msgspec.structs.replace(
            _finding(day, "currency", sale.total, [sale]), currency=sale.currency, theirs=sale.total
        )
        for sale in sales
        if sale.currency != day.currency
    ]
    sales = [sale for sale in sales if sale.currency == day.currency]
    theirs = sum(sale.total for sale in sales)
    if sales and theirs != day.total:
        once = sum({sale.total for sale in sales})
        kind: Kind = "doubled" if once == day.total else "total"
        found.append(_finding(day, kind, theirs - day.total, sales))
    made = min((sale.made_at for sale in sales if sale.made_at), default=0)
    if made - day.closed_at > late_us:
        late = _finding(day, "late", day.total, sales)
        found.append(msgspec.structs.replace(late, late_s=(made - day.closed_at) // US))
    return found


def _finding(day: WantedDay, kind: Kind, amount: int, sales: Sequence[BookedSale]) -> Finding:
    return Finding(
        kind=kind,
        connection=day.connection,
        number=day.name,
        currency=day.currency,
        amount=amount,
        order=day.order,
        external_id=day.name,
        ours=day.total,
        theirs=sum(sale.total for sale in sales) if sales else None,
        documents=tuple(sorted(sale.document for sale in sales)),
    )


def _unknown(sale: BookedSale) -> Finding:
    return Finding(
        kind="unknown",
        connection=sale.channel,
        number=sale.ref,
        currency=sale.currency,
        amount=sale.total,
        theirs=sale.total,
        documents=(sale.document,),
    )

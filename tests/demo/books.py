"""Books in which everything balances: two orders shipped in parts, two cancelled, one waiting."""

from crossdock.demo.books import Books, Case, Release, Sale, Sold, Source, Taken
from crossdock.domain.state import Level


def sold(number, total, fulfilled=None, **more):
    return Sold(number=f"#{number}", total=total, currency="EUR", fulfilled=fulfilled or {}, **more)


def sale(number, total, lines, **more):
    return Sale(
        id=f"S{number}",
        reference=f"CD{number}",
        channel_order=str(number),
        currency="EUR",
        total=total,
        lines=lines,
        **more,
    )


def release(number, n, asked, **more):
    return Release(
        request_id=f"CD{number}-{n}",
        order_id=f"CD{number}",
        asked=asked,
        skus=dict.fromkeys(asked, "A"),
        **more,
    )


def taken(number, ordered, *requests, finished=True, cases=()):
    return Taken(
        id=f"CD{number}",
        external_id=str(number),
        commitment="committed",
        ordered=ordered,
        requests={f"CD{number}-{n}": quantities for n, quantities in enumerate(requests, start=1)},
        finished=finished,
        cases=list(cases),
    )


def balanced():
    """Order 1 ships two lines, 2 in two requests, 3 is cancelled in time, 4 before anything was asked for, 5 waits for stock."""
    return Books(
        opening={"A": 10, "B": 4},
        sold={
            "1": sold(1, 1999, {"a": 2, "b": 1}),
            "2": sold(2, 500, {"a": 3}),
            "3": sold(3, 700, cancelled=True),
            "4": sold(4, 100, cancelled=True),
            "5": sold(5, 300),
        },
        shown={"A": 4, "B": 4},
        shop_events=9,
        shop_fulfilments=3,
        sales=[
            sale(1, 1999, {"a": 2, "b": 1}, delivered={"a": 2, "b": 1}, invoiced={"a": 2, "b": 1}),
            sale(2, 500, {"a": 3}, delivered={"a": 3}, invoiced={"a": 3}),
            sale(3, 700, {"a": 1}, cancelled={"a": 1}),
            sale(4, 100, {"a": 1}, cancelled={"a": 1}),
            sale(5, 300, {"a": 8}),
        ],
        erp_stock={"A": 4, "B": 4},
        releases=[
            release(1, 1, {"a": 2, "b": 1}, shipped={"a": 2, "b": 1}, shipments=1),
            release(2, 1, {"a": 3}, shipped={"a": 2}, shipments=1),
            release(2, 2, {"a": 1}, shipped={"a": 1}, shipments=1),
            release(3, 1, {"a": 1}, cancelled={"a": 1}),
        ],
        warehouse_stock={"A": 4, "B": 4},
        warehouse_events=8,
        taken={
            "CD1": taken(1, {"a": 2, "b": 1}, {"a": 2, "b": 1}),
            "CD2": taken(2, {"a": 3}, {"a": 3}, {"a": 1}),
            "CD3": taken(3, {"a": 1}, {"a": 1}),
            "CD4": taken(4, {"a": 1}),
            "CD5": taken(5, {"a": 8}, finished=False, cases=["stock.short"]),
        },
        levels={"A": Level("A", "main", on_hand=4), "B": Level("B", "main", on_hand=4)},
        cases=[Case(order="CD5", reason="stock.short")],
        sources={
            "shop": Source(accepted=9, processed=9, repeated=2),
            "warehouse": Source(accepted=8, processed=4, unhandled=4),
            "hub": Source(accepted=20, processed=18, in_flight=2),
        },
    )

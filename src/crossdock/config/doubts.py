"""What a file that can be read leaves in doubt: warnings, and none of what only follows from another mistake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crossdock.config.connections import Connections
from crossdock.config.forms import TOP_LEVEL
from crossdock.config.reading import Reading
from crossdock.config.values import nearest

API = "api"
TILL = "till"
ADOPT_SALE = "adopt_sale"
HUB = "hub"
SELLERS = ("channel", "till")
MASTERS = ("erp", "wms", "partner")
"""Who may be master of stock: whoever sells it only hears of it."""
LISTED_MAX = 5
REDELIVERED_DAYS = 30
"""So long some partners (payment providers above all) send again what they had no answer to."""

Values = Mapping[str, Any]
Tables = Mapping[str, Values]


def misspelt(reading: Reading) -> set[str]:
    """Sections that were probably meant by a table of another name: what they would hold is not known to be missing."""
    return {nearest(key, TOP_LEVEL) for key in reading.tree if key not in TOP_LEVEL} - {""}


def has_role(connections: Connections, name: str, roles: Iterable[str]) -> bool:
    """Whether a connection has one of the roles; True where its connector is not known."""
    found = connections.roles.get(name, ())
    return found is None or bool(set(found) & set(roles))


def warn(
    reading: Reading, connections: Connections, routes: Tables, places: Tables, authority: Values
) -> None:
    """Keep every doubt. Routes and places are those that could be read."""
    unsure = misspelt(reading) | (reading.wrong_sections() - {"connections"})
    nothing = not connections.roles and not reading.tree.get("connections")
    if nothing and "connections" not in unsure:
        reading.warn(
            ("connections",),
            "there is no connection yet.",
            "Add [connections.NAME] for a shop to begin with.",
        )
    if not unsure & {"connections", "routes"}:
        _of_routes(reading, connections, routes, places)
    if "locations" not in unsure:
        used = {values.get("warehouse") for values in places.values()}
        for name in _with_role(connections, "wms"):
            if name not in used:
                reading.warn(
                    ("connections", name),
                    "no location is worked by it.",
                    f'Add warehouse = "{name}" to a location.',
                )
    _of_stores(reading, connections, places)
    _of_observed_erps(reading, connections, routes)
    _of_adopted(reading, connections, routes)
    _of_authority(reading, connections, authority)


def _of_routes(reading: Reading, connections: Connections, routes: Tables, places: Tables) -> None:
    """A seller without a route is told alone: locations and ERPs that only its route would name follow from it."""
    without = [
        name
        for name, roles in connections.roles.items()
        if set(roles or ()) & set(SELLERS) and name not in routes
    ]
    for name in without:
        what = "tickets" if "till" in (connections.roles[name] or ()) else "orders"
        reading.warn(("connections", name), f"it has no route: its {what} park.", f"Add [routes.{name}].")
    if without or None in connections.roles.values():
        return
    booked = {values.get("erp") for values in routes.values()}
    for name in _with_role(connections, "erp"):
        if name not in booked:
            reading.warn(
                ("connections", name), "no route books its sales there.", f'Add erp = "{name}" to a route.'
            )
    served = {location for values in routes.values() for location in values.get("locations", ())}
    tills = bool(_with_role(connections, "till"))
    lost = [
        name for name, values in places.items() if name not in served and not (tills and _is_store(values))
    ]
    if len(lost) == 1:
        reading.warn(("locations", lost[0]), "no route leads to it.", "Add it to the locations of a route.")
    elif lost:
        reading.warn(
            ("locations",),
            f"no route leads to {_listed(lost)}.",
            "Add them to the locations of a route; stores that only sell need a connection to their tills instead.",
        )


def _of_stores(reading: Reading, connections: Connections, places: Tables) -> None:
    """A store's tills name it themselves; its business dates are those of its zone."""
    if not _with_role(connections, "till"):
        return
    without = [
        name
        for name, values in places.items()
        if _is_store(values) and "zone" not in reading.table(("locations", name))
    ]
    alone = len(without) == 1
    if without:
        whose = "it has no zone: business dates of its tickets"
        theirs = f"{_listed(without)} have no zone: business dates of their tickets"
        reading.warn(
            ("locations", without[0]) if alone else ("locations",),
            f"{whose if alone else theirs} are those of UTC.",
            'Add zone = "Europe/Berlin", or where it is.',
        )


def _of_observed_erps(reading: Reading, connections: Connections, routes: Tables) -> None:
    """Whoever sells for earnest into an ERP that is told nothing sells what nobody books."""
    good = connections.good
    for name, values in routes.items():
        erp = good.get(values.get("erp", ""))
        live = name == API or (name in good and good[name].mode != "observe")
        if live and erp is not None and erp.mode == "observe":
            mode = good[name].mode if name in good else "live"
            other = "" if name == API else f', or mode = "observe" in [connections.{name}]'
            reading.warn(
                ("routes", name, "erp"),
                f"{name} is on {mode} and {erp.name} on observe: what {name} sells is booked nowhere.",
                f'Write mode = "live" in [connections.{erp.name}]{other}.',
            )


def _of_adopted(reading: Reading, connections: Connections, routes: Tables) -> None:
    """Orders are taken over with the sales that others have made of them: an ERP that cannot be asked leaves that to a person."""
    good = connections.good
    for name, values in routes.items():
        erp = good.get(values.get("erp", ""))
        if name not in good or good[name].mode != "adopt" or erp is None or TILL in good[name].spec.roles:
            continue
        if erp.spec.operation(ADOPT_SALE) is None:
            reading.warn(
                ("routes", name, "erp"),
                f"{name} is on adopt, and the connector {erp.connector!r} of {erp.name} has no {ADOPT_SALE}: each order that is taken "
                "over is held until a person has seen its sale there.",
                f'Write mode = "live" and since in [connections.{name}] to leave older orders to whoever began them, or be ready to '
                "release them one by one.",
            )


def _of_authority(reading: Reading, connections: Connections, authority: Values) -> None:
    stock = authority.get("stock", HUB)
    if stock in connections.roles and not has_role(connections, stock, MASTERS):
        reading.warn(
            ("authority", "stock"),
            f"{stock!r} is a {_listed(connections.roles[stock] or ())}, and no master of stock.",
            f"Name {_listed(masters(connections), 'or')}.",
        )
    for key, value in (("price", ""), ("cancellation", "warehouse")):
        if authority.get(key, value) != value:
            reading.warn(
                ("authority", key),
                "it is read, and nothing acts on it yet.",
                "Take it out, and do not count on it.",
            )


def warn_of_retention(reading: Reading, connections: Connections, policy: Values) -> None:
    """Who forgets deliveries too soon takes them for new ones: a late repetition, or a replay that is asked for again."""
    own = {("connections", name): (c.bodies_days, c.deliveries_days) for name, c in connections.good.items()}
    bodies, deliveries = policy.get("bodies_days"), policy.get("deliveries_days")
    for path, given in (("policies",), (bodies, deliveries)), *own.items():
        if given == (None, None):
            continue
        kept = bodies if given[0] is None else given[0]
        known = deliveries if given[1] is None else given[1]
        key = (*path, "bodies_days" if given[1] is None else "deliveries_days")
        if not known:
            continue
        if known < REDELIVERED_DAYS:
            reading.warn(
                key,
                f"deliveries are known for {known} days, and partners may repeat one for {REDELIVERED_DAYS}.",
                f"Write deliveries_days = {REDELIVERED_DAYS} or more.",
            )
        elif kept and known < kept:
            reading.warn(
                key,
                f"bodies can be replayed for {kept} days, and a replay that is asked for twice is known for {known}.",
                f"Write deliveries_days = {kept}.",
            )


def masters(connections: Connections) -> list[str]:
    """Whom stock's master may be, the hub included."""
    return [*(name for name in connections.roles if has_role(connections, name, MASTERS)), HUB]


def _with_role(connections: Connections, role: str) -> list[str]:
    return [name for name, roles in connections.roles.items() if role in (roles or ())]


def _is_store(values: Values) -> bool:
    return not values.get("warehouse")


def _listed(names: Iterable[str], last: str = "and") -> str:
    """`a, b and c`; of many the first few."""
    words = list(names)
    if len(words) > LISTED_MAX + 1:
        words = [*words[:LISTED_MAX], f"{len(words) - LISTED_MAX} more"]
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)

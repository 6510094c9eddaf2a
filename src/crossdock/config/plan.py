"""Reading routes, locations, authority and policies into the plan that flows are given, and holding them together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from crossdock.config.connections import Connections
from crossdock.config.doubts import API, has_role, masters, misspelt, warn, warn_of_retention
from crossdock.config.forms import AUTHORITY, LOCATION, POLICIES, ROUTE
from crossdock.config.lines import KeyPath
from crossdock.config.reading import Reading
from crossdock.config.values import did_you_mean
from crossdock.domain.policy import Authority, Place, Plan, Policy, Route

CHANNEL, ERP, WAREHOUSE = ("channel", "till"), ("erp",), ("wms",)
WORDS = {CHANNEL: "a channel or till", ERP: "an erp", WAREHOUSE: "a wms"}

Values = dict[str, Any]


def read_plan(reading: Reading, connections: Connections) -> Plan:
    """Read the plan; mistakes are kept in the reading, and the plan is of use only where there are none."""
    routes = {name: reading.section(ROUTE, ("routes", name)) for name, _ in reading.named_tables(ROUTE)}
    places = {
        name: reading.section(LOCATION, ("locations", name)) for name, _ in reading.named_tables(LOCATION)
    }
    authority = reading.section(AUTHORITY)
    policy = reading.section(POLICIES, also=("retries",))
    for name, values in routes.items():
        _check_route(reading, connections, name, values, tuple(places))
        _check_copies(reading, connections, name, values, tuple(routes))
    _check_places(reading, connections, places)
    _check_authority(reading, connections, authority)
    warn(reading, connections, routes, places, authority)
    warn_of_retention(reading, connections, policy)
    good = connections.good
    return Plan(
        routes={name: Route(channel=name, **values) for name, values in routes.items()},
        places={name: Place(id=name, **values) for name, values in places.items()},
        policy=msgspec.convert(policy, Policy),
        authority=msgspec.convert(authority, Authority),
        modes={name: connection.mode for name, connection in good.items()},
        since={name: c.since for name, c in good.items() if c.since is not None},
        roles={name: connection.spec.roles for name, connection in good.items()},
        offers={name: frozenset(o.name for o in c.spec.operations) for name, c in good.items()},
    )


def _check_route(
    reading: Reading, connections: Connections, name: str, values: Values, places: tuple[str, ...]
) -> None:
    path = ("routes", name)
    if name != API:
        _check_role(reading, connections, path, name, CHANNEL)
    if values.get("erp"):
        _check_role(reading, connections, (*path, "erp"), values["erp"], ERP)
    for n, location in enumerate(values.get("locations", ())):
        if location not in places and "locations" not in misspelt(reading):
            hint = did_you_mean(location, places) or f"Add [locations.{location}], or take it out."
            reading.note((*path, "locations", n), f"there is no location {location!r}.", hint)
    if values.get("locations") == () and _is_channel(connections, name):
        reading.warn(
            path, "no locations serve it: nothing can be reserved or shipped.", "Add locations = [...]."
        )
    connection = connections.good.get(name)
    table = reading.table(path)
    for key, operation in (("acknowledge", "acknowledge"), ("publish", "set_quantities")):
        offered = connection is None or connection.spec.operation(operation) is not None
        if table.get(key) is True and not offered:
            reading.warn(
                (*path, key), f"its connector cannot: it offers no {operation!r}.", f"Write {key} = false."
            )


def _check_copies(
    reading: Reading, connections: Connections, name: str, values: Values, routes: tuple[str, ...]
) -> None:
    """What is copied into a channel is sold in another one, whose own orders are taken."""
    for origin, channel in values.get("copies", {}).items():
        path = ("routes", name, "copies", origin)
        if channel == name:
            reading.note(path, "a channel holds no copies of its own orders.", "Name the other connection.")
            continue
        _check_role(reading, connections, path, channel, CHANNEL)
        if has_role(connections, channel, CHANNEL) and channel not in routes:
            reading.note(
                path,
                f"{channel!r} has no route, so nobody would take the orders that were sold there.",
                f"Add [routes.{channel}].",
            )


def _check_role(
    reading: Reading, connections: Connections, path: KeyPath, name: str, roles: tuple[str, ...]
) -> None:
    """A connection that is named must exist and have the role; where its connector is wrong, that is told already."""
    what = WORDS[roles]
    fitting = [other for other in connections.roles if has_role(connections, other, roles)]
    if name not in connections.roles:
        if "connections" not in misspelt(reading):
            others = f", or name {' or '.join(fitting)}" if fitting else f": {what}"
            hint = did_you_mean(name, fitting) or f"Add [connections.{name}]{others}."
            reading.note(path, f"there is no connection {name!r}.", hint)
        return
    found = connections.roles[name]
    if found is not None and not set(found) & set(roles):
        reading.note(
            path,
            f"{name!r} is no connection to {what}, but to {_listed(found)}.",
            f"There is {_listed(tuple(fitting))}." if fitting else f"Add a connection to {what}.",
        )


def _check_places(reading: Reading, connections: Connections, places: Mapping[str, Values]) -> None:
    codes: dict[tuple[str, str], str] = {}
    for name, values in places.items():
        path = ("locations", name)
        warehouse = values.get("warehouse", "")
        if not warehouse:
            continue
        _check_role(reading, connections, (*path, "warehouse"), warehouse, WAREHOUSE)
        code = values.get("partner_code") or name
        other = codes.setdefault((warehouse, code), name)
        if other != name:
            reading.note(
                (*path, "partner_code"),
                f"{warehouse} already calls locations.{other} {code!r}.",
                "Give each location of a warehouse a code of its own.",
            )


def _check_authority(reading: Reading, connections: Connections, values: Values) -> None:
    known = connections.roles
    for key, options in (("stock", masters(connections)), ("price", list(known))):
        name = values.get(key, "")
        if name and name not in known and name not in options and "connections" not in misspelt(reading):
            named = f"Name one of {', '.join(options)}." if options else "Take it out."
            hint = did_you_mean(name, options) or named
            reading.note(("authority", key), f"there is no connection {name!r}.", hint)


def _is_channel(connections: Connections, name: str) -> bool:
    return name == API or "channel" in (connections.roles.get(name) or ())


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)

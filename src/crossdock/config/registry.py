"""Which connectors there are: those in the box, and those that other packages offer.

A package of somebody else's offers one by an entry point in the group `crossdock.connectors`: the name of the connector
= the module that exports SPEC and build. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from crossdock.config.forms import CONNECTION
from crossdock.config.values import did_you_mean
from crossdock.errors import ConfigurationError
from crossdock.sdk.spec import Connector, ConnectorSpec

GROUP = "crossdock.connectors"
BUILT_IN = {
    "shopify": "crossdock.connectors.shopify",
    "wms": "crossdock.connectors.wms",
    "erp": "crossdock.connectors.erp",
    "till": "crossdock.connectors.till",
    "subscriber": "crossdock.connectors.subscriber",
    "nats": "crossdock.connectors.nats",
    "kafka": "crossdock.connectors.kafka",
    "tryton": "crossdock.connectors.tryton",
}


class Entry(msgspec.Struct, frozen=True):
    """A connector that can be used: its spec, and how it is built from a connection's settings."""

    name: str
    spec: ConnectorSpec
    build: Callable[[Mapping[str, str]], Connector]


class Registry:
    """Finds connectors by name. `modules` maps names to modules; entry points come on top."""

    def __init__(self, modules: Mapping[str, str] | None = None, *, installed: bool = True) -> None:
        self._modules = dict(BUILT_IN if modules is None else modules)
        self._installed = installed
        self._entries: dict[str, Entry] = {}

    def names(self) -> list[str]:
        """Every connector there is, by name."""
        return sorted({*self._modules, *(point.name for point in self._points())})

    def get(self, name: str) -> Entry:
        """The connector of that name; ConfigurationError where there is none, or it cannot be used."""
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = self._find(name)
        return entry

    def _find(self, name: str) -> Entry:
        module = self._modules.get(name)
        points = [point for point in self._points() if point.name == name]
        if len(points) + (module is not None) > 1:
            raise ConfigurationError(
                f"Two packages offer the connector {name!r}. Uninstall one of them.", field="connector"
            )
        if module is not None:
            return _entry(name, _imported(name, module))
        if points:
            return _entry(name, _imported(name, points[0].value))
        hint = did_you_mean(name, self.names()) or f"There are {', '.join(self.names())}."
        raise ConfigurationError(f"There is no connector {name!r}. {hint}", field="connector")

    def _points(self) -> tuple[EntryPoint, ...]:
        return tuple(entry_points(group=GROUP)) if self._installed else ()


def _imported(name: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"The connector {name!r} cannot be loaded from {module}: {error}. Install its package again.",
            field="connector",
        ) from error


def _entry(name: str, module: Any) -> Entry:
    """Check what an author may get wrong, once, where it is loaded."""
    spec, build = getattr(module, "SPEC", None), getattr(module, "build", None)
    if not isinstance(spec, ConnectorSpec) or not callable(build):
        raise ConfigurationError(
            f"{module.__name__} offers the connector {name!r}, but exports no SPEC and build. Tell its author.",
            field="connector",
        )
    if spec.name != name:
        raise ConfigurationError(
            f"The connector {name!r} calls itself {spec.name!r}. Tell its author.", field="connector"
        )
    ours = {field.name for field in CONNECTION.fields}
    taken = [setting.name for setting in spec.settings if setting.name in ours]
    if taken:
        raise ConfigurationError(
            f"The connector {name!r} has a setting {taken[0]!r}, a key of every connection. Tell its author.",
            field="connector",
        )
    return Entry(name, spec, build)

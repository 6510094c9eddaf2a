"""Reading sections by their forms: every value checked, every mistake kept, none fatal to the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from crossdock.config.forms import SECTIONS, Section
from crossdock.config.lines import KeyPath, Lines
from crossdock.config.model import Problem, Severity
from crossdock.config.values import NAME, NAME_RULE, Field, Wrong, did_you_mean, kind_of, read

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ABSENT = object()


class Reading:
    """One pass over one file. Problems gather in `problems`; what could be read is returned all the same."""

    def __init__(self, tree: Mapping[str, Any], lines: Lines, environ: Mapping[str, str]) -> None:
        self.tree = tree
        self.problems: list[Problem] = []
        self._lines = lines
        self._environ = environ

    def note(self, path: KeyPath, message: str, remedy: str = "", severity: Severity = "error") -> None:
        """Keep a problem of the key at `path`."""
        self.problems.append(
            Problem(
                line=self._lines.of(path),
                field=dotted(path),
                message=message,
                remedy=remedy,
                severity=severity,
            )
        )

    def warn(self, path: KeyPath, message: str, remedy: str = "") -> None:
        """Keep a doubt that keeps nothing from starting."""
        self.note(path, message, remedy, "warning")

    def in_order(self) -> tuple[Problem, ...]:
        """All problems by line."""
        return tuple(sorted(self.problems, key=lambda problem: (problem.line, problem.field)))

    def wrong_sections(self) -> set[str]:
        """Sections in which there is a mistake, by their first word."""
        return {p.field.partition(".")[0] for p in self.problems if p.severity == "error"}

    def table(self, path: KeyPath) -> Mapping[str, Any]:
        """The table at `path`, empty where there is none."""
        value: Any = self.tree
        for key in path:
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        if isinstance(value, Mapping):
            return value
        self.note(path, f"it must be a table, and is {kind_of(value)}.", f"Write [{dotted(path)}].")
        return {}

    def named_tables(self, section: Section) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Name and table of each `[section.NAME]`."""
        for name, value in self.table((section.name,)).items():
            path = (section.name, name)
            if not NAME.fullmatch(name):
                self.note(path, f"{name!r} cannot be a name.", f"Use {NAME_RULE}.")
            elif not isinstance(value, Mapping):
                self.note(path, f"it must be a table, and is {kind_of(value)}.", f"Write [{dotted(path)}].")
            else:
                yield name, value

    def section(self, section: Section, path: KeyPath = (), also: tuple[str, ...] = ()) -> dict[str, Any]:
        """The checked values of one table, defaults included; a key that could not be read is absent.

        `also` are keys that somebody else reads. A default of None is no value: the key is absent then, too.
        """
        path = path or tuple(section.name.split("."))
        table = self.table(path)
        self.unknown_keys(path, table, [field.name for field in section.fields] + list(also))
        values: dict[str, Any] = {}
        for field in section.fields:
            value = self.value(path, table, field)
            if value is not _ABSENT:
                values[field.name] = value
        return values

    def value(self, path: KeyPath, table: Mapping[str, Any], field: Field) -> Any:
        """The checked value of one key, its default where it is not given."""
        if field.name not in table:
            if field.required:
                self.note(path, f"{field.name} is missing.", f"Add {field.name} = ...: {field.doc}")
            return _ABSENT if field.default is None else field.default
        raw = table[field.name]
        place = (*path, field.name)
        given = self.expanded(place, raw)
        if given is None:
            return _ABSENT
        try:
            return read(field, given, from_environment=given != raw)
        except Wrong as wrong:
            self.note(place, wrong.message, wrong.remedy)
            return _ABSENT

    def unknown_keys(self, path: KeyPath, table: Mapping[str, Any], known: list[str]) -> None:
        """Keep a problem for each key that nobody reads."""
        for key in table:
            if key not in known:
                elsewhere = _sections_with(key)
                known_here = did_you_mean(key, known) or f"Known here: {', '.join(sorted(known))}."
                hint = f"It belongs in {elsewhere}." if elsewhere else known_here
                self.note((*path, key), "there is no such key.", hint)

    def lacks(self, value: Any) -> bool:
        """True where a value is one environment variable, and that is not set."""
        name = only_a_variable(value)
        return bool(name) and not self._environ.get(name)

    def expanded(self, path: KeyPath, value: Any) -> Any:
        """The value with every ${ENV} in it replaced; None, and a problem kept, where one cannot be."""
        if isinstance(value, list):
            items = [self.expanded((*path, n), item) for n, item in enumerate(value)]
            return None if None in items else items
        if isinstance(value, Mapping):
            pairs = {key: self.expanded((*path, key), item) for key, item in value.items()}
            return None if None in pairs.values() else pairs
        if not isinstance(value, str) or "${" not in value:
            return value
        names = _VARIABLE.findall(value)
        if value.count("${") != len(names):
            self.note(
                path, "a '${' in it names no environment variable.", "Write ${NAME}: letters, digits and '_'."
            )
            return None
        missing = [name for name in dict.fromkeys(names) if not self._environ.get(name)]
        for name in missing:
            state = "is empty" if name in self._environ else "is not set"
            self.note(path, f"the environment variable {name} {state}.", "Set it where the hub is started.")
        return None if missing else _VARIABLE.sub(lambda match: self._environ[match.group(1)], value)


def only_a_variable(value: Any) -> str:
    """The name of the variable where a value is exactly one ${NAME}; else ""."""
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    return match.group(1) if match else ""


def _sections_with(key: str) -> str:
    """The sections that have a key of that name, as they are written; "" where none has."""
    titles = [
        f"[{section.name}.{section.named}]" if section.named else f"[{section.name}]"
        for section in SECTIONS
        if any(field.name == key for field in section.fields)
    ]
    return " or ".join(titles)


def dotted(path: KeyPath) -> str:
    """A path as it would be written in the file: `routes.shop.locations[1]`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            plain = key if _PLAIN_KEY.fullmatch(key) else f'"{key}"'
            text += f".{plain}" if text else plain
    return text

"""On which line does a key stand? tomllib does not say, so the text is read once more, for places alone.

The text is known to be valid TOML (tomllib has read it), which keeps this small: it looks for keys and for where values
end, and never judges.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?!")', re.DOTALL),
    re.compile(r"'''.*?'''(?!')", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


class Lines:
    """Where keys stand, by their path; of an array, its items too."""

    def __init__(self, found: Mapping[KeyPath, int]) -> None:
        self._found = found

    def of(self, path: KeyPath) -> int:
        """The line of a key, counted from 1; of the nearest key around it where it does not stand there; else 0."""
        for end in range(len(path), 0, -1):
            line = self._found.get(path[:end])
            if line:
                return line
        return 0


def lines_of(text: str) -> Lines:
    """Find the line of every key of a valid TOML text."""
    return Lines(_Scanner(text).scan())


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._found: dict[KeyPath, int] = {}
        self._items: dict[KeyPath, int] = {}

    def scan(self) -> Mapping[KeyPath, int]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._array_table()
            elif self._text[self._at] == "[":
                self._at += 1
                table = self._key(())
                self._skip_past("]")
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._found

    def _array_table(self) -> KeyPath:
        self._at += 2
        path = self._key(())
        number = self._items.get(path, -1) + 1
        self._items[path] = number
        self._note((*path, number))
        self._skip_past("]")
        self._skip_past("]")
        return (*path, number)

    def _pair(self, table: KeyPath) -> None:
        path = self._key(table)
        self._skip_past("=")
        self._value(path)

    def _key(self, base: KeyPath) -> KeyPath:
        """A key, bare, quoted or dotted; every table on the way is noted where it is met first."""
        path = base
        while True:
            self._skip(_SPACE)
            token = self._token()
            path = (*path, token)
            self._note(path)
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return path
            self._at += 1
            if path in self._items:
                path = (*path, self._items[path])

    def _token(self) -> str:
        bare = _BARE.match(self._text, self._at)
        if bare:
            self._at = bare.end()
            return bare.group()
        start = self._at
        self._string()
        return next(iter(tomllib.loads(f"{self._text[start : self._at]} = 0")))

    def _value(self, path: KeyPath) -> None:
        self._skip(_SPACE)
        opening = self._text[self._at]
        if opening in "\"'":
            self._string()
        elif opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        number = 0
        self._skip(_BLANK)
        while self._text[self._at] != "]":
            self._note((*path, number))
            self._value((*path, number))
            number += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._pair(path)
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _string(self) -> None:
        for pattern in _STRINGS:
            match = pattern.match(self._text, self._at)
            if match:
                self._at = match.end()
                return

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()

    def _skip_past(self, char: str) -> None:
        self._at = self._text.index(char, self._at) + 1

    def _note(self, path: KeyPath) -> None:
        if path not in self._found:
            self._line += self._text.count("\n", self._counted, self._at)
            self._counted = self._at
            self._found[path] = self._line

"""Who may ask: bearer tokens, kept as hashes in a file that `crossdock init` makes and that is read again when it changes."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from crossdock.config import keys
from crossdock.errors import ConfigurationError

log = logging.getLogger("crossdock")
TOKEN_CHARS_MAX = 200


class Tokens:
    """The tokens of one hub."""

    def __init__(self, path: Path, tokens: keys.Tokens, session_key: bytes) -> None:
        self._path, self._tokens = path, tokens
        self._stamp = _stamp(path)
        self.session_key = session_key

    @classmethod
    def load(cls, path: Path, key: Path) -> Tokens:
        """The tokens in the file at `path`. Sessions are signed under the master key, so that they survive a restart."""
        secret = hashlib.blake2b(key=keys.read_key(key), digest_size=32, person=b"crossdock-login1").digest()
        return cls(path, keys.read_tokens(path), secret)

    def verify(self, token: str) -> bool:
        """Whether this is a token of ours. Takes as long whichever it is."""
        return bool(self.owner(token))

    def owner(self, token: str) -> str:
        """Whose token this is, "" where it is nobody's."""
        self._refresh()
        return self._tokens.owner(token) if len(token) <= TOKEN_CHARS_MAX else ""

    def known(self, name: str) -> bool:
        """Whether there still is a token of that name."""
        self._refresh()
        return name in self._tokens.names

    def _refresh(self) -> None:
        """Take a changed file at once, so that a withdrawn token is worth nothing; a damaged one changes nothing."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._tokens = keys.read_tokens(self._path)
        except ConfigurationError as error:
            log.warning("the tokens stay as they were: %s", error)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)

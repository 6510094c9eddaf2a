"""The files of the data folder that must be kept from others: the master key, and the hashes of the API's tokens."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crossdock.errors import ConfigurationError

KEY_BYTES = 32
TOKEN_BYTES = 32
TOKEN_PREFIX = "cdk_"  # noqa: S105  # not a secret: it lets people and scanners see what they look at
TOKENS_MAX = 1_000
PRIVATE = 0o600


class Token(msgspec.Struct, frozen=True):
    """A token as it is kept: who it was made for, and its hash. The token itself is nowhere."""

    name: str
    digest: bytes


class Tokens:
    """The tokens that the API takes."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tuple(tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def names(self) -> tuple[str, ...]:
        """Whom tokens were made for."""
        return tuple(token.name for token in self._tokens)

    def owner(self, given: str) -> str:
        """Whose token this is, "" where it is nobody's. Takes as long whichever it is."""
        wanted = _digest(given)
        found = ""
        for token in self._tokens:
            if hmac.compare_digest(token.digest, wanted):
                found = token.name
        return found


def make_key(path: Path) -> None:
    """Write a new master key; never over another one. Raises FileExistsError."""
    _write_new(path, secrets.token_bytes(KEY_BYTES))


def read_key(path: Path) -> bytes:
    """The master key."""
    key = _read(
        path,
        "the master key",
        "Restore it from your backup; `crossdock init` makes one for a new store only.",
    )
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"The master key in {path} has {len(key)} bytes instead of {KEY_BYTES}. Restore it from your backup."
        )
    return key


def add_token(path: Path, name: str) -> str:
    """Make a token for `name`, keep its hash, and return it: it cannot be had again."""
    kept = list(_parsed(path)) if path.exists() else []
    if any(token.name == name for token in kept):
        raise ConfigurationError(
            f"There is a token for {name!r} already. Choose another name, or take its line out of {path} first."
        )
    if len(kept) >= TOKENS_MAX:
        raise ConfigurationError(f"{path} holds {TOKENS_MAX} tokens. Take out those that nobody uses.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    kept.append(Token(name, _digest(token)))
    text = "".join(f"{token.name} {token.digest.hex()}\n" for token in kept)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    _write_new(new, text.encode())
    new.replace(path)
    return token


def read_tokens(path: Path) -> Tokens:
    """The tokens that were made; ConfigurationError where there is no such file, or it is damaged."""
    return Tokens(_parsed(path))


def seen_by_others(path: Path) -> bool:
    """True where other users of the machine may read the file."""
    return bool(path.stat().st_mode & 0o077)


def _parsed(path: Path) -> tuple[Token, ...]:
    text = _read(path, "the file of token hashes", "Make a token with `crossdock init --token NAME`.").decode(
        "ascii", "replace"
    )
    tokens = []
    for number, line in enumerate(text.splitlines(), start=1):
        name, _, digest = line.strip().rpartition(" ")
        try:
            known = bytes.fromhex(digest)
        except ValueError:
            known = b""
        if line.strip() and (not name or len(known) != hashlib.sha256().digest_size):
            raise ConfigurationError(
                f"{path}, line {number}, is no name and hash of a token. Take the line out, and make a new token.",
                line=number,
            )
        if line.strip():
            tokens.append(Token(name, known))
    return tuple(tokens)


def _digest(token: str) -> bytes:
    """A token is 256 random bits: nothing slower than a hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _read(path: Path, what: str, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigurationError(f"There is no {path}, {what}. {remedy}") from error
    except OSError as error:
        raise ConfigurationError(
            f"{path}, {what}, cannot be read: {error.strerror}. Mend its permissions."
        ) from error


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that is its owner's alone from its first byte on, and on the disk when this returns."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())

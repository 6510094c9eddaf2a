"""Encryption of raw bodies and personal parts: a key per subject, so that erasure is the end of a key.

A subject's key is derived from the installation's master key and a random salt that stands in the subject's own row.
Without the salt the key cannot be made again, even with the master key: destroying the salt destroys what it sealed,
in the store and in every backup of the sealed text.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crossdock.errors import ConfigurationError

MASTER_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12
CACHED_KEYS_MAX = 20_000


class Vault:
    """Seals and opens under a subject's salt. Thread-safe as far as needed: a lost cache entry is only made again."""

    def __init__(self, master: bytes, entropy: Callable[[int], bytes] = os.urandom) -> None:
        if len(master) != MASTER_BYTES:
            raise ConfigurationError(
                f"The master key has {len(master)} bytes instead of {MASTER_BYTES}. Restore the key file that "
                "`crossdock init` made; without it, what is stored cannot be read."
            )
        self._master = master
        self._entropy = entropy
        self._ciphers: dict[bytes, AESGCM] = {}

    def salt(self) -> bytes:
        """A new subject's salt."""
        return self._entropy(SALT_BYTES)

    def seal(self, salt: bytes, plain: bytes) -> bytes:
        """Encrypt; the result is bound to the salt and differs each time."""
        nonce = self._entropy(NONCE_BYTES)
        return nonce + self._cipher(salt).encrypt(nonce, plain, None)

    def open(self, salt: bytes, sealed: bytes) -> bytes:
        """Decrypt; b"" where the salt is gone, because the person was erased, or where nothing was sealed."""
        if not salt or not sealed:
            return b""
        try:
            return self._cipher(salt).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        except InvalidTag as error:
            raise ConfigurationError(
                "A stored body does not open under this master key. Start with the key file that the store was made "
                "with."
            ) from error

    def _cipher(self, salt: bytes) -> AESGCM:
        cipher = self._ciphers.get(salt)
        if cipher is None:
            if len(self._ciphers) >= CACHED_KEYS_MAX:
                self._ciphers.clear()
            key = hashlib.blake2b(salt, key=self._master, digest_size=32, person=b"crossdock-key-1").digest()
            cipher = self._ciphers[salt] = AESGCM(key)
        return cipher

"""What deliveries and names are known again by."""

from __future__ import annotations

import hashlib

import msgspec

from crossdock.engine.messages import Arrival

NAME_CHARS_MAX = 500
"""Of a name by which something is found again. PostgreSQL's indexes bear 2,700 bytes a row, and a character has up to four."""
_KEPT = 400


def kept_name(name: str) -> str:
    """The name as every store keeps it: of one that is too long, its beginning and its hash. The same one stays the same."""
    if len(name) <= NAME_CHARS_MAX:
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{name[:_KEPT]}\u2026{digest}"


def named_to_keep(arrival: Arrival) -> Arrival:
    """The arrival under names that can be kept: what is too long is no reason to refuse, or to forget, what came."""
    if len(arrival.ref) <= NAME_CHARS_MAX and len(arrival.delivery_id) <= NAME_CHARS_MAX:
        return arrival
    return msgspec.structs.replace(
        arrival, ref=kept_name(arrival.ref), delivery_id=kept_name(arrival.delivery_id)
    )


def payload_hash(body: bytes) -> str:
    """The hash of a body as it came."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()

"""One decoder a type, made once, by one thread at a time.

msgspec reads the fields of a class when it is first needed. When two threads need the same class for the first time at
the same moment, one of them may use what the other has half read, and the process dies (msgspec 0.22, a segmentation
fault; tests/sdk/test_decoders.py shows it). So decoders of classes that several threads use are made here, or when
their module is imported.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_made: dict[Any, msgspec.json.Decoder[Any]] = {}
_making = threading.Lock()


def decoder_of(type_: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of JSON into `type_`."""
    decoder = _made.get(type_)
    if decoder is None:
        with _making:
            decoder = _made.get(type_)
            if decoder is None:
                decoder = _made[type_] = msgspec.json.Decoder(type_)
    return decoder

"""How long is searched: a few hundred examples, the same each time; `make fuzz` says how many, and searches elsewhere each round."""

import os
import time
from contextlib import contextmanager

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("CROSSDOCK_FUZZ_EXAMPLES", "0"))
"""More than 0: so many of each test, chosen by the seed that pytest was given."""
ANSWER_S = 5.0
"""No single input may keep anything busy for so long; the usual one takes a thousandth of it."""


def examples(count):
    """Settings of a test that tries so many inputs in `make test`."""
    return settings(
        max_examples=EXAMPLES or count,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def in_time(what):
    """Fails where the body took too long."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < ANSWER_S, f"{what!r} took {took:.1f} s"

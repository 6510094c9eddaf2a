"""Kills the process at a named crash point, for tests: `CROSSDOCK_CRASH_AT=point[:nth]`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping

from crossdock.engine import crash
from crossdock.errors import ConfigurationError

VARIABLE = "CROSSDOCK_CRASH_AT"


def reach_from(environ: Mapping[str, str], *others: int) -> crash.Reach:
    """What reaching a crash point does: nothing, or SIGKILL the `nth` time (from 1) that the named point is reached.

    others: processes that are killed first, for the hub is one thing to those outside.
    """
    wanted = environ.get(VARIABLE, "")
    if not wanted:
        return crash.nowhere
    point, _, nth = wanted.partition(":")
    if point not in crash.POINTS or not (nth or "1").isdigit():
        raise ConfigurationError(
            f"{VARIABLE}={wanted} names no crash point. Known are: {', '.join(crash.POINTS)}.", field=VARIABLE
        )
    left = [int(nth or "1")]
    lock = threading.Lock()

    def reach(reached: str) -> None:
        if reached != point:
            return
        with lock:
            left[0] -= 1
            if left[0] == 0:
                for process in (*others, os.getpid()):
                    os.kill(process, signal.SIGKILL)

    return reach

"""Kills or freezes the process at a named crash point, for tests: `CROSSDOCK_CRASH_AT=point[:nth]`, `CROSSDOCK_FREEZE_AT=...`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping

from crossdock.engine import crash
from crossdock.errors import ConfigurationError

CRASH, FREEZE = "CROSSDOCK_CRASH_AT", "CROSSDOCK_FREEZE_AT"
DOES = {CRASH: signal.SIGKILL, FREEZE: signal.SIGSTOP}


def reach_from(environ: Mapping[str, str], *others: int) -> crash.Reach:
    """What reaching a crash point does: nothing, or a signal the `nth` time (from 1) that the named point is reached.

    SIGKILL ends the process there, SIGSTOP freezes it until somebody sends SIGCONT. others: processes that get the
    signal first, for the hub is one thing to those outside.
    """
    for variable, number in DOES.items():
        if wanted := environ.get(variable, ""):
            return _at(variable, wanted, number, others)
    return crash.nowhere


def _at(variable: str, wanted: str, number: signal.Signals, others: tuple[int, ...]) -> crash.Reach:
    point, _, nth = wanted.partition(":")
    if point not in crash.POINTS or not (nth or "1").isdigit():
        raise ConfigurationError(
            f"{variable}={wanted} names no crash point. Known are: {', '.join(crash.POINTS)}.", field=variable
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
                    os.kill(process, number)

    return reach

"""Bounded polling, in one place: what several threads or processes come to has no other signal."""

import threading
import time

WITHIN_S = 20.0
EVERY_S = 0.01


def eventually(question, within_s=WITHIN_S, every_s=EVERY_S, told=lambda: ""):
    """The first answer that is true; fails with what `told` says when there is none in time."""
    until = time.monotonic() + within_s
    pause = threading.Event()
    while not (answer := question()):
        assert time.monotonic() < until, f"it did not come to pass within {within_s:g} s. {told()}"
        pause.wait(every_s)
    return answer

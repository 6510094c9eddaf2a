"""A second thread for one thing at a time: SQLite writes a batch there, without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

Job = Callable[[], None]


class Beside:
    """Begins a job, and waits for it; both for one thread alone."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="crossdock-beside")
        self._running: Future[None] | None = None

    def __call__(self, job: Job) -> Job:
        """Begin a job. What this returns waits for its end, and raises what it raised."""
        running = self._running = self._thread.submit(job)
        return running.result

    @property
    def busy(self) -> bool:
        """Whether a job is under way: nobody else may write then."""
        return self._running is not None and not self._running.done()

    def close(self) -> None:
        """End the thread, after what it is at."""
        self._thread.shutdown()

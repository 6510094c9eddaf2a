"""Many seeds, over all cores."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence

from sim.run import Story, Told, simulate

SHOWN_MAX = 20


def simulate_many(
    stories: Sequence[Story], jobs: int, say: Callable[[str], None], *, stop: bool = False
) -> list[Told]:
    """Run stories; those that failed come first. `stop`: at the first that fails."""
    began = time.monotonic()
    done: list[Told] = []
    struck: dict[str, int] = {}
    for n, told in enumerate(_each(stories, jobs), start=1):
        done.append(told)
        for name, count in told.struck.items():
            struck[name] = struck.get(name, 0) + count
        if not told.ok:
            say(f"seed {told.story.seed}: ({told.letter}) {told.text}")
            if stop:
                break
        if n % 25 == 0:
            minutes = (time.monotonic() - began) / 60
            failed = sum(not told.ok for told in done)
            say(f"{n} of {len(stories)} seeds, {failed} failed, {minutes:.1f} minutes")
    done.sort(key=lambda told: (told.ok, told.story.seed))
    _summary(done, struck, time.monotonic() - began, say)
    return done


def _each(stories: Sequence[Story], jobs: int):  # type: ignore[no-untyped-def]  # an iterator, lazily
    if jobs <= 1:
        yield from map(simulate, stories)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(simulate, stories)


def _summary(
    done: Sequence[Told], struck: dict[str, int], seconds: float, say: Callable[[str], None]
) -> None:
    failed = [told for told in done if not told.ok]
    cpu = sum(told.cpu_s for told in done)
    orders, lives = sum(told.orders for told in done), sum(told.lives for told in done)
    steps = sum(told.steps for told in done)
    say(
        f"{len(done)} seeds in {seconds / 60:.1f} minutes ({cpu / max(1, len(done)):.1f} s of CPU each): {orders:,} orders, "
        f"{steps:,} steps, {lives - len(done):,} crashes; {len(done) - len(failed)} held, {len(failed)} failed"
    )
    say("faults that struck: " + (", ".join(f"{name} {n:,}" for name, n in sorted(struck.items())) or "none"))
    for told in failed[:SHOWN_MAX]:
        say(f"  {told.story.command()}   # ({told.letter}) {told.text}")

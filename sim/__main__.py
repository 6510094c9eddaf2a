"""`python -m sim`: one seed, many seeds, or the planted bugs."""

from __future__ import annotations

import argparse
import sys

from sim.faults import parse
from sim.run import Story, Told, simulate


def main() -> int:
    """Run what is asked for; 0 where everything held."""
    parser = argparse.ArgumentParser(prog="python -m sim", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("one",), default="one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--faults", default="all")
    parser.add_argument("--orders", default="")
    parser.add_argument("--a-day", type=int, default=60)
    parser.add_argument("--trace", default="")
    options = parser.parse_args()
    story = Story(
        seed=options.seed,
        days=options.days,
        faults=parse(options.faults),
        orders=tuple(int(n) for n in options.orders.split(",") if n),
        orders_a_day=options.a_day,
    )
    if options.trace:
        with open(options.trace, "w", encoding="utf-8") as file:
            told = simulate(story, file)
    else:
        told = simulate(story)
    show(told)
    return 0 if told.ok else 1


def show(told: Told) -> None:
    struck = ", ".join(f"{name} {count}" for name, count in told.struck.items()) or "none"
    print(f"seed {told.story.seed}: {told.orders} orders, {told.lives} lives, {told.steps} steps, {told.cpu_s:.1f} s of CPU")
    print(f"faults that struck: {struck}")
    if not told.ok:
        print(f"VIOLATION ({told.letter}) at step {told.steps}: {told.text}")
        print("".join(told.last[-15:]), end="")
        print(f"again: {told.story.command()}")
    print(f"trace sha256 {told.digest}")


if __name__ == "__main__":
    sys.exit(main())

"""The simulation: one seed, many seeds, or the hunt for planted bugs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from sim.faults import FAULTS, parse
from sim.many import simulate_many
from sim.mutants import ROOT, SEEDS, TESTS, hunt, load, table
from sim.run import ORDERS_A_DAY, Story, Told, simulate
from sim.shrink import shrink

LINES = 15


def main() -> int:
    """Run what is asked for; 0 where everything held."""
    options = _parser().parse_args()
    run = {"one": _one, "many": _many, "mutants": _mutants, "faults": _faults}[options.what]
    return run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sim", description=__doc__)
    parser.add_argument("what", choices=("one", "many", "mutants", "faults"))
    parser.add_argument("--seed", type=int, default=7, help="of one, or the first of many")
    parser.add_argument("--seeds", type=int, default=0, help="how many seeds")
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument(
        "--faults", default="all", help="all, none, or names with commas; `faults` lists them"
    )
    parser.add_argument("--orders", default="", help="only these numbers, with commas")
    parser.add_argument("--a-day", type=int, default=ORDERS_A_DAY, help="orders a day")
    parser.add_argument("--trace", default="", help="write the trace to this file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--stop", action="store_true", help="at the first seed that fails")
    parser.add_argument("--no-shrink", action="store_true", help="show a failure as it is")
    parser.add_argument("--names", default="", help="only planted bugs whose name has this in it")
    parser.add_argument(
        "--part", default="1/1", help="of the planted bugs, e.g. 2/3: the second of every three"
    )
    parser.add_argument(
        "--no-tests", action="store_true", help="what the simulation does not find, nobody looks for"
    )
    parser.add_argument("--source", default="", help="plant bugs into the source of this folder")
    return parser


def _story(options: argparse.Namespace, seed: int) -> Story:
    return Story(
        seed=seed,
        days=options.days,
        faults=parse(options.faults),
        orders=tuple(int(n) for n in options.orders.split(",") if n),
        orders_a_day=options.a_day,
    )


def _one(options: argparse.Namespace) -> int:
    story = _story(options, options.seed)
    if options.trace:
        with Path(options.trace).open("w", encoding="utf-8") as file:
            told = simulate(story, file)
    else:
        told = simulate(story)
    _show(told)
    if not told.ok and not options.no_shrink:
        say("making it smaller ...")
        small = shrink(told, say)
        if small is not told:
            say("\nThe smallest story found:")
            _show(small)
    return 0 if told.ok else 1


def _many(options: argparse.Namespace) -> int:
    stories = [_story(options, options.seed + n) for n in range(options.seeds or 1000)]
    done = simulate_many(stories, options.jobs, say, stop=options.stop)
    return 0 if all(told.ok for told in done) else 1


def _mutants(options: argparse.Namespace) -> int:
    mutants = [mutant for mutant in load() if options.names in mutant.name]
    number, _, parts = options.part.partition("/")
    mutants = mutants[int(number) - 1 :: int(parts)]
    tests = () if options.no_tests else TESTS
    source = Path(options.source) if options.source else ROOT
    found = hunt(mutants, say, seeds=options.seeds or SEEDS, source=source, tests=tests)
    return 0 if table(found, say) else 1


def _faults(options: argparse.Namespace) -> int:
    for name, (rows, text) in FAULTS.items():
        say(f"{name:16} {rows:10} {text}")
    return 0


def _show(told: Told) -> None:
    struck = ", ".join(f"{name} {count}" for name, count in told.struck.items()) or "none"
    say(
        f"seed {told.story.seed}: {told.orders} orders, {told.lives} lives of the hub, {told.steps} steps, "
        f"{told.cpu_s:.1f} s of CPU"
    )
    say(f"faults that struck: {struck}")
    if not told.ok:
        say(f"VIOLATION of ({told.letter}) at step {told.steps}: {told.text}")
        say("what happened last (step, microseconds since midnight, what):")
        say("".join(told.last[-LINES:]).rstrip())
        say(f"again: {told.story.command()}")
    say(f"trace sha256 {told.digest}")


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

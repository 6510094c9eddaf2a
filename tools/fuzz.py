"""Searches for what breaks the faces, for so many seconds: `python -m tools.fuzz SECONDS [SEED]`.

Round after round of tests/fuzz, each with a seed of its own and with more examples than `make test` has. It ends with the
first round that fails, and says how to see the same again.
"""

import os
import subprocess
import sys
import time

EXAMPLES = 400
"""Of each test a round: a round takes some minutes."""


def main(arguments: list[str]) -> int:
    seconds = float(arguments[0]) if arguments else 600.0
    seed = int(arguments[1]) if len(arguments) > 1 else time.time_ns() % 1_000_000
    until = time.monotonic() + seconds
    rounds = 0
    while rounds == 0 or time.monotonic() < until:
        sys.stdout.write(f"== round {rounds + 1}, seed {seed + rounds}\n")
        sys.stdout.flush()
        if code := run(seed + rounds):
            sys.stdout.write(f"The same again: make fuzz SECONDS=0 SEED={seed + rounds}\n")
            return code
        rounds += 1
    sys.stdout.write(f"{rounds} rounds, nothing found.\n")
    return 0


def run(seed: int) -> int:
    """One round."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-o", "timeout=3600", f"--hypothesis-seed={seed}"]
    environ = {**os.environ, "CROSSDOCK_FUZZ_EXAMPLES": str(EXAMPLES)}
    return subprocess.run([*command, "tests/fuzz"], env=environ, check=False).returncode  # noqa: S603 - ourselves


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

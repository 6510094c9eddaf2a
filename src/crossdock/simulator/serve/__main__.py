"""The command: reads the configuration, prints where it listens as one JSON line, serves until it is told to stop."""

import argparse
from pathlib import Path

import msgspec

from crossdock.simulator.serve.app import Config, run


def main() -> None:
    """Serve the simulators of a configuration file."""
    parser = argparse.ArgumentParser(prog="crossdock.simulator.serve", description=__doc__)
    parser.add_argument(
        "--config", required=True, type=Path, help="JSON file; see crossdock.simulator.serve.app"
    )
    arguments = parser.parse_args()
    run(msgspec.json.decode(arguments.config.read_bytes(), type=Config))


if __name__ == "__main__":
    main()

"""The command line. Imports everything; nothing imports it."""

from __future__ import annotations


def main() -> None:
    """Run `crossdock`; ends the process with 0, with 1 where something was found wanting, with 2 for an error."""
    from crossdock.cli.app import app

    app(prog_name="crossdock")

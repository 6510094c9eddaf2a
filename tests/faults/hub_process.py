"""A hub in a process of its own, to be killed: as `crossdock up`, but with partners that are given up on sooner.

`python -m tests.faults.hub_process CONFIG [ROLE]`; CROSSDOCK_CRASH_AT names the crash point at which it kills itself,
CROSSDOCK_FREEZE_AT the one at which it freezes.
"""

import logging
import os
import sys
from pathlib import Path

import msgspec

from crossdock.bootstrap import hub as bootstrap
from crossdock.config import load_config
from crossdock.gateway import running
from crossdock.stores.sqlite import database

DEADLINE_S = 2.0
SETTLE_S = 0.2
SMALL_CACHES = "CROSSDOCK_TEST_SMALL_CACHES"
"""Set, SQLite keeps next to nothing in memory: what else grows is seen."""


class QuickHub(bootstrap.Hub):
    """Its partners' contracts allow two seconds a call, so that what a dead process had claimed is soon taken over."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        for connector in self.connectors.values():
            connector.spec = quick(connector.spec)


def quick(spec):
    operations = tuple(
        msgspec.structs.replace(operation, deadline_s=DEADLINE_S, settle_s=SETTLE_S)
        for operation in spec.operations
    )
    return msgspec.structs.replace(spec, operations=operations)


def main():
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    bootstrap.SETTLE_GRACE_US = int(SETTLE_S * 1_000_000)
    running.Hub = QuickHub
    if os.environ.get(SMALL_CACHES):
        database.PAGE_CACHE_KIB, database.MMAP_BYTES = 2_048, 0
    config = load_config(Path(sys.argv[1]), os.environ)
    if sys.argv[2:]:
        logging.getLogger("crossdock").setLevel(logging.INFO)  # a worker says there what it was refused
        running.run_role(config, sys.argv[2])
    else:
        running.run(config)


if __name__ == "__main__":
    main()

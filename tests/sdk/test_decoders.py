"""Classes that several threads meet for the first time at once. In a process of its own: when it fails, it dies."""

import subprocess
import sys

from crossdock.sdk.decoders import decoder_of

SCRIPT = """
import sys, threading, types
from crossdock.sdk.decoders import decoder_of

sys.setswitchinterval(1e-6)
FIELDS = "".join(f"    some_{n}: list[int | None] = []\\n" for n in range(30))
NESTED = "".join(f"    some_{n}: list[Inner] | None = None\\n" for n in range(30))
SOURCE = "from __future__ import annotations\\nimport msgspec\\n"
SOURCE += f"class Inner(msgspec.Struct):\\n{FIELDS}class Outer(msgspec.Struct):\\n{NESTED}"

def fresh(number):
    module = types.ModuleType(f"module{number}")
    sys.modules[module.__name__] = module
    exec(SOURCE, module.__dict__)
    return module.Outer

def work(type_, barrier):
    barrier.wait()
    assert decoder_of(type_).decode(b'{"some_0": [{"some_1": [1, null]}]}').some_0[0].some_1 == [1, None]

for number in range(60):
    type_, barrier = fresh(number), threading.Barrier(4)
    threads = [threading.Thread(target=work, args=(type_, barrier)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_that_meet_a_class_for_the_first_time_at_once_do_not_kill_the_process():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_a_type_has_one_decoder():
    assert decoder_of(int) is decoder_of(int)
    assert decoder_of(list[int]) is decoder_of(list[int])

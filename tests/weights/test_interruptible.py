"""A network that still runs when the program ends neither aborts the process nor keeps it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BUSY = """
import sys, threading, time
import numpy as np
from faceauth.liveness.spoofnet import SpoofNet
spoofnet = SpoofNet()
crops = [np.zeros((4, 224, 224, 3), np.uint8) for _ in spoofnet.crops]
def work():
    while True:
        spoofnet.score(crops)
threading.excepthook = lambda failure: None
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.5)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["sys.exit(4)", "raise KeyboardInterrupt"])
def test_a_daemon_thread_inside_a_network_does_not_abort_the_process(ending: str) -> None:
    expected = {"sys.exit(4)": 4, "raise KeyboardInterrupt": 130}[ending]
    code = f"{BUSY}\ntry:\n    {ending}\nexcept KeyboardInterrupt:\n    sys.exit(130)\n"
    ended = {subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode for _ in range(3)}
    assert ended == {expected}


def test_the_end_does_not_wait_for_a_long_batch() -> None:
    code = BUSY.replace("(4, 224", "(400, 224") + "\nprint(time.time(), flush=True)\n"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert time.time() - float(ran.stdout) < 5


def test_no_network_starts_once_the_program_ends() -> None:
    code = f"""{BUSY.split("def work")[0]}
import atexit
from faceauth.weights import interruptible
atexit.unregister(interruptible._stop_all)
interruptible._stop_all()
try:
    spoofnet.score(crops)
except RuntimeError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stdout == "The program is ending, so no network runs any more.\n", ran.stderr

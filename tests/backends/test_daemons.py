"""A stage that still works in native code when the program ends neither aborts the process nor keeps it."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]

STAGE = """
import logging, sys, time
import cv2, numpy as np
from faceauth.testing import FakeDetector, FakeLiveness
from tests.pipelines import fake_pipeline, noise_image
logging.disable(logging.CRITICAL)
noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
def native(crops):
    while True:
        cv2.GaussianBlur(noise, (0, 0), 9)
def hanging(crops):
    time.sleep(600)
pipeline = fake_pipeline(stage_timeout_s=0.3, liveness=FakeLiveness({answer}))
assert str(pipeline.verify(noise_image()).reason) == "stage_failed"
"""


def run(code: str) -> tuple[int, float, str]:
    """Exit status, seconds from the last line of the program to its end, and what it said."""
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}print(time.time(), flush=True)\nsys.exit(4)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return ran.returncode, time.time() - float(ran.stdout or "nan"), ran.stderr


def test_a_stage_that_was_left_behind_in_native_code_does_not_abort_the_process() -> None:
    assert run(STAGE.format(answer="native"))[0] == 4


def test_a_stage_that_hangs_for_good_is_not_waited_for_long() -> None:
    status, seconds, said = run(STAGE.format(answer="hanging"))
    assert (status, said) == (4, "") and seconds < 10

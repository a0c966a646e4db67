"""What a fresh process costs: imports, the first verdict, memory. Every round starts an interpreter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = pytest.mark.benchmark(group="process")

ROOT = Path(__file__).parents[1]
ROUNDS = 7
FIRST_VERDICT = "import faceauth; faceauth.Pipeline().verify('examples/collins.jpg')"


def python(*arguments: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    "code", ["pass", "import numpy, cv2, pydantic", "import faceauth", FIRST_VERDICT], ids=lambda code: code
)
def test_cold(benchmark: BenchmarkFixture, code: str) -> None:
    benchmark.extra_info.update(
        label=f"python -c {code!r}" if code != FIRST_VERDICT else "a fresh process's first verdict"
    )
    benchmark.pedantic(python, ("-c", code), rounds=ROUNDS, warmup_rounds=1)


def test_memory(benchmark: BenchmarkFixture) -> None:
    peaks = json.loads(benchmark.pedantic(python, ("-m", "benchmarks.memory"), rounds=1))
    assert list(peaks.values()) == sorted(peaks.values())
    benchmark.extra_info.update(peak_mib=peaks)

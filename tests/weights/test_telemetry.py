"""Nothing is written and nobody is asked: onnxruntime's telemetry is off before onnxruntime is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

VERIFY = """
import os, signal, sys, time
import numpy as np
from faceauth.detection.yunet import YuNet
from faceauth.embedding.sface import SFace
from faceauth.liveness.spoofnet import SpoofNet
spoofnet, sface = SpoofNet(), SFace()
YuNet().detect(np.zeros((64, 64, 3), np.uint8))
spoofnet.score([np.zeros((1, 224, 224, 3), np.uint8) for _ in spoofnet.crops])
sface.embed(np.zeros((1, 112, 112, 3), np.uint8))
time.sleep(1)
"""

OPEN = """
for number in os.listdir("/proc/self/fd"):
    try:
        print(os.readlink(f"/proc/self/fd/{number}"))
    except OSError:
        pass  # the descriptor of the listing itself
"""


def run(code: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter with an empty home folder and without the variables that could switch telemetry off."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    env = {**inherited, "HOME": str(home), "USERPROFILE": str(home), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_running_every_network_leaves_no_file_and_opens_no_socket(tmp_path: Path) -> None:
    ran = run(VERIFY + OPEN, tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert [name for name in ran.stdout.splitlines() if name.startswith("socket:") or str(tmp_path) in name] == []


@pytest.mark.parametrize("package", ["faceauth", "training", "benchmarks"])
def test_every_package_switches_it_off_whatever_was_set(package: str, tmp_path: Path) -> None:
    code = f"import os, {package}; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert run(code, tmp_path, ORT_DISABLE_TELEMETRY="0").stdout == "1\n"


def test_onnxruntime_imported_before_faceauth_is_a_warning_that_says_what_to_do(tmp_path: Path) -> None:
    said = run("import onnxruntime, faceauth", tmp_path).stderr
    assert "RuntimeWarning: onnxruntime was imported before faceauth, without ORT_DISABLE_TELEMETRY=1" in said
    assert "RuntimeWarning" not in run("import onnxruntime, faceauth", tmp_path, ORT_DISABLE_TELEMETRY="1").stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_runs_a_network_ends_cleanly(tmp_path: Path) -> None:
    """A server that loads its pipeline before it forks its workers."""
    code = VERIFY + (
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.alarm(60)\n"
        "    spoofnet.score([np.zeros((1, 224, 224, 3), np.uint8) for _ in spoofnet.crops])\n"
        "    sys.exit(0)\n"
        "print('child ended with', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    ran = run(code, tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "child ended with 0\n"), ran.stderr

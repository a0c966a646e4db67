"""A plugin of fakes, installed as a distribution of its own, so that the commands run as users run them: by names."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from faceauth.cli import program

FAKES = '''
"""P(live) is the mean brightness. An image 100 px wide shows nobody, one 101 px high makes the detector fail."""

import os
import shutil
import sys
import time

from faceauth.thresholds import MatchPoint, MatchPoints, MeasuredRate, OperatingPoint, OperatingPoints
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, face_in


def _faces(image):
    if "SWAPPED" in os.environ:
        shutil.copyfile(os.environ["SWAP_WITH"], os.environ["SWAPPED"])
    if image.shape[0] == 101:
        raise RuntimeError("the detector fell over")
    return [] if image.shape[1] == 100 else [face_in(image)]


def _rate(errors, n):
    return MeasuredRate(errors=errors, n=n, value=errors / n, low=0.0, high=0.5, interval="wilson 95 %")


def _point(threshold):
    apcer = {"print": _rate(1, 50), "replay": _rate(3, 50)}
    return OperatingPoint(threshold=threshold, apcer=apcer, bpcer=_rate(2, 40), measured_on="toy val")


POINTS = OperatingPoints(convenience=_point(0.3), balanced=_point(0.5), strict=_point(0.9))


class Detector(FakeDetector):
    def __init__(self):
        super().__init__(_faces)


class Liveness(FakeLiveness):
    def __init__(self, *, measured: bool = True):
        answer = lambda crops: crops[0].mean(axis=(1, 2, 3), dtype="float32") / 255
        super().__init__(answer, operating_points=POINTS if measured else None)


class Bright(FakeLiveness):
    """Another measure of the same, without points."""

    def __init__(self):
        super().__init__(lambda crops: crops[0].max(axis=(1, 2, 3)).astype("float32") / 256)


class Doubting(FakeLiveness):
    """Half as sure as Liveness."""

    def __init__(self):
        super().__init__(lambda crops: crops[0].mean(axis=(1, 2, 3), dtype="float32") / 510, operating_points=POINTS)


class Silent(FakeLiveness):
    """Breaks its promises."""

    def __init__(self):
        super().__init__(lambda crops: crops[0].mean(axis=(1, 2, 3)), operating_points=POINTS)


class Exiting(FakeLiveness):
    def __init__(self):
        super().__init__(error=SystemExit(0), operating_points=POINTS)


class Hanging(FakeLiveness):
    """Says on stderr that it was called, and never answers."""

    def __init__(self):
        super().__init__(self._hang, operating_points=POINTS)

    def _hang(self, crops):
        print("hanging", file=sys.stderr, flush=True)
        time.sleep(3600)


def _match(threshold):
    return MatchPoint(threshold=threshold, fmr=_rate(1, 50), fnmr=_rate(2, 40), measured_on="toy pairs")


MATCH_POINTS = MatchPoints(convenience=_match(0.3), balanced=_match(0.5), strict=_match(0.9))


class Embedder(FakeEmbedder):
    def __init__(self):
        super().__init__(match_points=MATCH_POINTS)


class Falling(FakeEmbedder):
    def __init__(self):
        super().__init__(error=RuntimeError("the embedder fell over"), match_points=MATCH_POINTS)
'''

ENTRY_POINTS = """
[faceauth.detection]
fake = faceauth_fakes:Detector
[faceauth.liveness]
fake = faceauth_fakes:Liveness
bright = faceauth_fakes:Bright
tunable = faceauth_fakes:Liveness
doubting = faceauth_fakes:Doubting
silent = faceauth_fakes:Silent
exiting = faceauth_fakes:Exiting
hanging = faceauth_fakes:Hanging
absent = faceauth_no_such_module:Liveness
[faceauth.embedding]
fake = faceauth_fakes:Embedder
falling = faceauth_fakes:Falling
"""

FAKE_BACKENDS = {"FACEAUTH_DETECTOR": "fake", "FACEAUTH_LIVENESS": "fake", "FACEAUTH_EMBEDDER": "fake"}

LIVE, UNCERTAIN, ATTACK = (120, 250), (60, 150), (20, 60)
"""Ranges of noise that the fake liveness backend scores at about 0.73, 0.41 and 0.16."""

Run = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[str]"]
Photo = Callable[..., Path]


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugin")
    info = folder / "faceauth_fakes-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faceauth-fakes\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "faceauth_fakes.py").write_text(FAKES)
    return folder


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment without settings of ours but the fakes."""
    for name in list(os.environ):
        if name.startswith("FACEAUTH_") or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            monkeypatch.delenv(name)
    for name, value in FAKE_BACKENDS.items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)


@pytest.fixture
def run(plugin_folder: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command with the fakes in this process."""
    monkeypatch.syspath_prepend(str(plugin_folder))

    def run(*arguments: object, stdin: bytes | None = None, **variables: str) -> Result:
        words = [str(one) for one in arguments]
        return CliRunner().invoke(program, words, input=stdin, env=variables, prog_name="faceauth")

    return run


@pytest.fixture
def command_line(plugin_folder: Path, environment: dict[str, str]) -> Callable[..., "tuple[list[str], dict[str, str]]"]:
    """The arguments and the environment of a process that runs a command with the fakes as the console script does."""
    folders = (str(Path(__file__).parents[2]), str(plugin_folder))

    def command_line(*arguments: object, before: str = "", **variables: str) -> tuple[list[str], dict[str, str]]:
        code = f"{before}\nimport faceauth_command\nfaceauth_command.main()"
        path = {"PYTHONPATH": os.pathsep.join((*variables.pop("PYTHONPATH", "").split(os.pathsep), *folders))}
        return [sys.executable, "-c", code, *map(str, arguments)], {**environment, **variables, **path}

    return command_line


@pytest.fixture
def process(command_line: Callable[..., Any]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs a command in a process of its own; ``redirect`` is what a shell would read behind it, such as ``2>&-``."""

    def process(
        *arguments: object, before: str = "", redirect: str = "", **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        command, environment = command_line(*arguments, before=before, **variables)
        if redirect:
            command = ["sh", "-c", f'exec "$@" {redirect}', "sh", *command]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    return process


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    """Writes a photo of noise in a range of brightness."""

    def photo(
        name: str, brightness: tuple[int, int] = LIVE, *, size_wh: tuple[int, int] = (200, 200), seed: int = 0
    ) -> Path:
        width, height = size_wh
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(*brightness, (height, width, 3), np.uint8)
        path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
        return path

    return photo

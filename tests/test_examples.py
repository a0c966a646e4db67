"""Every example runs as its docstring says, as a process of its own, with the weights in use."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth import Pipeline, PipelineConfig, Template, Verification
from faceauth.imaging.decoding import load_image
from faceauth.stages import Image

from .video.clips import SIZE_WH, clip, moved

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
LIVE, PHONE, PAPER = (EXAMPLES / name for name in ("collins.jpg", "collins_on_a_phone.jpg", "collins_on_paper.jpg"))
ENROLLED, ANOTHER = EXAMPLES / "collins_enrolled.jpg", EXAMPLES / "hopper.jpg"
SCRIPTS = ("verify_photo.py", "login.py", "camera_loop.py", "own_backend/faceauth_stripes.py")


def run(*command: object, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A script of the examples, from the root of the repository, without the settings of this machine."""
    own = {k: v for k, v in os.environ.items() if k == "FACEAUTH_WEIGHTS" or not k.startswith("FACEAUTH_")}
    changed = dict(environ or {})
    paths = (changed.pop("PYTHONPATH", ""), str(ROOT), os.environ.get("PYTHONPATH", ""))
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**own, **changed, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
    )


def video(path: Path, images: Iterable[Image]) -> Path:
    """Thirty frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, SIZE_WH)
    assert writer.isOpened()
    for image in images:
        writer.write(image)
    writer.release()
    return path


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_is_about_ten_lines(script: str) -> None:
    source = (EXAMPLES / script).read_text(encoding="utf-8")
    without_docstrings = re.sub(r'^\s*""".*?"""$', "", source, flags=re.S | re.M)
    assert len([line for line in without_docstrings.splitlines() if line.strip()]) <= 20


@pytest.mark.parametrize("photo", [LIVE, PHONE, PAPER, ENROLLED, ANOTHER], ids=lambda path: path.stem)
def test_an_example_photo_is_small(photo: Path) -> None:
    assert photo.stat().st_size < 100_000


def test_the_example_photos_are_those_that_the_script_draws() -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("matplotlib")
    from examples.make_photos import photos

    for name, drawn in photos().items():
        stored = load_image(EXAMPLES / name)
        assert stored.shape == drawn.shape, f"{name}: run `python -m examples.make_photos`"
        difference = np.abs(stored.astype(np.int16) - drawn).mean()
        assert difference < 6, f"{name} differs by {difference:.1f} of 255: run `python -m examples.make_photos`"


def test_verify_photo_accepts_the_live_portrait() -> None:
    done = run("examples/verify_photo.py", LIVE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("accept: A live person.\nP(live) is ")


@pytest.mark.parametrize("attack", [PHONE, PAPER], ids=lambda path: path.stem)
def test_verify_photo_does_not_accept_the_simulated_attack(attack: Path) -> None:
    done = run("examples/verify_photo.py", attack)
    assert done.returncode == 1 and not done.stderr, done.stdout + done.stderr
    assert done.stdout.startswith(("reject: ", "uncertain: "))


def test_login_welcomes_the_person_in_the_reference() -> None:
    done = run("examples/login.py", LIVE, ENROLLED)
    assert (done.returncode, done.stdout) == (0, "Welcome.\n"), done.stderr


def test_login_refuses_a_photo_of_the_right_person_on_a_phone() -> None:
    done = run("examples/login.py", PHONE, LIVE)
    assert done.returncode == 1 and done.stderr.startswith("No entry: "), done.stderr
    assert "Welcome" not in done.stdout


def test_login_refuses_another_live_person() -> None:
    assert run("examples/verify_photo.py", ANOTHER).returncode == 0
    done = run("examples/login.py", ANOTHER, ENROLLED)
    assert done.returncode == 1, done.stdout
    assert done.stderr == "No entry: Not the person in the reference.\n"


def test_login_requires_liveness_and_match_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Pipeline] = []
    references: list[object] = []

    class Watched(Pipeline):
        def __init__(self, *given: object, **settings: object) -> None:
            super().__init__(*given, **settings)  # type: ignore[arg-type]
            made.append(self)

        def verify(self, *given: object, **how: object) -> Verification:  # type: ignore[override]
            references.append(how.get("reference"))
            return super().verify(*given, **how)  # type: ignore[arg-type]

    for name, value in (("REQUIRE_LIVENESS", "false"), ("THRESHOLD", "0.000001"), ("MATCH_THRESHOLD", "-1")):
        monkeypatch.setenv(f"FACEAUTH_{name}", value)
    monkeypatch.setattr("faceauth.Pipeline", Watched)
    monkeypatch.setattr(sys, "argv", ["login.py", str(PHONE), str(LIVE)])
    with pytest.raises(SystemExit, match="No entry"):
        runpy.run_path(str(EXAMPLES / "login.py"))
    assert [pipeline.config for pipeline in made] == [PipelineConfig(require_match=True)]
    assert [type(reference) for reference in references] == [Template]


@pytest.mark.slow
def test_camera_loop_welcomes_a_portrait_that_moves(tmp_path: Path) -> None:
    moving = (image for _, image in clip(load_image(LIVE), 3.0))
    done = run("examples/camera_loop.py", video(tmp_path / "live.avi", moving))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("Turn your head a little") and done.stdout.endswith("A live person.\nWelcome.\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "step", "said"),
    [
        (0.6, 1, "different frames"),
        (3.0, 0, "The camera shows the same frame again"),
        (0.0, 1, "different frames"),
    ],
    ids=["short", "frozen", "one frame"],
)
def test_camera_loop_refuses_a_portrait_that_is_too_little_evidence(
    tmp_path: Path, seconds: float, step: int, said: str
) -> None:
    images = [moved(load_image(LIVE), step * number / 30) for number in range(1 + round(seconds * 30))]
    done = run("examples/camera_loop.py", video(tmp_path / "clip.avi", images))
    assert (done.returncode, done.stderr) == (1, "No entry.\n") and said in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("attack", [PHONE, PAPER], ids=lambda path: path.stem)
def test_camera_loop_never_welcomes_an_attack(tmp_path: Path, attack: Path) -> None:
    moving = (image for _, image in clip(load_image(attack), 3.0))
    done = run("examples/camera_loop.py", video(tmp_path / "attack.avi", moving))
    assert (done.returncode, done.stderr) == (1, "No entry.\n"), done.stdout


@pytest.fixture(scope="module")
def own_backend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package was installed into, by pip and without a network."""
    pytest.importorskip("hatchling")
    target = tmp_path_factory.mktemp("site")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    done = run("-m", "pip", "install", *options, "--target", target, EXAMPLES / "own_backend")
    assert done.returncode == 0, done.stderr
    return target


def test_own_backend_is_found_by_name_and_judges(own_backend: Path) -> None:
    chosen = {"FACEAUTH_LIVENESS": "stripes", "PYTHONPATH": str(own_backend)}
    low, high = (
        run("examples/verify_photo.py", LIVE, environ={**chosen, "FACEAUTH_THRESHOLD": threshold})
        for threshold in ("0.01", "0.99")
    )
    assert (low.returncode, high.returncode) == (0, 1), low.stderr + high.stderr
    assert "accepted from 0.010 on" in low.stdout and "accepted from 0.990 on" in high.stdout


def test_own_backend_keeps_every_rule_of_a_backend(own_backend: Path) -> None:
    code = (
        "from faceauth.backends.registry import load_backend\n"
        "from faceauth.testing import check_liveness_backend as check\n"
        "loaded = load_backend('liveness', 'stripes')\n"
        "print(loaded.provenance.distribution, [found for found in check(loaded.backend) if not found.passed])"
    )
    done = run("-c", code, environ={"PYTHONPATH": str(own_backend)})
    assert done.stdout == "faceauth-stripes []\n", done.stderr


def test_own_backend_needs_a_threshold_because_it_measured_none(own_backend: Path) -> None:
    done = run(
        "examples/verify_photo.py", LIVE, environ={"FACEAUTH_LIVENESS": "stripes", "PYTHONPATH": str(own_backend)}
    )
    assert done.returncode == 1 and "No operating points were measured for stripes" in done.stderr

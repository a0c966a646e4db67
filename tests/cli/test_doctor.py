"""``faceauth doctor``, and the drawing on which it runs every network."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from faceauth.backends.registry import list_backends
from faceauth.cli.doctor import _environment
from faceauth.cli.selftest import FACE, SIDE_PX, portrait
from faceauth.cli.selftest import run as self_test
from faceauth.config import load_config
from faceauth.weights.cards import ModelCard
from faceauth.weights.store import PinnedModel

from .conftest import Run


def test_doctor_shows_versions_providers_weights_and_what_each_stage_did(run: Run) -> None:
    said = run("doctor").stdout
    for fact in ("python", "onnxruntime", "CPUExecutionProvider", "yunet_2023mar.onnx", "Self-test"):
        assert fact in said
    assert "fake finds 1 face" in said
    assert "fake answers, P(live) 0." in said
    assert "fake answers with 16 numbers, similarity to itself 1.0000" in said


def test_doctor_shows_the_settings_that_come_from_the_environment(run: Run) -> None:
    rows = [line.split() for line in run("doctor").stdout.splitlines()]
    assert ["FACEAUTH_LIVENESS", "fake"] in rows


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FACEAUTH_MASTER_KEY", "c2VjcmV0"),
        ("FACEAUTH_GALLERY", "postgresql://me:secret@host/faces"),
        ("FACEAUTH_OPTIONS__FAKE__TOKEN", "secret"),
    ],
)
def test_what_may_be_a_secret_is_not_shown(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for kept in list(os.environ):
        if kept.startswith("FACEAUTH_"):
            monkeypatch.delenv(kept)
    monkeypatch.setenv(name, text)
    (finding,) = _environment()
    assert (finding.name, finding.found) == (name, "set; not shown, since it may be a secret")


def test_doctor_checks_the_configured_weights(run: Run, tmp_path: Path) -> None:
    ran = run("doctor", FACEAUTH_WEIGHTS=str(tmp_path))
    assert ran.exit_code == 4 and "manifest.json" in ran.stdout


def test_doctor_says_the_same_in_json(run: Run) -> None:
    ran = run("doctor", "--json", FACEAUTH_LIVENESS="absent")
    findings = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.exit_code == 4
    assert {finding["section"] for finding in findings} >= {"Versions", "Environment", "Weight files"}
    assert "liveness" in [finding["name"] for finding in findings if finding["works"] is False]


def test_doctor_says_which_stage_is_broken_and_still_runs_the_others(run: Run) -> None:
    ran = run("doctor", FACEAUTH_LIVENESS="absent")
    assert ran.exit_code == 4 and "marked broken" in ran.stderr
    said = " ".join(ran.stdout.split())
    assert "cannot be imported" in said and "similarity to itself" in said


def test_answer_against_the_contract_fails_the_self_test_of_its_stage_alone(run: Run) -> None:
    detection, liveness, embedding = self_test(load_config(arguments={"liveness": "silent"}))
    assert liveness.error is not None and "float32" in liveness.said
    assert detection.error is None and embedding.error is None


def test_a_backend_that_nobody_could_decide_with_does_not_work(run: Run) -> None:
    _, liveness, embedding = self_test(
        load_config(arguments={"liveness": "tunable", "options": {"tunable": {"measured": False}}})
    )
    assert liveness.error is not None and "operating points" in liveness.said
    assert embedding.error is None


def test_drawing_is_the_same_every_time() -> None:
    assert portrait().shape == (SIDE_PX, SIDE_PX, 3) and portrait().dtype == np.uint8
    assert (portrait() == portrait()).all()


def test_built_in_detector_finds_the_drawn_face_where_it_is_said_to_be() -> None:
    from faceauth.detection.yunet import YuNet

    if not PinnedModel("yunet", ModelCard).weights("network").path.exists():
        pytest.skip("the package was not built: pip install -e .")
    (face,) = YuNet().detect(portrait())
    assert np.abs(np.subtract(face.box_xyxy, FACE.box_xyxy)).max() < 6
    assert np.abs(np.subtract(face.landmarks_px, FACE.landmarks_px)).max() < 6


def test_doctor_is_content_with_a_whole_installation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FACEAUTH_DETECTOR", "FACEAUTH_LIVENESS", "FACEAUTH_EMBEDDER"):
        monkeypatch.delenv(name)
    installed = {entry.name for entry in list_backends() if entry.builtin}
    if not {"yunet", "spoofnet", "sface"} <= installed:
        pytest.skip("faceauth is not installed: pip install -e .")
    ran = run("doctor")
    assert ran.exit_code == 0 and "Everything works." in ran.stdout, ran.stdout

"""A camera profile raises the threshold of one camera, for the weights that it was made with."""

from pathlib import Path

import numpy as np
import pytest

from faceauth.calibration.camera_profile import FEWEST_IMAGES, MARGIN, CameraProfile, fit_profile, read_profile
from faceauth.calibration.logits import sigmoid
from faceauth.errors import UsageError
from faceauth.pipeline import Pipeline
from faceauth.results import Reason
from faceauth.testing import FakeDetector, FakeLiveness
from tests.pipelines import noise_image, operating_points

WEIGHTS = {"FakeLiveness": {"fake.onnx": "a" * 64}}
POINTS = operating_points(0.3, 0.5, 0.8)


def profile(mean_logit: float, *, may_lower: bool = False) -> CameraProfile:
    p_live = sigmoid(mean_logit + np.array([-1.0, -0.5, 0.0, 0.5, 1.0]))
    return fit_profile(p_live, camera="door", weights_sha256=WEIGHTS, made_by="a test", may_lower=may_lower)


def verifier(folder: Path, content: CameraProfile, p_live: float, **settings: object) -> Pipeline:
    path = folder / "door.json"
    path.write_text(content.model_dump_json())
    backend = FakeLiveness(p_live, operating_points=POINTS)
    backend.weights_sha256 = WEIGHTS["FakeLiveness"]
    return Pipeline(detector=FakeDetector(), liveness=backend, camera_profile=path, **settings)  # type: ignore[arg-type]


def test_the_threshold_lies_a_margin_below_the_mean_logit() -> None:
    found = profile(3.0)
    assert found.mean_logit == pytest.approx(3.0) and found.n == 5
    assert found.threshold == pytest.approx(float(sigmoid(3.0 - MARGIN)))


def test_too_few_images_make_no_profile() -> None:
    with pytest.raises(UsageError, match=rf"needs {FEWEST_IMAGES} or more"):
        fit_profile([0.9] * (FEWEST_IMAGES - 1), camera="door", weights_sha256={"fake": {}}, made_by="a test")


def test_a_profile_raises_the_threshold_and_says_so(tmp_path: Path) -> None:
    result = verifier(tmp_path, profile(2.0 + MARGIN), 0.87).verify(noise_image())  # sigmoid(2) = 0.88
    assert result.reason is Reason.LIVENESS_UNCERTAIN and result.thresholds is not None
    (threshold,) = result.thresholds.liveness
    assert threshold.live == pytest.approx(0.8808, abs=1e-4) and threshold.point == "balanced"
    assert threshold.measured is None and threshold.profile_sha256 is not None


def test_a_profile_never_lowers_a_threshold_unless_it_may(tmp_path: Path) -> None:
    assert not verifier(tmp_path, profile(-1.0), 0.3).verify(noise_image()).accepted
    assert verifier(tmp_path, profile(-1.0, may_lower=True), 0.3).verify(noise_image()).accepted


def test_a_threshold_that_did_not_move_keeps_its_measured_rates(tmp_path: Path) -> None:
    result = verifier(tmp_path, profile(-1.0), 0.9).verify(noise_image())
    assert result.thresholds is not None and result.thresholds.liveness[0].measured == POINTS.balanced


def test_a_profile_of_other_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "door.json"
    path.write_text(profile(3.0).model_dump_json())
    with pytest.raises(UsageError, match="was made for other weights"):
        read_profile(path, {"other": {"other.onnx": "b" * 64}})


@pytest.mark.parametrize("content", ["", "{}", '{"format": 2}'])
def test_what_is_no_profile_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "door.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="is not a camera profile"):
        read_profile(path, WEIGHTS)


def test_a_profile_moves_one_threshold_and_not_several(tmp_path: Path) -> None:
    path = tmp_path / "door.json"

    class Other(FakeLiveness):
        pass

    first, second = FakeLiveness(0.9, operating_points=POINTS), Other(0.9, operating_points=POINTS)
    first.weights_sha256, second.weights_sha256 = WEIGHTS["FakeLiveness"], {"other.onnx": "b" * 64}
    both = {"FakeLiveness": first.weights_sha256, "Other": second.weights_sha256}
    path.write_text(fit_profile([0.9] * 5, camera="door", weights_sha256=both, made_by="a test").model_dump_json())
    with pytest.raises(UsageError, match="moves one threshold"):
        Pipeline(detector=FakeDetector(), liveness=[first, second], combine="all", camera_profile=path)

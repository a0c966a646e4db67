"""A points file belongs to the weights that it was measured with."""

import hashlib
from pathlib import Path

import pytest

from faceauth.calibration.points_file import (
    SHIPPED,
    MemberCalibration,
    PointsFile,
    find_points,
    read_points,
    same_backends,
)
from faceauth.errors import UsageError
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.pipeline import Pipeline
from faceauth.testing import FakeDetector, FakeLiveness
from tests.pipelines import noise_image, operating_points

WEIGHTS = {"a": {"a.onnx": "a" * 64}, "b": {"b.onnx": "b" * 64}}


def written(folder: Path, *names: str) -> Path:
    members = tuple(MemberCalibration(name=name, weights_sha256=WEIGHTS[name]) for name in names)
    content = PointsFile(members=members, operating_points=operating_points(0.1, 0.2, 0.9), made_by="test")
    path = folder / "points.json"
    path.write_text(content.model_dump_json())
    return path


def test_what_was_written_is_read_back_with_its_digest(tmp_path: Path) -> None:
    path = written(tmp_path, "a", "b")
    points = read_points(path)
    assert [member.name for member in points.content.members] == ["a", "b"]
    assert points.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_order_of_the_members_does_not_matter(tmp_path: Path) -> None:
    path = written(tmp_path, "a", "b")
    assert find_points(path, dict(reversed(WEIGHTS.items()))) is not None


@pytest.mark.parametrize("weights", [{"a": WEIGHTS["a"]}, {**WEIGHTS, "c": {"c.onnx": "c" * 64}}, {"a": {}, "b": {}}])
def test_points_of_other_weights_are_refused(tmp_path: Path, weights: dict[str, dict[str, str]]) -> None:
    with pytest.raises(UsageError, match="was made for a, b with other weights"):
        find_points(written(tmp_path, "a", "b"), weights)


def test_a_backend_without_weights_is_known_by_its_name() -> None:
    assert same_backends({"a": {}}, {"a": {}}) and not same_backends({"a": {}}, {"b": {}})
    assert same_backends({"a": WEIGHTS["a"]}, {"renamed": WEIGHTS["a"]})


def test_weights_without_shipped_points_have_none() -> None:
    assert find_points(None, WEIGHTS) is None


@pytest.mark.parametrize("content", ["", "[]", '{"members": []}', '{"format": 2}'])
def test_what_is_no_points_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "points.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="is not a points file"):
        read_points(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_points(tmp_path / "missing.json")


def test_the_pipeline_uses_a_points_file_and_echoes_its_digest(tmp_path: Path) -> None:
    path = written(tmp_path, "a")
    backend = FakeLiveness(0.25)
    backend.weights_sha256 = WEIGHTS["a"]
    result = Pipeline(detector=FakeDetector(), liveness=backend, points=path).verify(noise_image())
    assert result.accepted and result.thresholds is not None
    (threshold,) = result.thresholds.liveness
    assert (threshold.live, threshold.points_sha256) == (0.2, read_points(path).sha256)
    other = FakeLiveness(0.25)
    other.weights_sha256 = WEIGHTS["b"]
    with pytest.raises(UsageError, match="other weights"):
        Pipeline(detector=FakeDetector(), liveness=other, points=path)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_points_are_valid_and_belong_to_pinned_weights(path: Path) -> None:
    members = {member.name: member for member in read_points(path).content.members}
    assert set(members) <= {"spoofnet", "minifasnet"}
    if "spoofnet" in members:
        assert members["spoofnet"].weights_sha256 == SpoofNet().weights_sha256, "calibrate the mean again"


def test_points_are_shipped_for_minifasnet_and_the_mean() -> None:
    assert [path.stem for path in sorted(SHIPPED.glob("*.json"))] == ["minifasnet", "spoofnet-minifasnet-mean"]

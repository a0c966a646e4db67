"""The plugin faceauth-minifasnet, proven as a distribution of its own through its entry point."""

import importlib.metadata
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from faceauth.backends.registry import AUTOLOAD_SWITCH, list_backends, load_backend
from faceauth.cropping.square import square_crop
from faceauth.errors import BackendNotAllowed, UsageError, WeightsMismatch, WeightsMissing
from faceauth.stages import Crops, Image, LivenessBackend
from faceauth.testing import LivenessConformance

V2, V1SE = "MiniFASNetV2_2.7_80.onnx", "MiniFASNetV1SE_4.0_80.onnx"


@pytest.fixture(scope="module", autouse=True)
def plugin() -> None:
    """Skips everything here where the plugin is not installed."""
    try:
        importlib.metadata.distribution("faceauth-minifasnet")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("faceauth-minifasnet is not installed: pip install -e plugins/faceauth-minifasnet")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEAUTH_MINIFASNET_WEIGHTS", raising=False)
    monkeypatch.delenv(AUTOLOAD_SWITCH, raising=False)


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "models"


@pytest.fixture(scope="module")
def minifasnet(folder: Path) -> LivenessBackend:
    return load_backend("liveness", "minifasnet", options={"weights_dir": str(folder)}).backend


@pytest.fixture
def crops(minifasnet: LivenessBackend, astronaut: Image) -> Crops:
    """Crops with all their context, with some of it mirrored, and with little of it."""
    boxes = [(177.0, 66.0, 266.0, 180.0), (20.0, 20.0, 60.0, 70.0), (100.0, 50.0, 400.0, 400.0)]
    return np.stack([square_crop(astronaut, box, minifasnet.crop).pixels for box in boxes])


class TestMiniFASNet(LivenessConformance):
    @pytest.fixture
    def backend(self, minifasnet: LivenessBackend) -> LivenessBackend:
        return minifasnet


def test_plugin_is_listed_as_a_distribution_of_its_own() -> None:
    (entry,) = [entry for entry in list_backends("liveness") if entry.name == "minifasnet"]
    assert (entry.distribution, entry.builtin) == ("faceauth-minifasnet", False)


def test_result_names_both_files_with_their_digests(folder: Path) -> None:
    sums = dict(line.split()[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    provenance = load_backend("liveness", "minifasnet", options={"weights_dir": str(folder)}).provenance
    assert provenance.weights_sha256 == {V2: sums[V2], V1SE: sums[V1SE]}
    assert provenance.distribution == "faceauth-minifasnet"


def independent_p_live(runtime: ModuleType, path: Path, pixels: list[Image]) -> np.ndarray:
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    blob = cv2.dnn.blobFromImages(pixels)  # float32, N x 3 x H x W, BGR, 0-255
    (logits,) = session.run(None, {"input": blob})
    exponents = np.exp(np.float64(logits))
    return exponents[:, 1] / exponents.sum(axis=1)


def test_scores_equal_an_independent_computation_from_the_files(
    minifasnet: LivenessBackend, crops: Crops, folder: Path
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    small = [cv2.resize(crop, (80, 80)) for crop in crops]
    centre = [cv2.getRectSubPix(crop, (80, 80), (58.5, 58.5)) for crop in crops]
    expected = (
        independent_p_live(runtime, folder / V2, centre) + independent_p_live(runtime, folder / V1SE, small)
    ) / 2
    assert np.ptp(expected) > 0.01  # the crops tell the networks apart, or this test would say nothing
    np.testing.assert_allclose(minifasnet.score(crops), expected, atol=1e-4)


def test_environment_names_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEAUTH_MINIFASNET_WEIGHTS", str(folder))
    assert load_backend("liveness", "minifasnet").provenance.name == "minifasnet"


@pytest.mark.parametrize("options", [{}, {"weights_dir": "/nowhere"}])
def test_missing_files_are_an_error_that_says_what_to_set(options: Mapping[str, object]) -> None:
    with pytest.raises(WeightsMissing, match=r"weights_dir.*FACEAUTH_MINIFASNET_WEIGHTS"):
        load_backend("liveness", "minifasnet", options=options)


def test_swapped_files_are_refused_by_digest(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / V2, tmp_path / V1SE)
    shutil.copy(folder / V1SE, tmp_path / V2)
    with pytest.raises(WeightsMismatch):
        load_backend("liveness", "minifasnet", options={"weights_dir": str(tmp_path)})


def test_one_flipped_bit_is_refused_by_digest(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / V2, tmp_path / V2)
    damaged = bytearray((folder / V1SE).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / V1SE).write_bytes(damaged)
    with pytest.raises(WeightsMismatch):
        load_backend("liveness", "minifasnet", options={"weights_dir": str(tmp_path)})


def test_misspelt_option_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="weights_dir"):
        load_backend("liveness", "minifasnet", options={"weights": str(folder)})


def test_autoload_switch_keeps_the_plugin_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTOLOAD_SWITCH, "1")
    with pytest.raises(BackendNotAllowed):
        load_backend("liveness", "minifasnet", options={"weights_dir": str(folder)})


def test_it_needs_an_explicit_threshold(minifasnet: LivenessBackend) -> None:
    assert minifasnet.operating_points is None

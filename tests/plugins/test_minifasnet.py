"""The plugin faceauth-minifasnet equals upstream's rule, and is proven as a distribution of its own."""

import csv
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from faceauth import Pipeline
from faceauth.backends.registry import AUTOLOAD_SWITCH, list_backends, load_backend
from faceauth.cropping.crops import crop_box
from faceauth.errors import BackendNotAllowed, UsageError, WeightsMismatch, WeightsMissing
from faceauth.stages import Image, LivenessBackend
from faceauth.testing import LivenessConformance

pytestmark = pytest.mark.usefixtures("plugin", "clean_environment")

V2, V1SE = "MiniFASNetV2_2.7_80.onnx", "MiniFASNetV1SE_4.0_80.onnx"
SCALES = {V2: 2.7, V1SE: 4.0}
LIVE_CLASS = 1

Box = tuple[float, float, float, float]
Shares = npt.NDArray[np.float64]


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(AUTOLOAD_SWITCH, raising=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any weights."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


def load(folder: Path) -> LivenessBackend:
    return load_backend("liveness", "minifasnet", options={"weights_dir": str(folder)}).backend


@pytest.fixture(scope="module")
def minifasnet(plugin: None, models: Path) -> LivenessBackend:
    return load(models)


class TestMiniFASNet(LivenessConformance):
    @pytest.fixture
    def backend(self, minifasnet: LivenessBackend) -> LivenessBackend:
        return minifasnet


class Upstream:
    """The rule of ../shared/models/README.md, written down a second time: nothing of it is faceauth's."""

    def __init__(self, folder: Path) -> None:
        runtime = pytest.importorskip("onnxruntime")
        self.sessions = {name: runtime.InferenceSession(str(folder / name)) for name in SCALES}

    def shares(self, image: Image, box: Box) -> Shares:
        """The mean of the two networks' softmaxes, three classes."""
        both = []
        for name, scale in SCALES.items():
            blob = cv2.dnn.blobFromImage(self.crop(image, box, scale))  # float32, 1 x 3 x H x W, BGR, 0-255
            (logits,) = self.sessions[name].run(None, {"input": blob})
            powers = np.exp(np.float64(logits[0]))
            both.append(powers / powers.sum())
        return np.mean(both, axis=0)

    @staticmethod
    def crop(image: Image, box: Box, scale: float) -> Image:
        last_x, last_y = image.shape[1] - 1, image.shape[0] - 1
        box_w, box_h = box[2] - box[0], box[3] - box[1]
        scale = min(last_y / box_h, last_x / box_w, scale)
        half_w, half_h = box_w * scale / 2, box_h * scale / 2
        left, right = box[0] + box_w / 2 - half_w, box[0] + box_w / 2 + half_w
        top, bottom = box[1] + box_h / 2 - half_h, box[1] + box_h / 2 + half_h
        if left < 0:
            left, right = 0, right - left
        if top < 0:
            top, bottom = 0, bottom - top
        if right > last_x:
            left, right = left - (right - last_x), last_x
        if bottom > last_y:
            top, bottom = top - (bottom - last_y), last_y
        region = image[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
        return np.asarray(cv2.resize(region, (80, 80)), np.uint8)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def whole_frames(folder: Path, step: int) -> Iterator[tuple[Image, Box]]:
    """Every so many of the frames of a webcam, with the box of our detector."""
    detector = load_backend("detection", "yunet").backend
    for row in rows(folder / "manifest.csv")[::step]:
        image = np.asarray(cv2.imread(str(folder / row["path"])), np.uint8)
        for face in detector.detect(image)[:1]:
            yield image, face.box_xyxy


def cut_frames(folder: Path, count: int) -> Iterator[tuple[Image, Box]]:
    """Images of the validation split, evenly spread, with the box of the manifest."""
    val = [row for row in rows(folder / "manifest.csv") if row["split"] == "val"]
    for place in np.linspace(0, len(val) - 1, count).astype(int):
        x, y, w, h = (float(val[place][f"box_{key}"]) for key in "xywh")
        yield np.asarray(cv2.imread(str(folder / val[place]["path"])), np.uint8), (x, y, x + w, y + h)


@pytest.fixture(scope="module")
def p_and_shares(minifasnet: LivenessBackend, models: Path, shared: Path) -> tuple[Shares, Shares]:
    """P(live) of the plugin, N, and upstream's shares, N x 3, of 200 images."""
    upstream = Upstream(models)
    cases = list(whole_frames(shared / "data" / "light", step=4))
    cases += cut_frames(shared / "data" / "pad", count=200 - len(cases))
    crops = [np.stack([crop_box(*case, spec).pixels for case in cases]) for spec in minifasnet.crops]
    return minifasnet.score(crops).astype(np.float64), np.stack([upstream.shares(*case) for case in cases])


@pytest.mark.slow
def test_p_live_is_upstreams_on_200_images(p_and_shares: tuple[Shares, Shares]) -> None:
    p_live, shares = p_and_shares
    assert len(p_live) == 200
    assert np.ptp(p_live) > 0.9  # the images tell the networks apart, or this test would say nothing
    np.testing.assert_allclose(p_live, shares[:, LIVE_CLASS], atol=1e-4, rtol=0)


def test_half_or_more_is_never_a_spoof_by_upstreams_rule(p_and_shares: tuple[Shares, Shares]) -> None:
    """The other way there are a few: live may be the likeliest of three classes with less than half."""
    p_live, shares = p_and_shares
    assert (shares[p_live >= 0.5].argmax(axis=1) == LIVE_CLASS).all()


def test_the_pipeline_gives_upstreams_p_live(models: Path, shared: Path) -> None:
    options = {"minifasnet": {"weights_dir": str(models)}}
    image, box = next(whole_frames(shared / "data" / "light", step=1))
    result = Pipeline(liveness="minifasnet", threshold=0.5, options=options).verify(image)
    assert result.liveness is not None
    assert result.liveness.p_live == pytest.approx(Upstream(models).shares(image, box)[LIVE_CLASS], abs=1e-4)


def test_plugin_is_listed_as_a_distribution_of_its_own() -> None:
    (entry,) = [entry for entry in list_backends("liveness") if entry.name == "minifasnet"]
    assert (entry.distribution, entry.builtin) == ("faceauth-minifasnet", False)


def test_result_names_both_files_with_their_digests(models: Path) -> None:
    sums = dict(line.split()[::-1] for line in (models / "SHA256SUMS").read_text().splitlines())
    provenance = load_backend("liveness", "minifasnet", options={"weights_dir": str(models)}).provenance
    assert provenance.weights_sha256 == {V2: sums[V2], V1SE: sums[V1SE]}
    assert provenance.distribution == "faceauth-minifasnet"


def test_files_are_found_where_convert_puts_them(models: Path, home: Path) -> None:
    folder = home / ".local" / "share" / "faceauth" / "minifasnet"
    folder.mkdir(parents=True)
    for name in SCALES:
        shutil.copy(models / name, folder / name)
    assert Pipeline(liveness="minifasnet", threshold=0.5).config.liveness == ("minifasnet",)


@pytest.mark.parametrize("options", [{}, {"weights_dir": "/nowhere"}])
def test_missing_files_are_an_error_that_says_how_to_make_them(options: Mapping[str, object], home: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"python -m faceauth_minifasnet convert.*weights_dir"):
        load_backend("liveness", "minifasnet", options=options)


def test_a_variable_of_the_environment_names_no_folder(
    models: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEAUTH_MINIFASNET_WEIGHTS", str(models))
    with pytest.raises(WeightsMissing):
        load_backend("liveness", "minifasnet")


def test_swapped_files_are_refused_by_digest(models: Path, tmp_path: Path) -> None:
    shutil.copy(models / V2, tmp_path / V1SE)
    shutil.copy(models / V1SE, tmp_path / V2)
    with pytest.raises(WeightsMismatch, match="no known export"):
        load(tmp_path)


@pytest.fixture
def changed(models: Path, tmp_path: Path) -> Path:
    """Both files, of which MiniFASNetV2 has one weight of its own."""
    shutil.copy(models / V1SE, tmp_path / V1SE)
    content = bytearray((models / V2).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / V2).write_bytes(content)
    return tmp_path


def pin(folder: Path, *, trusted: bool) -> None:
    contents = {name: (folder / name).read_bytes() for name in SCALES}
    files = {name: {"size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in contents.items()}
    (folder / "pins.json").write_text(json.dumps({"trusted": trusted, "files": files}))


def test_a_file_that_is_no_known_export_is_refused(changed: Path) -> None:
    with pytest.raises(WeightsMismatch, match=r"no known export.*no pins.json.*convert"):
        load(changed)


def test_a_converted_file_is_refused_until_it_is_trusted(changed: Path) -> None:
    pin(changed, trusted=False)
    with pytest.raises(WeightsMismatch, match=r"not trusted.*--trust"):
        load(changed)


def test_a_trusted_file_is_used_and_its_digest_stands_in_the_result(changed: Path) -> None:
    pin(changed, trusted=True)
    assert load(changed).weights_sha256[V2] == hashlib.sha256((changed / V2).read_bytes()).hexdigest()


def test_a_trusted_file_that_was_changed_afterwards_is_refused(changed: Path) -> None:
    pin(changed, trusted=True)
    with (changed / V2).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(WeightsMismatch, match="changed after it was converted"):
        load(changed)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"trusted": "yes", "files": {}}', '{"trusted": true, "files": {}, "x": 1}']
)
def test_an_invalid_pins_file_trusts_nothing(changed: Path, content: str) -> None:
    (changed / "pins.json").write_text(content)
    with pytest.raises(WeightsMismatch, match="not a valid pins file"):
        load(changed)


def test_a_trusted_file_that_is_another_network_is_refused(changed: Path, models: Path) -> None:
    shutil.copy(models / "facenox_98.20.onnx", changed / V2)
    pin(changed, trusted=True)
    with pytest.raises(WeightsMismatch, match="not the expected network"):
        load(changed)


def test_misspelt_option_is_refused(models: Path) -> None:
    with pytest.raises(UsageError, match="weights_dir"):
        load_backend("liveness", "minifasnet", options={"weights": str(models)})


def test_autoload_switch_keeps_the_plugin_out(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTOLOAD_SWITCH, "1")
    with pytest.raises(BackendNotAllowed):
        load(models)


def test_the_readme_lists_the_digests_of_the_known_exports(minifasnet: LivenessBackend) -> None:
    readme = (Path(__file__).parents[2] / "plugins" / "faceauth-minifasnet" / "README.md").read_text()
    assert all(f"| `{name}` |" in readme and digest in readme for name, digest in minifasnet.weights_sha256.items())


def test_it_brings_no_operating_points_of_its_own(minifasnet: LivenessBackend) -> None:
    assert minifasnet.operating_points is None

"""Scrfd through the insightface package, for real where the package and a model file are there."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest

from faceauth.detection.scrfd import Scrfd
from faceauth.errors import BackendBroken, ProviderUnavailable, UsageError, WeightsMismatch, WeightsMissing
from faceauth.stages import Image
from faceauth.testing import DetectorConformance
from faceauth.weights.insightface_models import ModelSource

FACE_XYXY = (177, 66, 266, 180)
"""The astronaut's face as YuNet sees it."""


@pytest.fixture(scope="module")
def path(shared: Path) -> Path:
    pytest.importorskip("insightface", reason="needs pip install 'faceauth[insightface]'")
    return shared / "models" / "scrfd_500m_kps.onnx"


@pytest.fixture(scope="module")
def scrfd(path: Path) -> Scrfd:
    return Scrfd(model=str(path))


class TestScrfd(DetectorConformance):
    @pytest.fixture
    def backend(self, scrfd: Scrfd) -> Scrfd:
        return scrfd

    @pytest.fixture
    def portrait(self, astronaut: Image) -> Image:
        return astronaut


def test_it_finds_the_face_where_it_is(scrfd: Scrfd, astronaut: Image) -> None:
    (face,) = scrfd.detect(astronaut)
    assert face.score > 0.5
    np.testing.assert_allclose(face.box_xyxy, FACE_XYXY, atol=25)


def test_box_is_in_pixels_of_the_image_whatever_its_size(scrfd: Scrfd, astronaut: Image) -> None:
    doubled = astronaut.repeat(2, axis=0).repeat(2, axis=1)
    (face,), (large,) = scrfd.detect(astronaut), scrfd.detect(doubled)
    np.testing.assert_allclose(np.divide(large.box_xyxy, 2), face.box_xyxy, atol=5)


def test_digest_of_the_file_is_recorded(scrfd: Scrfd, path: Path) -> None:
    assert scrfd.weights_sha256 == {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}


def test_threshold_is_the_one_asked_for(path: Path, astronaut: Image) -> None:
    assert Scrfd(model=str(path), threshold=1.0).detect(astronaut) == []


def test_strip_too_thin_to_shrink_holds_no_face(scrfd: Scrfd) -> None:
    assert scrfd.detect(np.zeros((2000, 2, 3), np.uint8)) == []


def test_digest_asked_for_is_obeyed(path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="sha256"):
        Scrfd(model=str(path), sha256="0" * 64)


def test_the_bytes_that_were_checked_are_the_bytes_that_insightface_opens(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is swapped between the check and insightface's opening; without a copy the other model would run."""
    from insightface import model_zoo

    shutil.copy(path, tmp_path)
    swapped, honest = tmp_path / path.name, model_zoo.get_model
    opened: list[bytes] = []

    def swap(name: str, **options: object) -> object:
        swapped.write_bytes(b"another model")
        opened.append(Path(name).read_bytes())
        return honest(name, **options)

    monkeypatch.setattr(model_zoo, "get_model", swap)
    scrfd = Scrfd(model=str(swapped))
    assert [hashlib.sha256(content).hexdigest() for content in opened] == list(scrfd.weights_sha256.values())


def test_a_model_with_tensors_in_other_files_is_refused(path: Path, tmp_path: Path) -> None:
    model = onnx.load(path)
    onnx.save_model(model, tmp_path / path.name, save_as_external_data=True, location="tensors", size_threshold=0)
    with pytest.raises(WeightsMismatch, match="keeps tensors in other files"):
        Scrfd(model=str(tmp_path / path.name))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_place_of_a_model_is_refused_at_once(tmp_path: Path) -> None:
    pytest.importorskip("insightface")
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(WeightsMissing, match="it is a pipe"):
        Scrfd(model=str(tmp_path / "pipe.onnx"))


def test_pack_is_read_from_the_store(path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    shutil.copy(path.parent / "fr_feature.onnx", folder)
    shutil.copy(path, folder)
    found = Scrfd(pack="mine", root=str(tmp_path))
    assert list(found.weights_sha256) == [path.name]
    assert "non-commercial research only" in caplog.text


def test_pack_that_is_not_there_is_never_fetched(tmp_path: Path) -> None:
    pytest.importorskip("insightface")
    with pytest.raises(WeightsMissing, match=r"downloads nothing.*FaceAnalysis\('buffalo_l'\).*non-commercial"):
        Scrfd(pack="buffalo_l", root=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_pack_with_a_manifest_of_its_own_preprocessing_is_refused(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path)
    (tmp_path / "manifest.json").write_text('{"manifest_version": 2}')
    with pytest.raises((UsageError, BackendBroken), match="manifest"):
        Scrfd(pack=str(tmp_path))


@pytest.mark.parametrize("options", [{}, {"model": "a.onnx", "pack": "b"}])
def test_exactly_one_of_model_and_pack_is_needed(options: Mapping[str, str]) -> None:
    with pytest.raises(UsageError, match="either model"):
        ModelSource(options.get("model"), options.get("pack"), "nowhere", None).files()


def test_model_file_that_is_not_there_is_missing() -> None:
    pytest.importorskip("insightface")
    with pytest.raises(WeightsMissing, match=r"nowhere\.onnx"):
        Scrfd(model="nowhere.onnx")


def test_file_that_is_no_network_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(WeightsMismatch, match=r"text\.onnx does not read as an ONNX network"):
        Scrfd(model=str(tmp_path / "text.onnx"))


def test_recognition_model_is_no_detector(path: Path) -> None:
    with pytest.raises(BackendBroken, match="no detection model"):
        Scrfd(model=str(path.parent / "fr_feature.onnx"))


def test_det_size_that_the_file_does_not_have_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match=r"det_size \(640, 640\)"):
        Scrfd(model=str(path), det_size=(320, 320))


@pytest.mark.parametrize("options", [{"threshold": 1.5}, {"det_size": (640,)}, {"det_size": (0, 0)}])
def test_option_out_of_range_is_refused(options: Mapping[str, object]) -> None:
    with pytest.raises(UsageError, match="threshold"):
        Scrfd(model="any.onnx", **options)  # type: ignore[arg-type]


def test_provider_that_is_absent_is_an_error_and_not_the_cpu(path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="NoSuchProvider"):
        Scrfd(model=str(path), providers=["NoSuchProvider"])


def test_no_threads_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="thread"):
        Scrfd(model=str(path), threads=0)


@pytest.fixture
def no_insightface() -> Iterator[None]:
    """Forgets the package for one test, and whatever that test imports under its name."""

    def loaded() -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items() if name.split(".")[0] == "insightface"}

    kept = loaded()
    for name in kept:
        del sys.modules[name]
    yield
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(kept)


@pytest.mark.parametrize(
    ("module", "reason"),
    [("raise ImportError('no insightface')", "pip install"), ("__version__ = '0.7.3'", r"0\.7\.3 is too old")],
)
@pytest.mark.usefixtures("no_insightface")
def test_absent_or_old_package_is_an_error_that_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, reason: str
) -> None:
    (tmp_path / "insightface.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BackendBroken, match=reason) as caught:
        Scrfd(model="any.onnx")
    assert "faceauth[insightface]" in str(caught.value)


def test_terms_of_the_packs_are_on_the_class() -> None:
    assert "non-commercial research only" in Scrfd.licence_notice

"""Preparation packs what it was given, once, and refuses to mix two plans."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import faceauth.weights.store
from faceauth.cropping.square import square_crop
from faceauth.errors import ImageUnreadable, UsageError
from faceauth.stages import Image
from faceauth.testing import FakeDetector
from faceauth.weights.cards import CropFacts
from training.packs import load, load_all
from training.portraits import split_of_portrait
from training.prepare import MAX_CONTEXT, MAX_FACE_PX, Plan, _trim, key_of, prepare
from training.records import LIVE, SPOOF, Record
from training.teachers import TEACHERS


class Blind(FakeDetector):
    """Sees no face."""

    def __init__(self) -> None:
        super().__init__([])


def quiet(*_: object) -> None:
    """No progress bar."""


def picture(path: Path, image: Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def plan(tmp_path: Path, astronaut: Image) -> Plan:
    """Two live records (one without a box), one attack, one portrait and a file that is none; three recaptures."""
    box = (170.0, 70.0, 280.0, 200.0)
    pad, photos = tmp_path / "pad", tmp_path / "photos"
    records = [
        Record(picture(pad / "cam" / "live" / "a.png", astronaut), LIVE, "none", "cam", "train", box_xyxy=box),
        Record(picture(pad / "cam" / "live" / "b.png", astronaut[:, ::-1]), LIVE, "none", "cam", "train"),
        Record(picture(pad / "cam" / "spoof" / "a.png", astronaut // 2), SPOOF, "print", "cam", "train", box_xyxy=box),
    ]
    picture(photos / "someone.jpg", astronaut)
    (photos / "broken.jpg").write_bytes(b"no picture")
    return Plan(records, [photos], 3, None, tmp_path / "packs")


def test_a_plan_becomes_packs_of_three_kinds_and_is_not_made_twice(plan: Plan) -> None:
    paths = prepare(plan, FakeDetector, quiet)
    assert [path.name for path in paths] == ["real-0000.npz", "portrait-0000.npz", "recapture-0000.npz"]
    content = load(paths)
    assert content.origin.tolist() == ["real"] * 3 + ["portrait"] + ["recapture"] * 3
    assert content.key.tolist()[:4] == [
        "train/cam/live/a.png",
        "train/cam/live/b.png",
        "train/cam/spoof/a.png",
        "photos/someone.jpg",
    ]
    for index in np.flatnonzero(content.origin == "recapture"):
        source = content.key.tolist().index(content.source[index])
        assert (content.label[source], content.label[index]) == (LIVE, SPOOF)
        assert content.domain[index] == content.domain[source]
    for index in range(len(content)):
        left, top, right, bottom = content.box(index)
        longer = max(right - left, bottom - top)
        assert longer <= MAX_FACE_PX + 1e-6
        assert max(content.image(index).shape) <= MAX_CONTEXT * longer + 2
    assert np.isnan(content.teacher).all()

    made = {path: path.stat().st_mtime_ns for path in paths}
    paths[2].unlink()
    before = content.blob.tobytes()
    assert load(prepare(plan, FakeDetector, quiet)).blob.tobytes() == before
    assert [path.stat().st_mtime_ns for path in paths[:2]] == [made[path] for path in paths[:2]]


def test_a_picture_without_a_face_is_left_out_but_a_box_is_taken_at_its_word(plan: Plan) -> None:
    content = load(prepare(replace(plan, recaptures=0), Blind, quiet))
    assert content.key.tolist() == ["train/cam/live/a.png", "train/cam/spoof/a.png"]


def test_another_plan_does_not_get_this_ones_packs(plan: Plan) -> None:
    short = replace(plan, portraits=(), recaptures=0)
    prepare(short, FakeDetector, quiet)
    with pytest.raises(UsageError, match="another plan"):
        prepare(replace(short, records=plan.records[:2]), FakeDetector, quiet)


def test_records_that_would_share_a_name_are_refused(plan: Plan) -> None:
    with pytest.raises(UsageError, match=r"cam/live/a\.png"):
        prepare(replace(plan, records=[plan.records[0], plan.records[0]]), FakeDetector, quiet)


def test_portraits_that_would_share_a_name_are_refused(plan: Plan, astronaut: Image) -> None:
    elsewhere = plan.portraits[0].parent / "elsewhere"
    picture(elsewhere / "photos" / "someone.jpg", astronaut)
    with pytest.raises(UsageError, match=r"both named photos/someone\.jpg"):
        prepare(replace(plan, portraits=[*plan.portraits, elsewhere]), FakeDetector, quiet)


def test_what_is_kept_of_a_large_frame_shows_the_same_in_every_square() -> None:
    """Beside the border a square is shifted into its picture, and then reaches further on the other side."""
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    box = (10.0, 100.0, 110.0, 220.0)
    kept, kept_box = _trim(image, box)
    assert kept.shape[1] < 400
    for scale in (1.0, 1.4, 2.2, 2.7):
        spec = CropFacts(size_wh=(64, 64), scale=scale).spec()
        np.testing.assert_array_equal(square_crop(kept, kept_box, spec).pixels, square_crop(image, box, spec).pixels)


def test_packs_are_used_when_all_of_them_are_there(plan: Plan) -> None:
    prepare(plan, FakeDetector, quiet)
    assert len(load_all(plan.out)) > 0
    (plan.out / "packs.txt").unlink()
    with pytest.raises(UsageError, match="not finished"):
        load_all(plan.out)


def test_a_teacher_that_is_not_there_is_missed_before_anything_is_made(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lacks MiniFASNetV2"):
        prepare(replace(plan, teachers=tmp_path), FakeDetector, quiet)
    assert not plan.out.exists()


def test_a_teacher_with_other_layers_is_said_before_anything_is_made(plan: Plan, tmp_path: Path) -> None:
    for teacher in TEACHERS.values():
        shutil.copy(
            Path(faceauth.weights.store.__file__).parent / "spoofnet" / "spoofnet.onnx", tmp_path / teacher.file
        )
    with pytest.raises(UsageError, match=r"MiniFASNetV2.* is no such teacher"):
        prepare(replace(plan, teachers=tmp_path), FakeDetector, quiet)
    assert not plan.out.exists()


def test_a_detector_that_does_not_open_is_said_before_anything_is_made(plan: Plan) -> None:
    def missing() -> FakeDetector:
        raise UsageError("yunet is not there")

    with pytest.raises(UsageError, match="yunet is not there"):
        prepare(plan, missing, quiet)
    assert not plan.out.exists()


def test_a_labelled_picture_that_cannot_be_read_is_an_error(plan: Plan) -> None:
    plan.records[0].path.write_bytes(b"no picture")
    with pytest.raises(ImageUnreadable):
        prepare(plan, FakeDetector, quiet)


def test_a_name_tells_equal_files_of_two_folders_apart() -> None:
    client, imposter = (
        Record(Path(f"raw/{kind}/0001/0001_00_00_01_0.jpg"), LIVE, "none", "nuaa", "train")
        for kind in ("ClientRaw", "ImposterRaw")
    )
    assert key_of(client) == "train/nuaa/ClientRaw/0001/0001_00_00_01_0.jpg" != key_of(imposter)


def test_a_name_tells_the_first_picture_of_train_from_that_of_val() -> None:
    trained, chosen = (
        Record(Path(f"mine/{split}/spoof/print/0.jpg"), SPOOF, "print", "mine", split) for split in ("train", "val")
    )
    assert key_of(trained) == "train/mine/spoof/print/0.jpg" != key_of(chosen)


def test_all_photos_of_a_person_fall_into_one_split() -> None:
    names = ("Ada_Lovelace", "Alan_Turing", "Grace_Hopper", "Emmy_Noether", "Kurt_Goedel")
    for name in names:
        assert len({split_of_portrait(Path(f"{name}_{number:04d}.jpg")) for number in range(9)}) == 1
    held_out = sum(split_of_portrait(Path(f"person {number} _0001.jpg")) == "val" for number in range(1000))
    assert 150 < held_out < 250  # one in five

"""Preparation makes shards of what it was given, once, and refuses to mix two plans."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth.cropping.square import square_crop
from faceauth.errors import ImageUnreadable, UsageError
from faceauth.stages import CropSpec, Image
from faceauth.testing import FakeDetector
from training.data.manifests import LIVE, SPOOF, Record
from training.data.portraits import split_of_portrait
from training.data.preparation import MAX_CONTEXT, MAX_FACE_PX, Plan, name_of, prepare, trimmed
from training.data.shards import load_folder, load_shards


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
    """Two live records (one without a box), one attack, one portrait and a file that is none."""
    box = (170.0, 70.0, 280.0, 200.0)
    pad, photos = tmp_path / "pad", tmp_path / "photos"
    records = [
        Record(picture(pad / "cam" / "live" / "a.png", astronaut), LIVE, "none", "cam", "train", box_xyxy=box),
        Record(picture(pad / "cam" / "live" / "b.png", astronaut[:, ::-1]), LIVE, "none", "cam", "train"),
        Record(picture(pad / "cam" / "spoof" / "a.png", astronaut // 2), SPOOF, "print", "cam", "train", box_xyxy=box),
    ]
    picture(photos / "someone.jpg", astronaut)
    (photos / "broken.jpg").write_bytes(b"no picture")
    return Plan(records, [photos], tmp_path / "shards")


def test_a_plan_becomes_shards_of_two_kinds_and_is_not_made_twice(plan: Plan) -> None:
    paths = prepare(plan, FakeDetector, quiet)
    assert [path.name for path in paths] == ["real-0000.npz", "portrait-0000.npz"]
    content = load_shards(paths)
    assert content.origin.tolist() == ["real"] * 3 + ["portrait"]
    assert content.name.tolist() == [
        "train/cam/live/a.png",
        "train/cam/live/b.png",
        "train/cam/spoof/a.png",
        "photos/someone.jpg",
    ]
    for index in range(len(content)):
        left, top, right, bottom = content.box(index)
        longer = max(right - left, bottom - top)
        assert longer <= MAX_FACE_PX + 1e-6
        assert max(content.image(index).shape) <= MAX_CONTEXT * longer + 2

    made = {path: path.stat().st_mtime_ns for path in paths}
    paths[1].unlink()
    before = content.blob.tobytes()
    assert load_shards(prepare(plan, FakeDetector, quiet)).blob.tobytes() == before
    assert paths[0].stat().st_mtime_ns == made[paths[0]]


def test_a_picture_without_a_face_is_left_out_but_a_box_is_taken_at_its_word(plan: Plan) -> None:
    content = load_shards(prepare(plan, Blind, quiet))
    assert content.name.tolist() == ["train/cam/live/a.png", "train/cam/spoof/a.png"]


def test_another_plan_does_not_get_this_ones_packs(plan: Plan) -> None:
    short = replace(plan, portraits=())
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
    kept, kept_box = trimmed(image, box)
    assert kept.shape[1] < 400
    for scale in (1.0, 1.4, 2.2, 2.7):
        spec = CropSpec(size_wh=(64, 64), scale=scale, kind="square", color="rgb")
        np.testing.assert_array_equal(square_crop(kept, kept_box, spec).pixels, square_crop(image, box, spec).pixels)


def test_shards_are_used_when_all_of_them_are_there(plan: Plan) -> None:
    prepare(plan, FakeDetector, quiet)
    assert len(load_folder(plan.out)) > 0
    (plan.out / "prepared.txt").unlink()
    with pytest.raises(UsageError, match="incomplete"):
        load_folder(plan.out)


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
    assert name_of(client) == "train/nuaa/ClientRaw/0001/0001_00_00_01_0.jpg" != name_of(imposter)


def test_a_name_tells_the_first_picture_of_train_from_that_of_val() -> None:
    trained, chosen = (
        Record(Path(f"mine/{split}/spoof/print/0.jpg"), SPOOF, "print", "mine", split) for split in ("train", "val")
    )
    assert name_of(trained) == "train/mine/spoof/print/0.jpg" != name_of(chosen)


def test_all_photos_of_a_person_fall_into_one_split() -> None:
    names = ("Ada_Lovelace", "Alan_Turing", "Grace_Hopper", "Emmy_Noether", "Kurt_Goedel")
    for name in names:
        assert len({split_of_portrait(Path(f"{name}_{number:04d}.jpg")) for number in range(9)}) == 1
    held_out = sum(split_of_portrait(Path(f"person {number} _0001.jpg")) == "val" for number in range(1000))
    assert 150 < held_out < 250  # one in five

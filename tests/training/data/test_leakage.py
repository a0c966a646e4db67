"""A picture that stands in two splits is found however it was changed; a different one is not."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth.stages import Image
from training.data.leakage import NEAR, Leaks, crossing_domains, find_leaks, fingerprint
from training.data.manifests import LIVE, Record


def quiet(*_: object) -> None:
    """No progress bar."""


def record(path: Path, split: str, domain: str) -> Record:
    return Record(path, LIVE, "none", domain, split)


def compressed(image: Image) -> Image:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1), np.uint8)


CHANGES: dict[str, Callable[[Image], Image]] = {
    "smaller": lambda image: np.asarray(cv2.resize(image, (150, 150), interpolation=cv2.INTER_AREA), np.uint8),
    "compressed": compressed,
    "brighter": lambda image: np.clip(image * 1.15 + 10, 0, 255).astype(np.uint8),
    "blurred": lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 4), np.uint8),
    "stretched": lambda image: np.asarray(cv2.resize(image, (512, 400)), np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_stays_near_its_original(change: str, astronaut: Image) -> None:
    distance = (fingerprint(astronaut) != fingerprint(CHANGES[change](astronaut))).sum()
    assert distance <= NEAR


def test_another_part_of_a_picture_is_not_near(astronaut: Image) -> None:
    for other in (astronaut[:256, :256], astronaut[100:400, 200:500], astronaut[::-1]):
        assert (fingerprint(astronaut) != fingerprint(other)).sum() > 2 * NEAR


def test_copies_across_splits_are_named_and_mirrored_ones_too(tmp_path: Path, astronaut: Image) -> None:
    pictures = {"a": astronaut, "b": compressed(astronaut), "c": astronaut[:, ::-1], "d": astronaut[:256, :256]}
    for name, image in pictures.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    records = [
        record(tmp_path / "a.png", "train", "one"),
        record(tmp_path / "d.png", "train", "one"),
        record(tmp_path / "b.png", "test", "two"),
        record(tmp_path / "c.png", "val", "three"),
    ]
    leaks = find_leaks(records, progress=quiet)
    assert leaks
    assert {(t.first.stem, t.second.stem, t.mirrored) for t in leaks.twins} == {
        ("b", "a", False),
        ("b", "c", True),
        ("a", "c", True),
    }
    assert [twins.distance for twins in leaks.twins] == sorted(twins.distance for twins in leaks.twins)


def test_copies_within_a_split_are_no_leak(tmp_path: Path, astronaut: Image) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), astronaut)
    records = [record(tmp_path / "a.png", "train", "one"), record(tmp_path / "a.png", "train", "two")]
    assert find_leaks(records, progress=quiet) == Leaks((), {})


def test_a_domain_in_two_splits_is_a_leak_unless_allowed_by_name() -> None:
    records = [record(Path("a"), "train", "cam"), record(Path("b"), "test", "cam"), record(Path("c"), "val", "other")]
    assert crossing_domains(records) == {"cam": ("test", "train")}
    assert crossing_domains(records, ["cam"]) == {}

"""A camera's profile from attended enrolments: stricter or nothing, looked at, and reset."""

from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import UsageError
from faceauth.gallery import Gallery, enroll
from faceauth.gallery.cameras import add_levels, cameras_known, profile_of, reset_camera, write_profile
from faceauth.testing import FakeLiveness
from tests.pipelines import fake_pipeline, noise_image


def enrolled_at(p_live: float, images: int, gallery: Gallery) -> None:
    pipeline = fake_pipeline(liveness=FakeLiveness(lambda crops: np.full(1, p_live, np.float32)))
    add_levels(gallery, "door", enroll(pipeline, [noise_image(1)] * images).verifications)


@pytest.mark.parametrize("p_live", [0.51, 0.999999])
def test_a_profile_only_makes_the_threshold_stricter(gallery: Gallery, tmp_path: Path, p_live: float) -> None:
    enrolled_at(p_live, 6, gallery)
    profile = write_profile(gallery, "door", tmp_path / "door.json")
    assert profile.n == 6 and not profile.may_lower
    later = fake_pipeline(camera_profile=tmp_path / "door.json").verify(noise_image(1))
    assert later.thresholds is not None
    (threshold,) = later.thresholds.liveness
    assert threshold.live == pytest.approx(max(0.5, profile.threshold)) and threshold.profile_sha256 is not None


def test_few_images_give_no_profile(gallery: Gallery) -> None:
    enrolled_at(0.9, 4, gallery)
    with pytest.raises(UsageError, match="needs 5 or more"):
        profile_of(gallery, "door")
    enrolled_at(0.9, 1, gallery)
    assert profile_of(gallery, "door").n == 5


def test_refused_images_are_not_noted(gallery: Gallery) -> None:
    answers = iter([0.9, 0.1, 0.9])
    pipeline = fake_pipeline(liveness=FakeLiveness(lambda crops: np.full(1, next(answers), np.float32)))
    assert add_levels(gallery, "door", enroll(pipeline, [noise_image(1)] * 3).verifications) == 2


def test_nothing_says_whose_images_they_were(gallery: Gallery) -> None:
    enrolled_at(0.9, 5, gallery)
    with gallery.database.transaction() as connection:
        columns = {row.name for row in connection.exec_driver_sql("PRAGMA table_info(camera_levels)")}
    assert columns == {"id", "camera", "weights_sha256", "p_live"}


def test_a_profile_is_reset(gallery: Gallery) -> None:
    enrolled_at(0.9, 5, gallery)
    assert cameras_known(gallery) == ["door"]
    reset_camera(gallery, "door")
    assert cameras_known(gallery) == []
    with pytest.raises(UsageError, match="Nothing was recorded"):
        profile_of(gallery, "door")

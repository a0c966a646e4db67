"""Which images enrol a person, and which do not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth.errors import EnrolmentRefused, UsageError
from faceauth.gallery import Enrolment, enroll
from faceauth.gallery.enrolment import MOST_TEMPLATES
from faceauth.results import Reason
from faceauth.stages import Crops, Image, Scores
from faceauth.templates import similarity
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, face_in
from tests.pipelines import fake_pipeline, noise_image

from .conftest import PIPELINE, SPOOFED


def like(seed: int, change: int) -> Image:
    """Another image of the same person: a little lighter, with a little noise."""
    noise = np.random.default_rng(change).integers(-10, 10, (240, 320, 3))
    return np.clip(noise_image(seed) + noise, 0, 255).astype(np.uint8)


def test_every_accepted_image_of_one_person_gives_a_template() -> None:
    found = enroll(PIPELINE, [like(1, change) for change in range(3)])
    assert len(found.templates) == 3 and found.refused == () and len(found.verifications) == 3


def test_an_image_of_another_person_is_refused_and_said() -> None:
    found = enroll(PIPELINE, [like(1, 0), noise_image(2), like(1, 1)])
    assert len(found.templates) == 2
    assert [(one.image, one.reason) for one in found.refused] == [(1, "another_person")]


@pytest.mark.parametrize("seeds", [(1, 2), (1, 1, 2, 2), (1, 2, 3)], ids=str)
def test_without_a_majority_nobody_knows_who_is_meant(seeds: tuple[int, ...]) -> None:
    with pytest.raises(EnrolmentRefused, match="do not show one person"):
        enroll(PIPELINE, [like(seed, number) for number, seed in enumerate(seeds)])


def test_all_templates_match_each_other() -> None:
    """A chain of similar images would reach from one person to another."""

    def by_angle(crops: Crops) -> Scores:
        angles = crops.mean(axis=(1, 2, 3)) / 128 * np.pi
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    chain = [noise_image(1) // 2 + np.uint8(level) for level in range(0, 80, 10)]
    pipeline = fake_pipeline(embedder=FakeEmbedder(by_angle), match_threshold=0.8)
    found = enroll(pipeline, chain[:3])
    assert len(found.templates) == 3 and found.refused == ()
    assert all(similarity(one, other) >= 0.8 for one in found.templates for other in found.templates)
    with pytest.raises(EnrolmentRefused):
        enroll(pipeline, chain)


def test_an_attack_enrols_nobody() -> None:
    with pytest.raises(EnrolmentRefused, match="None of the 1 images"):
        enroll(SPOOFED, [noise_image(1)])


def test_an_attack_among_live_images_is_refused_and_said() -> None:
    answers = iter([0.9, 0.1, 0.9])
    pipeline = fake_pipeline(liveness=FakeLiveness(lambda crops: np.full(1, next(answers), np.float32)))
    found = enroll(pipeline, [like(1, change) for change in range(3)])
    assert [(one.image, one.reason) for one in found.refused] == [(1, Reason.ATTACK_SUSPECTED)]


def test_no_image_enrols_nobody() -> None:
    with pytest.raises(EnrolmentRefused, match="there were none"):
        enroll(PIPELINE, [])


def test_a_file_that_is_no_image_is_refused_and_said(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    found = enroll(PIPELINE, [noise_image(1), tmp_path / "text.jpg"])
    assert [(one.source, one.reason) for one in found.refused] == [(str(tmp_path / "text.jpg"), Reason.IMAGE_UNUSABLE)]


def test_a_file_that_is_swapped_while_it_is_judged_enrols_what_was_judged(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), noise_image(1))

    def swapped(image: Image) -> object:
        cv2.imwrite(str(path), noise_image(2))
        return [face_in(image)]

    found = enroll(fake_pipeline(detector=FakeDetector(swapped)), [path])
    assert found.templates == (PIPELINE.embed(noise_image(1)),)


def test_of_many_images_the_most_different_are_kept() -> None:
    found: Enrolment = enroll(PIPELINE, [like(1, change) for change in range(MOST_TEMPLATES + 3)])
    assert len(set(found.templates)) == MOST_TEMPLATES and found.refused == ()


def test_an_embedder_that_fails_enrols_nobody() -> None:
    with pytest.raises(EnrolmentRefused, match="embedding"):
        enroll(fake_pipeline(embedder=FakeEmbedder(error=OSError("gone"))), [noise_image(1)])


def test_enrolment_without_liveness_is_refused() -> None:
    with pytest.raises(UsageError, match="require_liveness"):
        enroll(fake_pipeline(require_liveness=False), [noise_image(1)])


def test_an_embedder_without_a_match_threshold_enrols_nobody() -> None:
    with pytest.raises(UsageError, match="match_threshold"):
        enroll(fake_pipeline(match_threshold="balanced"), [noise_image(1)])


def test_an_enrolment_keeps_its_numbers_out_of_logs() -> None:
    template = enroll(PIPELINE, [noise_image(1)]).templates[0]
    assert repr(template.vector[0])[:6] not in repr(template)

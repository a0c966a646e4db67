"""What somebody who thinks of attacks expects of a login: whatever fails denies, and what was set is what holds."""

import random

import numpy as np
import pytest

from faceauth.errors import TemplateMismatch
from faceauth.gallery import Gallery, answer, find_subject, login, open_session
from faceauth.pipeline import Pipeline
from faceauth.results import Reason, Verdict
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, face_in
from tests.pipelines import fake_pipeline, noise_image, operating_points

from .conftest import PIPELINE, Enrol

FAULTS = {
    "the detector raises": {"detector": FakeDetector(error=RuntimeError("fell over"))},
    "the detector returns nonsense": {"detector": FakeDetector(lambda image: "a face")},
    "liveness raises": {"liveness": FakeLiveness(error=RuntimeError("fell over"))},
    "liveness is not a number": {"liveness": FakeLiveness(lambda crops: np.array([np.nan], np.float32))},
    "liveness is above 1": {"liveness": FakeLiveness(lambda crops: np.array([1.5], np.float32))},
    "liveness is missing": {"liveness": FakeLiveness(lambda crops: None)},
    "liveness is late": {"liveness": FakeLiveness(delay_s=1.0), "stage_timeout_s": 0.2},
    "the embedder raises": {"embedder": FakeEmbedder(error=RuntimeError("fell over"))},
    "the embedder ends the program": {"embedder": FakeEmbedder(error=SystemExit(0))},
}
POINTS = operating_points(0.3, 0.5, 0.95)


def attempt(gallery: Gallery, pipeline: Pipeline, seed: int = 1) -> tuple[Verdict, Reason]:
    result = login(gallery, pipeline, "ada", noise_image(seed), client="c")
    assert result.accepted == (result.verdict is Verdict.ACCEPT)
    return result.verdict, result.reason


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stage_that_fails_denies_and_the_attempt_counts(gallery: Gallery, enrol: Enrol, fault: str) -> None:
    enrol("ada", 1)
    assert attempt(gallery, fake_pipeline(**FAULTS[fault])) == (Verdict.REJECT, Reason.STAGE_FAILED)  # type: ignore[arg-type]
    assert find_subject(gallery, "ada").failures == 1


def test_several_faces_deny_though_one_of_them_is_the_right_one(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    two = fake_pipeline(detector=FakeDetector(lambda image: [face_in(image), face_in(image, share=0.45, score=0.8)]))
    assert attempt(gallery, two) == (Verdict.UNCERTAIN, Reason.SEVERAL_FACES)


def test_both_liveness_and_match_have_to_hold(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    spoofed = fake_pipeline(liveness=FakeLiveness(0.1))
    answers = {
        (seed, one is PIPELINE): attempt(gallery, one, seed)[0] for seed in (1, 2) for one in (PIPELINE, spoofed)
    }
    assert [case for case, verdict in answers.items() if verdict is Verdict.ACCEPT] == [(1, True)]


@pytest.mark.parametrize(
    ("rule", "second", "expected"),
    [("all", 0.1, False), ("deny_only", 0.1, False), ("all", 0.99, True), ("deny_only", 0.99, True)],
)
def test_another_model_can_refuse_and_never_lift_a_refusal(
    gallery: Gallery, enrol: Enrol, rule: str, second: float, expected: bool
) -> None:
    enrol("ada", 1)

    class Second(FakeLiveness):
        """Named differently, as two backends are."""

    for first in (0.9, 0.1):
        pipeline = fake_pipeline(
            liveness=[  # type: ignore[arg-type]
                FakeLiveness(first, operating_points=POINTS),
                Second(second, operating_points=POINTS),
            ],
            combine=rule,
            threshold="balanced",
        )
        assert (attempt(gallery, pipeline)[0] is Verdict.ACCEPT) == (expected and first == 0.9)


@pytest.mark.parametrize(
    ("threshold", "accepted"), [("balanced", True), ("strict", False), (0.89, True), (0.91, False)]
)
def test_the_threshold_that_was_set_is_the_one_in_force_and_in_the_log(
    gallery: Gallery, enrol: Enrol, threshold: str | float, accepted: bool
) -> None:
    enrol("ada", 1)
    pipeline = fake_pipeline(liveness=FakeLiveness(0.9, operating_points=POINTS), threshold=threshold)
    assert (attempt(gallery, pipeline)[0] is Verdict.ACCEPT) == accepted
    in_force = {"balanced": 0.5, "strict": 0.95}.get(str(threshold), threshold)
    assert gallery.audit.lines()[-1]["policy"] == {"liveness": {"FakeLiveness": in_force}, "match": 0.5}


def test_the_similarity_that_was_set_is_the_one_in_force_and_in_the_log(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    similarity = PIPELINE.verify(noise_image(2), PIPELINE.embed(noise_image(1))).match
    assert similarity is not None
    lenient = fake_pipeline(match_threshold=similarity.similarity - 0.001)
    assert attempt(gallery, lenient, 2)[1] is Reason.LIVE_AND_MATCHED
    assert attempt(gallery, fake_pipeline(match_threshold=similarity.similarity + 0.001), 2)[1] is Reason.NOT_MATCHED
    assert gallery.audit.lines()[-1]["policy"]["match"] == pytest.approx(similarity.similarity + 0.001)


def test_an_uncertain_answer_says_what_to_do_and_lets_nobody_in(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    for pipeline, reason, word in (
        (fake_pipeline(detector=FakeDetector([])), Reason.NO_FACE, "camera"),
        (fake_pipeline(gate={"min_face_px": 500}), Reason.FACE_TOO_SMALL, "closer"),
    ):
        result = login(gallery, pipeline, "ada", noise_image(1), client="c")
        assert (result.accepted, result.verdict, result.reason) == (False, Verdict.UNCERTAIN, reason)
        assert word in result.message


def test_a_judge_that_compares_with_another_model_lets_nobody_in(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    other = fake_pipeline(embedder=FakeEmbedder(model_id="other"))
    with pytest.raises(TemplateMismatch):
        answer(gallery, open_session(gallery, "ada", "c"), "fake", lambda found: other.verify(noise_image(1), found))
    assert find_subject(gallery, "ada").failures == 1


def test_the_id_of_a_session_cannot_be_foretold(gallery: Gallery) -> None:
    ids = []
    for _ in range(2):
        random.seed(0)
        np.random.seed(0)
        ids.append(open_session(gallery, None, "c").session_id)
    assert ids[0] != ids[1] and min(map(len, ids)) >= 43  # 256 bits

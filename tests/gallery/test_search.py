"""Who is it? Nobody, unless the measured pairs support a gallery of this size."""

import numpy as np
import pytest

from faceauth.errors import LockedOut, NotEnrolled, UsageError
from faceauth.gallery import Gallery, Index, add_subject, delete_subject, identify
from faceauth.gallery import search as searching
from faceauth.gallery.attempts import CLIENT_ATTEMPTS
from faceauth.gallery.enrolment import Enrolment
from faceauth.results import Reason, Template
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness
from faceauth.thresholds import MatchPoint, MatchPoints, MeasuredRate
from tests.pipelines import RATE, fake_pipeline, match_points, noise_image

from .conftest import Clock, Enrol


def measured(threshold: float, high: float) -> MatchPoint:
    rate = MeasuredRate(errors=3, n=100_000, value=high / 2, low=0.0, high=high, interval="invented")
    return MatchPoint(threshold=threshold, fmr=rate, fnmr=RATE, measured_on="invented")


CURVE = (measured(0.5, 0.005), measured(0.9, 0.0033))
"""Supports two templates at 0.5 and three at 0.9: 0.01 / 0.0033 = 3.03."""

POINTS = MatchPoints.model_validate({**dict(match_points(0.3, 0.4, 0.5)), "curve": CURVE})
PIPELINE = fake_pipeline(embedder=FakeEmbedder(match_points=POINTS))


@pytest.fixture
def index(gallery: Gallery) -> Index:
    return Index(gallery, "fake")


def test_the_person_is_found_and_a_stranger_is_nobody(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    enrol("ada", 1)
    enrol("bob", 2)
    found = identify(gallery, PIPELINE, index, noise_image(2), client="c")
    assert (found.subject, found.verification.reason) == ("bob", Reason.LIVE_AND_MATCHED)
    stranger = identify(gallery, PIPELINE, index, noise_image(3), client="c")
    assert (stranger.subject, stranger.verification.reason) == (None, Reason.NOT_MATCHED)


def test_the_threshold_is_that_of_the_number_of_templates(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    for seed, threshold in ((1, 0.5), (2, 0.5), (3, 0.9)):
        enrol(f"person {seed}", seed)
        result = identify(gallery, PIPELINE, index, noise_image(1), client="c").verification
        assert result.thresholds is not None and result.thresholds.match is not None
        assert result.thresholds.match.similarity == threshold


def test_more_people_than_the_measured_pairs_support_are_not_searched(
    gallery: Gallery, enrol: Enrol, index: Index
) -> None:
    for seed in range(3):
        enrol(f"person {seed}", seed)
    curve = (measured(0.5, 0.005),)
    few = MatchPoints.model_validate({**dict(match_points(0.3, 0.4, 0.5)), "curve": curve})
    pipeline = fake_pipeline(embedder=FakeEmbedder(match_points=few))
    with pytest.raises(UsageError, match="among 3 templates"):
        identify(gallery, pipeline, index, noise_image(1), client="c")


def test_an_attack_is_nobody_and_is_not_compared(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    enrol("ada", 1)
    pipeline = fake_pipeline(embedder=FakeEmbedder(match_points=POINTS), liveness=FakeLiveness(0.1))
    found = identify(gallery, pipeline, index, noise_image(1), client="c")
    assert (found.subject, found.verification.reason) == (None, Reason.ATTACK_SUSPECTED)
    assert found.verification.match is None


def test_no_face_is_nobody(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    enrol("ada", 1)
    pipeline = fake_pipeline(embedder=FakeEmbedder(match_points=POINTS), detector=FakeDetector([]))
    assert identify(gallery, pipeline, index, noise_image(1), client="c").verification.reason is Reason.NO_FACE


def test_searches_are_limited_by_client(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    enrol("ada", 1)
    for _ in range(CLIENT_ATTEMPTS):
        identify(gallery, PIPELINE, index, noise_image(3), client="c")
    with pytest.raises(LockedOut):
        identify(gallery, PIPELINE, index, noise_image(1), client="c")


def test_who_is_enrolled_or_deleted_is_found_or_not_from_then_on(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    enrol("ada", 1)
    assert index.refresh() == 1
    enrol("bob", 2)
    assert index.refresh() == 2
    delete_subject(gallery, "bob")
    assert identify(gallery, PIPELINE, index, noise_image(2), client="c").subject is None


def test_whose_time_is_over_is_not_searched(gallery: Gallery, enrol: Enrol, clock: Clock) -> None:
    enrol("ada", 1, keep_days=1)
    clock.now_s += 2 * 86400
    with pytest.raises(NotEnrolled):
        Index(gallery, "fake").refresh()


def test_templates_of_another_model_are_not_searched(gallery: Gallery, enrol: Enrol) -> None:
    enrol("ada", 1)
    with pytest.raises(NotEnrolled, match="other"):
        Index(gallery, "other").refresh()


def test_blocks_find_what_one_multiplication_finds(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(23, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for number, vector in enumerate(vectors):
        enrolment = Enrolment(
            templates=(Template(model_id="fake", vector=tuple(vector)),), verifications=(), refused=()
        )
        add_subject(gallery, f"person {number}", enrolment, consent="form 1")
    monkeypatch.setattr(searching, "BLOCK", 5)
    index = Index(gallery, "fake")
    assert index.refresh() == 23
    for _ in range(20):
        probe = generator.normal(size=16)
        probe /= np.linalg.norm(probe)
        found = index.nearest(Template(model_id="fake", vector=tuple(probe)))
        best = int((vectors @ probe).argmax())
        assert found.subject == f"person {best}"
        assert found.similarity == pytest.approx(float(vectors[best] @ probe), abs=1e-5)


def test_more_templates_than_a_search_takes_are_refused(
    gallery: Gallery, enrol: Enrol, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MOST_SEARCHED", 1)
    enrol("ada", 1)
    enrol("bob", 2)
    with pytest.raises(UsageError, match="at most 1"):
        index.refresh()

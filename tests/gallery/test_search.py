"""Who is it? Nobody, unless the measured pairs support a gallery of this size."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from faceauth.errors import LockedOut, NotEnrolled, TemplateMismatch, UsageError
from faceauth.gallery import (
    Gallery,
    Index,
    LocalKey,
    accept_restored,
    add_subject,
    delete_subject,
    identify,
    reset_attempts,
)
from faceauth.gallery import blocks as in_blocks
from faceauth.gallery import search as searching
from faceauth.gallery.attempts import CLIENT_ATTEMPTS, MOST_FAILURES, set_failures
from faceauth.results import Reason, Template
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, brightness_pattern
from faceauth.thresholds import MatchPoints
from tests.pipelines import fake_pipeline, match_points, noise_image

from .conftest import Clock, Enrol
from .searching import PIPELINE, POINTS, ROOT, enrolment_of, measured, on_the_sphere, template_of
from .test_faults import backed_up, restore


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


def test_whom_failures_have_locked_out_is_not_let_in_by_a_search_either(
    gallery: Gallery, enrol: Enrol, index: Index
) -> None:
    enrol("ada", 1)
    with gallery.change() as change:
        set_failures(change, "ada", MOST_FAILURES)
    with pytest.raises(LockedOut) as refused:
        identify(gallery, PIPELINE, index, noise_image(1), client="c")
    assert refused.value.retry_after_s is None and refused.value.client is None
    assert {"event": "refused", "subject": "ada", "why": "LockedOut"}.items() <= gallery.audit.lines()[-1].items()
    reset_attempts(gallery, "ada")
    assert identify(gallery, PIPELINE, index, noise_image(1), client="c").subject == "ada"


def test_a_search_is_never_less_strict_than_a_login(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    strict = fake_pipeline(embedder=FakeEmbedder(match_points=POINTS), match_threshold=0.8)
    for seed, threshold in ((1, 0.8), (2, 0.8), (3, 0.9)):
        enrol(f"person {seed}", seed)
        result = identify(gallery, strict, index, noise_image(1), client="c").verification
        assert result.thresholds is not None and result.thresholds.match is not None
        assert result.thresholds.match.similarity == threshold


def test_the_audit_log_says_whom_a_search_recognised(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    enrol("ada", 1)
    for seed, name in ((1, "ada"), (3, None)):
        identify(gallery, PIPELINE, index, noise_image(seed), client="c")
        line = gallery.audit.lines()[-1]
        assert (line["event"], line["subject"], line["failures"]) == ("judged", name, None)


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
    """Whether read at once, or enrolled and deleted one after the other."""
    monkeypatch.setattr(searching, "BLOCK", 5)
    monkeypatch.setattr(in_blocks, "BLOCK", 5)
    vectors = on_the_sphere(26, 16)
    growing = Index(gallery, "fake")
    for number, vector in enumerate(vectors):
        add_subject(gallery, f"person {number}", enrolment_of([vector]), consent="form 1")
        assert growing.refresh() == number + 1
    for number in (3, 8, 25):
        delete_subject(gallery, f"person {number}")
    read_at_once = Index(gallery, "fake")
    for index in (growing, read_at_once):
        assert index.refresh() == 23
        for probe in on_the_sphere(20, 16, seed=1):
            cosines = vectors @ probe
            cosines[[3, 8, 25]] = -1
            found = index.nearest(template_of(probe))
            assert found.subject == f"person {int(cosines.argmax())}"
            assert found.similarity == pytest.approx(float(cosines.max()), abs=1e-5)


def test_more_templates_than_are_multiplied_are_refused_and_the_extra_is_named(
    gallery: Gallery, enrol: Enrol, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MOST_MULTIPLIED", 1)
    enrol("ada", 1)
    assert index.refresh() == 1
    enrol("bob", 2)
    for _ in range(2):
        with pytest.raises(UsageError, match=r"2 templates.*at most 1.*faceauth\[faiss\]"):
            identify(gallery, PIPELINE, index, noise_image(1), client="c")


def test_a_template_of_another_model_is_not_looked_for(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    enrol("ada", 1)
    index.refresh()
    with pytest.raises(TemplateMismatch):
        index.nearest(template_of(on_the_sphere(1, 16)[0], model_id="other"))


def test_whose_time_ends_is_not_found_from_then_on(gallery: Gallery, enrol: Enrol, clock: Clock, index: Index) -> None:
    """Though nothing in the gallery changes."""
    enrol("ada", 1, keep_days=1)
    enrol("bob", 2)
    assert identify(gallery, PIPELINE, index, noise_image(1), client="c").subject == "ada"
    clock.now_s += 86400
    assert index.refresh() == 1
    assert identify(gallery, PIPELINE, index, noise_image(1), client="c").subject is None


def test_who_is_deleted_while_a_face_is_judged_is_not_found(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    enrol("ada", 1)
    enrol("bob", 2)

    def judge(crops: np.ndarray) -> object:
        delete_subject(gallery, "bob")
        return brightness_pattern(crops)

    slow = fake_pipeline(embedder=FakeEmbedder(judge, match_points=POINTS))
    found = identify(gallery, slow, index, noise_image(2), client="c")
    assert (found.subject, found.verification.reason) == (None, Reason.NOT_MATCHED)


def test_who_is_deleted_before_the_answer_is_written_down_is_not_let_in(
    gallery: Gallery, enrol: Enrol, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol("ada", 1)
    compare = index.nearest

    def nearest(template: Template) -> searching.Candidate:
        found = compare(template)
        delete_subject(gallery, "ada")
        return found

    monkeypatch.setattr(index, "nearest", nearest)
    with pytest.raises(NotEnrolled):
        identify(gallery, PIPELINE, index, noise_image(1), client="c")


def test_who_a_restored_backup_lost_is_not_found_though_as_many_changes_were_made(
    gallery: Gallery, enrol: Enrol, index: Index
) -> None:
    """A count of changes would come to the same number again, and the index would keep who is gone."""
    path = Path(str(gallery.database.path))
    enrol("ada", 1)
    backup = backed_up(path)
    enrol("bob", 2)
    assert index.refresh() == 2
    restore(backup, path)
    accept_restored(gallery)
    assert index.refresh() == 1
    assert identify(gallery, PIPELINE, index, noise_image(2), client="c").subject is None


def test_searches_go_on_while_others_enrol_and_delete(gallery: Gallery, enrol: Enrol, index: Index) -> None:
    vectors = on_the_sphere(40, 16)
    add_subject(gallery, "always", enrolment_of(vectors[:1]), consent="form 1")
    index.refresh()
    wrong: list[object] = []
    over = threading.Event()

    def search() -> None:
        while not over.is_set():
            index.refresh()
            if (found := index.nearest(template_of(vectors[0]))).subject != "always":
                wrong.append(found)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number, vector in enumerate(vectors[1:]):
            add_subject(gallery, f"person {number}", enrolment_of([vector]), consent="form 1")
            delete_subject(gallery, f"person {number}")
            index.refresh()
            if index.nearest(template_of(vector)).subject != "always":
                wrong.append(number)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert wrong == []


OTHER_PROCESS = """
import sys
from faceauth.gallery import Gallery, LocalKey, add_subject, delete_subject, enroll
from tests.pipelines import fake_pipeline, noise_image

gallery = Gallery(sys.argv[1], LocalKey.from_file(sys.argv[2]))
delete_subject(gallery, "ada")
add_subject(gallery, "eve", enroll(fake_pipeline(), [noise_image(3)]), consent="form 1")
"""


def test_what_another_process_enrols_and_deletes_is_followed(tmp_path: Path) -> None:
    path, key = tmp_path / "gallery.sqlite", tmp_path / "key"
    gallery = Gallery(path, LocalKey.create_file(key), create=True)
    add_subject(gallery, "ada", enrolment_of(brightness_vectors(1)), consent="form 1")
    index = Index(gallery, "fake")
    assert identify(gallery, PIPELINE, index, noise_image(1), client="c").subject == "ada"
    subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, str(path), str(key)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=120,
    )
    assert identify(gallery, PIPELINE, index, noise_image(1), client="c").subject is None
    assert identify(gallery, PIPELINE, index, noise_image(3), client="c").subject == "eve"


def brightness_vectors(seed: int) -> np.ndarray:
    return np.array([PIPELINE.embed(noise_image(seed)).vector])

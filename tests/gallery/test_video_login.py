"""A login before a camera: one attempt, charged as soon as a face was scored."""

from collections.abc import Sequence

import pytest

from faceauth.gallery import Gallery, add_subject, answer, find_subject, open_session
from faceauth.gallery.enrolment import Enrolment
from faceauth.results import Reason, Template
from faceauth.video import PresentationSession
from faceauth.video.decision import PresentationResult
from faceauth.video.watching import follow, open_stream

from ..video.scenes import Scene, Shot, changed, growing

ADA = Template(model_id="fake", vector=(1.0, 0.0))


@pytest.fixture
def ada(gallery: Gallery) -> Gallery:
    add_subject(gallery, "ada", Enrolment(templates=(ADA,), verifications=(), refused=()), consent="form 1")
    return gallery


def log_in(gallery: Gallery, script: Sequence[tuple[float, Shot]]) -> PresentationResult:
    scene = Scene(script)

    def watched(templates: Sequence[Template]) -> PresentationResult:
        session = PresentationSession(scene.pipeline, templates)
        with open_stream(scene.frames()) as stream:
            list(follow(session, stream))
        return session.result

    return answer(gallery, open_session(gallery, "ada", "c"), "fake", watched)


def test_a_live_person_gets_in_and_a_stranger_does_not(ada: Gallery) -> None:
    assert log_in(ada, growing(2.0)).reason is Reason.LIVE_AND_MATCHED
    assert log_in(ada, changed(growing(2.0), 0.0, person=90.0)).reason is Reason.NOT_MATCHED
    assert find_subject(ada, "ada").failures == 1
    assert ada.audit.lines()[-1]["reason"] == "not_matched"


def test_nobody_before_the_camera_costs_nothing(ada: Gallery) -> None:
    result = log_in(ada, changed(growing(1.0), 0.0, side_px=None))
    assert (result.accepted, result.liveness, find_subject(ada, "ada").failures) == (False, None, 0)


def test_who_goes_away_after_a_face_was_scored_has_used_an_attempt(ada: Gallery) -> None:
    result = log_in(ada, growing(0.5))
    assert result.reason is Reason.STREAM_ENDED and result.liveness is not None
    assert find_subject(ada, "ada").failures == 1

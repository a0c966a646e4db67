"""The picture that ``--draw`` writes."""

import numpy as np
import pytest

from faceauth.cli.drawing import COLORS_BGR, caption, draw
from faceauth.results import LivenessResult, MatchResult, Reason, Verdict, Verification
from faceauth.testing import face_in
from faceauth.thresholds import Thresholds

GREY = np.full((120, 160, 3), 128, np.uint8)


def rejected() -> Verification:
    limits = Thresholds(live=0.5, attack=0.5, operating_point=None, measured=None, match=None)
    return Verification(
        accepted=False,
        verdict=Verdict.REJECT,
        reason=Reason.ATTACK_SUSPECTED,
        message="An attack.",
        face=face_in(GREY),
        liveness=LivenessResult(p_live=0.031, crop_outside=0.0, crop_scale=2.0),
        thresholds=limits,
    )


def unseen() -> Verification:
    return Verification(accepted=False, verdict=Verdict.UNCERTAIN, reason=Reason.NO_FACE, message="Nobody.")


def test_face_and_landmarks_are_marked_in_the_colour_of_the_verdict() -> None:
    drawn = draw(GREY, rejected())
    color = np.array(COLORS_BGR[Verdict.REJECT])
    left, top, right, bottom = map(round, face_in(GREY).box_xyxy)
    for x, y in ((left, 60), (right, 60), (80, top), (80, bottom)):
        assert (abs(drawn[y, x].astype(int) - color) <= 16).all(), "smoothed towards the grey beside it"
    for x, y in face_in(GREY).landmarks_px:
        assert (drawn[round(y), round(x)] == 255).all()


def test_picture_of_the_caller_is_not_changed() -> None:
    before = GREY.copy()
    draw(GREY, rejected())
    assert (before == GREY).all()


def test_without_a_face_only_the_strip_is_added() -> None:
    drawn = draw(GREY, unseen())
    assert (drawn[:120] == GREY).all() and (drawn[120:] == COLORS_BGR[Verdict.UNCERTAIN]).all(axis=2).any()


@pytest.mark.parametrize("size_wh", [(32, 32), (2000, 40), (40, 2000)])
def test_every_size_keeps_its_width_and_gets_a_strip(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    drawn = draw(np.zeros((height, width, 3), np.uint8), unseen())
    assert drawn.shape[1] == width and drawn.shape[0] >= height + 12


def test_caption_says_the_similarity_of_a_match() -> None:
    matched = rejected().model_copy(update={"match": MatchResult(similarity=0.25, model_id="fake")})
    assert caption(matched).endswith("P(live) 0.0310, similarity 0.2500")


def test_caption_says_verdict_reason_and_score() -> None:
    assert caption(rejected()) == "REJECT attack suspected, P(live) 0.0310"
    assert caption(unseen()) == "UNCERTAIN no face"

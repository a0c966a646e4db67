"""The image that ``--draw`` writes."""

import numpy as np
import pytest

from faceauth.cli.drawing import COLORS_BGR, OTHER_FACE, caption, draw, encoded, lit
from faceauth.errors import UsageError
from faceauth.results import (
    Box,
    Face,
    LivenessResult,
    LivenessScore,
    MatchResult,
    Reason,
    Verdict,
    Verification,
)
from faceauth.stages import Screen
from faceauth.testing import face_in
from faceauth.thresholds import LivenessThreshold, MatchThreshold, Thresholds

GREY = np.full((120, 160, 3), 128, np.uint8)
OTHER = Face(box_xyxy=Box(2.0, 2.0, 22.0, 27.0), score=0.6, landmarks_px=face_in(GREY).landmarks_px)


def rejected(match: MatchResult | None = None) -> Verification:
    score = LivenessScore(backend="fake", p_live=0.031, elapsed_ms=1.0)
    return Verification(
        accepted=False,
        verdict=Verdict.REJECT,
        reason=Reason.ATTACK_SUSPECTED,
        message="An attack.",
        face=face_in(GREY),
        faces=(face_in(GREY), OTHER),
        liveness=LivenessResult(backend="fake", p_live=0.031, members=(score,), crop_outside=0.0, crop_scale=2.0),
        match=match,
        thresholds=Thresholds(
            liveness=(LivenessThreshold(backend="fake", live=0.5, attack=0.5),),
            match=None if match is None else MatchThreshold(similarity=0.5),
        ),
    )


def unseen() -> Verification:
    return Verification(accepted=False, verdict=Verdict.UNCERTAIN, reason=Reason.NO_FACE, message="Nobody.", faces=())


def test_face_and_landmarks_are_marked_in_the_colour_of_the_verdict() -> None:
    drawn = draw(GREY, rejected())
    color = np.array(COLORS_BGR[Verdict.REJECT])
    left, top, right, bottom = map(round, face_in(GREY).box_xyxy)
    for x, y in ((left, 60), (right, 60), (80, top), (80, bottom)):
        assert (abs(drawn[y, x].astype(int) - color) <= 16).all(), "smoothed towards the grey beside it"
    for x, y in face_in(GREY).landmarks_px:
        assert (drawn[round(y), round(x)] == 255).all()


def test_every_other_face_is_drawn_in_grey() -> None:
    left, top, right, bottom = map(round, OTHER.box_xyxy)
    drawn = draw(GREY, rejected())
    for x, y in ((left, 14), (right, 14), (12, top), (12, bottom)):
        assert (abs(drawn[y, x].astype(int) - OTHER_FACE) <= 16).all()


@pytest.mark.parametrize(("suffix", "width"), [(".webp", 16_384), (".jpg", 65_501), (".JPEG", 65_501)])
def test_format_that_cannot_hold_the_image_is_an_error_and_png_can(
    suffix: str, width: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"name a \.png file"):
        encoded(np.zeros((2, width, 3), np.uint8), suffix)
    assert encoded(np.zeros((2, width, 3), np.uint8), ".png")
    assert encoded(np.zeros((2, width - 1, 3), np.uint8), suffix)
    assert capfd.readouterr() == ("", ""), "OpenCV has lines of its own about it"


def test_image_of_the_caller_is_not_changed() -> None:
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
    matched = rejected(MatchResult(similarity=0.25, model_id="fake"))
    assert caption(matched).endswith("P(live) 0.0310, similarity 0.2500")


def test_caption_says_verdict_reason_and_score() -> None:
    assert caption(rejected()) == "REJECT attack suspected, P(live) 0.0310"
    assert caption(unseen()) == "UNCERTAIN no face"


def test_a_lit_screen_has_the_colors_of_its_halves_where_the_person_sees_them() -> None:
    drawn = lit(Screen(left=(255, 200, 100), right=(10, 20, 30)), "Look at the screen.")
    assert drawn[100, 100].tolist() == [100, 200, 255] and drawn[100, -100].tolist() == [30, 20, 10]

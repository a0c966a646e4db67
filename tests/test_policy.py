"""Which thresholds are in force for a configuration, and which face is judged."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import pytest

from faceauth.backends.combination import combine
from faceauth.calibration.points_file import LoadedPoints, MemberCalibration, PointsFile
from faceauth.errors import UsageError
from faceauth.policy import (
    FALSE_IDENTIFICATIONS,
    SECOND_FACE_AREA,
    Threshold,
    choose_face,
    identification_threshold,
    liveness_thresholds,
    match_threshold,
    sure_beside_others,
)
from faceauth.results import Box, Face, LivenessResult, LivenessScore, Reason
from faceauth.stages import Image
from faceauth.thresholds import LivenessThreshold, MatchPoint, MatchPoints, OperatingPoints
from faceauth.weights.cards import SFaceCard
from faceauth.weights.store import PinnedModel
from tests.pipelines import RATE, match_points, operating_points

WEIGHTS = {"a": {"a.onnx": "a" * 64}, "b": {"b.onnx": "b" * 64}}
OWN = {"a": operating_points(0.3, 0.5, 0.8), "b": operating_points(0.2, 0.4, 0.6)}


def points_file(points: OperatingPoints, *names: str) -> LoadedPoints:
    members = tuple(MemberCalibration(name=name, weights_sha256=WEIGHTS[name]) for name in names)
    return LoadedPoints(content=PointsFile(members=members, operating_points=points, made_by="test"), sha256="c" * 64)


def single(threshold: Threshold, points: LoadedPoints | None = None) -> LivenessThreshold:
    (found,) = liveness_thresholds(combine(None, {"a": WEIGHTS["a"]}, points, None), threshold, OWN, points)
    return found


def several(rule: str, threshold: Threshold, points: LoadedPoints | None = None) -> tuple[LivenessThreshold, ...]:
    return liveness_thresholds(combine(rule, WEIGHTS, points, None), threshold, OWN, points)  # type: ignore[arg-type]


class TestOneBackend:
    @pytest.mark.parametrize(
        ("point", "live", "attack"), [("convenience", 0.3, 0.3), ("balanced", 0.5, 0.3), ("strict", 0.8, 0.5)]
    )
    def test_the_band_reaches_down_to_the_next_more_lenient_point(
        self, point: Threshold, live: float, attack: float
    ) -> None:
        found = single(point)
        assert (found.backend, found.live, found.attack, found.point) == ("a", live, attack, point)
        assert found.measured is not None and found.measured.threshold == live

    def test_a_number_has_no_band_and_no_measured_rates(self) -> None:
        assert single(0.7) == LivenessThreshold(backend="a", live=0.7, attack=0.7)

    def test_a_backend_without_points_needs_a_number(self) -> None:
        combination = combine(None, {"a": {}}, None, None)
        with pytest.raises(UsageError) as refused:
            liveness_thresholds(combination, "balanced", {"a": None}, None)
        assert str(refused.value) == (
            "No operating points were measured for a. Measure them with `faceauth calibrate` and name the file in the "
            "setting `points`, or set threshold to the P(live) to accept from."
        )
        assert liveness_thresholds(combination, 0.7, {"a": None}, None)[0].live == 0.7

    def test_a_point_that_is_not_offered_is_an_error_and_never_another_point(self) -> None:
        offered = {"a": OWN["a"].model_copy(update={"strict": None})}
        combination = combine(None, {"a": WEIGHTS["a"]}, None, None)
        with pytest.raises(UsageError) as refused:
            liveness_thresholds(combination, "strict", offered, None)
        assert str(refused.value) == (
            "a offers no point 'strict': no threshold with its error rates refuses few enough live people. Use "
            "'convenience' or 'balanced', or set threshold to a P(live)."
        )

    def test_the_band_skips_a_point_that_is_not_offered(self) -> None:
        offered = {"a": OWN["a"].model_copy(update={"convenience": None})}
        combination = combine(None, {"a": WEIGHTS["a"]}, None, None)
        (found,) = liveness_thresholds(combination, "balanced", offered, None)
        assert (found.live, found.attack) == (0.5, 0.5)

    def test_a_points_file_replaces_the_backends_own_points_and_is_echoed(self) -> None:
        found = single("balanced", points_file(operating_points(0.1, 0.2, 0.9), "a"))
        assert (found.live, found.points_sha256) == (0.2, "c" * 64)


class TestSeveralBackends:
    def test_a_mean_is_decided_by_points_of_its_own(self) -> None:
        (found,) = several("mean", "balanced", points_file(operating_points(0.1, 0.2, 0.9), "a", "b"))
        assert (found.backend, found.live, found.attack) == ("mean(a, b)", 0.2, 0.1)

    def test_a_mean_without_points_needs_a_number(self) -> None:
        with pytest.raises(UsageError, match=r"mean\(a, b\).*faceauth calibrate"):
            several("mean", "balanced")
        assert several("mean", 0.6)[0].live == 0.6

    def test_all_have_a_threshold_each(self) -> None:
        assert [(one.backend, one.live) for one in several("all", "strict")] == [("a", 0.8), ("b", 0.6)]

    def test_a_number_cannot_hold_for_all(self) -> None:
        with pytest.raises(UsageError) as refused:
            several("all", 0.5)
        assert str(refused.value) == (
            "threshold = 0.5 cannot hold for all of a, b: each has a threshold of its own. Name a point, such as "
            "'balanced'."
        )

    def test_who_may_only_refuse_does_so_at_the_most_lenient_point(self) -> None:
        first, second = several("deny_only", "strict")
        assert (first.backend, first.live, first.attack) == ("a", 0.8, 0.5)
        assert (second.backend, second.live, second.attack, second.point) == ("b", 0.2, 0.2, "convenience")

    def test_who_may_only_refuse_echoes_the_rates_of_its_point_and_is_named_without_points(self) -> None:
        _, second = several("deny_only", "strict")
        assert second.measured == OWN["b"].convenience
        combination = combine("deny_only", WEIGHTS, None, None)
        with pytest.raises(UsageError) as refused:
            liveness_thresholds(combination, "strict", {**OWN, "b": None}, None)
        assert str(refused.value) == (
            "No operating points were measured for b, and deny_only(a, b) compares each backend with points of its "
            "own. Combine by mean, or leave it out."
        )
        assert liveness_thresholds(combination, 0.7, {**OWN, "a": None}, None)[0].live == 0.7

    @pytest.mark.parametrize(
        ("rule", "threshold", "without"),
        [("all", "strict", "a"), ("all", "strict", "b"), ("deny_only", "strict", "a"), ("deny_only", 0.7, "b")],
    )
    def test_each_member_that_is_compared_with_a_point_is_named_if_it_has_none(
        self, rule: Literal["all", "deny_only"], threshold: Threshold, without: str
    ) -> None:
        combination = combine(rule, WEIGHTS, None, None)
        with pytest.raises(UsageError) as refused:
            liveness_thresholds(combination, threshold, {**OWN, without: None}, None)
        assert str(refused.value) == (
            f"No operating points were measured for {without}, and {rule}(a, b) compares each backend with points of "
            "its own. Combine by mean, or leave it out."
        )

    def test_a_profile_moves_the_threshold_of_one_score(self) -> None:
        class Profile:
            def applied(self, threshold: LivenessThreshold) -> LivenessThreshold:
                return threshold.model_copy(update={"live": 0.9, "profile_sha256": "d" * 64})

        combination = combine(None, {"a": WEIGHTS["a"]}, None, None)
        (found,) = liveness_thresholds(combination, "strict", OWN, None, Profile())  # type: ignore[arg-type]
        assert (found.backend, found.live, found.profile_sha256) == ("a", 0.9, "d" * 64)

    def test_a_profile_moves_one_threshold_and_not_several(self) -> None:
        combination = combine("all", WEIGHTS, None, None)
        with pytest.raises(UsageError) as refused:
            liveness_thresholds(combination, "strict", OWN, None, object())  # type: ignore[arg-type]
        assert str(refused.value) == (
            "A camera profile moves one threshold, but all(a, b) has one for each backend. Remove the setting "
            "camera_profile, or combine by mean."
        )

    def test_a_number_holds_for_the_one_that_decides(self) -> None:
        assert [one.live for one in several("deny_only", 0.7)] == [0.7, 0.2]


class TestMatchThreshold:
    def test_a_named_point_is_the_embedders(self) -> None:
        offered = match_points(0.3, 0.4, 0.5)
        found = match_threshold("strict", offered)
        assert (found.similarity, found.point, found.measured) == (0.5, "strict", offered.strict)

    def test_a_number_of_zero_is_a_threshold(self) -> None:
        assert match_threshold(0.0, match_points(0.3, 0.4, 0.5)).similarity == 0.0

    def test_an_embedder_without_points_needs_a_number(self) -> None:
        with pytest.raises(UsageError) as refused:
            match_threshold("balanced", None)
        assert str(refused.value) == (
            "No match points were measured for this embedder, so match_threshold = 'balanced' means nothing. Set "
            "match_threshold to the cosine similarity to accept from."
        )


def textured(*blurred: Face) -> Image:
    """400 x 400, noise everywhere, out of focus within the boxes of ``blurred``."""
    image = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    soft = cv2.GaussianBlur(image, (0, 0), 6)
    for one in blurred:
        left, top, right, bottom = (round(value) for value in one.box_xyxy)
        image[top:bottom, left:right] = soft[top:bottom, left:right]
    return image


def face(left: float, side: float, score: float = 0.9, top: float = 100.0) -> Face:
    return Face(
        box_xyxy=Box(left, top, left + side, top + side),
        score=score,
        landmarks_px=tuple((left + i, 1.0) for i in range(5)),  # type: ignore[arg-type]
    )


def beside(largest: Face, other: Face, *, blurred: Sequence[Face] = ()) -> Face | Reason:
    chosen = choose_face(textured(*blurred), [other, largest], "exactly_one")
    assert chosen == choose_face(textured(*blurred), [largest, other], "exactly_one")
    return chosen


class TestChooseFace:
    def test_no_face_is_no_face_by_every_rule(self) -> None:
        assert choose_face(textured(), [], "exactly_one") is choose_face(textured(), [], "largest") is Reason.NO_FACE

    def test_largest_is_largest_by_area_not_best_by_score(self) -> None:
        small, large = face(0, 150, score=1.0), face(200, 160, score=0.7)
        assert choose_face(textured(), [small, large], "largest") == large

    @pytest.mark.parametrize("side", [145, 150, 160])
    def test_two_faces_of_about_one_size_are_several(self, side: float) -> None:
        assert beside(face(0, 160), face(200, side)) is Reason.SEVERAL_FACES

    def test_a_small_face_in_the_background_does_not_count(self) -> None:
        largest = face(0, 160)
        assert beside(largest, face(200, 60)) == largest

    def test_a_smaller_face_counts_if_it_is_as_sharp_and_not_if_it_is_out_of_focus(self) -> None:
        largest, other = face(0, 160), face(200, 125)
        assert beside(largest, other) is Reason.SEVERAL_FACES
        assert beside(largest, other, blurred=[other]) == largest

    def test_a_face_of_nearly_the_same_size_counts_even_out_of_focus(self) -> None:
        largest, other = face(0, 160), face(200, 140)
        assert beside(largest, other, blurred=[other]) is Reason.SEVERAL_FACES

    def test_a_larger_face_out_of_focus_does_not_take_the_place_of_a_sharp_one(self) -> None:
        largest, sharp = face(0, 160), face(200, 90)
        assert beside(largest, sharp) == largest
        assert beside(largest, sharp, blurred=[largest]) is Reason.SEVERAL_FACES

    def test_only_what_is_inside_the_image_counts(self) -> None:
        largest = face(0, 160)
        assert beside(largest, face(200, 140)) is Reason.SEVERAL_FACES
        assert beside(largest, face(350, 140)) == largest
        assert beside(face(-100, 160), face(200, 100)) is Reason.SEVERAL_FACES

    def test_each_side_of_the_image_cuts_off(self) -> None:
        wide = textured()[:200]  # 200 high, 400 wide
        largest, below = face(0, 160, top=0), face(200, 140, top=150)
        assert choose_face(wide, [largest, face(200, 140, top=0)], "exactly_one") is Reason.SEVERAL_FACES
        assert choose_face(wide, [largest, below], "exactly_one") == largest
        cut = face(400 - 0.7 * 159, 159)  # 69 % of the largest face's area is inside
        assert beside(face(0, 160), cut, blurred=[cut]) == face(0, 160)
        for outside in (face(-139, 140), face(399, 140), face(200, 140, top=-139), face(200, 140, top=399)):
            assert beside(face(200, 160), outside) == face(200, 160)

    def test_a_face_at_the_limit_of_size_counts(self) -> None:
        largest = face(0, 100)
        box = Box(200.0, 100.0, 200.0 + 100 * SECOND_FACE_AREA, 200.0)
        other = face(200, 100).model_copy(update={"box_xyxy": box})
        assert choose_face(textured(other), [largest, other], "exactly_one") is Reason.SEVERAL_FACES

    def test_any_of_the_others_counts(self) -> None:
        largest, tiny, second = face(0, 160, top=0), face(200, 40), face(200, 155, top=200)
        assert choose_face(textured(), [largest, tiny, second], "exactly_one") is Reason.SEVERAL_FACES
        assert choose_face(textured(), [largest, tiny], "exactly_one") == largest

    def test_a_flat_image_leaves_the_choice_in_doubt(self) -> None:
        flat = np.full((400, 400, 3), 128, np.uint8)
        assert choose_face(flat, [face(0, 160), face(200, 100)], "exactly_one") is Reason.SEVERAL_FACES


class TestIdentification:
    @pytest.fixture
    def sface(self) -> MatchPoints:
        found = PinnedModel("sface", SFaceCard).card.match_points
        assert found is not None
        return found

    @pytest.mark.parametrize("templates", [1, 10, 100, 300])
    def test_the_threshold_follows_the_number_of_templates(self, sface: MatchPoints, templates: int) -> None:
        found = identification_threshold(templates, sface)
        assert found.measured is not None and found.measured.fmr.high * templates <= FALSE_IDENTIFICATIONS
        lower = [point for point in sface.curve if point.threshold < found.similarity]
        assert all(point.fmr.high * templates > FALSE_IDENTIFICATIONS for point in lower)

    def test_more_templates_than_the_measured_pairs_support_are_refused(self, sface: MatchPoints) -> None:
        most = int(FALSE_IDENTIFICATIONS / sface.curve[-1].fmr.high)
        assert identification_threshold(most, sface).similarity == sface.curve[-1].threshold
        with pytest.raises(UsageError, match=f"enough for {most:,}"):
            identification_threshold(most + 1, sface)

    def test_the_end_of_the_curve_says_how_many_templates_it_supports(self) -> None:
        def at(threshold: float, high: float, where: str) -> MatchPoint:
            fmr = RATE.model_copy(update={"high": high})
            return MatchPoint(threshold=threshold, fmr=fmr, fnmr=RATE, measured_on=where)

        curve = (at(0.3, FALSE_IDENTIFICATIONS, "first"), at(0.4, 0.6e-4, "second"), at(0.5, 0.5e-4, "third"))
        offered = match_points(0.3, 0.4, 0.5).model_copy(update={"curve": curve})
        assert identification_threshold(1, offered).similarity == 0.3  # at the limit, and one template is one
        assert identification_threshold(0, offered).similarity == 0.3
        most = int(FALSE_IDENTIFICATIONS / 0.5e-4)
        assert identification_threshold(most, offered).similarity == 0.5
        with pytest.raises(UsageError) as refused:
            identification_threshold(10**6, offered)
        assert str(refused.value) == (
            f"A search among 1,000,000 templates needs an FMR of at most {FALSE_IDENTIFICATIONS / 1e6:.1e}, but the "
            f"measured pairs (third) support 5.0e-05, which is enough for {most:,}. Name the person (1:1), or use an "
            "embedder that was measured on more pairs."
        )

    def test_an_embedder_without_a_measured_curve_searches_nobody(self) -> None:
        for offered in (None, match_points(0.3, 0.4, 0.5)):
            with pytest.raises(UsageError) as refused:
                identification_threshold(2, offered)
            assert str(refused.value) == (
                "No false match rate by threshold was measured for this embedder, so nobody can be searched for with "
                "it. Name the person (1:1)."
            )


def judged(**p_live: float) -> LivenessResult:
    members = tuple(LivenessScore(backend=name, p_live=p, elapsed_ms=1.0) for name, p in p_live.items())
    return LivenessResult(backend="all(a, b)", p_live=0.0, members=members, crop_outside=0.0, crop_scale=2.0)


@pytest.mark.parametrize(
    ("p_live", "sure"),
    [
        ({"a": 0.75, "b": 0.75}, True),  # three times the odds of 0.5, exactly
        ({"a": 0.74, "b": 0.99}, False),
        ({"a": 0.99, "b": 0.74}, False),
        ({"a": 0.99}, False),
    ],
)
def test_a_face_beside_others_needs_three_times_the_odds_of_every_threshold(
    p_live: dict[str, float], sure: bool
) -> None:
    thresholds = [LivenessThreshold(backend=name, live=0.5, attack=0.5) for name in ("a", "b")]
    assert sure_beside_others(judged(**p_live), thresholds) is sure


def test_the_odds_are_those_of_the_threshold_in_force() -> None:
    (threshold,) = [LivenessThreshold(backend="a", live=0.2, attack=0.1)]
    for p_live, sure in ((0.42, False), (0.43, True)):  # 3 * 0.2 / 0.8 = 0.75 are the odds of 0.4286
        assert sure_beside_others(judged(a=p_live, b=0.0), [threshold]) is sure

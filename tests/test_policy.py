"""Which thresholds are in force for a configuration, and which face is judged."""

import pytest

from faceauth.backends.combination import combine
from faceauth.calibration.points_file import LoadedPoints, MemberCalibration, PointsFile
from faceauth.errors import UsageError
from faceauth.policy import Threshold, choose_face, liveness_thresholds, match_threshold
from faceauth.results import Box, Face, Reason
from faceauth.thresholds import LivenessThreshold, OperatingPoints
from tests.pipelines import match_points, operating_points

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
        with pytest.raises(UsageError, match="faceauth calibrate"):
            liveness_thresholds(combination, "balanced", {"a": None}, None)
        assert liveness_thresholds(combination, 0.7, {"a": None}, None)[0].live == 0.7

    def test_a_point_that_is_not_offered_is_an_error_and_never_another_point(self) -> None:
        offered = {"a": OWN["a"].model_copy(update={"strict": None})}
        combination = combine(None, {"a": WEIGHTS["a"]}, None, None)
        with pytest.raises(UsageError, match=r"offers no point 'strict'.*'convenience' or 'balanced'"):
            liveness_thresholds(combination, "strict", offered, None)

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
        with pytest.raises(UsageError, match="each has a threshold of its own"):
            several("all", 0.5)

    def test_who_may_only_refuse_does_so_at_the_most_lenient_point(self) -> None:
        first, second = several("deny_only", "strict")
        assert (first.backend, first.live, first.attack) == ("a", 0.8, 0.5)
        assert (second.backend, second.live, second.attack, second.point) == ("b", 0.2, 0.2, "convenience")

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
        with pytest.raises(UsageError, match="match_threshold"):
            match_threshold("balanced", None)


def face(left: float, side: float, score: float = 0.9) -> Face:
    return Face(
        box_xyxy=Box(left, 0.0, left + side, side),
        score=score,
        landmarks_px=tuple((left + i, 1.0) for i in range(5)),  # type: ignore[arg-type]
    )


class TestChooseFace:
    def test_no_face_is_no_face_by_every_rule(self) -> None:
        assert choose_face([], "exactly_one") is choose_face([], "largest") is Reason.NO_FACE

    def test_several_faces_are_refused_by_default(self) -> None:
        assert choose_face([face(0, 90), face(100, 10)], "exactly_one") is Reason.SEVERAL_FACES

    def test_largest_is_largest_by_area_not_best_by_score(self) -> None:
        small, large = face(0, 50, score=1.0), face(100, 60, score=0.7)
        assert choose_face([small, large], "largest") == large

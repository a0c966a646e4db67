"""Several liveness backends decide together."""

from pathlib import Path

import numpy as np
import pytest

from faceauth.backends.combination import combine
from faceauth.calibration.points_file import LoadedPoints, MemberCalibration, PointsFile
from faceauth.errors import UsageError
from faceauth.pipeline import Pipeline
from faceauth.results import LivenessScore, Reason, Verdict, Verification
from faceauth.stages import CropSpec
from faceauth.testing import FakeDetector, FakeLiveness
from tests.pipelines import noise_image, operating_points

POINTS = operating_points(0.3, 0.5, 0.8)
WEIGHTS = {"a": {"a.onnx": "a" * 64}, "b": {"b.onnx": "b" * 64}}


class First(FakeLiveness):
    """Goes by the name First."""


class Second(FakeLiveness):
    """Goes by the name Second."""


class Third(FakeLiveness):
    """Goes by the name Third."""


def verify(*members: FakeLiveness, **settings: object) -> Verification:
    pipeline = Pipeline(detector=FakeDetector(), liveness=members, **settings)  # type: ignore[arg-type]
    return pipeline.verify(noise_image())


def scores(**p_live: float) -> list[LivenessScore]:
    return [LivenessScore(backend=name, p_live=p, elapsed_ms=0.0) for name, p in p_live.items()]


class TestMean:
    def test_the_mean_is_of_logits_and_not_of_probabilities(self) -> None:
        both = combine("mean", WEIGHTS, None, None)
        assert both.p_live(scores(a=0.9, b=0.9)) == pytest.approx(0.9)
        assert both.p_live(scores(a=0.99, b=0.01)) == pytest.approx(0.5)
        assert both.p_live(scores(a=0.999, b=0.5)) == pytest.approx(1 / (1 + (1 / 999) ** 0.5))

    def test_a_certain_member_does_not_decide_alone(self) -> None:
        both = combine("mean", WEIGHTS, None, None)
        assert 0 < both.p_live(scores(a=1.0, b=0.0)) < 1

    def test_weights_are_relative(self) -> None:
        doubled, plain = (combine("mean", WEIGHTS, None, weights) for weights in ((2.0, 6.0), (1.0, 3.0)))
        assert doubled.p_live(scores(a=0.9, b=0.2)) == pytest.approx(plain.p_live(scores(a=0.9, b=0.2)))
        assert plain.p_live(scores(a=0.9, b=0.2)) < 0.5

    def test_calibrations_of_a_points_file_are_applied_member_by_member(self) -> None:
        members = (
            MemberCalibration(name="b", weights_sha256=WEIGHTS["b"], slope=0.5, offset=1.0),
            MemberCalibration(name="a", weights_sha256=WEIGHTS["a"]),
        )
        content = PointsFile(members=members, operating_points=POINTS, made_by="test")
        both = combine("mean", WEIGHTS, LoadedPoints(content=content, sha256="c" * 64), None)
        logits = (np.log(0.8 / 0.2) + (0.5 * np.log(0.3 / 0.7) + 1.0)) / 2
        assert both.p_live(scores(a=0.8, b=0.3)) == pytest.approx(1 / (1 + np.exp(-logits)))

    def test_members_with_the_same_weights_are_told_apart_by_their_names(self) -> None:
        same = {"a": WEIGHTS["a"], "b": WEIGHTS["a"]}
        members = tuple(MemberCalibration(name=n, weights_sha256=same[n], slope=s) for n, s in (("a", 1.0), ("b", 0.5)))
        content = PointsFile(members=members, operating_points=POINTS, made_by="test")
        both = combine("mean", same, LoadedPoints(content=content, sha256="c" * 64), None)
        logits = (np.log(0.1 / 0.9) + 0.5 * np.log(0.8 / 0.2)) / 2
        assert both.p_live(scores(a=0.1, b=0.8)) == pytest.approx(1 / (1 + np.exp(-logits)))

    def test_a_renamed_backend_keeps_the_calibration_of_its_weights(self) -> None:
        members = (
            MemberCalibration(name="before", weights_sha256=WEIGHTS["a"], slope=0.5),
            MemberCalibration(name="b", weights_sha256=WEIGHTS["b"]),
        )
        content = PointsFile(members=members, operating_points=POINTS, made_by="test")
        both = combine("mean", WEIGHTS, LoadedPoints(content=content, sha256="c" * 64), None)
        assert [(name, one.name, one.slope) for name, one in both.calibrations.items()] == [
            ("a", "a", 0.5), ("b", "b", 1.0)
        ]  # fmt: skip

    def test_other_weights_than_the_measured_ones_are_refused(self) -> None:
        members = tuple(MemberCalibration(name=name, weights_sha256=WEIGHTS[name]) for name in WEIGHTS)
        points = LoadedPoints(
            content=PointsFile(members=members, operating_points=POINTS, made_by="test"), sha256="c" * 64
        )
        with pytest.raises(UsageError, match="Remove combine_weights"):
            combine("mean", WEIGHTS, points, (1.0, 2.0))

    def test_the_result_shows_the_mean_and_each_member(self) -> None:
        result = verify(First(0.9), Second(0.3), combine="mean", threshold=0.5)
        assert result.liveness is not None and result.thresholds is not None
        assert result.liveness.backend == result.thresholds.liveness[0].backend == "mean(First, Second)"
        assert result.liveness.p_live == pytest.approx(1 / (1 + (1 / 9 * 7 / 3) ** 0.5))
        assert [(one.backend, round(one.p_live, 4)) for one in result.liveness.members] == [
            ("First", 0.9), ("Second", 0.3)
        ]  # fmt: skip
        assert [stage.name for stage in result.stages] == ["FakeDetector", "First", "Second"]
        assert result.accepted

    def test_every_member_runs_whatever_the_first_says(self) -> None:
        second = Second(0.9)
        verify(First(0.0), second, combine="mean", threshold=0.5)
        assert len(second.seen) == 1


class TestAll:
    def test_every_member_must_accept_at_its_own_threshold(self) -> None:
        lenient = operating_points(0.1, 0.2, 0.3)
        members = First(0.6, operating_points=POINTS), Second(0.25, operating_points=lenient)
        assert verify(*members, combine="all").accepted
        assert not verify(
            First(0.25, operating_points=POINTS), Second(0.6, operating_points=lenient), combine="all"
        ).accepted

    def test_a_number_for_all_is_refused(self) -> None:
        members = First(0.6, operating_points=POINTS), Second(0.6, operating_points=POINTS)
        with pytest.raises(UsageError, match="threshold of its own"):
            verify(*members, combine="all", threshold=0.5)

    def test_the_cheapest_runs_first_and_a_refusal_spares_the_rest(self) -> None:
        slow = First(0.9, operating_points=POINTS, delay_s=0.05)
        quick = Second(0.1, operating_points=POINTS)
        pipeline = Pipeline(detector=FakeDetector(), liveness=[slow, quick], combine="all")
        before = len(slow.seen)
        result = pipeline.verify(noise_image())
        assert result.reason is Reason.ATTACK_SUSPECTED and len(slow.seen) == before
        assert result.liveness is not None and [one.backend for one in result.liveness.members] == ["Second"]

    def test_an_uncertain_member_does_not_spare_the_rest_so_that_order_never_changes_the_verdict(self) -> None:
        for first, second in ((0.4, 0.1), (0.1, 0.4)):
            members = First(first, operating_points=POINTS), Second(second, operating_points=POINTS, delay_s=0.01)
            assert verify(*members, combine="all").reason is Reason.ATTACK_SUSPECTED

    def test_a_score_at_the_threshold_is_no_refusal_and_the_rest_run(self) -> None:
        points = operating_points(0.25, 0.5, 0.8)
        members = First(0.25, operating_points=points), Second(0.25, operating_points=points)
        assert verify(*members, combine="all", threshold="convenience").reason is Reason.LIVE

    def test_a_failing_member_denies(self) -> None:
        class Failing(FakeLiveness):
            calls = 0

            def score(self, crops):  # type: ignore[no-untyped-def]
                self.calls += 1
                if self.calls > 2:  # after the two calls that time it
                    raise RuntimeError("no device")
                return super().score(crops)

        result = verify(First(0.9, operating_points=POINTS), Failing(0.9, operating_points=POINTS), combine="all")
        assert (result.verdict, result.failed) == (Verdict.REJECT, "liveness")


class TestDenyOnly:
    @pytest.mark.parametrize(
        ("decides", "refuses", "reason"),
        [
            (0.6, 0.4, Reason.LIVE),  # between its points, the second has no say
            (0.6, 0.2, Reason.ATTACK_SUSPECTED),
            (0.4, 1.0, Reason.LIVENESS_UNCERTAIN),  # a sure second member never upgrades the first
            (0.1, 1.0, Reason.ATTACK_SUSPECTED),
        ],
    )
    def test_the_first_decides_and_the_others_may_only_refuse(
        self, decides: float, refuses: float, reason: Reason
    ) -> None:
        members = First(decides, operating_points=POINTS), Second(refuses, operating_points=POINTS)
        assert verify(*members, combine="deny_only").reason is reason

    def test_who_may_only_refuse_needs_points(self) -> None:
        with pytest.raises(UsageError, match="No operating points were measured for Second"):
            verify(First(0.9, operating_points=POINTS), Second(0.9), combine="deny_only")


class TestConfiguration:
    def test_several_backends_need_a_rule(self) -> None:
        with pytest.raises(UsageError, match="combine"):
            verify(First(), Second(), threshold=0.5)

    def test_a_rule_needs_several_backends(self) -> None:
        with pytest.raises(UsageError, match="combine"):
            verify(First(), combine="mean", threshold=0.5)

    @pytest.mark.parametrize("rule", ["all", "deny_only"])
    def test_a_points_file_that_the_rule_would_not_use_is_refused(self, rule: str, tmp_path: Path) -> None:
        members = tuple(MemberCalibration(name=name, weights_sha256={}) for name in ("First", "Second"))
        content = PointsFile(members=members, operating_points=operating_points(0.9, 0.95, 0.99), made_by="test")
        path = tmp_path / "points.json"
        path.write_text(content.model_dump_json())
        with pytest.raises(UsageError, match=f"combine = '{rule}' has a threshold for each backend. Remove"):
            verify(First(operating_points=POINTS), Second(operating_points=POINTS), combine=rule, points=path)

    def test_one_backend_twice_is_refused(self) -> None:
        with pytest.raises(UsageError, match="twice"):
            verify(First(), First(), combine="all")

    def test_every_member_gets_the_crops_that_it_asks_for(self) -> None:
        wide, tight = CropSpec((32, 32), 2.7, "box", "bgr"), CropSpec((16, 24), 1.2, "square", "rgb", mirrored=True)
        first, second = First(crops=(wide, tight)), Second(crops=(tight,))
        verify(first, second, combine="mean", threshold=0.5)
        assert [batch.shape for batch in first.seen[-1]] == [(1, 32, 32, 3), (1, 24, 16, 3)]
        assert [batch.shape for batch in second.seen[-1]] == [(1, 24, 16, 3)]
        assert np.array_equal(first.seen[-1][1], second.seen[-1][0])

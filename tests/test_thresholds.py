"""Thresholds are numbers in their range, and named points ascend from lenient to strict."""

import math

import pytest
from pydantic import BaseModel, ValidationError

from faceauth.thresholds import (
    LivenessThreshold,
    MatchPoint,
    MatchPoints,
    MatchThreshold,
    MeasuredRate,
    OperatingPoint,
    OperatingPoints,
)
from tests.pipelines import RATE, match_points, operating_points

P_LIVE: dict[type[BaseModel], tuple[str, dict[str, object]]] = {
    OperatingPoint: ("threshold", {"apcer": {"print": RATE}, "bpcer": RATE, "measured_on": "invented"}),
    LivenessThreshold: ("live", {"backend": "fake", "attack": 1e-9}),
}
SIMILARITY: dict[type[BaseModel], tuple[str, dict[str, object]]] = {
    MatchPoint: ("threshold", {"fmr": RATE, "fnmr": RATE, "measured_on": "invented"}),
    MatchThreshold: ("similarity", {}),
}
NO_NUMBERS = (True, False, "0.5", math.nan, math.inf, -math.inf, None)


def built(kind: type[BaseModel], value: object) -> BaseModel:
    name, others = (P_LIVE | SIMILARITY)[kind]
    return kind.model_validate({**others, name: value})


@pytest.mark.parametrize("kind", P_LIVE | SIMILARITY, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_finite_number_is_no_threshold(kind: type[BaseModel], value: object) -> None:
    with pytest.raises(ValidationError):
        built(kind, value)


@pytest.mark.parametrize("kind", P_LIVE, ids=lambda kind: kind.__name__)
def test_a_threshold_on_p_live_lies_above_0_and_up_to_1(kind: type[BaseModel]) -> None:
    assert built(kind, 1) and built(kind, 1e-6)
    for outside in (0.0, -0.1, 1.0001):
        with pytest.raises(ValidationError):
            built(kind, outside)


@pytest.mark.parametrize("kind", SIMILARITY, ids=lambda kind: kind.__name__)
def test_a_threshold_on_the_similarity_lies_between_minus_1_and_1(kind: type[BaseModel]) -> None:
    assert built(kind, -1) and built(kind, 1)
    for outside in (-1.0001, 1.0001):
        with pytest.raises(ValidationError):
            built(kind, outside)


def test_an_attack_threshold_is_a_p_live_up_to_the_live_one() -> None:
    assert LivenessThreshold(backend="fake", live=0.5, attack=0.5).attack == 0.5
    assert LivenessThreshold(backend="fake", live=1.0, attack=1.0).attack == 1.0
    for attack in (0.0, 0.51, math.nan):
        with pytest.raises(ValidationError):
            LivenessThreshold(backend="fake", live=0.5, attack=attack)
    for no_number in (True, "0.5"):
        with pytest.raises(ValidationError, match="valid number"):
            LivenessThreshold(backend="fake", live=1.0, attack=no_number)  # type: ignore[arg-type]


@pytest.mark.parametrize("points", [operating_points, match_points])
@pytest.mark.parametrize("thresholds", [(0.5, 0.4, 0.6), (0.4, 0.6, 0.5), (0.6, 0.5, 0.4)])
def test_points_ascend_from_lenient_to_strict(points: object, thresholds: tuple[float, float, float]) -> None:
    with pytest.raises(ValidationError, match=r"must ascend from convenience over balanced to strict, not \["):
        points(*thresholds)  # type: ignore[operator]
    assert points(0.5, 0.5, 0.5)  # type: ignore[operator]


@pytest.mark.parametrize("along", [(0.4, 0.3), (0.4, 0.4)])
def test_the_curve_of_an_embedder_ascends_without_repeats(along: tuple[float, float]) -> None:
    points = match_points(0.3, 0.4, 0.5)

    def with_curve(*thresholds: float) -> MatchPoints:
        curve = [points.balanced.model_copy(update={"threshold": threshold}) for threshold in thresholds]
        return MatchPoints.model_validate({**dict(points), "curve": curve})

    assert [point.threshold for point in with_curve(0.3, 0.4).curve] == [0.3, 0.4]
    with pytest.raises(ValidationError, match="thresholds of the curve must ascend"):
        with_curve(*along)


def test_points_that_do_not_exist_are_not_offered_and_break_no_order() -> None:
    point = operating_points(0.4, 0.5, 0.6)
    only = OperatingPoints(convenience=None, balanced=point.balanced, strict=None)
    assert [name for name, _ in only.offered()] == ["balanced"]
    assert [name for name, _ in point.offered()] == ["convenience", "balanced", "strict"]
    with pytest.raises(ValidationError, match="must ascend"):
        OperatingPoints(convenience=None, balanced=point.strict, strict=point.balanced)


@pytest.mark.parametrize("kind", [OperatingPoints, MatchPoints], ids=lambda kind: kind.__name__)
def test_the_balanced_point_is_always_there(kind: type[BaseModel]) -> None:
    assert kind.model_fields["balanced"].is_required()
    with pytest.raises(ValidationError):
        kind.model_validate({"convenience": None, "balanced": None, "strict": None})


def test_a_rate_counts_from_none_to_all() -> None:
    extremes = MeasuredRate(errors=0, n=0, value=0.0, low=0.0, high=1.0, interval="x")
    assert (extremes.low, extremes.high) == (0.0, 1.0)
    for wrong in ({"errors": -1}, {"n": -1}, {"value": 1.1}, {"value": -0.1}, {"low": -0.1}, {"high": 1.1}):
        with pytest.raises(ValidationError):
            MeasuredRate.model_validate({**extremes.model_dump(), **wrong})


@pytest.mark.parametrize("value", [RATE, operating_points(0.4, 0.5, 0.6), MatchThreshold(similarity=0.5)], ids=repr)
def test_a_value_is_frozen_and_takes_no_unknown_field(value: BaseModel) -> None:
    name = next(iter(type(value).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(value, name, getattr(value, name))
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(value).model_validate({**value.model_dump(), "more": 1})

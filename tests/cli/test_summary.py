"""What the texts for people say of thresholds and past measurements."""

import pytest

from faceauth.cli.summary import expected_errors
from faceauth.thresholds import LivenessThreshold, MeasuredRate, OperatingPoint, Thresholds

DIGEST = "0" * 64


def measured(value: float) -> MeasuredRate:
    return MeasuredRate(errors=1, n=10, value=value, low=0.0, high=1.0, interval="wilson 95 %")


def threshold(backend: str = "spoofnet", *, known: bool = True, **origin: str) -> LivenessThreshold:
    apcer = {"print": measured(0.1), "replay": measured(0.25)}
    point = OperatingPoint(threshold=0.5, apcer=apcer, bpcer=measured(0.04), measured_on="toy")
    return LivenessThreshold(backend=backend, live=0.5, attack=0.5, measured=point if known else None, **origin)


def sentences(*thresholds: LivenessThreshold) -> list[str]:
    return [text.plain for text in expected_errors(Thresholds(liveness=thresholds))]


def test_past_error_rates_are_one_sentence_about_the_worst_species() -> None:
    assert sentences(threshold()) == [
        "Expected on unfamiliar cameras: 25.0 % of replay attacks accepted, 4.0 % of live people refused."
    ]


@pytest.mark.parametrize("origin", ["points_sha256", "profile_sha256"])
def test_thresholds_from_ones_own_camera_say_nothing_of_unfamiliar_ones(origin: str) -> None:
    (sentence,) = sentences(threshold(**{origin: DIGEST}))
    assert sentence.startswith("Expected on cameras like those of the calibration: ")


def test_unmeasured_threshold_says_so() -> None:
    assert sentences(threshold(known=False)) == ["Error rates at this threshold have not been measured."]


def test_each_of_several_thresholds_is_named() -> None:
    first, second = sentences(threshold("a"), threshold("b", known=False))
    assert "from a: " in first and "from b have" in second


def test_without_a_threshold_nothing_is_expected() -> None:
    assert sentences() == [] and list(expected_errors(None)) == []

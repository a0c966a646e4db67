"""What the texts for people say of thresholds and past measurements."""

from faceauth.cli.summary import Tally, expected_errors, totals_explanation
from faceauth.results import Verdict
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


def test_points_from_ones_own_camera_say_nothing_of_unfamiliar_ones() -> None:
    (sentence,) = sentences(threshold(points_sha256=DIGEST))
    assert sentence.startswith("Expected on cameras like those of the calibration: ")


def test_a_camera_profile_claims_no_rates_for_its_camera_since_it_measured_none() -> None:
    assert sentences(threshold(profile_sha256=DIGEST)) == sentences(threshold())


def test_a_camera_profile_is_named_beside_the_point_whose_threshold_it_may_have_moved() -> None:
    tally = Tally(thresholds=Thresholds(liveness=(threshold(point="balanced", profile_sha256=DIGEST),)))
    tally.verdicts[Verdict.REJECT] = 1
    assert (
        next(iter(totals_explanation(tally).columns[1].cells))
        == "spoofnet: live from P(live) 0.5000, operating point balanced with a camera profile"
    )


def test_unmeasured_threshold_says_so() -> None:
    assert sentences(threshold(known=False)) == ["Error rates at this threshold have not been measured."]


def test_each_of_several_thresholds_is_named() -> None:
    first, second = sentences(threshold("a"), threshold("b", known=False))
    assert "from a: " in first and "from b have" in second


def test_without_a_threshold_nothing_is_expected() -> None:
    assert sentences() == [] and list(expected_errors(None)) == []

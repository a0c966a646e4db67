"""A points file made of labelled scores."""

import numpy as np
import pytest

from faceauth.calibration.fitting import fit_points
from faceauth.calibration.logits import sigmoid
from faceauth.calibration.operating_points import lowest_hter_threshold
from faceauth.calibration.points_file import PointsFile, mean_p_live

pytest.importorskip("scipy")

RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1], 200)
DOMAINS = np.tile(["a", "b"], 200)
SPECIES = np.where(LABELS == 0, "none", np.tile(["print", "replay"], 200))
MARGIN = np.where(LABELS == 0, 1.5, -1.5)
CALM = np.asarray(sigmoid(MARGIN + RNG.normal(0, 1, 400)))
LOUD = np.asarray(sigmoid(6 * (MARGIN + RNG.normal(0, 2, 400))))
WEIGHTS = {"calm": {"calm.onnx": "a" * 64}, "loud": {"loud.onnx": "b" * 64}}


def fitted(**p_live: np.ndarray) -> PointsFile:
    return fit_points(p_live, LABELS, SPECIES, DOMAINS, weights_sha256=WEIGHTS, measured_on="toy", made_by="a test")


def test_one_backend_keeps_its_scores() -> None:
    points = fitted(calm=CALM)
    (member,) = points.members
    assert (member.name, member.slope, member.offset, member.weights_sha256) == ("calm", 1.0, 0.0, WEIGHTS["calm"])
    assert points.operating_points.balanced.threshold == lowest_hter_threshold(CALM, LABELS, DOMAINS)


def test_a_member_that_is_too_sure_of_itself_is_turned_down() -> None:
    calm, loud = fitted(calm=CALM, loud=LOUD).members
    assert loud.slope < 0.5 * calm.slope


def test_the_points_are_those_of_the_calibrated_mean() -> None:
    points = fitted(calm=CALM, loud=LOUD)
    mean = mean_p_live(points.members, {"calm": CALM, "loud": LOUD})
    accepted = mean >= points.operating_points.balanced.threshold
    assert points.operating_points.balanced.bpcer.errors == int((~accepted[LABELS == 0]).sum())
    raw = sigmoid((np.log(CALM / (1 - CALM)) + np.log(LOUD / (1 - LOUD))) / 2)
    errors, raw_errors = (
        int(((scores >= lowest_hter_threshold(scores, LABELS, DOMAINS)) != (LABELS == 0)).sum())
        for scores in (mean, raw)
    )
    assert errors < raw_errors


def test_a_backend_that_ranks_attacks_above_live_people_is_refused() -> None:
    with pytest.raises(ValueError, match="rank spoof above live"):
        fitted(calm=CALM, loud=1 - LOUD)

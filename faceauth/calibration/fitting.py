"""Makes a points file from the scores of labelled images."""

from collections.abc import Mapping, Sequence

import numpy.typing as npt

from faceauth.calibration.logits import logit
from faceauth.calibration.operating_points import choose_points, lowest_hter_threshold
from faceauth.calibration.points_file import MemberCalibration, PointsFile, mean_p_live
from faceauth.calibration.temperature import fit_temperature
from faceauth.metrics.intervals import Strings


def fit_points(
    p_live: Mapping[str, npt.ArrayLike],
    labels: npt.ArrayLike,
    species: Strings,
    domains: Strings,
    *,
    weights_sha256: Mapping[str, Mapping[str, str]],
    measured_on: str,
    made_by: str,
    mean_weights: Sequence[float] | None = None,
) -> PointsFile:
    """The operating points of one backend, or of the mean of several, on labelled images.

    For a mean, each member's logit is divided by a temperature that is fitted to the labels first (Guo et al. 2017),
    so that none shouts the others down. The balanced point has the lowest mean HTER over the domains.

    Args:
        p_live: backend -> float, N, in [0, 1].
        labels: 0 = live, 1 = spoof; both must be there.
        species: str, N; the entries of live images are ignored.
        domains: str, N: cameras or collections, which weigh the same.
        weights_sha256: backend -> file name -> digest, to which the points are bound.
        measured_on: what the images are.
        made_by: name and version of the program.
        mean_weights: shares of the members in the mean, equal by default.

    Raises:
        ScoreError: a score is not in [0, 1].
        ValueError: live or spoof is missing, or a member ranks spoof above live.
    """
    shares = mean_weights or (1.0,) * len(p_live)
    members = tuple(
        MemberCalibration(
            name=name,
            weights_sha256=dict(weights_sha256[name]),
            slope=1.0 if len(p_live) == 1 else 1 / fit_temperature(logit(scores), labels, domains),
            weight=share,
        )
        for (name, scores), share in zip(p_live.items(), shares, strict=True)
    )
    combined = mean_p_live(members, p_live)
    points = choose_points(
        combined,
        labels,
        species,
        domains,
        measured_on=measured_on,
        balanced=lowest_hter_threshold(combined, labels, domains),
    )
    return PointsFile(members=members, operating_points=points, made_by=made_by)

"""How several liveness backends decide together: by the mean of their calibrated logits, or each by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from faceauth.calibration.points_file import LoadedPoints, MemberCalibration, mean_p_live
from faceauth.errors import UsageError
from faceauth.results import LivenessScore

Rule = Literal["mean", "all", "deny_only"]
"""``mean``: of the calibrated logits. ``all``: each must accept at its own threshold. ``deny_only``: the first decides,
the others may only refuse."""


@dataclass(frozen=True)
class Combination:
    """The liveness backends of a pipeline and the rule that joins their scores.

    Attributes:
        rule: None for a single backend.
        names: of the backends, as configured.
        calibrations: backend -> how its logit enters the mean, under the backend's name; empty for other rules.
    """

    rule: Rule | None
    names: tuple[str, ...]
    calibrations: Mapping[str, MemberCalibration]

    @property
    def label(self) -> str:
        """What results call it: the backend's name, or for example ``mean(spoofnet, minifasnet)``."""
        return self.names[0] if self.rule is None else f"{self.rule}({', '.join(self.names)})"

    @property
    def stops_early(self) -> bool:
        """Whether the first refusal is final, so that the remaining members need not run."""
        return self.rule in ("all", "deny_only")

    def p_live(self, scores: Sequence[LivenessScore]) -> float:
        """P(live) of the face: the mean for ``mean``, otherwise the lowest of the members that ran."""
        if self.rule != "mean":
            return min(score.p_live for score in scores)
        p_live = {score.backend: score.p_live for score in scores}
        return float(mean_p_live(list(self.calibrations.values()), p_live))


def combine(
    rule: Rule | None,
    weights_sha256: Mapping[str, Mapping[str, str]],
    points: LoadedPoints | None,
    mean_weights: Sequence[float] | None,
) -> Combination:
    """The combination of these backends.

    Args:
        rule: None for a single backend.
        weights_sha256: backend -> file name -> digest, in the configured order.
        points: what was measured for this combination; its calibrations are used for the mean.
        mean_weights: of the members in the mean, in place of those of ``points``.

    Raises:
        UsageError: ``mean_weights`` contradicts ``points``.
    """
    names = tuple(weights_sha256)
    if rule != "mean":
        return Combination(rule, names, {})
    chosen = mean_weights or (1.0,) * len(names)
    if points is None:
        members = [
            MemberCalibration(name=name, weights_sha256=dict(weights_sha256[name]), weight=weight)
            for name, weight in zip(names, chosen, strict=True)
        ]
    else:
        measured = {name: points.content.calibration_of(name, weights_sha256[name]) for name in names}
        members = [member.model_copy(update={"name": name}) for name, member in measured.items()]
        if mean_weights is not None and [member.weight for member in members] != list(mean_weights):
            raise UsageError(
                f"The operating points were measured with the weights {[member.weight for member in members]}, not "
                f"{list(mean_weights)}. Remove combine_weights, or measure yours with `faceauth calibrate`."
            )
    return Combination(rule, names, dict(zip(names, members, strict=True)))

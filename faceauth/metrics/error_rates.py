"""Error rates of ISO/IEC 30107-3 from P(live) and labels: counts, rates and curves.

Accepted as live means ``p_live >= threshold``. Presentations without a response belong in none of these rates
(:mod:`faceauth.evaluation` counts them separately); "uncertain" is a response
that refuses. Labels: 0 = live (bona fide), 1 = spoof (attack). A score that is NaN or outside [0, 1] raises
``ScoreError``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from faceauth.errors import ScoreError
from faceauth.metrics.intervals import Bools, Floats, Interval, Ints, Strings, wilson

LIVE, SPOOF = 0, 1


@dataclass(frozen=True)
class Rate:
    """``errors`` of ``n`` presentations. There is no rate without presentations: ``n`` = 0 raises ``ValueError``."""

    errors: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.n or self.n == 0:
            raise ValueError(f"A rate needs 0 <= errors <= n and n >= 1, not {self.errors} of {self.n}.")

    @property
    def value(self) -> float:
        """``errors / n``, in [0, 1]."""
        return self.errors / self.n

    @property
    def wilson(self) -> Interval:
        """Wilson's 95 % interval; right for independent presentations only."""
        return wilson(self.errors, self.n)


class Valued(Protocol):
    """A rate, with whatever evidence."""

    @property
    def value(self) -> float:
        """In [0, 1]."""
        ...


RateT = TypeVar("RateT", bound=Valued)


@dataclass(frozen=True)
class ErrorCurve:
    """APCER (pooled) and BPCER at every threshold that changes a decision; each float64, T.

    ``thresholds`` ascends from the lowest score (nothing refused) to infinity (nothing accepted). The DET curve is
    ``bpcer`` over ``apcer``, the ROC curve ``1 - bpcer`` over ``apcer``.
    """

    thresholds: Floats
    apcer: Floats
    bpcer: Floats


def checked_scores(p_live: npt.ArrayLike) -> Floats:
    """P(live) as float64, N.

    Raises:
        ScoreError: not one-dimensional, not finite, or outside [0, 1].
    """
    scores = np.asarray(p_live, np.float64)
    if scores.ndim != 1:
        raise ScoreError(f"P(live) must be one number for each presentation, not {scores.shape}.", stage="liveness")
    wrong = np.flatnonzero(~((scores >= 0) & (scores <= 1)))
    if len(wrong):
        raise ScoreError(
            f"{len(wrong)} of {len(scores)} values of P(live) are not in [0, 1]; the first is {scores[wrong[0]]} "
            f"at position {wrong[0]}.",
            stage="liveness",
        )
    return scores


def checked_labels(labels: npt.ArrayLike, n: int) -> Ints:
    """Labels as int64, N: 0 = live, 1 = spoof.

    Raises:
        ValueError: another length than ``n``, or a value that is neither 0 nor 1.
    """
    values = np.asarray(labels)
    if values.shape != (n,) or not np.isin(values, (LIVE, SPOOF)).all():
        raise ValueError(f"Labels must be {n} values of 0 (live) or 1 (spoof), found {values.shape} {values[:5]}.")
    return values.astype(np.int64)


def accepted(p_live: npt.ArrayLike, threshold: float) -> Bools:
    """Whether each presentation is accepted as live: ``p_live >= threshold``, a tie is accepted.

    Compares in float64: as float32, 0.7 would pass a threshold of 0.7 that it misses as a Python float.
    """
    return checked_scores(p_live) >= threshold


def apcer_by_species(p_live: npt.ArrayLike, species: Strings, threshold: float) -> dict[str, Rate]:
    """Attacks accepted as live / all attacks of that species.

    Args:
        p_live: float, N, of attack presentations only.
        species: str, N: print, replay, mask, ...
        threshold: on P(live).
    """
    return _by_species(accepted(p_live, threshold), species)


def worst(rates: Mapping[str, RateT]) -> tuple[str, RateT]:
    """Species and rate of the highest value, which is ISO's APCER; the first by name among equals.

    Raises:
        ValueError: no species at all.
    """
    if not rates:
        raise ValueError("APCER is the worst species' rate: no attack was presented.")
    name = max(sorted(rates), key=lambda species: rates[species].value)
    return name, rates[name]


def bpcer(p_live: npt.ArrayLike, threshold: float) -> Rate:
    """Bona fide presentations refused / all bona fide; ``p_live`` is float, N, of bona fide presentations only."""
    took = accepted(p_live, threshold)
    return Rate(int((~took).sum()), len(took))


def acer(worst_apcer: float, bpcer: float) -> float:
    """(APCER of the worst species + BPCER) / 2 at one fixed threshold."""
    return (worst_apcer + bpcer) / 2


def hter(p_live: npt.ArrayLike, labels: npt.ArrayLike, threshold: float) -> float:
    """(FAR + FRR) / 2 with all attacks pooled; the threshold must come from other data."""
    live, spoof = _split(p_live, labels)
    return float(((spoof >= threshold).mean() + (live < threshold).mean()) / 2)


def riapar(iapar: Valued, frr: Valued) -> float:
    """IAPAR (attacks accepted by liveness and match together / all) + FRR of the full system; in [0, 2]."""
    return iapar.value + frr.value


def error_curve(p_live: npt.ArrayLike, labels: npt.ArrayLike) -> ErrorCurve:
    """The points of the DET and ROC curves.

    Raises:
        ValueError: live or spoof is missing.
    """
    live, spoof = (np.sort(scores) for scores in _split(p_live, labels))
    thresholds = np.append(np.unique(np.concatenate([live, spoof])), np.inf)
    refused_live = np.searchsorted(live, thresholds, side="left")
    refused_spoof = np.searchsorted(spoof, thresholds, side="left")
    return ErrorCurve(thresholds, 1 - refused_spoof / len(spoof), refused_live / len(live))


def auc(p_live: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Chance that a live presentation scores higher than an attack, ties counting half; for ranking only."""
    live, spoof = _split(p_live, labels)
    spoof = np.sort(spoof)
    below = np.searchsorted(spoof, live, side="left")
    not_above = np.searchsorted(spoof, live, side="right")
    return float((below + not_above).mean() / (2 * len(spoof)))


def eer(p_live: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Rate at which pooled APCER and BPCER are equal, interpolated between the two nearest thresholds."""
    curve = error_curve(p_live, labels)
    gap = curve.bpcer - curve.apcer  # ascends from -1 to 1
    after = int(np.argmax(gap >= 0))
    share = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(curve.bpcer[after - 1] + share * (curve.bpcer[after] - curve.bpcer[after - 1]))


def bpcer_at_apcer(p_live: npt.ArrayLike, labels: npt.ArrayLike, species: Strings, target: float) -> Rate:
    """Lowest BPCER at which no species' APCER exceeds ``target``: 0.10, 0.05, 0.01 for BPCER10, BPCER20, BPCER100.

    A step, not interpolated. ``species`` is str, N; the entries of live presentations are ignored.
    """
    live, _ = _split(p_live, labels)
    scores, attack = checked_scores(p_live), np.asarray(labels) == SPOOF
    limit = -1.0  # the highest attack score that must be refused
    for name in np.unique(np.asarray(species)[attack]):
        ranked = np.sort(scores[attack & (species == name)])[::-1]
        allowed = int(target * len(ranked) + 1e-9)
        if allowed < len(ranked):
            limit = max(limit, float(ranked[allowed]))
    return Rate(int((live <= limit).sum()), len(live))


def auc_by_domain(p_live: npt.ArrayLike, labels: npt.ArrayLike, domains: Strings) -> dict[str, float]:
    """AUC of each domain that holds both classes; ``domains`` is str, N."""
    scores, classes = checked_scores(p_live), np.asarray(labels)
    return {name: auc(scores[rows], classes[rows]) for name, rows in _two_class_domains(classes, domains)}


def hter_by_domain(
    p_live: npt.ArrayLike, labels: npt.ArrayLike, domains: Strings, threshold: float
) -> dict[str, float]:
    """HTER of each domain that holds both classes; ``domains`` is str, N."""
    scores, classes = checked_scores(p_live), np.asarray(labels)
    return {name: hter(scores[rows], classes[rows], threshold) for name, rows in _two_class_domains(classes, domains)}


def macro(by_domain: Mapping[str, float]) -> float:
    """Plain mean over domains, however many presentations each holds.

    Raises:
        ValueError: no domain.
    """
    if not by_domain:
        raise ValueError("A macro figure needs at least one domain that holds live and spoof.")
    return float(np.mean(list(by_domain.values())))


def _by_species(errors: Bools, species: Strings) -> dict[str, Rate]:
    names = np.asarray(species)
    if names.shape != errors.shape:
        raise ValueError(f"Each of {len(errors)} attacks needs a species, found {names.shape}.")
    return {str(s): Rate(int(errors[names == s].sum()), int((names == s).sum())) for s in np.unique(names)}


def _split(p_live: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Scores of live and of spoof presentations; both must be there."""
    scores = checked_scores(p_live)
    classes = checked_labels(labels, len(scores))
    live, spoof = scores[classes == LIVE], scores[classes == SPOOF]
    if len(live) == 0 or len(spoof) == 0:
        raise ValueError(f"This figure needs live and spoof presentations, found {len(live)} and {len(spoof)}.")
    return live, spoof


def _two_class_domains(labels: npt.NDArray[np.generic], domains: Strings) -> list[tuple[str, Bools]]:
    names = np.asarray(domains)
    rows = [(str(name), names == name) for name in np.unique(names)]
    return [(name, row) for name, row in rows if len(np.unique(labels[row])) == 2]

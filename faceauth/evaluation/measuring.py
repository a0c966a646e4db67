"""Counts scored presentations into an ``EvaluationReport``: every rate with counts and interval."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from faceauth.evaluation.report import (
    ClassReport,
    DomainResult,
    Estimate,
    EvaluationReport,
    FullSystem,
    Mode,
    NonResponse,
    Ranking,
    ReferenceReport,
    RobustnessPoint,
    Summary,
)
from faceauth.evaluation.scoring import Scored, Threshold
from faceauth.metrics import error_rates
from faceauth.metrics.error_rates import LIVE, SPOOF
from faceauth.metrics.intervals import Bools, Floats, Ints, Strings, bootstrap_groups, bootstrap_mean, measured_rate
from faceauth.thresholds import MeasuredRate

TIGHT_BELOW = 1.3
"""Context (longer side of the image / of the face box) below which an image is a tight crop; chosen between face
crops, which hold hardly more than the face, and images that show what is around it."""

DRAWS_OF_CURVES = 1000
"""Bootstrap draws for AUC, EER and BPCER@APCER, each of which sorts all scores; chosen, not measured."""


class _Table:
    """Presentations that drew a response, as columns, and the bootstrap settings of all their intervals."""

    def __init__(self, scored: Sequence[Scored], threshold: float, *, draws: int, seed: int) -> None:
        self.scored, self.threshold, self.draws, self.seed = scored, threshold, draws, seed
        self.p_live = error_rates.checked_scores([s.p_live for s in scored if s.p_live is not None])
        self.labels: Ints = np.array([s.record.label for s in scored], np.int64)
        self.live, self.spoof = self.labels == LIVE, self.labels == SPOOF
        self.species: Strings = np.array([s.record.species for s in scored], np.str_)
        self.domains: Strings = np.array([s.record.domain for s in scored], np.str_)
        self.accepted = error_rates.accepted(self.p_live, threshold)

    @property
    def has_both(self) -> bool:
        """Whether live and spoof are there."""
        return bool(self.live.any() and self.spoof.any())

    def where(self, rows: Bools) -> "_Table":
        """The table of some presentations only."""
        chosen = [s for s, keep in zip(self.scored, rows, strict=True) if keep]
        return _Table(chosen, self.threshold, draws=self.draws, seed=self.seed)

    def rate(self, errors: Bools, rows: Bools) -> MeasuredRate:
        """The rate of ``errors`` among ``rows``."""
        return rate_among(self.scored, errors, rows, draws=self.draws, seed=self.seed)

    def apcer(self) -> dict[str, MeasuredRate]:
        """APCER of each species."""
        kinds = np.unique(self.species[self.spoof])
        return {str(kind): self.rate(self.accepted, self.spoof & (self.species == kind)) for kind in kinds}

    def bpcer(self) -> MeasuredRate | None:
        """BPCER; None without live presentations."""
        return self.rate(~self.accepted, self.live) if self.live.any() else None


def measure(
    scored: Sequence[Scored],
    threshold: Threshold,
    *,
    backend: str,
    data: str,
    mode: Mode,
    robustness: Mapping[str, tuple[RobustnessPoint, ...]] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> EvaluationReport:
    """The report of one model on one set of presentations, with the curves of ``robustness`` where there are any.

    Intervals resample domains where what a rate counts comes from several, and within one domain recordings where
    the manifest names them; otherwise they are Wilson's. ``draws`` is at least 1,000 and, with ``seed``, named beside
    each interval.

    Raises:
        ValueError: no presentation drew a response.
        ScoreError: a score is not in [0, 1].
    """
    responded = [s for s in scored if s.p_live is not None]
    if not responded:
        raise ValueError(f"None of {len(scored)} presentations drew a response: there is nothing to report.")
    table = _Table(responded, threshold.value, draws=draws, seed=seed)
    domains = tuple(_domain(name, table.where(table.domains == name)) for name in np.unique(table.domains).tolist())
    ranked = {result.domain: result.auc.value for result in domains if result.auc is not None}
    context = np.array([np.nan if s.context is None else s.context for s in responded])
    return EvaluationReport(
        backend=backend,
        data=data,
        mode=mode,
        threshold=threshold.value,
        threshold_origin=threshold.origin,
        overall=_summary(table),
        tight=_slice(table, context < TIGHT_BELOW),
        whole_frames=_slice(table, context >= TIGHT_BELOW),
        domains=domains,
        worst_domain=min(ranked, key=ranked.__getitem__) if ranked else None,
        ranking=_ranking(table) if table.has_both else None,
        no_response=_no_response(scored, draws=draws, seed=seed),
        reference=_reference(table) if table.has_both else None,
        full_system=_full_system(scored, threshold.match, draws=draws, seed=seed),
        robustness=None if robustness is None else dict(robustness),
    )


def _groups(scored: Sequence[Scored]) -> tuple[Strings, str]:
    """What a bootstrap resamples: domains where there are several, else recordings, else presentations.

    A presentation of no named recording is one by itself.
    """
    domains = [s.record.domain for s in scored]
    if len(set(domains)) > 1:
        return np.array(domains, np.str_), "domain"
    recordings = [s.record.recording for s in scored]
    if any(recordings) and len(set(recordings)) > 1:
        groups = [f"{place}/" if name is None else f"/{name}" for place, name in enumerate(recordings)]
        return np.array(groups, np.str_), "recording"
    return np.arange(len(scored)).astype(np.str_), "presentation"


def rate_among(
    scored: Sequence[Scored], errors: Bools, rows: Bools, *, draws: int = 2000, seed: int = 0
) -> MeasuredRate:
    """The rate of ``errors`` among ``rows``, with an interval by what is independent among those rows.

    Args:
        scored: N presentations.
        errors: bool, N.
        rows: bool, N: which presentations count.
        draws: of the bootstrap over domains or recordings.
        seed: of the bootstrap.

    Raises:
        ValueError: no presentation counts.
    """
    groups, unit = _groups([s for s, counted in zip(scored, rows, strict=True) if counted])
    resampled = None if unit == "presentation" else groups
    return measured_rate(errors[rows], resampled, unit=unit, draws=draws, seed=seed)


def _domain(name: str, table: _Table) -> DomainResult:
    auc = hter = None
    if table.has_both:
        auc, hter = _estimates(
            table, lambda p, labels, _: [error_rates.auc(p, labels), error_rates.hter(p, labels, table.threshold)]
        )
    return DomainResult(
        domain=name,
        n_live=int(table.live.sum()),
        n_spoof=int(table.spoof.sum()),
        auc=auc,
        hter=hter,
        apcer=table.apcer(),
        bpcer=table.bpcer(),
    )


def _summary(table: _Table) -> Summary:
    aucs = error_rates.auc_by_domain(table.p_live, table.labels, table.domains)
    hters = error_rates.hter_by_domain(table.p_live, table.labels, table.domains, table.threshold)
    apcer, bpcer = table.apcer(), table.bpcer()
    worst = error_rates.worst(apcer)[0] if apcer else None
    return Summary(
        n_domains=len(np.unique(table.domains)),
        n_live=int(table.live.sum()),
        n_spoof=int(table.spoof.sum()),
        macro_auc=_macro(aucs, table),
        macro_hter=_macro(hters, table),
        apcer=apcer,
        worst_species=worst,
        apcer_pooled=table.rate(table.accepted, table.spoof) if apcer else None,
        bpcer=bpcer,
        acer=None if worst is None or bpcer is None else error_rates.acer(apcer[worst].value, bpcer.value),
    )


def _slice(table: _Table, rows: Bools) -> Summary | None:
    return _summary(table.where(rows)) if rows.any() else None


def _macro(by_domain: dict[str, float], table: _Table) -> Estimate | None:
    """Mean over domains; an interval needs two of them."""
    if not by_domain:
        return None
    value = error_rates.macro(by_domain)
    if len(by_domain) == 1:
        return Estimate(value=value, low=None, high=None, interval="none: one domain")
    drawn = bootstrap_mean(np.array(list(by_domain.values())), unit="domain", draws=table.draws, seed=table.seed)
    return Estimate(value=value, low=drawn.low, high=drawn.high, interval=drawn.method)


def _ranking(table: _Table) -> Ranking:
    def figures(p_live: Floats, labels: Ints, species: Strings) -> list[float]:
        at = [error_rates.bpcer_at_apcer(p_live, labels, species, target).value for target in (0.10, 0.05, 0.01)]
        return [error_rates.auc(p_live, labels), error_rates.eer(p_live, labels), *at]

    auc, eer, bpcer10, bpcer20, bpcer100 = _estimates(table, figures)
    return Ranking(auc=auc, eer=eer, bpcer10=bpcer10, bpcer20=bpcer20, bpcer100=bpcer100)


def _estimates(table: _Table, figures: Callable[[Floats, Ints, Strings], list[float]]) -> list[Estimate]:
    """Figures of a table that holds both classes, with the bootstrap that its groups allow."""
    values = figures(table.p_live, table.labels, table.species)
    groups, unit = _groups(table.scored)
    of_class = [set(groups[table.labels == label].tolist()) for label in (LIVE, SPOOF)]
    if unit == "domain":
        enough = len(of_class[0] & of_class[1]) >= max(2, len(of_class[0] | of_class[1]) / 2)
    else:
        enough = min(map(len, of_class)) >= 2
    if not enough:
        reason = f"none: too few {unit}s hold live and spoof"
        return [Estimate(value=value, low=None, high=None, interval=reason) for value in values]

    def statistic(rows: Ints) -> Floats:
        if len(np.unique(table.labels[rows])) < 2:
            return np.full(len(values), np.nan)
        return np.array(figures(table.p_live[rows], table.labels[rows], table.species[rows]))

    drawn = bootstrap_groups(groups, statistic, unit=unit, draws=DRAWS_OF_CURVES, seed=table.seed)
    return [
        Estimate(value=value, low=interval.low, high=interval.high, interval=interval.method)
        for value, interval in zip(values, drawn, strict=True)
    ]


def _no_response(scored: Sequence[Scored], *, draws: int, seed: int) -> NonResponse:
    silent = np.array([s.p_live is None for s in scored])
    live = np.array([s.record.is_live for s in scored])
    species = np.array([s.record.species for s in scored], np.str_)
    rate = partial(rate_among, scored, silent, draws=draws, seed=seed)
    return NonResponse(
        apnrr={str(kind): rate(~live & (species == kind)) for kind in np.unique(species[~live])},
        bpnrr=rate(live) if live.any() else None,
        reasons=dict(sorted(Counter(s.no_response for s in scored if s.no_response is not None).items())),
    )


def _full_system(
    scored: Sequence[Scored], match_threshold: float | None, *, draws: int, seed: int
) -> FullSystem | None:
    claimed = [s for s in scored if s.accepted is not None]
    if not claimed:
        return None
    let_in = np.array([s.accepted for s in claimed], np.bool_)
    live = np.array([s.record.is_live for s in claimed])
    species = np.array([s.record.species for s in claimed], np.str_)
    rate = partial(rate_among, claimed, draws=draws, seed=seed)
    iapar = {str(kind): rate(let_in, ~live & (species == kind)) for kind in np.unique(species[~live])}
    frr = rate(~let_in, live) if live.any() else None
    riapar = None if not iapar or frr is None else error_rates.riapar(error_rates.worst(iapar)[1], frr)
    return FullSystem(match_threshold=match_threshold, iapar=iapar, frr=frr, riapar=riapar)


def _reference(table: _Table) -> ReferenceReport:
    live_as_live = int((table.live & table.accepted).sum())
    spoof_as_live = int((table.spoof & table.accepted).sum())
    live_as_spoof, spoof_as_spoof = int(table.live.sum()) - live_as_live, int(table.spoof.sum()) - spoof_as_live
    return ReferenceReport(
        accuracy=(live_as_live + spoof_as_spoof) / len(table.labels),
        classes={
            "live": _class(live_as_live, spoof_as_live, live_as_spoof, table.p_live[table.live]),
            "spoof": _class(spoof_as_spoof, live_as_spoof, spoof_as_live, 1 - table.p_live[table.spoof]),
        },
        confusion={
            "live": {"live": live_as_live, "spoof": live_as_spoof},
            "spoof": {"live": spoof_as_live, "spoof": spoof_as_spoof},
        },
    )


def _class(right: int, wrongly_so: int, missed: int, confidence: Floats) -> ClassReport:
    return ClassReport(
        precision=right / (right + wrongly_so) if right + wrongly_so else None,
        recall=right / (right + missed),
        f1=2 * right / (2 * right + wrongly_so + missed),
        support=right + missed,
        mean_confidence=float(confidence.mean()),
    )

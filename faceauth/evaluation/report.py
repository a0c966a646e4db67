"""The types of an evaluation's report: frozen, JSON round-trippable, with no behaviour.

A figure that the data cannot give (AUC of a domain with live images only) is None, never 0. How the figures are
computed is the business of :mod:`faceauth.evaluation.measuring`.
"""

from typing import Literal

from faceauth.thresholds import Frozen, MeasuredRate

Mode = Literal["network", "pipeline"]

DOCUMENT: Literal["faceauth evaluation report"] = "faceauth evaluation report"
"""Stands in every file of a report, so that a later run knows what it may overwrite."""


class Estimate(Frozen):
    """A figure with its 95 % interval; ``low`` and ``high`` are None where ``interval`` says that there is none."""

    value: float
    low: float | None
    high: float | None
    interval: str


class DomainResult(Frozen):
    """One domain at the report's threshold; presentations without a response are not counted in.

    Attributes:
        auc, hter: None where the domain holds only one class; attack species are pooled.
        apcer: species -> rate; empty without attacks.
        bpcer: None without live presentations.
    """

    domain: str
    n_live: int
    n_spoof: int
    auc: Estimate | None
    hter: Estimate | None
    apcer: dict[str, MeasuredRate]
    bpcer: MeasuredRate | None


class Summary(Frozen):
    """Several domains together at the report's threshold.

    Attributes:
        n_domains: of any class; the macro figures are means over those that hold both.
        worst_species: the species whose APCER is highest, hence ISO's APCER; None without attacks.
        acer: (APCER of the worst species + BPCER) / 2.
    """

    n_domains: int
    n_live: int
    n_spoof: int
    macro_auc: Estimate | None
    macro_hter: Estimate | None
    apcer: dict[str, MeasuredRate]
    worst_species: str | None
    apcer_pooled: MeasuredRate | None
    bpcer: MeasuredRate | None
    acer: float | None


class Ranking(Frozen):
    """Figures that no threshold enters, over all presentations as one set.

    Attributes:
        bpcer10, bpcer20, bpcer100: lowest BPCER where the worst species' APCER is at most 10, 5, 1 %.
    """

    auc: Estimate
    eer: Estimate
    bpcer10: Estimate
    bpcer20: Estimate
    bpcer100: Estimate


class NonResponse(Frozen):
    """Presentations that came to no score, beside the error rates and never in them.

    Attributes:
        apnrr: species -> share of attacks without a response.
        reasons: reason code -> count.
    """

    apnrr: dict[str, MeasuredRate]
    bpnrr: MeasuredRate | None
    reasons: dict[str, int]


class FullSystem(Frozen):
    """Liveness and match together, over the presentations whose record names a reference.

    What drew no response counts as refused here: nobody got in. What was refused as an attack was never matched.

    Attributes:
        match_threshold: cosine similarity; None where no presentation came so far.
        iapar: species -> attacks let in / all attacks of the species, each matched with the person whom it shows.
        frr: live people refused, as attacks or as somebody else / all live; None without any.
        riapar: IAPAR of the worst species + FRR; None where one of them is missing.
    """

    match_threshold: float | None
    iapar: dict[str, MeasuredRate]
    frr: MeasuredRate | None
    riapar: float | None


class ClassReport(Frozen):
    """One class as a classifier sees it.

    Attributes:
        precision: None where nothing was classified so.
        mean_confidence: mean probability of the class over its own presentations: P(live) for live, else 1 - P(live).
    """

    precision: float | None
    recall: float
    f1: float
    support: int
    mean_confidence: float


class ReferenceReport(Frozen):
    """Accuracy, precision, recall, F1 and confusion at the threshold, all presentations weighing the same.

    Attributes:
        confusion: true class, then predicted class: ``confusion["spoof"]["live"]`` are attacks let in.
    """

    accuracy: float
    classes: dict[Literal["live", "spoof"], ClassReport]
    confusion: dict[Literal["live", "spoof"], dict[Literal["live", "spoof"], int]]


class RobustnessPoint(Frozen):
    """The error rates at one level of one change of the images."""

    level: float
    bpcer: MeasuredRate
    apcer_pooled: MeasuredRate


class EvaluationReport(Frozen):
    """What was measured, on what, at which threshold.

    Attributes:
        document: says what this is, in JSON too.
        schema_version: of this document.
        backend: name of the liveness backend.
        data: name of the manifest and its splits, or of the two folders.
        mode: the "network" alone on each record's face box, or the whole "pipeline" with its detector and gate.
        domains: sorted by name.
        tight, whole_frames: presentations whose context is below 1.3, and the others; None where there are none
            or the context is unknown.
        worst_domain: the domain of the lowest AUC; None where no domain holds both classes.
        ranking, reference: None where only one class drew responses.
        full_system: None where no record names a reference, and in network mode, which does not match.
        robustness: kind of change -> the rates at each of its levels; None where it was not asked for.
    """

    document: Literal["faceauth evaluation report"] = DOCUMENT
    schema_version: Literal[1] = 1
    backend: str
    data: str
    mode: Mode
    threshold: float
    threshold_origin: str
    overall: Summary
    tight: Summary | None
    whole_frames: Summary | None
    domains: tuple[DomainResult, ...]
    worst_domain: str | None
    ranking: Ranking | None
    no_response: NonResponse
    reference: ReferenceReport | None
    full_system: FullSystem | None = None
    robustness: dict[str, tuple[RobustnessPoint, ...]] | None = None

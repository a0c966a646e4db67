"""The model card, in Markdown, of a release's card and reports.

Every figure in a table is read from what was measured. The sentences that hold for any weights stand in
``MODEL_CARD.template.md``, those on these weights in the terms.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from faceauth.evaluation.report import DomainResult, EvaluationReport
from faceauth.metrics import formatting
from faceauth.stages import CropSpec
from faceauth.thresholds import MeasuredRate, OperatingPoint
from faceauth.weights.cards import SpoofNetCard, Variant
from training.release.packaging import Reports
from training.release.terms import Terms

TEMPLATE = Path(__file__).with_name("MODEL_CARD.template.md")


def render_card(card: SpoofNetCard, reports: dict[Variant, Reports], terms: Terms) -> str:
    """The model card in Markdown, for the card's default variant."""
    variant = card.default_variant
    return Template(TEMPLATE.read_text()).substitute(
        version=card.version,
        date=card.date.isoformat(),
        variant=variant,
        licence=card.licence,
        crop=_crops(card.crops),
        data="\n".join(f"- **{source.name}**, {source.images:,} images: {source.terms}" for source in card.training),
        method=terms.method.strip(),
        findings=terms.findings.strip(),
        chosen_on=reports[variant].choice.data,
        points=points_table(card, variant),
        calibration_error=_summary_cell(card.metrics[f"{variant}/choice"]["expected_calibration_error"], percent=False),
        summary=summary_table(card),
        species=species_table(reports[variant]),
        domains=domains_table(reports[variant].test),
        choice_domains=domains_table(reports[variant].choice),
        reference=reference_table(reports[variant].test),
    )


def _crops(specs: Sequence[CropSpec]) -> str:
    squares = [
        f"{'a mirrored' if spec.mirrored else 'a'} square of {spec.scale:g} times the longer side of the face box"
        for spec in specs
    ]
    return " and ".join(squares) + ("; P(live) is the mean over them" if len(specs) > 1 else "")


def points_table(card: SpoofNetCard, variant: Variant) -> str:
    """The operating points with their rates on the split they were chosen on; one that is not offered says so."""
    points = card.operating_points[variant]
    named = {"convenience": points.convenience, "balanced": points.balanced, "strict": points.strict}
    species = sorted(points.balanced.apcer)
    head = ["point", "P(live) >=", *(f"APCER {name}" for name in species), "BPCER"]
    return _table(head, (_point_row(name, point, species) for name, point in named.items()))


def species_table(reports: Reports) -> str:
    """APCER of each species at the balanced point, where everything was chosen and on ``test``."""
    choice, test = reports.choice.overall.apcer, reports.test.overall.apcer
    names = sorted({*choice, *test})
    return _table(
        ["species", reports.choice.data, "test"],
        ([name, formatting.rate(choice.get(name)), formatting.rate(test.get(name))] for name in names),
    )


def summary_table(card: SpoofNetCard) -> str:
    """The headline figures of each variant where it was chosen, on ``test`` and on the portraits."""
    rows = []
    for name, figures in card.metrics.items():
        cells = [figures.get(key) for key in ("macro_auc", "worst_domain_auc", "macro_hter", "apcer_pooled", "bpcer")]
        rows.append([name, *(_summary_cell(cell, percent=place > 1) for place, cell in enumerate(cells))])
    return _table(["variant / data", "macro AUC", "worst domain", "macro HTER", "pooled APCER", "BPCER"], rows)


def domains_table(report: EvaluationReport) -> str:
    """One row a domain at the balanced point."""
    return _table(["domain", "live", "attacks", "AUC", "HTER", "APCER", "BPCER"], map(_domain_row, report.domains))


def reference_table(report: EvaluationReport) -> str:
    """Precision, recall, F1 and mean confidence per class, and the confusion matrix."""
    if report.reference is None:
        raise ValueError("A report of one class has no reference table.")
    rows = [
        [
            name,
            *map(formatting.number, (c.precision, c.recall, c.f1)),
            str(c.support),
            formatting.number(c.mean_confidence),
        ]
        for name, c in report.reference.classes.items()
    ]
    confusion = report.reference.confusion
    matrix = [[f"truly {true}", str(said["live"]), str(said["spoof"])] for true, said in confusion.items()]
    return "\n\n".join(
        [
            f"Accuracy {report.reference.accuracy:.4f}.",
            _table(["class", "precision", "recall", "F1", "images", "mean confidence"], rows),
            _table(["", "called live", "called spoof"], matrix),
        ]
    )


def _point_row(name: str, point: OperatingPoint | None, species: list[str]) -> list[str]:
    if point is None:
        return [name, "not offered", *(formatting.ABSENT for _ in species), formatting.ABSENT]
    return [
        name,
        formatting.score(point.threshold),
        *(formatting.rate(point.apcer[kind]) for kind in species),
        formatting.rate(point.bpcer),
    ]


def _domain_row(result: DomainResult) -> list[str]:
    apcer = ", ".join(f"{kind} {formatting.rate(rate)}" for kind, rate in result.apcer.items())
    auc, hter = formatting.number_interval(result.auc), formatting.percent_interval(result.hter)
    live, spoof = formatting.count(result.n_live), formatting.count(result.n_spoof)
    return [result.domain, live, spoof, auc, hter, apcer or formatting.ABSENT, formatting.rate(result.bpcer)]


def _summary_cell(value: float | MeasuredRate | None, *, percent: bool) -> str:
    if isinstance(value, MeasuredRate):
        return formatting.rate(value)
    return formatting.percent(value) if percent else formatting.number(value)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

"""An evaluation's report in, rich tables for a terminal out. Prints nothing and computes no rate."""

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from faceauth.cli.output import readable
from faceauth.cli.summary import facts, percent
from faceauth.evaluation.report import Estimate, EvaluationReport, FullSystem, ReferenceReport, Summary
from faceauth.thresholds import MeasuredRate

ABSENT = "-"
"""Of a figure that the data cannot give."""


def all_tables(report: EvaluationReport) -> Iterator[Table | Text]:
    """What was measured, the headline, each species and domain; then what there is of the other parts of the report."""
    yield _header(report)
    yield _title("All domains")
    yield facts(_headline(report))
    yield _title("Species of attack: share accepted as live (APCER)")
    yield facts([(readable(name), percent(rate)) for name, rate in report.overall.apcer.items()] or [("none", ABSENT)])
    yield _title("Domains, rates in % with 95 % intervals")
    yield _domains(report)
    if report.no_response.reasons:
        yield _title("No response: beside the rates above, never in them")
        yield facts(_no_response(report))
    if report.full_system is not None:
        yield _title("Liveness and match together, where there is a reference; no response counts as refused")
        yield facts(_full_system(report.full_system))
    if report.reference is not None:
        yield _title(f"As a classifier: accuracy {100 * report.reference.accuracy:.1f} %")
        yield _reference(report.reference)
    if report.robustness is not None:
        yield _title("Worse pictures, rates in % with 95 % intervals")
        yield _robustness(report)


def _header(report: EvaluationReport) -> Table:
    overall = report.overall
    judged = {"network": "the network alone, on the manifest's face boxes", "pipeline": "the whole pipeline"}
    return facts(
        [
            ("backend", f"{report.backend}, {judged[report.mode]}"),
            ("data", f"{readable(report.data)}: {overall.n_live:,} live and {overall.n_spoof:,} attack presentations "
                     f"of {overall.n_domains} domains"),
            ("threshold", f"live from P(live) {report.threshold:.4f} on, {readable(report.threshold_origin)}"),
        ]
    )  # fmt: skip


def _headline(report: EvaluationReport) -> list[tuple[str, Text | str]]:
    overall, ranking = report.overall, report.ranking
    lowest = f", lowest: {readable(report.worst_domain)}" if report.worst_domain else ""
    worst = overall.worst_species
    rows: list[tuple[str, Text | str]] = [
        ("APCER", _worst(overall, worst)),
        ("APCER, pooled", _rate(overall.apcer_pooled)),
        ("BPCER", _rate(overall.bpcer)),
        ("ACER", ABSENT if overall.acer is None else f"{100 * overall.acer:.1f} %"),
        ("macro AUC", _number(overall.macro_auc) + lowest),
        ("macro HTER", _percent(overall.macro_hter)),
    ]
    if ranking is not None:
        rows += [
            ("AUC", _number(ranking.auc)),
            ("EER", _percent(ranking.eer)),
            ("BPCER10", f"{_percent(ranking.bpcer10)} where the worst APCER is 10 %"),
            ("BPCER20", f"{_percent(ranking.bpcer20)} where it is 5 %"),
            ("BPCER100", f"{_percent(ranking.bpcer100)} where it is 1 %"),
        ]
    for name, part in (("tight crops", report.tight), ("whole frames", report.whole_frames)):
        if part is not None and report.tight is not None and report.whole_frames is not None:
            rates = f"APCER, pooled {_rate(part.apcer_pooled)}; BPCER {_rate(part.bpcer)}"
            rows.append((name, f"macro AUC {_number(part.macro_auc)}; {rates}"))
    return rows


def _domains(report: EvaluationReport) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("domain", overflow="fold")
    table.add_column("live", justify="right")
    table.add_column("spoof", justify="right")
    table.add_column("AUC", overflow="fold")
    table.add_column("HTER", overflow="fold")
    table.add_column("APCER by species", overflow="fold")
    table.add_column("BPCER", overflow="fold")
    for one in report.domains:
        species = "\n".join(f"{readable(name)} {_short(rate)}" for name, rate in one.apcer.items())
        table.add_row(
            readable(one.domain),
            f"{one.n_live:,}",
            f"{one.n_spoof:,}",
            _number(one.auc),
            _percent(one.hter),
            species or ABSENT,
            _short(one.bpcer),
        )
    return table


def _no_response(report: EvaluationReport) -> Sequence[tuple[str, Text | str]]:
    answer = report.no_response
    rows: list[tuple[str, Text | str]] = [("BPNRR", _rate(answer.bpnrr))]
    rows += [(f"APNRR {readable(name)}", percent(rate)) for name, rate in answer.apnrr.items()]
    reasons = ", ".join(f"{count:,} {readable(reason)}" for reason, count in answer.reasons.items())
    return [*rows, ("reasons", reasons)]


def _full_system(found: FullSystem) -> Sequence[tuple[str, Text | str]]:
    rows: list[tuple[str, Text | str]] = [
        (f"IAPAR {readable(name)}", percent(rate)) for name, rate in found.iapar.items()
    ]
    riapar = ABSENT if found.riapar is None else f"{100 * found.riapar:.1f} %, IAPAR of the worst species + FRR"
    rows += [("FRR", _rate(found.frr)), ("RIAPAR", riapar)]
    if found.match_threshold is not None:
        rows.append(("match", f"the same person from similarity {found.match_threshold:.3f} on"))
    return rows


def _reference(found: ReferenceReport) -> Table:
    """Classification report, confusion matrix and mean confidence, a row a true class."""
    head = ("class", "precision", "recall", "F1", "mean confidence", "called live", "called spoof", "pictures")
    table = Table(*head, box=None, header_style="bold", padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, one in found.classes.items():
        figures = (one.precision, one.recall, one.f1, one.mean_confidence)
        counts = (found.confusion[name]["live"], found.confusion[name]["spoof"], one.support)
        shown = [ABSENT if figure is None else f"{figure:.3f}" for figure in figures]
        table.add_row(name, *shown, *(f"{count:,}" for count in counts))
    return table


def _robustness(report: EvaluationReport) -> Table:
    table = Table("change", "level", "APCER, pooled", "BPCER", box=None, header_style="bold", padding=(0, 1, 0, 0))
    for name, points in (report.robustness or {}).items():
        for point in points:
            table.add_row(name, f"{point.level:g}", _short(point.apcer_pooled), _short(point.bpcer))
    return table


def _title(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _worst(overall: Summary, worst: str | None) -> str:
    return ABSENT if worst is None else f"{percent(overall.apcer[worst])}, worst species: {readable(worst)}"


def _rate(rate: MeasuredRate | None) -> str:
    return ABSENT if rate is None else percent(rate)


def _short(rate: MeasuredRate | None) -> str:
    return ABSENT if rate is None else f"{100 * rate.value:.1f} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def _percent(estimate: Estimate | None) -> str:
    return ABSENT if estimate is None else f"{100 * estimate.value:.1f} %{_interval(estimate, 100, 1)}"


def _number(estimate: Estimate | None) -> str:
    return ABSENT if estimate is None else f"{estimate.value:.3f}{_interval(estimate, 1, 3)}"


def _interval(estimate: Estimate, scale: int, digits: int) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" [{scale * estimate.low:.{digits}f}, {scale * estimate.high:.{digits}f}]"

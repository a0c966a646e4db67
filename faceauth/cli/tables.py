"""The tables that show an evaluation's report on a terminal. No rate is computed here."""

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from faceauth.cli.summary import facts
from faceauth.evaluation.report import EvaluationReport, FullSystem, ReferenceReport, Summary
from faceauth.metrics.formatting import (
    ABSENT,
    bare_percent_interval,
    count,
    number,
    number_interval,
    percent,
    percent_interval,
    rate,
    readable,
    score,
)


def all_tables(report: EvaluationReport) -> Iterator[Table | Text]:
    """What was measured, the headline, each species and domain; then what there is of the other parts of the report."""
    yield _header(report)
    yield _title("All domains")
    yield facts(_headline(report))
    yield _title("Species of attack: share accepted as live (APCER)")
    yield facts([(readable(name), rate(found)) for name, found in report.overall.apcer.items()] or [("none", ABSENT)])
    yield _title("Domains, rates in % with 95 % intervals")
    yield _domains(report)
    if report.no_response.reasons:
        yield _title("No response: counted separately from the rates above")
        yield facts(_no_response(report))
    if report.full_system is not None:
        yield _title("Liveness and match together, where there is a reference; no response counts as refused")
        yield facts(_full_system(report.full_system))
    if report.reference is not None:
        yield _title(f"As a classifier: accuracy {percent(report.reference.accuracy)}")
        yield _reference(report.reference)
    if report.robustness is not None:
        yield _title("Degraded images, rates in % with 95 % intervals")
        yield _robustness(report)


def _header(report: EvaluationReport) -> Table:
    overall = report.overall
    judged = {"network": "the liveness network alone", "pipeline": "the whole pipeline"}
    presentations = f"{count(overall.n_live)} live and {count(overall.n_spoof)} attack presentations"
    return facts(
        [
            ("backend", f"{report.backend}, {judged[report.mode]}"),
            ("data", f"{readable(report.data)}: {presentations} of {overall.n_domains} domains"),
            ("threshold", f"live from P(live) {score(report.threshold)}, {readable(report.threshold_origin)}"),
        ]
    )


def _headline(report: EvaluationReport) -> list[tuple[str, Text | str]]:
    overall, ranking = report.overall, report.ranking
    lowest = f", lowest: {readable(report.worst_domain)}" if report.worst_domain else ""
    worst = overall.worst_species
    rows: list[tuple[str, Text | str]] = [
        ("APCER", _worst(overall, worst)),
        ("APCER, pooled", rate(overall.apcer_pooled)),
        ("BPCER", rate(overall.bpcer)),
        ("ACER", percent(overall.acer)),
        ("macro AUC", number_interval(overall.macro_auc) + lowest),
        ("macro HTER", percent_interval(overall.macro_hter)),
    ]
    if ranking is not None:
        rows += [
            ("AUC", number_interval(ranking.auc)),
            ("EER", percent_interval(ranking.eer)),
            ("BPCER10", f"{percent_interval(ranking.bpcer10)} where the worst APCER is at most 10 %"),
            ("BPCER20", f"{percent_interval(ranking.bpcer20)} where it is at most 5 %"),
            ("BPCER100", f"{percent_interval(ranking.bpcer100)} where it is at most 1 %"),
        ]
    for name, part in (("tight crops", report.tight), ("whole frames", report.whole_frames)):
        if part is not None and report.tight is not None and report.whole_frames is not None:
            rates = f"APCER, pooled {rate(part.apcer_pooled)}; BPCER {rate(part.bpcer)}"
            rows.append((name, f"macro AUC {number_interval(part.macro_auc)}; {rates}"))
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
        species = "\n".join(f"{readable(name)} {bare_percent_interval(found)}" for name, found in one.apcer.items())
        table.add_row(
            readable(one.domain),
            count(one.n_live),
            count(one.n_spoof),
            number_interval(one.auc),
            percent_interval(one.hter),
            species or ABSENT,
            bare_percent_interval(one.bpcer),
        )
    return table


def _no_response(report: EvaluationReport) -> Sequence[tuple[str, Text | str]]:
    answer = report.no_response
    rows: list[tuple[str, Text | str]] = [("BPNRR", rate(answer.bpnrr))]
    rows += [(f"APNRR {readable(name)}", rate(found)) for name, found in answer.apnrr.items()]
    reasons = ", ".join(f"{count(n)} {readable(reason)}" for reason, n in answer.reasons.items())
    return [*rows, ("reasons", reasons)]


def _full_system(system: FullSystem) -> Sequence[tuple[str, Text | str]]:
    rows: list[tuple[str, Text | str]] = [
        (f"IAPAR {readable(name)}", rate(found)) for name, found in system.iapar.items()
    ]
    rows += [("FRR", rate(system.frr)), ("RIAPAR", f"{percent(system.riapar)}, IAPAR of the worst species + FRR")]
    if system.match_threshold is not None:
        rows.append(("match", f"the same person from similarity {score(system.match_threshold)}"))
    return rows


def _reference(found: ReferenceReport) -> Table:
    """Classification report, confusion matrix and mean confidence, a row a true class."""
    head = ("class", "precision", "recall", "F1", "mean confidence", "called live", "called spoof", "images")
    table = Table(*head, box=None, header_style="bold", padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, one in found.classes.items():
        figures = (one.precision, one.recall, one.f1, one.mean_confidence)
        counts = (found.confusion[name]["live"], found.confusion[name]["spoof"], one.support)
        table.add_row(name, *map(number, figures), *map(count, counts))
    return table


def _robustness(report: EvaluationReport) -> Table:
    table = Table("change", "level", "APCER, pooled", "BPCER", box=None, header_style="bold", padding=(0, 1, 0, 0))
    for name, points in (report.robustness or {}).items():
        for point in points:
            rates = (point.apcer_pooled, point.bpcer)
            table.add_row(name, f"{point.level:g}", *map(bare_percent_interval, rates))
    return table


def _title(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _worst(overall: Summary, worst: str | None) -> str:
    return ABSENT if worst is None else f"{rate(overall.apcer[worst])}, worst species: {readable(worst)}"

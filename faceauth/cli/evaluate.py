"""A manifest of labelled pictures in, error rates with intervals out: a table, and JSON, plots and a page on demand.

Computes no rate: :mod:`faceauth.evaluation.scoring` scores and :mod:`faceauth.evaluation.measuring` counts.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceauth.backends.loading import options_of
from faceauth.backends.registry import load_backend
from faceauth.cli import output
from faceauth.cli.options import chosen_config, pipeline_options, refuse_given
from faceauth.config import PipelineConfig
from faceauth.errors import UsageError
from faceauth.pipeline import Pipeline

if TYPE_CHECKING:
    from faceauth.evaluation.records import Record
    from faceauth.evaluation.report import EvaluationReport, RobustnessPoint
    from faceauth.evaluation.scoring import Scored, Threshold

    Curves = dict[str, tuple[RobustnessPoint, ...]]

File = click.Path(dir_okay=False, path_type=Path)
Folder = click.Path(file_okay=False, path_type=Path)


@click.command(short_help="Measure error rates on labelled pictures.")
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--split",
    "splits",
    metavar="NAME",
    multiple=True,
    help="Only this split, such as test; may be repeated. [default: all]",
)
@click.option(
    "--mode",
    type=click.Choice(("network", "pipeline")),
    default="network",
    show_default=True,
    help="Judge the liveness network alone on the manifest's face boxes, or the whole pipeline with detector and gate.",
)
@click.option("--json", "json_file", metavar="OUT", type=File, help="Write the whole report as JSON.")
@click.option("--plots", "plot_folder", metavar="DIR", type=Folder, help="Write DET, ROC and score histograms as SVG.")
@click.option(
    "--html",
    "html_file",
    metavar="OUT",
    type=File,
    help="Write a page with tables, curves and the worst errors. It holds pictures of people: keep it to yourself.",
)
@click.option(
    "--robustness",
    "with_robustness",
    is_flag=True,
    help="Add the network's rates under worse pictures; scores about 30 times: give a small manifest.",
)
@pipeline_options
def evaluate(
    manifest: Path,
    *,
    splits: tuple[str, ...],
    mode: str,
    json_file: Path | None,
    plot_folder: Path | None,
    html_file: Path | None,
    with_robustness: bool,
) -> None:
    """Measure a liveness backend on the labelled pictures of MANIFEST, by domain and by attack species.

    MANIFEST is a CSV file with the columns path (relative to it), label (live or spoof), attack (none or a species),
    domain and split; box_x, box_y, box_w, box_h for the network mode; recording where intervals should count videos;
    reference for the pipeline mode, another picture (its path) of the person who is there or whom the attack shows: it
    then matches too, and IAPAR (attacks let in by liveness and match together), FRR and RIAPAR are reported.
    """
    from faceauth.cli import tables
    from faceauth.evaluation.measuring import measure
    from faceauth.evaluation.records import read_manifest

    if with_robustness and mode != "network":
        raise UsageError("--robustness measures the network alone: give it with --mode network.")
    if mode == "network":
        refuse_given("detector", "embedder", why="--mode network looks at the liveness network alone")
    if manifest.resolve() in {file.resolve() for file in (json_file, html_file) if file is not None}:
        raise UsageError(f"The report would overwrite the manifest {manifest}: name another file.")
    config = chosen_config()
    rows = read_manifest(manifest, splits=splits or None)
    if mode == "network":
        scored, threshold, curves = _network(rows, config, with_robustness=with_robustness)
    else:
        (scored, threshold), curves = _pipeline(rows, config), None
    report = measure(
        scored,
        threshold,
        backend=", ".join(config.liveness),
        data=" ".join((manifest.name, *splits)),
        mode="network" if mode == "network" else "pipeline",
        robustness=curves,
    )
    for table in tables.all_tables(report):
        output.show(table)
    if json_file is not None:
        output.write(json_file, report.model_dump_json(indent=2).encode() + b"\n")
    if plot_folder is not None:
        _plot(report, scored, plot_folder)
    if html_file is not None:
        from faceauth.evaluation.page import html_page

        output.write(html_file, html_page(report, scored, limits=config.limits).encode())


def _network(
    rows: "list[Record]", config: PipelineConfig, *, with_robustness: bool
) -> "tuple[list[Scored], Threshold, Curves | None]":
    from faceauth.evaluation.robustness import CHANGES, measure_robustness
    from faceauth.evaluation.scoring import backend_threshold, score_records

    if len(config.liveness) > 1:
        raise UsageError("--mode network measures one liveness backend. Use --mode pipeline for several.")
    (name,) = config.liveness
    options = options_of(config, name)
    loaded = load_backend("liveness", name, allowed=config.allowed_plugins, options=options)
    backend = loaded.backend
    threshold = backend_threshold(name, loaded.facts, config.threshold)
    with output.progress("Scoring", len(rows)) as advance:
        scored = score_records(rows, backend, config=config, progress=lambda done, _: advance(done))
    if not with_robustness:
        return scored, threshold, None
    with output.progress("Scoring worse pictures", sum(len(levels) for _, levels in CHANGES.values())) as advance:
        curves = measure_robustness(
            rows, backend, threshold.value, config=config, progress=lambda done, _: advance(done)
        )
    return scored, threshold, curves


def _pipeline(rows: "list[Record]", config: PipelineConfig) -> "tuple[list[Scored], Threshold]":
    from faceauth.evaluation.scoring import verify_records

    with output.progress("Verifying", len(rows)) as advance:
        return verify_records(rows, Pipeline(config), progress=lambda done, _: advance(done))


def _plot(report: "EvaluationReport", scored: "list[Scored]", folder: Path) -> None:
    from faceauth.evaluation import plots

    with output.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in plots.report_figures(report, scored).items():
            plots.save(figure, folder / f"{name}.svg")

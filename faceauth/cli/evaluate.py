"""``faceauth evaluate``: error rates with intervals on labelled images, as a table, JSON, plots and a page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceauth.backends.loading import options_of
from faceauth.backends.registry import load_backend
from faceauth.cli import output
from faceauth.cli.labelled_images import LabelledImages, boxed_records, labelled_images_options
from faceauth.cli.options import chosen_config, pipeline_options, refuse_given
from faceauth.config import PipelineConfig
from faceauth.errors import UsageError
from faceauth.pipeline import Pipeline

if TYPE_CHECKING:
    from faceauth.evaluation.records import Record
    from faceauth.evaluation.report import RobustnessPoint
    from faceauth.evaluation.scoring import Scored, Threshold

    Curves = dict[str, tuple[RobustnessPoint, ...]]

File = click.Path(dir_okay=False, path_type=Path)
Folder = click.Path(file_okay=False, path_type=Path)


@click.command("evaluate", short_help="Measure error rates on labelled images.")
@labelled_images_options
@click.option(
    "--mode",
    type=click.Choice(("network", "pipeline")),
    help="Measure the liveness network alone (on the face boxes of MANIFEST, or else the detector's) or the whole "
    "pipeline with its gate. [default: network for MANIFEST, pipeline for folders]",
)
@click.option("--json", "json_file", metavar="OUT", type=File, help="Write the whole report as JSON.")
@click.option("--plots", "plot_folder", metavar="DIR", type=Folder, help="Write DET, ROC and score histograms as SVG.")
@click.option(
    "--html",
    "html_file",
    metavar="OUT",
    type=File,
    help="Write a page with tables, curves and the worst errors. It contains images of people: do not share it.",
)
@click.option(
    "--robustness",
    "with_robustness",
    is_flag=True,
    help="Add the network's rates on degraded images. Scores every image about 30 times: use a small manifest.",
)
@pipeline_options
def command(
    manifest: Path | None,
    *,
    live: Path | None,
    attacks: Path | None,
    splits: tuple[str, ...],
    mode: str | None,
    json_file: Path | None,
    plot_folder: Path | None,
    html_file: Path | None,
    with_robustness: bool,
) -> None:
    """Measure a liveness backend on the labelled images of MANIFEST, or of two folders, by domain and attack species.

    MANIFEST is a CSV file with the columns path (relative to it), label (live or spoof), attack (none or a species),
    domain and split. Optional columns are box_x, box_y, box_w, box_h for the network mode; recording, if intervals
    should count videos; and reference for the pipeline mode, the path of another image of the person in the picture:
    then images are matched too, and IAPAR (attacks let in by liveness and match together), FRR and RIAPAR reported.
    """
    from faceauth.cli import tables
    from faceauth.evaluation import page, plots
    from faceauth.evaluation.measuring import measure
    from faceauth.evaluation.report import DOCUMENT

    mark = DOCUMENT.encode()
    plot_files = {} if plot_folder is None else {name: plot_folder / f"{name}.svg" for name in plots.NAMES}
    _check_outputs([file for file in (json_file, html_file, *plot_files.values()) if file is not None], mark)
    if plot_files or html_file is not None:
        page.check_installed()
    images = LabelledImages(manifest, live, attacks, splits)
    records = images.records()
    network = mode == "network" or (mode is None and manifest is not None)
    if with_robustness and not network:
        raise UsageError("--robustness measures the network alone: use it with --mode network.")
    config = chosen_config()
    if network:
        scored, threshold, curves = _network(records, config, with_robustness=with_robustness)
    else:
        (scored, threshold), curves = _pipeline(records, config), None
    report = measure(
        scored,
        threshold,
        backend=_backend_of(config),
        data=images.name(),
        mode="network" if network else "pipeline",
        robustness=curves,
    )
    for table in tables.all_tables(report):
        output.show(table)
    if json_file is not None:
        output.write(json_file, report.model_dump_json(indent=2).encode() + b"\n", mark=mark)
    if plot_files:
        for name, figure in plots.report_figures(report, scored).items():
            output.write(plot_files[name], plots.svg(figure).encode(), mark=mark)
    if html_file is not None:
        output.write(html_file, page.html_page(report, scored, limits=config.limits).encode(), mark=mark)


def _check_outputs(files: list[Path], mark: bytes) -> None:
    """Check that every output can be written, each to a different place."""
    for file in files:
        output.check_writable(file, mark)
    if len({file.resolve() for file in files}) < len(files):
        raise UsageError("Two parts of the report would be written to the same file: name a file for each.")


def _backend_of(config: PipelineConfig) -> str:
    """The backend's name, or ``mean(spoofnet, minifasnet)``."""
    names = ", ".join(config.liveness)
    return names if config.combine is None else f"{config.combine}({names})"


def _network(
    records: "list[Record]", config: PipelineConfig, *, with_robustness: bool
) -> "tuple[list[Scored], Threshold, Curves | None]":
    from faceauth.evaluation.robustness import CHANGES, measure_robustness
    from faceauth.evaluation.scoring import backend_threshold, score_records, without_face

    if len(config.liveness) > 1:
        raise UsageError("--mode network measures one liveness backend. Use --mode pipeline for several.")
    refuse_given("embedder", why="--mode network does not match")
    (name,) = config.liveness
    loaded = load_backend("liveness", name, allowed=config.allowed_plugins, options=options_of(config, name))
    threshold = backend_threshold(
        name, loaded.facts, config.threshold, points=config.points, camera_profile=config.camera_profile
    )
    records = boxed_records(records, config)
    boxed = [record for record in records if record.box_xyxy is not None]
    with output.progress("Scoring", len(boxed)) as advance:
        scored = score_records(boxed, loaded.backend, config=config, progress=lambda done, _: advance(done))
    scored += [without_face(record) for record in records if record.box_xyxy is None]
    if not with_robustness:
        return scored, threshold, None
    with output.progress("Scoring worse images", sum(len(levels) for _, levels in CHANGES.values())) as advance:
        curves = measure_robustness(
            boxed, loaded.backend, threshold.value, config=config, progress=lambda done, _: advance(done)
        )
    return scored, threshold, curves


def _pipeline(records: "list[Record]", config: PipelineConfig) -> "tuple[list[Scored], Threshold]":
    from faceauth.evaluation.scoring import verify_records

    with output.progress("Verifying", len(records)) as advance:
        return verify_records(records, Pipeline(config), progress=lambda done, _: advance(done))

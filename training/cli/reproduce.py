"""``reproduce``: the whole way of the released weights by one command."""

from pathlib import Path

import click

from training.cli.options import FILE, FOLDER, NEW_FOLDER, TERMS_HELP, Bar, with_precision, with_scale
from training.train.recipe import Precision, load_recipe

RECIPE = Path(__file__).parents[1] / "configs" / "spoofnet.toml"


@click.command()
@click.option("--manifest", required=True, type=FILE, help="Labelled images with the splits train, val and test.")
@click.option(
    "--portraits", required=True, multiple=True, type=FOLDER, help="A folder of live photos of faces. May be repeated."
)
@click.option("--teachers", required=True, type=FOLDER, help="Folder of other projects' ONNX models.")
@click.option("--terms", required=True, type=FILE, help=TERMS_HELP)
@click.option("--run", required=True, type=NEW_FOLDER, help="Folder for shards, checkpoints, weights and reports.")
@click.option(
    "--init",
    type=FILE,
    help="Weights to run the last phase alone from: .safetensors of a training or a released fp32 .onnx.",
)
@with_precision
@with_scale
def reproduce(
    manifest: Path,
    portraits: tuple[Path, ...],
    teachers: Path,
    terms: Path,
    run: Path,
    init: Path | None,
    precision: Precision | None,
    scale: float,
) -> None:
    """Make the released weights, from images to ONNX and cards; started again, it resumes.

    First prints what it needs and how long it will take; RUN/log.txt gets a line for each step.
    """
    import cv2

    from training.release.reproduction import Inputs
    from training.release.reproduction import reproduce as run_all

    cv2.setNumThreads(1)  # the loader's process is the parallelism
    recipe = load_recipe(RECIPE).computed_in(precision)
    with Bar() as bar:
        inputs = Inputs(manifest, portraits, teachers, terms, init)
        run_all(inputs, recipe, run, scale=scale, say=click.echo, progress=bar)

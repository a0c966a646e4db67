"""``train``: shards and a recipe into weights."""

from pathlib import Path

import click

from training.cli.options import FILE, FOLDER, NEW_FOLDER, with_precision, with_scale
from training.train.recipe import Precision, load_recipe


@click.command()
@click.argument("recipe", type=FILE)
@click.option("--shards", required=True, type=FOLDER, help="Folder that prepare and simulate filled.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for weights, checkpoints and logs.")
@click.option("--init", type=FILE, help="Weights to start from: .safetensors of a training or a released fp32 .onnx.")
@click.option("--teachers", type=FOLDER, help="Folder of other projects' ONNX models, for recipes with teachers.")
@with_precision
@with_scale
def train(
    recipe: Path,
    shards: Path,
    out: Path,
    init: Path | None,
    teachers: Path | None,
    precision: Precision | None,
    scale: float,
) -> None:
    """Train as RECIPE says; started again with the same --out, it resumes.

    On several devices: torchrun --nproc-per-node N -m training train RECIPE ...
    """
    import cv2

    from training.data.shards import load_folder
    from training.train.loop import train as run

    cv2.setNumThreads(1)  # the loader's process is the parallelism
    chosen = load_recipe(recipe).shortened(scale).computed_in(precision)
    click.echo(run(chosen, load_folder(shards), out, init=init, teachers=teachers))

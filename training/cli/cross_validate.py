"""``cross-validate``: a recipe on domains that each fold leaves out."""

from pathlib import Path

import click

from training.cli.options import FILE, FOLDER, NEW_FOLDER, with_precision, with_scale
from training.train.recipe import Precision, load_recipe


@click.command("cross-validate")
@click.argument("recipe", type=FILE)
@click.option("--shards", required=True, type=FOLDER, help="Folder that prepare and simulate filled.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for the folds' runs; finished runs are kept.")
@click.option("--folds", "count", default=4, show_default=True, type=click.IntRange(2), help="Groups of domains.")
@click.option("--together", multiple=True, metavar="A,B", help="Domains to keep together. May be repeated.")
@click.option("--init", type=FOLDER, help="Folder of an earlier cross-validation over the same folds to continue.")
@click.option("--teachers", type=FOLDER, help="Folder of other projects' ONNX models, for recipes with teachers.")
@with_precision
@with_scale
def cross_validate(
    recipe: Path,
    shards: Path,
    out: Path,
    count: int,
    together: tuple[str, ...],
    init: Path | None,
    teachers: Path | None,
    precision: Precision | None,
    scale: float,
) -> None:
    """Train RECIPE once for each fold, without some domains of train, and show the errors on those and on val.

    An error is the mean of the macro HTER at the boundary and of 1 - macro AUC.
    """
    import cv2

    from training.data.shards import load_folder
    from training.evaluate.cross_validation import cross_validate as run
    from training.evaluate.cross_validation import folds

    cv2.setNumThreads(1)  # the loader's process is the parallelism
    content = load_folder(shards)
    groups = folds(content, count, [group.split(",") for group in together])
    chosen, results = load_recipe(recipe).shortened(scale).computed_in(precision), []
    for group, result in zip(groups, run(chosen, content, groups, out, teachers, init), strict=True):
        results.append((result.error_left_out, result.error_val))
        click.echo(f"left out {results[-1][0]:.4f}, val {results[-1][1]:.4f}: without {', '.join(group)}")
    left_out, val = (sum(errors) / len(results) for errors in zip(*results, strict=True))
    click.echo(f"left out {left_out:.4f}, val {val:.4f}: mean of the folds; mean of both {(left_out + val) / 2:.4f}")

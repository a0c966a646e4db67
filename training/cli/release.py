"""``release``: weights into ONNX files, cards and reports."""

from pathlib import Path

import click

from training.cli.options import FILE, FOLDER, NEW_FOLDER, TERMS_HELP, Bar
from training.train.recipe import load_recipe


@click.command()
@click.argument("weights", type=FILE)
@click.option("--recipe", required=True, type=FILE, help="Recipe of the weights: its crops, and domains it left out.")
@click.option("--manifest", required=True, type=FILE, help="Labelled images with the splits train, val and test.")
@click.option(
    "--portraits", required=True, multiple=True, type=FOLDER, help="A folder of live photos of faces. May be repeated."
)
@click.option("--terms", required=True, type=FILE, help=TERMS_HELP)
@click.option("--out", default="faceauth/weights/spoofnet", show_default=True, type=NEW_FOLDER, help="Their folder.")
@click.option("--reports", required=True, type=NEW_FOLDER, help="Folder for the reports of the choice and of test.")
def release(
    weights: Path, recipe: Path, manifest: Path, portraits: tuple[Path, ...], terms: Path, out: Path, reports: Path
) -> None:
    """Export WEIGHTS to ONNX, choose thresholds, score test once, write cards and reports.

    Thresholds are chosen on val, and on the domains of train that the recipe left out.
    """
    from faceauth.detection.yunet import YuNet
    from training.data.face_boxes import refuse_without_box
    from training.data.manifests import records_of_splits
    from training.data.portraits import held_out_portraits
    from training.release.choosing import refuse_missing_splits
    from training.release.reproduction import write_release
    from training.release.terms import load_terms
    from training.train.checkpoint import refuse_seen

    words, chosen, records = load_terms(terms), load_recipe(recipe), records_of_splits(manifest)
    refuse_without_box(records)
    refuse_missing_splits(records)
    refuse_seen(weights, chosen.hold_out)
    held_out = list(held_out_portraits(portraits, YuNet()))
    with Bar() as bar:
        write_release(weights, records, held_out, chosen, words, out=out, reports=reports, progress=bar)
    click.echo(f"Released into {out}; reports in {reports}.")

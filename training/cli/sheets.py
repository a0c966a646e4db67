"""``sheets``: simulated attacks beside real ones."""

from pathlib import Path

import click

from training.cli.options import FILE, NEW_FOLDER


@click.command()
@click.option("--manifest", required=True, type=FILE, help="Labelled images with face boxes.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for the sheets; never commit them.")
@click.option("--seed", default=0, show_default=True, help="Of the images and of the simulation.")
def sheets(manifest: Path, out: Path, seed: int) -> None:
    """Show attacks simulated from the live images of train next to its real ones, on a sheet for each family."""
    from training.data.manifests import records_of_splits
    from training.simulate.contact_sheets import write_sheets

    for path in write_sheets(out, records_of_splits(manifest, ("train",)), seed=seed):
        click.echo(path)

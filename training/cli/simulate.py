"""``simulate``: recaptures of the live images of shards."""

from pathlib import Path

import click

from training.cli.options import FOLDER, Bar


@click.command()
@click.option("--shards", required=True, type=FOLDER, help="Folder that prepare filled.")
@click.option("--recaptures", default=16_000, show_default=True, type=click.IntRange(min=1), help="Simulated attacks.")
def simulate(shards: Path, recaptures: int) -> None:
    """Simulate attacks on live training images, stored beside them; started again, it resumes."""
    from training.train.recaptures import simulate_recaptures

    with Bar() as bar:
        made = simulate_recaptures(shards, recaptures, bar)
    click.echo(f"{len(made)} shards of recaptures in {shards}.")

"""``prepare``: collections and portraits into shards."""

from pathlib import Path

import click

from training.cli.options import FOLDER, NEW_FOLDER, Bar, records_of, with_sources


@click.command()
@with_sources
@click.option("--portraits", multiple=True, type=FOLDER, help="A folder of live photos of faces. May be repeated.")
@click.option("--frames", default=8, show_default=True, type=click.IntRange(min=1), help="Frames per video.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for the shards; shards in it are kept.")
def prepare(
    layouts: tuple[str, ...], manifests: tuple[Path, ...], portraits: tuple[Path, ...], frames: int, out: Path
) -> None:
    """Make shards of the train and val splits; started again, it resumes.

    Images of `test` are left out of the shards, so training can never read them.
    """
    from faceauth.detection.yunet import YuNet
    from training.data.preparation import Plan
    from training.data.preparation import prepare as make_shards
    from training.data.video_frames import sample_videos

    records = records_of(manifests, layouts, ("train", "val"))
    with Bar() as bar:
        records = sample_videos(records, out / "frames", per_video=frames, progress=bar)
        shards = make_shards(Plan(records, portraits, out), YuNet, bar)
    click.echo(f"{len(shards)} shards in {out}.")

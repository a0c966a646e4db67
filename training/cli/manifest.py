"""``manifest``: collections as published into one manifest."""

from pathlib import Path

import click

from training.cli.options import NEW_FOLDER, Bar, records_of, with_sources


@click.command()
@with_sources
@click.option("--frames", default=8, show_default=True, type=click.IntRange(min=1), help="Frames per video.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for manifest.csv and the frames of videos.")
def manifest(layouts: tuple[str, ...], manifests: tuple[Path, ...], frames: int, out: Path) -> None:
    """Write a manifest.csv with face boxes of standard collections, videos included, for evaluate and release.

    Splits are those of the collections; some have no val. A domain belongs in a single split: edit the file if needed.
    """
    from faceauth.detection.yunet import YuNet
    from training.data.manifests import SPLITS, write_manifest
    from training.data.video_frames import sample_videos

    with Bar() as bar:
        records = sample_videos(records_of(manifests, layouts, SPLITS), out / "frames", per_video=frames, progress=bar)
        left_out = write_manifest(records, YuNet(), out / "manifest.csv", progress=bar)
    click.echo(f"{len(records) - left_out} images in {out / 'manifest.csv'}, {left_out} without a face left out.")

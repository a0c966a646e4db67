"""``check-leakage``: what stands in two splits."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from training.cli.options import FOLDER, Bar, records_of, with_sources


@click.command("check-leakage")
@with_sources
@click.option("--portraits", multiple=True, type=FOLDER, help="A folder of live photos of faces. May be repeated.")
@click.option("--allow", "allowed", multiple=True, help="A domain that may be in two splits. May be repeated.")
def check_leakage(
    layouts: tuple[str, ...], manifests: tuple[Path, ...], portraits: tuple[Path, ...], allowed: tuple[str, ...]
) -> None:
    """Find images and domains that are in more than one split; exit with 1 if there are any.

    Of a video, the middle frame is compared. A folder of portraits is split by person, so it is in two splits.
    """
    from training.data.leakage import find_leaks
    from training.data.manifests import SPLITS
    from training.data.portraits import readable_portraits
    from training.data.video_frames import sample_videos

    records, faces = records_of(manifests, layouts, SPLITS), list(readable_portraits(portraits))
    with Bar() as bar, TemporaryDirectory() as frames:
        records = sample_videos(records, Path(frames), per_video=1, progress=bar) + faces
        leaks = find_leaks(records, allowed_domains={*allowed, *(face.domain for face in faces)}, progress=bar)
    for domain, splits in leaks.domains.items():
        click.echo(f"domain {domain} is in {' and '.join(splits)}")
    for twins in leaks.twins:
        click.echo(f"{twins.first} and {twins.second} differ in {twins.distance} of 256 bits")
    click.echo(f"{len(leaks.twins)} near-duplicates across splits among {len(records)} images.")
    if leaks:
        raise SystemExit(1)

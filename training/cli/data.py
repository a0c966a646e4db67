"""Commands on data: manifest, prepare, check-leakage, audit and sheets. Each imports what it needs when it runs."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from training.cli.options import FILE, FOLDER, NEW_FOLDER, Bar, records_of, with_sources


@click.command()
@with_sources
@click.option("--frames", default=8, show_default=True, type=click.IntRange(min=1), help="Frames of each video.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for manifest.csv and the frames of videos.")
def manifest(layouts: tuple[str, ...], manifests: tuple[Path, ...], frames: int, out: Path) -> None:
    """Write one manifest.csv with face boxes of standard collections, videos and all: what evaluate and release read.

    Splits are those of the collections; some have no val. A domain belongs in one split: edit the file as needed.
    """
    from faceauth.detection.yunet import YuNet
    from training.frames import sample_videos
    from training.manifest import write_manifest
    from training.records import SPLITS

    with Bar() as bar:
        records = sample_videos(records_of(manifests, layouts, SPLITS), out / "frames", per_video=frames, progress=bar)
        left_out = write_manifest(records, YuNet(), out / "manifest.csv", progress=bar)
    click.echo(f"{len(records) - left_out} pictures in {out / 'manifest.csv'}, {left_out} without a face left out.")


@click.command()
@with_sources
@click.option("--portraits", multiple=True, type=FOLDER, help="A folder of live photos of faces. May be repeated.")
@click.option("--recaptures", default=16_000, show_default=True, type=click.IntRange(min=0), help="Simulated attacks.")
@click.option("--teachers", type=FOLDER, help="Folder of other projects' ONNX models, for soft scores of real frames.")
@click.option("--frames", default=8, show_default=True, type=click.IntRange(min=1), help="Frames of each video.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for the packs; packs in it are kept.")
def prepare(
    layouts: tuple[str, ...],
    manifests: tuple[Path, ...],
    portraits: tuple[Path, ...],
    recaptures: int,
    teachers: Path | None,
    frames: int,
    out: Path,
) -> None:
    """Make packs of the train and val splits; started again, go on where it stopped.

    Pictures of `test` are not packed: nothing that trains can then read them.
    """
    from faceauth.detection.yunet import YuNet
    from training.frames import sample_videos
    from training.prepare import Plan
    from training.prepare import prepare as make_packs

    records = records_of(manifests, layouts, ("train", "val"))
    with Bar() as bar:
        records = sample_videos(records, out / "frames", per_video=frames, progress=bar)
        packs = make_packs(Plan(records, portraits, recaptures, teachers, out), YuNet, bar)
    click.echo(f"{len(packs)} packs in {out}.")


@click.command("check-leakage")
@with_sources
@click.option("--portraits", multiple=True, type=FOLDER, help="A folder of live photos of faces. May be repeated.")
@click.option("--allow", "allowed", multiple=True, help="A domain that may stand in two splits. May be repeated.")
def check_leakage(
    layouts: tuple[str, ...], manifests: tuple[Path, ...], portraits: tuple[Path, ...], allowed: tuple[str, ...]
) -> None:
    """Find pictures and domains that stand in more than one split; exit with 1 if there are any.

    A video is looked at by the frame in its middle. A folder of portraits is split by person, so it stands in two.
    """
    from training.frames import sample_videos
    from training.leakage import find_leaks
    from training.portraits import readable_portraits
    from training.records import SPLITS

    records, faces = records_of(manifests, layouts, SPLITS), list(readable_portraits(portraits))
    with Bar() as bar, TemporaryDirectory() as frames:
        records = sample_videos(records, Path(frames), per_video=1, progress=bar) + faces
        leaks = find_leaks(records, allowed_domains={*allowed, *(face.domain for face in faces)}, progress=bar)
    for domain, splits in leaks.domains.items():
        click.echo(f"domain {domain} stands in {' and '.join(splits)}")
    for twins in leaks.twins:
        click.echo(f"{twins.first} and {twins.second} differ in {twins.distance} of 256 bits")
    click.echo(f"{len(leaks.twins)} near-duplicates across splits among {len(records)} pictures.")
    if leaks:
        raise SystemExit(1)


@click.command()
@with_sources
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for the contact sheets; never commit them.")
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=FOLDER,
    help="Score with the last weights of this training, such as a fold of cross-validate, what it did not learn from: "
    "domains it left out, and the splits val and test. May be repeated.",
)
@click.option("--scores", type=FILE, help="CSV with path and p_live, by a model trained without these domains.")
@click.option("--liveness", help="Score with this installed backend, which must not know these domains either.")
def audit(
    layouts: tuple[str, ...],
    manifests: tuple[Path, ...],
    out: Path,
    runs: tuple[Path, ...],
    scores: Path | None,
    liveness: str | None,
) -> None:
    """Show each domain as a contact sheet and name those whose labels a model contradicts (exit 1).

    A video is shown by the frame in its middle. --run and --liveness need a manifest with face boxes.
    """
    import numpy as np

    from faceauth.backends.registry import load_backend
    from faceauth.evaluation.scoring import score_records
    from training.audit import contradicted_domains, read_scores, score_left_out, write_contact_sheets
    from training.crops import refuse_without_box
    from training.frames import sample_videos
    from training.records import SPLITS

    if sum(map(bool, (runs, scores, liveness))) > 1:
        raise click.UsageError("Give one of --run, --scores and --liveness.")
    records = records_of(manifests, layouts, SPLITS)
    if liveness:
        refuse_without_box(records)
    with Bar() as bar:
        records = sample_videos(records, out / "frames", per_video=1, progress=bar)
        written = write_contact_sheets(records, out, progress=bar)
    click.echo(f"{len(written)} contact sheets in {out}.")
    if runs:
        with Bar() as bar:
            judged = [score_left_out(run, records, progress=bar) for run in runs]
        records, p_live = [r for found, _ in judged for r in found], np.concatenate([p for _, p in judged])
    elif scores:
        records, p_live = read_scores(scores, records)
    elif liveness:
        backend = load_backend("liveness", liveness).backend
        with Bar() as bar:
            scored = score_records(records, backend, progress=lambda done, total: bar("scores", done, total))
        p_live = np.array([row.p_live for row in scored], np.float64)
    else:
        return
    labels, domains = np.array([r.label for r in records]), np.array([r.domain for r in records])
    contradicted = contradicted_domains(p_live, labels, domains)
    for domain, value in contradicted.items():
        click.echo(f"{domain}: AUC {value:.3f}. Look at {out / domain}.png: are its folders swapped?")
    click.echo(f"{len(contradicted)} of {len(set(domains))} domains contradict the model.")
    if contradicted:
        raise SystemExit(1)


@click.command()
@click.option("--manifest", required=True, type=FILE, help="Labelled pictures with face boxes.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for the sheets; never commit them.")
@click.option("--seed", default=0, show_default=True, help="Of the pictures and of the simulation.")
def sheets(manifest: Path, out: Path, seed: int) -> None:
    """Show attacks simulated from the live pictures of train beside its real ones, a sheet a family."""
    from training.records import manifest_records
    from training.simulate.contact_sheets import write_sheets

    for path in write_sheets(out, manifest_records(manifest, ("train",)), seed=seed):
        click.echo(path)

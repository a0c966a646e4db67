"""``audit``: contact sheets of all domains, and labels that a model contradicts."""

from pathlib import Path

import click

from training.cli.options import FILE, NEW_FOLDER, Bar, records_of, with_sources


@click.command()
@with_sources
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for the contact sheets; never commit them.")
@click.option(
    "--weights",
    multiple=True,
    type=FILE,
    help="Score with weights of a training, such as a fold of cross-validate, what it did not learn from: domains it "
    "left out, and the splits val and test. May be repeated.",
)
@click.option("--scores", type=FILE, help="CSV with path and p_live, by a model trained without these domains.")
@click.option("--liveness", help="Score with this installed backend, which must not know these domains either.")
def audit(
    layouts: tuple[str, ...],
    manifests: tuple[Path, ...],
    out: Path,
    weights: tuple[Path, ...],
    scores: Path | None,
    liveness: str | None,
) -> None:
    """Show each domain as a contact sheet and name those whose labels a model contradicts (exit 1).

    Of a video, the middle frame is shown. --weights and --liveness need a manifest with face boxes.
    """
    import numpy as np

    from training.data.face_boxes import refuse_without_box
    from training.data.manifests import SPLITS
    from training.data.video_frames import sample_videos
    from training.evaluate.label_audit import (
        contradicted_domains,
        read_scores,
        score_left_out,
        score_with_backend,
        write_contact_sheets,
    )

    if sum(map(bool, (weights, scores, liveness))) > 1:
        raise click.UsageError("Give one of --weights, --scores and --liveness.")
    records = records_of(manifests, layouts, SPLITS)
    if liveness:
        refuse_without_box(records)
    with Bar() as bar:
        records = sample_videos(records, out / "frames", per_video=1, progress=bar)
        written = write_contact_sheets(records, out, progress=bar)
    click.echo(f"{len(written)} contact sheets in {out}.")
    if not (weights or scores or liveness):
        return
    with Bar() as bar:
        if scores:
            judged = [read_scores(scores, records)]
        elif liveness:
            judged = [(records, score_with_backend(liveness, records, progress=bar))]
        else:
            judged = [score_left_out(file, records, progress=bar) for file in weights]
    records, p_live = [r for found, _ in judged for r in found], np.concatenate([p for _, p in judged])
    labels, domains = np.array([r.label for r in records]), np.array([r.domain for r in records])
    contradicted = contradicted_domains(p_live, labels, domains)
    for domain, value in contradicted.items():
        click.echo(f"{domain}: AUC {value:.3f}. Look at {out / domain}.png: are its folders swapped?")
    judged_domains = [name for name in np.unique(domains) if len(np.unique(labels[domains == name])) == 2]
    click.echo(f"{len(contradicted)} of {len(judged_domains)} domains of both classes contradict the model.")
    if contradicted:
        raise SystemExit(1)

"""``python -m training``: arguments in, one function of the package called a command. Knows no picture.

Commands import what they need when they run, so that ``--help`` waits for no torch.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from faceauth.errors import FaceAuthError

if TYPE_CHECKING:
    from faceauth.evaluation.manifest import Row

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
CONFIGS = Path(__file__).parent / "configs"


class Commands(click.Group):
    """A group that tells an error of the library in one sentence instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except FaceAuthError as error:
            raise click.ClickException(str(error)) from error


class Bar:
    """A progress bar a stage on stderr, with the time left; for a ``with`` block."""

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._stages: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show ``done`` of ``total``."""
        if stage not in self._stages:
            self._stages[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._stages[stage], completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def with_sources(command: Callable[..., None]) -> Callable[..., None]:
    """The options that name labelled collections."""
    for option in (
        click.option(
            "--layout",
            "layouts",
            multiple=True,
            metavar="NAME=DIR",
            help="A standard collection as published, by the name of its layout: casia-fasd, celeba-spoof, folders "
            "(real/ and spoof/), lcc-fasd, msu-mfsd, nuaa, oulu-npu or replay-attack. May be repeated.",
        ),
        click.option("--manifest", "manifests", multiple=True, type=FILE, help="A manifest.csv. May be repeated."),
    ):
        command = option(command)
    return command


@click.group(cls=Commands)
def main() -> None:
    """Train SpoofNet: from labelled pictures to the weights that the library ships."""


@main.command()
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

    records = _records(manifests, layouts, ("train", "val"))
    with Bar() as bar:
        records = sample_videos(records, out / "frames", per_video=frames, progress=bar)
        packs = make_packs(Plan(records, portraits, recaptures, teachers, out), YuNet, bar)
    click.echo(f"{len(packs)} packs in {out}.")


@main.command()
@click.argument("config", type=FILE)
@click.option("--packs", required=True, type=FOLDER, help="Folder that prepare filled.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for checkpoints, logs and weights.")
@click.option("--init", type=FILE, help="Weights (.safetensors) to start from, for a second stage.")
def train(config: Path, packs: Path, out: Path, init: Path | None) -> None:
    """Train as CONFIG says; started again with the same --out, go on after the last whole epoch.

    On several devices: torchrun --nproc-per-node N -m training train CONFIG ...
    """
    import cv2

    from training.config import load_config
    from training.packs import load
    from training.train import train as run

    cv2.setNumThreads(1)  # the loader's processes are the parallelism
    out.mkdir(parents=True, exist_ok=True)
    click.echo(run(load_config(config), load(sorted(packs.glob("*.npz"))), out, init=init))


@main.command()
@click.argument("weights", type=FILE)
@click.option("--manifest", required=True, type=FILE, help="Labelled pictures with face boxes.")
@click.option(
    "--split",
    "splits",
    multiple=True,
    type=click.Choice(("train", "val", "test")),
    default=("val",),
    show_default=True,
    help="Only this split; may be repeated. Look at test once, when everything is chosen.",
)
@click.option(
    "--scale",
    "scales",
    multiple=True,
    type=click.FloatRange(min=0, min_open=True),
    default=(2.0,),
    show_default=True,
    help="Context scale of the crop, one of the recipe's; may be repeated: the logits of several are averaged.",
)
@click.option("--size", default=224, show_default=True, type=click.IntRange(32), help="Side of the crop in pixels.")
@click.option("--json", "json_file", type=NEW_FILE, help="Write the whole report as JSON.")
@click.option(
    "--html", "html_file", type=NEW_FILE, help="Write a page with the worst errors' pictures; never commit it."
)
@click.option("--robustness", "with_robustness", is_flag=True, help="Also under worse pictures; scores about 30 times.")
def evaluate(
    weights: Path,
    manifest: Path,
    splits: tuple[str, ...],
    scales: tuple[float, ...],
    size: int,
    json_file: Path | None,
    html_file: Path | None,
    with_robustness: bool,
) -> None:
    """Measure the network of WEIGHTS alone: a training's .safetensors or a released fp32 .onnx, uncalibrated.

    Shows the epochs of its training where epochs.jsonl lies beside WEIGHTS, and all tables of `faceauth evaluate`.
    """
    from faceauth.cli import output, tables
    from faceauth.evaluation.html import html_page
    from faceauth.evaluation.manifest import read_manifest
    from training.evaluate import epoch_table, evaluate_network, load

    rows = read_manifest(manifest, splits=splits)
    with Bar() as bar:
        report, scored = evaluate_network(
            load(weights),
            rows,
            scales=scales,
            size=size,
            name=weights.name,
            data=" ".join((manifest.name, *splits)),
            with_robustness=with_robustness,
            progress=bar,
        )
    epochs = weights.parent / "epochs.jsonl"
    for table in (*([epoch_table(epochs)] if epochs.exists() else []), *tables.all_tables(report)):
        output.show(table)
    if json_file is not None:
        output.write(json_file, report.model_dump_json(indent=2).encode() + b"\n")
    if html_file is not None:
        output.write(html_file, html_page(report, scored).encode())


@main.command()
@click.argument("weights", type=FILE)
@click.option("--manifest", required=True, type=FILE, help="Labelled pictures with the splits train, val and test.")
@click.option(
    "--portraits", required=True, multiple=True, type=FOLDER, help="A folder of live photos of faces. May be repeated."
)
@click.option("--terms", required=True, type=FILE, help="TOML: version, licence, origin, use and data of the weights.")
@click.option("--scale", required=True, type=float, help="Context scale of the crop, chosen on val.")
@click.option("--out", default="faceauth/weights/spoofnet", show_default=True, type=NEW_FOLDER, help="Their folder.")
@click.option("--reports", required=True, type=NEW_FOLDER, help="Folder for the reports of val and test.")
def release(
    weights: Path, manifest: Path, portraits: tuple[Path, ...], terms: Path, scale: float, out: Path, reports: Path
) -> None:
    """Export WEIGHTS to ONNX, choose thresholds on val, score test once, and write card and reports."""
    from faceauth.detection.yunet import YuNet
    from faceauth.liveness.card import SpoofNetCard
    from training.cards import model_card
    from training.portraits import held_out_portraits
    from training.records import manifest_records
    from training.release import load_terms
    from training.release import release as make_release

    held_out = list(held_out_portraits(portraits, YuNet()))
    made = make_release(weights, manifest_records(manifest), held_out, scale, load_terms(terms), out=out)
    card = SpoofNetCard.model_validate_json((out / "card.json").read_text())
    (out / "MODEL_CARD.md").write_text(model_card(card, made))
    reports.mkdir(parents=True, exist_ok=True)
    for variant, report in made.items():
        for split, content in (("val", report.val), ("test", report.test)):
            (reports / f"{split}.{variant}.json").write_text(content.model_dump_json(indent=2) + "\n")
    click.echo(f"Released into {out}; reports in {reports}.")


@main.command()
@click.argument("weights", type=FILE)
@click.option("--manifest", required=True, type=FILE, help="Labelled pictures; some of train calibrate int8.")
@click.option("--scale", required=True, type=float, help="Context scale of the crop, as in the card of the weights.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for spoofnet.tflite and spoofnet.int8.tflite.")
def export(weights: Path, manifest: Path, scale: float, out: Path) -> None:
    """Export WEIGHTS (.safetensors or .onnx) to LiteRT, in fp32 and int8; needs the extra litert."""
    from faceauth.errors import ConfigError
    from faceauth.liveness.card import CropFacts
    from training.crops import calibration_rows, cut
    from training.export import load_network
    from training.records import manifest_records

    try:
        from training.litert import export_litert_fp32, export_litert_int8
    except ModuleNotFoundError as error:
        raise ConfigError(f"LiteRT files need a converter ({error}): `pip install -e '.[litert]'`.") from error

    out.mkdir(parents=True, exist_ok=True)
    fp32, int8 = out / "spoofnet.tflite", out / "spoofnet.int8.tflite"
    export_litert_fp32(load_network(weights), fp32)
    export_litert_int8(fp32, int8, cut(calibration_rows(manifest_records(manifest)), CropFacts(scale=scale).spec()))
    click.echo(f"{fp32.name} and {int8.name} in {out}.")


@main.command()
@click.option("--manifest", required=True, type=FILE, help="Labelled pictures with the splits train, val and test.")
@click.option(
    "--portraits", required=True, multiple=True, type=FOLDER, help="A folder of live photos of faces. May be repeated."
)
@click.option("--teachers", required=True, type=FOLDER, help="Folder of other projects' ONNX models, for soft scores.")
@click.option("--run", required=True, type=NEW_FOLDER, help="Folder for packs, checkpoints, weights and reports.")
@click.pass_context
def reproduce(ctx: click.Context, manifest: Path, portraits: tuple[Path, ...], teachers: Path, run: Path) -> None:
    """Make weights as the shipped ones, from pictures to ONNX and cards; started again, go on where it stopped."""
    from training.config import load_config

    low, full = CONFIGS / "low_resolution.toml", CONFIGS / "full_resolution.toml"
    ctx.invoke(prepare, manifests=(manifest,), portraits=portraits, teachers=teachers, out=run / "packs")
    ctx.invoke(train, config=low, packs=run / "packs", out=run / "low")
    ctx.invoke(train, config=full, packs=run / "packs", out=run / "full", init=run / "low" / "last.safetensors")
    ctx.invoke(
        release,
        weights=run / "full" / "best.safetensors",
        manifest=manifest,
        portraits=portraits,
        terms=CONFIGS.parent / "terms.toml",
        scale=load_config(full).scales[0],
        out=run / "spoofnet",
        reports=run / "reports",
    )


@main.command("check-leakage")
@with_sources
@click.option("--allow", "allowed", multiple=True, help="A domain that may stand in two splits. May be repeated.")
def check_leakage(layouts: tuple[str, ...], manifests: tuple[Path, ...], allowed: tuple[str, ...]) -> None:
    """Find pictures and domains that stand in more than one split; exit with 1 if there are any."""
    from training.leakage import find_leaks
    from training.records import SPLITS

    records = _records(manifests, layouts, SPLITS)
    with Bar() as bar:
        leaks = find_leaks(records, allowed_domains=allowed, progress=bar)
    for domain, splits in leaks.domains.items():
        click.echo(f"domain {domain} stands in {' and '.join(splits)}")
    for twins in leaks.twins:
        click.echo(f"{twins.first} and {twins.second} differ in {twins.distance} of 256 bits")
    click.echo(f"{len(leaks.twins)} near-duplicates across splits among {len(records)} pictures.")
    if leaks:
        raise SystemExit(1)


@main.command()
@with_sources
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for the contact sheets; never commit them.")
@click.option("--scores", type=FILE, help="CSV with path and p_live, by a model trained without these domains.")
@click.option("--liveness", help="Score with this installed backend, which must not know these domains either.")
def audit(
    layouts: tuple[str, ...], manifests: tuple[Path, ...], out: Path, scores: Path | None, liveness: str | None
) -> None:
    """Show each domain as a contact sheet and name those whose labels a model contradicts (exit 1)."""
    import numpy as np

    from faceauth.evaluation.scoring import score_rows
    from faceauth.registry import load_backend
    from training.audit import contradicted_domains, read_scores, write_contact_sheets
    from training.records import SPLITS

    if scores and liveness:
        raise click.UsageError("Give --scores or --liveness, not both.")
    records = _records(manifests, layouts, SPLITS)
    with Bar() as bar:
        written = write_contact_sheets(records, out, progress=bar)
    click.echo(f"{len(written)} contact sheets in {out}.")
    if scores:
        records, p_live = read_scores(scores, records)
    elif liveness:
        backend = load_backend("liveness", liveness).backend
        with Bar() as bar:
            scored = score_rows(records, backend, progress=lambda done, total: bar("scores", done, total))
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


@main.command()
@click.argument("data", type=FOLDER)
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for the sheets; never commit them.")
@click.option("--seed", default=0, show_default=True, help="Of the pictures and of the simulation.")
def sheets(data: Path, out: Path, seed: int) -> None:
    """Show simulated attacks beside real ones, a sheet a family; DATA is the folder with pad/manifest.csv."""
    from training.recapture.sheets import write_sheets

    for path in write_sheets(out, data, seed=seed):
        click.echo(path)


def _records(manifests: Sequence[Path], layouts: Sequence[str], splits: Sequence[str]) -> "list[Row]":
    """Records of all collections named, of ``splits``."""
    from training.readers import read_layout
    from training.records import manifest_records

    if not manifests and not layouts:
        raise click.UsageError("Name data with --manifest or --layout.")
    records = [record for manifest in manifests for record in manifest_records(manifest, splits)]
    for layout in layouts:
        name, _, folder = layout.partition("=")
        records += [record for record in read_layout(name, Path(folder)) if record.split in splits]
    return records

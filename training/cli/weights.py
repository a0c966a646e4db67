"""Commands that make, measure and release weights. Each imports what it needs when it runs."""

from pathlib import Path

import click

from training.cli.data import prepare
from training.cli.options import FILE, FOLDER, NEW_FILE, NEW_FOLDER, Bar, with_precision
from training.config import Precision, TrainConfig, load_config

TERMS_HELP = (
    "TOML: version, licence, origin, use, method, findings and, as training, the data of the weights; "
    "training/terms.toml is an example."
)
SCALE = click.FloatRange(min=0, min_open=True)
CONFIGS = Path(__file__).parents[1] / "configs"
STAGES = (
    (("low_resolution", "last"), ("full_resolution", "best"), ("matching", "best"), ("imitation", "last")),
    (("hints", "last"), ("patches", "best")),
    (("levels", "best"), ("robust", "best"), ("pairs", "last")),
    (("portraits", "last"),),
)
"""The recipes of the shipped weights in their order, and which weights of each go on. After a group it is the mean of
the last two, the group's own or what it began with, that goes on; the last mean is released."""


@click.command()
@click.argument("config", type=FILE)
@click.option("--packs", required=True, type=FOLDER, help="Folder that prepare filled.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for checkpoints, logs and weights.")
@click.option(
    "--init",
    type=FILE,
    help="Weights to start from, for a second stage: a training's .safetensors or a released fp32 .onnx.",
)
@click.option(
    "--teachers", type=FOLDER, help="Folder of other projects' ONNX models, for recipes in which they see views."
)
@with_precision
def train(
    config: Path, packs: Path, out: Path, init: Path | None, teachers: Path | None, precision: Precision | None
) -> None:
    """Train as CONFIG says; started again with the same --out, go on after the last whole epoch.

    On several devices: torchrun --nproc-per-node N -m training train CONFIG ...
    """
    import cv2

    from training.packs import load_all
    from training.train import train as run

    cv2.setNumThreads(1)  # the loader's processes are the parallelism
    out.mkdir(parents=True, exist_ok=True)
    click.echo(run(_recipe(config, precision), load_all(packs), out, init=init, teachers=teachers))


@click.command()
@click.argument("ingredients", nargs=-1, required=True, type=FILE)
@click.option("--out", required=True, type=NEW_FILE, help="The .safetensors file to write.")
@click.option("--measure", type=FILE, help="Recipe on whose views to measure batch statistics anew; needs --packs.")
@click.option("--packs", type=FOLDER, help="Folder that prepare filled, for --measure.")
def average(ingredients: tuple[Path, ...], out: Path, measure: Path | None, packs: Path | None) -> None:
    """Average the weights of trainings that went on from the same weights: a model soup.

    Batch statistics are averaged too, unless --measure says where to measure those of the mean.
    """
    from training.packs import load_all
    from training.soup import average as run

    if (measure is None) != (packs is None):
        raise click.UsageError("Give --measure and --packs together.")
    run(ingredients, out, None if measure is None or packs is None else (load_config(measure), load_all(packs)))
    click.echo(out)


@click.command()
@click.argument("weights", nargs=-1, required=True, type=FILE)
@click.option("--packs", required=True, type=FOLDER, help="Folder that prepare filled.")
@click.option("--scale", required=True, type=SCALE, help="Context scale of the crop.")
@click.option("--mirrored-scale", type=SCALE, help="Of a second view, mirrored, to average P(live) over.")
def compare(weights: tuple[Path, ...], packs: Path, scale: float, mirrored_scale: float | None) -> None:
    """Compare WEIGHTS on pictures that no training saw, before test is looked at.

    Errors of attacks and of live people at equal logits, macro over domains: val, also domain by domain, cut at the
    face and before furniture, held-out portraits, simulated attacks on both, and some of all made worse.
    """
    from faceauth.cli import output
    from faceauth.weights.cards import CropFacts
    from training.compare import TRIALS, comparison, errors, trials
    from training.evaluate import load as load_weights
    from training.packs import load_all

    networks = [load_weights(path) for path in weights]
    spec = CropFacts(scale=scale, mirrored_scale=mirrored_scale).spec()
    found = {}
    with Bar() as bar:
        for trial in trials(load_all(packs), spec):
            found[trial.name] = [errors(network, trial) for network in networks]
            bar("trials", len(found), TRIALS)
    output.show(comparison(found, [f"{path.parent.name}/{path.stem}" for path in weights]))


@click.command()
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
    type=SCALE,
    help="Context scale of the crop; may be repeated: the logits of several are averaged. "
    "[default: the recipe's or the card's]",
)
@click.option("--mirrored-scale", type=SCALE, help="Of a second view, mirrored. [default: without --scale, likewise]")
@click.option("--size", type=click.IntRange(32), help="Side of the crop in pixels. [default: likewise]")
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
    mirrored_scale: float | None,
    size: int | None,
    json_file: Path | None,
    html_file: Path | None,
    with_robustness: bool,
) -> None:
    """Measure the network of WEIGHTS alone: a training's .safetensors or a released fp32 .onnx, uncalibrated.

    Shows the epochs of its training where epochs.jsonl lies beside WEIGHTS, and all tables of `faceauth evaluate`. The
    recipe is the recipe.json beside WEIGHTS, or the card.json of a release; without one, --scale and --size are needed.
    """
    from faceauth.cli import output, tables
    from faceauth.evaluation.page import html_page
    from faceauth.evaluation.records import read_manifest
    from faceauth.evaluation.report import DOCUMENT
    from training.evaluate import epoch_table, evaluate_network, load, shown_to

    if not scales or size is None:
        kept = shown_to(weights)
        size = size or kept.size
        if not scales:
            scales, mirrored_scale = tuple(kept.scales), mirrored_scale or kept.mirrored_scale
    rows = read_manifest(manifest, splits=splits)
    with Bar() as bar:
        report, scored = evaluate_network(
            load(weights),
            rows,
            scales=scales,
            size=size,
            mirrored_scale=mirrored_scale,
            name=weights.name,
            data=" ".join((manifest.name, *splits)),
            with_robustness=with_robustness,
            progress=bar,
        )
    epochs = weights.parent / "epochs.jsonl"
    for table in (*([epoch_table(epochs)] if epochs.exists() else []), *tables.all_tables(report)):
        output.show(table)
    if json_file is not None:
        output.write(json_file, report.model_dump_json(indent=2).encode() + b"\n", mark=DOCUMENT.encode())
    if html_file is not None:
        output.write(html_file, html_page(report, scored).encode(), mark=DOCUMENT.encode())


@click.command()
@click.argument("weights", type=FILE)
@click.option("--manifest", required=True, type=FILE, help="Labelled pictures with the splits train, val and test.")
@click.option(
    "--portraits", required=True, multiple=True, type=FOLDER, help="A folder of live photos of faces. May be repeated."
)
@click.option("--terms", required=True, type=FILE, help=TERMS_HELP)
@click.option("--scale", required=True, type=SCALE, help="Context scale of the crop, chosen on val.")
@click.option("--mirrored-scale", type=SCALE, help="Of a second view, mirrored, to average P(live) over.")
@click.option(
    "--left-out",
    multiple=True,
    metavar="DOMAIN",
    help="A domain of train that training left out, to choose on beside val. May be repeated.",
)
@click.option("--out", default="faceauth/weights/spoofnet", show_default=True, type=NEW_FOLDER, help="Their folder.")
@click.option("--reports", required=True, type=NEW_FOLDER, help="Folder for the reports of the choice and of test.")
def release(
    weights: Path,
    manifest: Path,
    portraits: tuple[Path, ...],
    terms: Path,
    scale: float,
    mirrored_scale: float | None,
    left_out: tuple[str, ...],
    out: Path,
    reports: Path,
) -> None:
    """Export WEIGHTS to ONNX, choose thresholds on val and --left-out, score test once, write cards and reports."""
    from faceauth.detection.yunet import YuNet
    from faceauth.errors import UsageError
    from faceauth.weights.cards import SpoofNetCard
    from training.cards import model_card
    from training.crops import refuse_without_box
    from training.portraits import held_out_portraits
    from training.records import manifest_records
    from training.release import load_terms, refuse_missing_splits
    from training.release import release as make_release
    from training.weights import refuse_seen

    words, rows = load_terms(terms), manifest_records(manifest)
    refuse_without_box(rows)
    refuse_missing_splits(rows)
    refuse_seen(weights, left_out)
    held_out = list(held_out_portraits(portraits, YuNet()))
    if not held_out:
        raise UsageError(
            "No portrait shows the face of a held-out person: add portraits of more people, named PERSON_NUMBER."
        )
    with Bar() as bar:
        made = make_release(
            weights,
            rows,
            held_out,
            scale,
            words,
            mirrored_scale=mirrored_scale,
            left_out=left_out,
            out=out,
            progress=bar,
        )
    card = SpoofNetCard.model_validate_json((out / "card.json").read_text())
    (out / "MODEL_CARD.md").write_text(model_card(card, made, words))
    reports.mkdir(parents=True, exist_ok=True)
    for variant, report in made.items():
        for split, content in (("choice", report.choice), ("test", report.test)):
            (reports / f"{split}.{variant}.json").write_text(content.model_dump_json(indent=2) + "\n")
    click.echo(f"Released into {out}; reports in {reports}.")


@click.command()
@click.argument("weights", type=FILE)
@click.option("--manifest", required=True, type=FILE, help="Labelled pictures; some of train calibrate int8.")
@click.option("--scale", required=True, type=SCALE, help="Context scale of the crop, as in the card of the weights.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for spoofnet.tflite and spoofnet.int8.tflite.")
def export(weights: Path, manifest: Path, scale: float, out: Path) -> None:
    """Export WEIGHTS (.safetensors or .onnx) to LiteRT, in fp32 and int8; needs the extra litert."""
    from faceauth.errors import UsageError
    from faceauth.weights.cards import CropFacts
    from training.crops import calibration_rows, cut
    from training.export import load_network
    from training.records import manifest_records

    try:
        from training.litert import export_litert_fp32, export_litert_int8
    except ModuleNotFoundError as error:
        raise UsageError(f"LiteRT files need a converter ({error}): `pip install -e '.[litert]'`.") from error

    out.mkdir(parents=True, exist_ok=True)
    fp32, int8 = out / "spoofnet.tflite", out / "spoofnet.int8.tflite"
    export_litert_fp32(load_network(weights), fp32)
    export_litert_int8(fp32, int8, cut(calibration_rows(manifest_records(manifest)), CropFacts(scale=scale).spec()))
    click.echo(f"{fp32.name} and {int8.name} in {out}.")


@click.command()
@click.option("--manifest", required=True, type=FILE, help="Labelled pictures with the splits train, val and test.")
@click.option(
    "--portraits", required=True, multiple=True, type=FOLDER, help="A folder of live photos of faces. May be repeated."
)
@click.option("--teachers", required=True, type=FOLDER, help="Folder of other projects' ONNX models, for soft scores.")
@click.option("--terms", required=True, type=FILE, help=TERMS_HELP)
@click.option("--run", required=True, type=NEW_FOLDER, help="Folder for packs, checkpoints, weights and reports.")
@with_precision
@click.pass_context
def reproduce(
    ctx: click.Context,
    manifest: Path,
    portraits: tuple[Path, ...],
    teachers: Path,
    terms: Path,
    run: Path,
    precision: Precision | None,
) -> None:
    """Make weights as the shipped ones, from pictures to ONNX and cards; started again, go on where it stopped."""
    from training.crops import refuse_without_box
    from training.portraits import refuse_one_sided
    from training.records import manifest_records
    from training.release import load_terms, refuse_missing_splits

    load_terms(terms)  # what a release would refuse after hours is refused at once
    rows = manifest_records(manifest)
    refuse_without_box(rows)
    refuse_missing_splits(rows)
    refuse_one_sided(portraits)

    packs = run / "packs"
    ctx.invoke(prepare, manifests=(manifest,), portraits=portraits, teachers=teachers, out=packs)
    made: list[Path] = []
    for number, stages in enumerate(STAGES, 1):
        for stage, chosen in stages:
            config, folder = CONFIGS / f"{stage}.toml", run / stage
            init = made[-1] if made else None
            ctx.invoke(train, config=config, packs=packs, out=folder, init=init, teachers=teachers, precision=precision)
            made.append(folder / f"{chosen}.safetensors")
        soup = run / f"soup{number}.safetensors"
        if not soup.exists():  # made anew on another machine it may differ in a bit, and be another start
            ctx.invoke(average, ingredients=made[-2:], out=soup, measure=config, packs=packs)
        made.append(soup)
    last = load_config(config)
    ctx.invoke(
        release,
        weights=made[-1],
        manifest=manifest,
        portraits=portraits,
        terms=terms,
        scale=last.scales[0],
        mirrored_scale=last.mirrored_scale,
        out=run / "spoofnet",
        reports=run / "reports",
    )


@click.command("cross-validate")
@click.argument("config", type=FILE)
@click.option("--packs", required=True, type=FOLDER, help="Folder that prepare filled.")
@click.option("--out", required=True, type=NEW_FOLDER, help="Folder for a run a fold; finished ones are kept.")
@click.option("--folds", "count", default=4, show_default=True, type=click.IntRange(2), help="Groups of domains.")
@click.option("--together", multiple=True, metavar="A,B", help="Domains that show the same people. May be repeated.")
@click.option("--init", type=FOLDER, help="Folder of the cross-validation of the stage before, over the same folds.")
@click.option(
    "--teachers", type=FOLDER, help="Folder of other projects' ONNX models, for recipes in which they see views."
)
@with_precision
def cross_validate(
    config: Path,
    packs: Path,
    out: Path,
    count: int,
    together: tuple[str, ...],
    init: Path | None,
    teachers: Path | None,
    precision: Precision | None,
) -> None:
    """Train CONFIG once a fold without some domains of train, and show macro AUC on them and on val."""
    import cv2

    from training.crossval import cross_validate as run
    from training.crossval import folds
    from training.packs import load_all

    cv2.setNumThreads(1)  # the loader's processes are the parallelism
    content = load_all(packs)
    groups = folds(content, count, [group.split(",") for group in together])
    results = []
    recipe = _recipe(config, precision)
    for group, result in zip(groups, run(recipe, content, groups, out, teachers, init), strict=True):
        results.append(result)
        click.echo(f"left out {result.macro_left_out:.4f}, val {result.macro_val:.4f}: without {', '.join(group)}")
    left_out, val = (
        sum(of) / len(results) for of in zip(*((r.macro_left_out, r.macro_val) for r in results), strict=True)
    )
    click.echo(f"left out {left_out:.4f}, val {val:.4f}: mean of the folds; mean of both {(left_out + val) / 2:.4f}")


def _recipe(config: Path, precision: Precision | None) -> TrainConfig:
    """The recipe in ``config``, in another ``precision`` if one is wanted."""
    recipe = load_config(config)
    return recipe if precision is None else recipe.model_copy(update={"precision": precision})

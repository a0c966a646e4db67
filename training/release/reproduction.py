"""Makes the released weights, from a manifest to ONNX files and cards; resumes if it is started again."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from faceauth.detection.yunet import YuNet
from faceauth.errors import UsageError
from faceauth.weights.cards import SpoofNetCard
from faceauth.weights.store import CARD
from training.data.face_boxes import refuse_without_box
from training.data.files import write_whole
from training.data.manifests import Record, records_of_splits
from training.data.portraits import held_out_portraits, refuse_one_sided
from training.data.preparation import Plan, prepare
from training.data.progress import Progress
from training.data.shards import digest_of_shards, load_folder
from training.release.choosing import refuse_missing_splits
from training.release.model_card import render_card
from training.release.packaging import NAME, package
from training.release.terms import Terms, load_terms
from training.train.checkpoint import digest_of
from training.train.loop import train
from training.train.recaptures import simulate_recaptures
from training.train.recipe import Recipe
from training.train.speed import measure_speed
from training.train.teachers import refuse_missing_files

DISK_GB = 4  # shards, checkpoints and weights; measured on the data of the released weights
MEMORY_GB = 8
LARGEST_THINNING = 10


@dataclass(frozen=True)
class Inputs:
    """What a reproduction reads.

    Attributes:
        manifest: of labelled images with the splits ``train``, ``val`` and ``test``.
        portraits: folders of live photos.
        teachers: folder of the teachers' files.
        terms: TOML file for the cards.
        init: weights that stand in for all phases of the recipe but the last; without any, it starts from scratch.
    """

    manifest: Path
    portraits: Sequence[Path]
    teachers: Path
    terms: Path
    init: Path | None = None


def reproduce(
    inputs: Inputs, recipe: Recipe, run: Path, *, scale: float, say: Callable[[str], None], progress: Progress
) -> None:
    """Prepare, simulate, train phase by phase, release; what is finished in ``run`` is not made again.

    ``run/log.txt`` gets a line a step, ``run/digests.json`` the digest of what each step made.

    Args:
        inputs: what to read.
        recipe: what to train.
        run: folder of shards, checkpoints, weights, cards and reports.
        scale: factor on views and recaptures, and share of the images (at least one in ten); 1 is the recipe.
        say: told a line a step.
        progress: told what is done.

    Raises:
        UsageError: an input lacks something that a later step needs, or ``run`` is another reproduction's.
    """
    terms, records = _checked(inputs)
    records, recipe = thinned(records, scale), recipe.shortened(scale)
    if inputs.init is not None:
        recipe = recipe.last_phase()
    run.mkdir(parents=True, exist_ok=True)

    def log(line: str) -> None:
        say(line)
        with (run / "log.txt").open("a") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}\n")

    _announce(recipe, inputs, records, run, log)
    shards = run / "shards"
    prepare(Plan([r for r in records if r.split != "test"], inputs.portraits, shards), YuNet, progress)
    log("prepared")
    if recipe.recaptures:
        simulate_recaptures(shards, recipe.recaptures, progress, seed=recipe.seed)
        log(f"simulated {recipe.recaptures} recaptures")
    content = load_folder(shards)
    digests = {"shards": digest_of_shards(content)}
    weights = train(recipe, content, run / "training", init=inputs.init, teachers=inputs.teachers, report=log)
    digests |= {path.name: digest_of(path) for path in sorted(weights.parent.glob("phase*.safetensors"))}
    if not (run / "reports" / "done").exists():
        _release(inputs, records, recipe, weights, terms, run, progress)
    digests |= {path.name: digest_of(path) for path in sorted((run / NAME).glob("*.onnx"))}
    write_whole(run / "digests.json", json.dumps(digests, indent=2) + "\n")
    log(f"released into {run / NAME}")


def thinned(records: Sequence[Record], scale: float) -> list[Record]:
    """One in so many records of each domain and class, so that a short trial of the whole way is short everywhere."""
    step = max(1, min(LARGEST_THINNING, round(1 / scale)))
    ordered = sorted(records, key=lambda record: (record.split, record.domain, record.label))
    return ordered[::step]


def _checked(inputs: Inputs) -> tuple[Terms, list[Record]]:
    """What a later step would refuse after hours is refused at once."""
    terms, records = load_terms(inputs.terms), records_of_splits(inputs.manifest)
    refuse_without_box(records)
    refuse_missing_splits(records)
    refuse_one_sided(inputs.portraits)
    refuse_missing_files(inputs.teachers)
    return terms, records


def _announce(recipe: Recipe, inputs: Inputs, records: Sequence[Record], run: Path, log: Callable[[str], None]) -> None:
    """What it needs and how long it will take."""
    free = shutil.disk_usage(run).free / 1e9
    if free < DISK_GB:
        raise UsageError(f"{run} has {free:.1f} GB of free space, {DISK_GB} are needed: give another folder.")
    speed = measure_speed(recipe, inputs.teachers)
    views = ", ".join(
        f"{phase.views:,} views at {phase.size} px ({rate:.0f} a second)"
        for phase, rate in zip(recipe.phases, speed.views, strict=True)
    )
    log(
        f"{recipe.name}: {len(records):,} images, {recipe.recaptures:,} recaptures ({speed.recaptures:.0f} a second), "
        f"{views}: about {speed.hours(recipe):.1f} hours and those of validation and release, by steps measured now; "
        f"{MEMORY_GB} GB of memory, {DISK_GB} GB of disk"
    )


def _release(
    inputs: Inputs,
    records: Sequence[Record],
    recipe: Recipe,
    weights: Path,
    terms: Terms,
    run: Path,
    progress: Progress,
) -> None:
    portraits = list(held_out_portraits(inputs.portraits, YuNet()))
    write_release(
        weights, records, portraits, recipe, terms, out=run / NAME, reports=run / "reports", progress=progress
    )
    write_whole(run / "reports" / "done", "")


def write_release(
    weights: Path,
    records: Sequence[Record],
    portraits: Sequence[Record],
    recipe: Recipe,
    terms: Terms,
    *,
    out: Path,
    reports: Path,
    progress: Progress,
) -> None:
    """Package ``weights``, and write the model card and the reports.

    Raises:
        UsageError: no portrait shows a held-out person, or as :func:`training.release.packaging.package`.
    """
    if not portraits:
        raise UsageError(
            "No portrait shows the face of a held-out person: add portraits of more people, named PERSON_NUMBER."
        )
    crops = recipe.crops(recipe.phases[-1].size)
    made = package(weights, records, portraits, crops, terms, hold_out=recipe.hold_out, out=out, progress=progress)
    card = SpoofNetCard.model_validate_json((out / CARD).read_text())
    (out / "MODEL_CARD.md").write_text(render_card(card, made, terms))
    reports.mkdir(parents=True, exist_ok=True)
    for variant, of_variant in made.items():
        for data, report in (("choice", of_variant.choice), ("test", of_variant.test)):
            (reports / f"{data}.{variant}.json").write_text(report.model_dump_json(indent=2) + "\n")

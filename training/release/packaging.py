"""A release of trained weights: ONNX files, their card, reports of ``val`` and ``test``.

Everything is chosen on ``val`` and on domains of ``train`` that the training left out. ``test`` is scored once, last,
with everything fixed.
"""

import hashlib
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from faceauth.backends.attributes import checked_facts
from faceauth.errors import UsageError
from faceauth.evaluation.measuring import measure
from faceauth.evaluation.records import Record
from faceauth.evaluation.report import EvaluationReport
from faceauth.evaluation.scoring import Threshold, backend_threshold, score_records
from faceauth.liveness.spoofnet import INPUT, SpoofNet
from faceauth.metrics.intervals import measured_rate
from faceauth.stages import Crops, CropSpec
from faceauth.thresholds import MeasuredRate
from faceauth.weights.cards import PinnedFile, SpoofNetCard, Variant
from faceauth.weights.onnx_session import exact_options
from faceauth.weights.store import write_card
from training.data.face_boxes import crops_of
from training.data.progress import Progress
from training.release.choosing import Choice, choice_records, choose, holds_int8, macro_auc
from training.release.onnx_export import calibration_records, export_fp32, export_int8
from training.release.terms import Terms
from training.train.checkpoint import load_network
from training.train.network import MEAN, STD

BATCH = 32
NAME = "spoofnet"
TRAINABLE = "spoofnet.safetensors"  # with its batch normalisations, to train on from


@dataclass(frozen=True)
class Reports:
    """Reports of one variant with everything fixed."""

    choice: EvaluationReport
    test: EvaluationReport


def package(
    weights: Path,
    records: Sequence[Record],
    portraits: Sequence[Record],
    crops: tuple[CropSpec, ...],
    terms: Terms,
    *,
    hold_out: Collection[str] = (),
    out: Path,
    progress: Progress = lambda stage, done, total: None,
) -> dict[Variant, Reports]:
    """Export ``weights``, choose, write ``out/card.json`` and return the reports of each variant.

    Nothing is written into ``out`` before all of it is made: a release that fails leaves what was there.

    Args:
        weights: ``.safetensors`` of a training, kept beside the ONNX files, or a released fp32 ``.onnx``.
        records: of all splits, each with a face box.
        portraits: live portraits of people that no training saw, each with a face box.
        crops: of a face, over which P(live) is averaged.
        terms: for the card.
        hold_out: domains of ``train`` that the training left out: everything is chosen on them and on ``val``.
        out: folder named ``spoofnet`` for the ONNX files and ``card.json``; the ``manifest.json`` of the folder above
            pins the card, and is written if there is none.
        progress: told what is done.

    Raises:
        UsageError: ``out`` has another name, or as :func:`training.release.choosing.choice_records`.
    """
    if out.resolve().name != NAME:
        raise UsageError(f"{out} cannot hold weights: the library reads them from a folder named {NAME}.")
    with TemporaryDirectory() as folder:
        building = Path(folder, NAME)
        card, reports = _build(weights, records, portraits, crops, terms, hold_out, building, progress)
        out.mkdir(parents=True, exist_ok=True)
        for pinned in card.files.values():
            shutil.copy(building / pinned.name, out)
    if weights.suffix == ".safetensors":
        shutil.copy(weights, out / TRAINABLE)
    write_card(out.parent, NAME, card)
    return reports


def _build(
    weights: Path,
    records: Sequence[Record],
    portraits: Sequence[Record],
    crops: tuple[CropSpec, ...],
    terms: Terms,
    hold_out: Collection[str],
    out: Path,
    progress: Progress,
) -> tuple[SpoofNetCard, dict[Variant, Reports]]:
    out.mkdir()
    files: dict[Variant, Path] = {"fp32": out / "spoofnet.onnx", "int8": out / "spoofnet.int8.onnx"}
    export_fp32(load_network(weights), files["fp32"])
    trained_on = [record for record in records if record.domain not in hold_out]
    export_int8(files["fp32"], files["int8"], crops_of(calibration_records(trained_on), crops[0]))

    choice = choice_records(records, hold_out)
    name = " and ".join(["val", *(["left-out domains of train"] if hold_out else [])])
    shown = [crops_of(choice, spec) for spec in crops]
    chosen = {
        variant: choose(
            [_logits(path, of_spec, partial(progress, f"logits for the choice, {variant}")) for of_spec in shown],
            choice,
            f"{name}, on which it was calibrated",
        )
        for variant, path in files.items()
    }
    card = _card(files, crops, terms, chosen)
    write_card(out.parent, NAME, card)
    on_choice = {variant: _report(variant, out, choice, name, progress) for variant in files}
    if holds_int8(on_choice["fp32"], on_choice["int8"]):
        card = card.model_copy(update={"default_variant": "int8"})
        write_card(out.parent, NAME, card)

    test = [record for record in records if record.split == "test"]
    reports = {variant: Reports(on_choice[variant], _report(variant, out, test, "test", progress)) for variant in files}
    metrics: dict[str, dict[str, float | MeasuredRate]] = {}
    for variant, report in reports.items():
        metrics |= {f"{variant}/choice": _figures(report.choice), f"{variant}/test": _figures(report.test)}
        metrics[f"{variant}/choice"]["expected_calibration_error"] = chosen[variant].calibration_error
        metrics[f"{variant}/portraits"] = {"bpcer": _portraits_refused(variant, out, portraits, progress)}
    return card.model_copy(update={"metrics": metrics}), reports


def _card(
    files: dict[Variant, Path], crops: tuple[CropSpec, ...], terms: Terms, chosen: dict[Variant, Choice]
) -> SpoofNetCard:
    """The card with fp32 as its default."""
    return SpoofNetCard(
        licence=terms.licence,
        origin=terms.origin,
        use=terms.use,
        files={variant: _pinned(path) for variant, path in files.items()},
        version=terms.version,
        date=date.today(),
        default_variant="fp32",
        crops=crops,
        mean=MEAN,
        std=STD,
        calibration={variant: one.calibration for variant, one in chosen.items()},
        operating_points={variant: one.points for variant, one in chosen.items()},
        training=terms.training,
    )


def _pinned(path: Path) -> PinnedFile:
    content = path.read_bytes()
    return PinnedFile(name=path.name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def _backend(variant: Variant, out: Path) -> SpoofNet:
    """The library's own backend on the files just written: what is measured is what users run."""
    return SpoofNet(variant=variant, threads=2, weights_folder=out.parent)


def _balanced(backend: SpoofNet) -> Threshold:
    facts = checked_facts("liveness", backend, called=NAME, name=NAME)
    return backend_threshold(NAME, facts, "balanced")


def _report(variant: Variant, out: Path, records: Sequence[Record], data: str, progress: Progress) -> EvaluationReport:
    backend = _backend(variant, out)
    scored = score_records(records, backend, progress=partial(progress, f"{data}, {variant}"))
    return measure(scored, _balanced(backend), backend=f"spoofnet {variant}", data=data, mode="network")


def _portraits_refused(variant: Variant, out: Path, portraits: Sequence[Record], progress: Progress) -> MeasuredRate:
    backend = _backend(variant, out)
    threshold = _balanced(backend).value
    scored = score_records(portraits, backend, progress=partial(progress, f"portraits, {variant}"))
    refused = np.array([float(one.p_live or 0) < threshold for one in scored])
    people = np.array([f"{record.domain}/{record.recording}" for record in portraits])
    return measured_rate(refused, people, unit="person")


def _logits(path: Path, crops: Crops, progress: Callable[[int, int], None]) -> npt.NDArray[np.float32]:
    session = ort.InferenceSession(path, exact_options(), providers=["CPUExecutionProvider"])
    parts = []
    for start in range(0, len(crops), BATCH):
        parts.append(session.run(None, {INPUT: crops[start : start + BATCH]})[0])
        progress(min(start + BATCH, len(crops)), len(crops))
    return np.concatenate(parts)


def _figures(report: EvaluationReport) -> dict[str, float | MeasuredRate]:
    """The headline figures of a report for the card."""
    overall, worst = report.overall, report.worst_domain
    figures: dict[str, float | MeasuredRate | None] = {
        "macro_auc": macro_auc(report),
        "worst_domain_auc": min((d.auc.value for d in report.domains if d.auc and d.domain == worst), default=None),
        "macro_hter": overall.macro_hter.value if overall.macro_hter else None,
        "acer": overall.acer,
        "bpcer": overall.bpcer,
        "apcer_pooled": overall.apcer_pooled,
        **{f"apcer/{species}": rate for species, rate in overall.apcer.items()},
    }
    return {name: value for name, value in figures.items() if value is not None}

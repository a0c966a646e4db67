"""Release: trained weights and a manifest in; ONNX files, their cards, reports of ``val`` and ``test`` out.

Everything is chosen on ``val`` and on domains of ``train`` that the training left out: calibration, operating points,
and whether int8 is the default. ``test`` is scored once, last, with everything fixed.
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

from faceauth.calibration.operating_points import operating_points
from faceauth.calibration.temperature import balanced_weights, expected_calibration_error, fit_temperature
from faceauth.errors import UsageError
from faceauth.evaluation.measuring import measure
from faceauth.evaluation.records import Record
from faceauth.evaluation.report import EvaluationReport
from faceauth.evaluation.scoring import backend_threshold, score_records
from faceauth.liveness.spoofnet import INPUT, SpoofNet
from faceauth.metrics.intervals import measured_rate
from faceauth.stages import Crops
from faceauth.thresholds import MeasuredRate, OperatingPoints
from faceauth.weights.cards import CARD_NAME, Calibration, CropFacts, DataSource, SpoofNetCard, Variant
from faceauth.weights.onnx_session import exact_options
from faceauth.weights.store import MANIFEST, Manifest, Pin, PinnedFile
from training.config import Settings, from_toml
from training.crops import calibration_rows, cut
from training.export import export_fp32, export_int8, load_network
from training.network import INPUT_SIZE, MEAN, STD
from training.progress import Progress
from training.records import LIVE, SPOOF

BATCH = 32
INT8_MAX_AUC_LOSS = 0.003  # of the macro AUC where everything is chosen
INT8_MAX_ACER_LOSS = 0.003  # at the balanced point, there


class Terms(Settings):
    """What the cards say beside figures: the weights' rights, what they were trained on, and what people found.

    Attributes:
        version, licence, origin, use, training: as in the card.
        method: Markdown, how their labels were made, for the model card.
        findings: Markdown, where they fail and why, for the model card; written by who looked.
    """

    version: str
    licence: str
    origin: str
    use: str
    method: str
    findings: str
    training: tuple[DataSource, ...]


def load_terms(path: Path) -> Terms:
    """The terms of a TOML file.

    Raises:
        UsageError: it is no TOML, or a key is missing, misspelt or impossible.
    """
    return from_toml(Terms, path, "terms")


@dataclass(frozen=True)
class Reports:
    """Reports of one variant with everything fixed."""

    choice: EvaluationReport
    test: EvaluationReport


def release(
    weights: Path,
    rows: Sequence[Record],
    portraits: Sequence[Record],
    scale: float,
    terms: Terms,
    *,
    mirrored_scale: float | None = None,
    left_out: Collection[str] = (),
    out: Path,
    progress: Progress = lambda stage, done, total: None,
) -> dict[Variant, Reports]:
    """Export ``weights``, choose, write ``out/card.json`` and return the reports of each variant.

    Nothing is written into ``out`` before all of it is made: a release that fails leaves what was there.

    Args:
        weights: ``.safetensors`` of a training, or a released fp32 ``.onnx``.
        rows: of all splits, each with a face box.
        portraits: live portraits of people that no training saw, each with a face box.
        scale: context scale of the crop.
        terms: for the card.
        mirrored_scale: of the second view that every face is scored with; None for one view.
        left_out: domains of ``train`` that the training left out: everything is chosen on them and on ``val``.
        out: folder named ``spoofnet`` for ``spoofnet.onnx``, ``spoofnet.int8.onnx`` and ``card.json``; the
            ``manifest.json`` of the folder above pins the card, and is written where there is none.
        progress: told what is done.

    Raises:
        UsageError: ``out`` has another name, or as :func:`choice_rows`.
    """
    if (name := Path(CARD_NAME).parent.name) != out.resolve().name:
        raise UsageError(f"{out} is no place for weights: the library reads them from a folder named {name}.")
    crop = CropFacts(size_wh=(INPUT_SIZE, INPUT_SIZE), scale=scale, color="rgb", mirrored_scale=mirrored_scale)
    with TemporaryDirectory() as folder:
        building = Path(folder, name)
        card, reports = _build(weights, rows, portraits, crop, terms, left_out, building, progress)
        out.mkdir(parents=True, exist_ok=True)
        for pinned in card.files.values():
            shutil.copy(building / pinned.name, out)
    _write(card, out)
    return reports


def _build(
    weights: Path,
    rows: Sequence[Record],
    portraits: Sequence[Record],
    crop: CropFacts,
    terms: Terms,
    left_out: Collection[str],
    out: Path,
    progress: Progress,
) -> tuple[SpoofNetCard, dict[Variant, Reports]]:
    out.mkdir()
    files: dict[Variant, Path] = {"fp32": out / "spoofnet.onnx", "int8": out / "spoofnet.int8.onnx"}
    export_fp32(load_network(weights), files["fp32"])
    trained_on = [row for row in rows if row.domain not in left_out]
    export_int8(files["fp32"], files["int8"], cut(calibration_rows(trained_on), CropFacts(scale=crop.scale).spec()))

    choice = choice_rows(rows, left_out)
    name = " and ".join(["val", *(["left-out domains of train"] if left_out else [])])
    crops = cut(choice, crop.spec())
    chosen = {
        variant: _choose(
            _logits(path, crops, partial(progress, f"logits for the choice, {variant}")),
            choice,
            f"{name}, on which it was calibrated",
        )
        for variant, path in files.items()
    }
    card = _card(files, crop, terms, chosen, default="fp32")
    _write(card, out)
    on_choice = {variant: _report(variant, out, choice, name, progress) for variant in files}
    if holds_int8(on_choice["fp32"], on_choice["int8"]):
        card = card.model_copy(update={"default_variant": "int8"})
        _write(card, out)

    test = [row for row in rows if row.split == "test"]
    reports = {variant: Reports(on_choice[variant], _report(variant, out, test, "test", progress)) for variant in files}
    refused = {variant: _portraits_refused(variant, out, portraits, progress) for variant in files}
    metrics: dict[str, dict[str, float | MeasuredRate]] = {}
    for variant, report in reports.items():
        metrics |= {f"{variant}/choice": _figures(report.choice), f"{variant}/test": _figures(report.test)}
        metrics[f"{variant}/choice"]["expected_calibration_error"] = chosen[variant].error
        metrics[f"{variant}/portraits"] = {"bpcer": refused[variant]}
    return card.model_copy(update={"metrics": metrics}), reports


def choice_rows(rows: Sequence[Record], left_out: Collection[str]) -> list[Record]:
    """The rows to choose on: ``val``, and the domains of ``train`` that the training left out.

    Raises:
        UsageError: a domain is not in ``train``.
    """
    absent = sorted(set(left_out) - {row.domain for row in rows if row.split == "train"})
    if absent:
        raise UsageError(f"There is no domain {', '.join(absent)} in train: name those of the recipe's hold_out.")
    return [row for row in rows if row.split == "val" or (row.split == "train" and row.domain in left_out)]


def refuse_missing_splits(rows: Sequence[Record]) -> None:
    """Something to train on, to choose on and to report: live people and attacks before one and the same camera.

    Raises:
        UsageError: a split has no row, or no domain with both classes.
    """
    for split in ("train", "val", "test"):
        domains = [{row.domain for row in rows if row.split == split and row.label == k} for k in (LIVE, SPOOF)]
        if not set.intersection(*domains):
            raise UsageError(
                f"A release needs live pictures and attacks of one domain in each of train, val and test; {split} has "
                "none such."
            )


def holds_int8(fp32: EvaluationReport, int8: EvaluationReport) -> bool:
    """Whether int8, at its own balanced point, loses so little where all is chosen that it may be the default."""
    auc_loss = _auc(fp32) - _auc(int8)
    acer_loss = _acer(int8) - _acer(fp32)
    return auc_loss <= INT8_MAX_AUC_LOSS and acer_loss <= INT8_MAX_ACER_LOSS


@dataclass(frozen=True)
class _Chosen:
    """What was chosen for one variant; ``error`` is the expected calibration error of the mean over the views."""

    calibration: Calibration
    points: OperatingPoints
    error: float


def _choose(logits: npt.NDArray[np.float32], rows: Sequence[Record], measured_on: str) -> _Chosen:
    labels, species, domains = _columns(rows)
    views = (logits[:, 0] - logits[:, 1]).reshape(len(rows), -1)
    calibration = Calibration(a=1 / fit_temperature(views, labels, domains))
    p_live = calibration.p_live(logits).reshape(views.shape).mean(axis=1)
    error = expected_calibration_error(p_live, labels, weights=balanced_weights(labels, domains))
    return _Chosen(calibration, operating_points(p_live, labels, species, domains, measured_on=measured_on), error)


def _card(
    files: dict[Variant, Path],
    crop: CropFacts,
    terms: Terms,
    chosen: dict[Variant, _Chosen],
    *,
    default: Variant,
) -> SpoofNetCard:
    return SpoofNetCard(
        licence=terms.licence,
        origin=terms.origin,
        use=terms.use,
        files={variant: _pinned(path) for variant, path in files.items()},
        version=terms.version,
        date=date.today(),
        default_variant=default,
        crop=crop,
        mean=MEAN,
        std=STD,
        calibration={variant: one.calibration for variant, one in chosen.items()},
        operating_points={variant: one.points for variant, one in chosen.items()},
        training=terms.training,
    )


def _pinned(path: Path) -> PinnedFile:
    content = path.read_bytes()
    return PinnedFile(name=path.name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def _write(card: SpoofNetCard, out: Path) -> None:
    """The card, and its pin in the manifest of the folder above, which the library reads like any folder of weights."""
    place = out / "card.json"
    place.write_text(card.model_dump_json(indent=2) + "\n")
    manifest, found = out.parent / MANIFEST, _pinned(place)
    known = Manifest.model_validate_json(manifest.read_text()) if manifest.exists() else Manifest()
    cards = {**known.cards, CARD_NAME: Pin(size=found.size, sha256=found.sha256)}
    manifest.write_text(known.model_copy(update={"cards": cards}).model_dump_json(indent=2) + "\n")


def _backend(variant: Variant, out: Path) -> SpoofNet:
    """The library's own backend on the files just written: what is measured is what users run."""
    return SpoofNet(variant=variant, threads=2, weights_folder=out.parent)


def _report(variant: Variant, out: Path, rows: Sequence[Record], split: str, progress: Progress) -> EvaluationReport:
    backend = _backend(variant, out)
    scored = score_records(rows, backend, progress=partial(progress, f"{split}, {variant}"))
    return measure(scored, backend_threshold(backend), backend=f"spoofnet {variant}", data=split, mode="network")


def _portraits_refused(variant: Variant, out: Path, portraits: Sequence[Record], progress: Progress) -> MeasuredRate:
    backend = _backend(variant, out)
    threshold = backend_threshold(backend).value
    scored = score_records(portraits, backend, progress=partial(progress, f"portraits, {variant}"))
    refused = np.array([float(one.p_live or 0) < threshold for one in scored])
    people = np.array([f"{row.domain}/{row.recording}" for row in portraits])
    return measured_rate(refused, people, unit="person")


def _logits(path: Path, crops: Crops, progress: Callable[[int, int], None]) -> npt.NDArray[np.float32]:
    session = ort.InferenceSession(path, exact_options(), providers=["CPUExecutionProvider"])
    parts = []
    for start in range(0, len(crops), BATCH):
        parts.append(session.run(None, {INPUT: crops[start : start + BATCH]})[0])
        progress(min(start + BATCH, len(crops)), len(crops))
    return np.concatenate(parts)


def _columns(rows: Sequence[Record]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.str_], npt.NDArray[np.str_]]:
    return (
        np.array([row.label for row in rows], np.int64),
        np.array([row.species for row in rows]),
        np.array([row.domain for row in rows]),
    )


def _figures(report: EvaluationReport) -> dict[str, float | MeasuredRate]:
    """The headline figures of a report for the card."""
    overall, worst = report.overall, report.worst_domain
    figures: dict[str, float | MeasuredRate | None] = {
        "macro_auc": _auc(report),
        "worst_domain_auc": min((d.auc.value for d in report.domains if d.auc and d.domain == worst), default=None),
        "macro_hter": overall.macro_hter.value if overall.macro_hter else None,
        "acer": overall.acer,
        "bpcer": overall.bpcer,
        "apcer_pooled": overall.apcer_pooled,
        **{f"apcer/{species}": rate for species, rate in overall.apcer.items()},
    }
    return {name: value for name, value in figures.items() if value is not None}


def _auc(report: EvaluationReport) -> float:
    if report.overall.macro_auc is None:
        raise ValueError("The split holds no domain with both classes: nothing can be chosen on it.")
    return report.overall.macro_auc.value


def _acer(report: EvaluationReport) -> float:
    if report.overall.acer is None:
        raise ValueError("The split lacks live or spoof pictures: nothing can be chosen on it.")
    return report.overall.acer

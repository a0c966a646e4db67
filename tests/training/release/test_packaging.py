"""A release chooses on val, measures test once, and pins what it wrote."""

import hashlib
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from faceauth.cropping.crops import crop_box
from faceauth.errors import UsageError
from faceauth.evaluation.report import EvaluationReport
from faceauth.evaluation.scoring import score_records
from faceauth.liveness.spoofnet import SpoofNet as Backend
from faceauth.stages import CropSpec
from faceauth.weights.cards import DataSource, SpoofNetCard, Variant
from training.data.manifests import LIVE, SPOOF, Record
from training.release.choosing import choice_records, holds_int8, refuse_missing_splits
from training.release.model_card import render_card
from training.release.packaging import Reports, package
from training.release.terms import Terms, load_terms
from training.train.checkpoint import load_network
from training.train.network import SpoofNet, logits_of

BOX = (12.0, 12.0, 52.0, 52.0)
WIDE = CropSpec(size_wh=(224, 224), scale=1.4, kind="square", color="rgb")
CROPS = (WIDE, replace(WIDE, scale=1.2, mirrored=True))
TERMS = Terms(
    version="test",
    licence="MIT",
    origin="a test",
    use="testing",
    method="Labels of a test.",
    findings="- It fails in tests.",
    training=(DataSource(name="a", images=1, terms="b"),),
)


def images(folder: Path, count: int) -> list[Path]:
    """Images of different brightness and pattern; no face, no person."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        blocks = rng.integers(0, 256, (8, 8, 3)).repeat(8, axis=0).repeat(8, axis=1) * rng.uniform(0.1, 1)
        paths.append(folder / f"{number}.png")
        cv2.imwrite(str(paths[-1]), blocks.astype(np.uint8))
    return paths


def labelled(paths: list[Path], network: SpoofNet) -> list[Record]:
    """Rows of all splits; live are those that the network gives the higher logits, so that it is no bad one."""
    crops = np.stack([crop_box(np.asarray(cv2.imread(str(path)), np.uint8), BOX, WIDE).pixels for path in paths])
    order = np.argsort(logits_of(network, crops))
    rows = []
    for place, index in enumerate(order):
        spoof = place < len(order) // 2
        split = ("train", "val", "test")[place % 3]
        species = "print" if spoof else "none"
        rows.append(Record(paths[index], SPOOF if spoof else LIVE, species, f"{split}-a", split, box_xyxy=BOX))
    return rows


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Variant, Reports], list[Record]]:
    """Folder of the weights, the reports, and the rows."""
    folder = tmp_path_factory.mktemp("release")
    torch.manual_seed(1)
    network = SpoofNet().eval()
    save_file(network.state_dict(), folder / "phase2.safetensors")
    rows = labelled(images(folder, 36), network)
    portraits = [replace(row, label=LIVE, species="none") for row in rows[:4]]
    reports = package(folder / "phase2.safetensors", rows, portraits, CROPS, TERMS, out=folder / "spoofnet")
    return folder, reports, rows


def card_of(folder: Path) -> SpoofNetCard:
    return SpoofNetCard.model_validate_json((folder / "spoofnet" / "card.json").read_text())


@pytest.mark.slow
def test_the_card_pins_the_files_beside_it(released: tuple[Path, dict[Variant, Reports], list[Record]]) -> None:
    folder, _, _ = released
    for file in card_of(folder).files.values():
        assert hashlib.sha256((folder / "spoofnet" / file.name).read_bytes()).hexdigest() == file.sha256


def test_the_library_runs_what_was_released(released: tuple[Path, dict[Variant, Reports], list[Record]]) -> None:
    folder, reports, _ = released
    backend = Backend(weights_folder=folder)
    card = card_of(folder)
    assert backend.crops == CROPS
    assert reports[card.default_variant].test.threshold == backend.operating_points.balanced.threshold


def test_points_are_measured_on_val_alone(released: tuple[Path, dict[Variant, Reports], list[Record]]) -> None:
    folder, reports, rows = released
    live = sum(row.split == "val" and row.label == LIVE for row in rows)
    assert card_of(folder).operating_points["fp32"].balanced.bpcer.n == live
    assert {domain.domain for domain in reports["fp32"].test.domains} == {"test-a"}


def test_points_are_chosen_on_the_scores_that_the_library_gives(
    released: tuple[Path, dict[Variant, Reports], list[Record]],
) -> None:
    folder, _, rows = released
    points = card_of(folder).operating_points["fp32"]
    assert points.convenience is not None
    threshold = points.convenience.threshold
    val = [row for row in rows if row.split == "val"]
    scored = score_records(val, Backend(variant="fp32", weights_folder=folder))
    refused = sum(one.p_live < threshold for one in scored if one.record.label == LIVE)  # type: ignore[operator]
    assert points.convenience.bpcer.errors == refused


def test_the_card_reports_every_split_and_the_portraits(
    released: tuple[Path, dict[Variant, Reports], list[Record]],
) -> None:
    metrics = card_of(released[0]).metrics
    assert set(metrics) == {f"{v}/{part}" for v in ("fp32", "int8") for part in ("choice", "test", "portraits")}
    assert 0 <= float(metrics["fp32/test"]["macro_auc"]) <= 1  # type: ignore[arg-type]
    assert 0 < float(metrics["int8/choice"]["expected_calibration_error"]) < 1  # type: ignore[arg-type]
    assert metrics["fp32/portraits"]["bpcer"].interval.startswith("person bootstrap")  # type: ignore[union-attr]


def test_the_model_card_shows_the_measured_figures(
    released: tuple[Path, dict[Variant, Reports], list[Record]],
) -> None:
    folder, reports, _ = released
    card = card_of(folder)
    text = render_card(card, reports, TERMS)
    balanced = card.operating_points[card.default_variant].balanced
    assert f"| balanced | {balanced.threshold:.4f} |" in text
    assert "a square of 1.4 times" in text and "a mirrored square of 1.2 times" in text
    test = reports[card.default_variant].test.overall.apcer["print"]
    assert re.search(rf"\| print \| .* \| .*{test.errors} of {test.n} \|", text)
    assert "It fails in tests." in text and "Labels of a test." in text
    assert "| test-a |" in text and date.today().isoformat() in text and "$" not in text


def test_weights_to_train_on_from_are_kept_beside_the_onnx_files(
    released: tuple[Path, dict[Variant, Reports], list[Record]],
) -> None:
    kept = released[0] / "spoofnet" / "spoofnet.safetensors"
    assert kept.read_bytes() == (released[0] / "phase2.safetensors").read_bytes()
    assert any(isinstance(layer, torch.nn.BatchNorm2d) for layer in load_network(kept).modules())


def test_a_point_that_is_not_offered_is_said_so(released: tuple[Path, dict[Variant, Reports], list[Record]]) -> None:
    folder, reports, _ = released
    card = card_of(folder)
    points = {v: p.model_copy(update={"strict": None}) for v, p in card.operating_points.items()}
    text = render_card(card.model_copy(update={"operating_points": points}), reports, TERMS)
    assert "| strict | not offered | - | - |" in text


def test_a_folder_of_another_name_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a folder named spoofnet"):
        package(tmp_path / "absent", [], [], CROPS, TERMS, out=tmp_path / "weights")


def test_a_split_without_both_classes_of_a_domain_is_named() -> None:
    rows = [Record(Path("a.png"), label, "x", "d", split) for split in ("train", "val") for label in (LIVE, SPOOF)]
    with pytest.raises(UsageError, match="test has none such"):
        refuse_missing_splits([*rows, Record(Path("a.png"), LIVE, "none", "d", "test")])


def worse(report: EvaluationReport, *, auc: float = 0.0, acer: float = 0.0) -> EvaluationReport:
    """The report with a macro AUC lower and an ACER higher by so much."""
    overall = report.overall
    assert overall.macro_auc is not None and overall.acer is not None
    lower = overall.macro_auc.model_copy(update={"value": overall.macro_auc.value - auc})
    changed = overall.model_copy(update={"macro_auc": lower, "acer": overall.acer + acer})
    return report.model_copy(update={"overall": changed})


def test_left_out_domains_of_train_are_chosen_on_beside_val_and_nothing_else_is() -> None:
    rows = [
        Record(Path(f"{domain}.png"), LIVE, "none", domain, split)
        for domain, split in (("a", "train"), ("b", "train"), ("v", "val"), ("a", "test"), ("t", "test"))
    ]
    assert [(row.domain, row.split) for row in choice_records(rows, ("a",))] == [("a", "train"), ("v", "val")]
    assert [row.domain for row in choice_records(rows, ())] == ["v"]
    with pytest.raises(UsageError, match="no-such"):
        choice_records(rows, ("no-such",))


@pytest.mark.parametrize(("auc", "acer", "holds"), [(0.002, 0.002, True), (0.004, 0.0, False), (0.0, 0.004, False)])
def test_int8_is_the_default_only_where_it_loses_little(
    released: tuple[Path, dict[Variant, Reports], list[Record]], auc: float, acer: float, *, holds: bool
) -> None:
    fp32 = released[1]["fp32"].choice
    assert holds_int8(fp32, worse(fp32, auc=auc, acer=acer)) is holds


def test_the_terms_of_the_shipped_weights_are_complete() -> None:
    terms = load_terms(Path(__file__).parents[3] / "training" / "release" / "terms.toml")
    assert terms.training and "research" in terms.use

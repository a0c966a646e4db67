"""What a training made is measured like any backend: on the manifest's boxes, with nothing calibrated."""

import csv
import json
import math
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", exc_type=ImportError)

from rich.console import Console  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from faceauth.cropping.square import square_crop  # noqa: E402
from faceauth.errors import UsageError  # noqa: E402
from faceauth.evaluation.records import Record  # noqa: E402
from faceauth.evaluation.report import EvaluationReport  # noqa: E402
from faceauth.stages import CropSpec  # noqa: E402
from training.cli import main  # noqa: E402
from training.evaluate.trained_network import (  # noqa: E402
    TrainedNetwork,
    evaluate_network,
    load_on_device,
    validation_table,
)
from training.release.onnx_export import export_fp32  # noqa: E402
from training.train.network import SpoofNet  # noqa: E402
from training.train.recipe import Phase, Recipe  # noqa: E402

BOX = (20.0, 20.0, 44.0, 44.0)
SIZE = 32
WIDE = CropSpec(size_wh=(SIZE, SIZE), scale=2.0, kind="square", color="rgb")
CLOSE = replace(WIDE, scale=1.0, mirrored=True)


class Redness(nn.Module):
    """Logits of the mean of the red channel: it tells apart colours, colour orders and crops."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, crops: Tensor) -> Tensor:
        """Logits (B, 2) of normalised crops."""
        mean = self.gain * crops[:, 0].mean(dim=(1, 2))
        return torch.stack([mean, -mean], dim=1)


def rows_of(folder: Path, reds: list[int]) -> list[Record]:
    """Images of 64 x 64, red in the box and dark around it; even ones live, odd ones prints; two domains."""
    rows = []
    for number, red in enumerate(reds):
        image = np.full((64, 64, 3), 20, np.uint8)
        image[20:44, 20:44, 2] = red
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), image)
        species = ("none", "print")[number % 2]
        rows.append(Record(path, number % 2, species, f"cam{number // 4}", "val", box_xyxy=BOX, size_wh=(64, 64)))
    return rows


def write_manifest(rows: list[Record], file: Path) -> Path:
    columns = ("path", "label", "attack", "domain", "split", "box_x", "box_y", "box_w", "box_h")
    with file.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(columns)
        for row in rows:
            label = "live" if row.is_live else "spoof"
            out.writerow((row.path.name, label, row.species, row.domain, row.split, 20, 20, 24, 24))
    return file


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights of SpoofNet in a folder of their own."""
    torch.manual_seed(0)
    (tmp_path / "run").mkdir()
    save_file(SpoofNet().state_dict(), tmp_path / "run" / "phase1.safetensors")
    return tmp_path / "run" / "phase1.safetensors"


def p_live(record: Record, spec: CropSpec) -> float:
    """P(live) of ``Redness``, worked out apart from the code under test."""
    red = square_crop(cv2.imread(str(record.path)), BOX, spec).pixels[..., 2].mean() / 255
    return float(1 / (1 + math.exp(-2 * (red - 0.485) / 0.229)))


def test_p_live_is_that_of_the_logits_and_half_accepts(tmp_path: Path) -> None:
    records = rows_of(tmp_path, [250, 10, 200, 240, 240, 30, 40, 20])
    report, scored = evaluate_network(TrainedNetwork(Redness(), (CLOSE,)), records, name="w", data="toy val")
    assert [one.p_live for one in scored] == pytest.approx([p_live(r, CLOSE) for r in records], abs=1e-4)
    assert report.threshold == 0.5 and "not calibrated" in report.threshold_origin
    assert report.overall.apcer["print"].errors == 1 and report.overall.bpcer is not None
    assert report.overall.bpcer.errors == 1
    assert (report.backend, report.data) == ("w at 32 px, scale mirrored 1", "toy val")
    assert report.reference is not None and report.reference.confusion["spoof"] == {"live": 1, "spoof": 3}


def test_p_live_is_the_mean_over_the_crops_as_in_a_release(tmp_path: Path) -> None:
    records = rows_of(tmp_path, [250, 10, 200, 240])
    report, scored = evaluate_network(TrainedNetwork(Redness(), (WIDE, CLOSE)), records, name="w", data="toy")
    means = [np.mean([p_live(record, spec) for spec in (WIDE, CLOSE)]) for record in records]
    assert [one.p_live for one in scored] == pytest.approx(means, abs=1e-4)
    assert report.backend == "w at 32 px, scale 2 and mirrored 1"


def test_no_crops_give_no_scores() -> None:
    empty = np.empty((0, SIZE, SIZE, 3), np.uint8)
    assert TrainedNetwork(Redness(), (WIDE, CLOSE)).score([empty, empty]).shape == (0,)


def test_worse_images_are_measured_too_where_they_are_asked_for(tmp_path: Path) -> None:
    told: set[str] = set()
    report, _ = evaluate_network(
        TrainedNetwork(Redness(), (WIDE,)), rows_of(tmp_path, [250, 10]), name="w", data="toy", with_robustness=True,
        progress=lambda stage, done, total: told.add(stage),
    )  # fmt: skip
    assert report.robustness is not None and len(report.robustness) == 6
    assert told == {"images", "worse images"}


def test_a_training_and_its_release_score_alike(weights: Path, tmp_path: Path) -> None:
    export_fp32(SpoofNet().eval(), tmp_path / "other.onnx")
    export_fp32(load_on_device(weights), tmp_path / "same.onnx")
    crops = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    scores = {
        path.name: TrainedNetwork(load_on_device(path), (WIDE,)).score([crops])
        for path in (weights, tmp_path / "same.onnx", tmp_path / "other.onnx")
    }
    np.testing.assert_allclose(scores["same.onnx"], scores["phase1.safetensors"], atol=1e-5)
    assert np.abs(scores["other.onnx"] - scores["phase1.safetensors"]).max() > 1e-4


def test_what_is_not_spoofnet_is_said_so(tmp_path: Path) -> None:
    save_file({"layer": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match=r"other.safetensors does not hold SpoofNet"):
        load_on_device(tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match=r"are \.safetensors or \.onnx"):
        load_on_device(tmp_path / "other.toml")


def test_validations_are_shown_without_single_domains(tmp_path: Path) -> None:
    lines = [
        {"phase": 1, "step": 8, "loss": 0.61234, "macro_auc": 0.9, "auc/cam1": 0.9},
        {"phase": 2, "step": 8, "loss": 0.5, "macro_auc": 0.8, "bpcer_portraits": 0.75},
    ]
    (tmp_path / "validations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    console = Console(width=100)
    with console.capture() as shown:
        console.print(validation_table(tmp_path / "validations.jsonl"))
    assert [line.split() for line in shown.get().splitlines()] == [
        ["phase", "step", "loss", "macro_auc", "bpcer_portraits"],
        ["1", "8", "0.61234", "0.9", "-"],
        ["2", "8", "0.5", "0.8", "0.75"],
    ]


def run(*arguments: object) -> tuple[int, str, str]:
    ran = CliRunner().invoke(main, ["evaluate", *map(str, arguments)])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.exit_code, ran.stdout, ran.stderr


@pytest.fixture
def with_recipe(weights: Path) -> Path:
    """The same weights with the recipe of their training beside them."""
    phase = Phase(size=SIZE, views=8, batch_size=4, lr=1e-3)
    recipe = Recipe(name="a", scale=1.5, close_scale=1.2, phases=(phase,))
    (weights.parent / "recipe.json").write_text(recipe.model_dump_json(exclude={"precision"}))
    return weights


@pytest.mark.slow
def test_the_command_shows_validations_and_the_whole_report_and_writes_it(with_recipe: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (with_recipe.parent / "validations.jsonl").write_text('{"phase": 1, "macro_auc": 0.75}\n')
    manifest = write_manifest(rows_of(tmp_path, [250, 10, 200, 240, 240, 30, 40, 20]), tmp_path / "m.csv")
    out, page = tmp_path / "out.json", tmp_path / "page.html"
    code, said, _ = run(with_recipe, "--manifest", manifest, "--json", out, "--html", page)
    assert code == 0
    head, rates = said.split("backend ")
    assert head.split() == ["phase", "macro_auc", "1", "0.75"]
    for part in ("cam0", "cam1", "As a classifier: accuracy", "mean confidence", "not calibrated", "scale 1.5"):
        assert part in " ".join(rates.split())
    assert EvaluationReport.model_validate_json(out.read_text()).overall.n_live == 4
    assert "publish or commit" in page.read_text()


def test_test_is_scored_only_where_it_is_asked_for(with_recipe: Path, tmp_path: Path) -> None:
    records = rows_of(tmp_path, [250, 10, 200, 240])
    records[2:] = [Record(r.path, r.label, r.species, "unseen", "test", box_xyxy=BOX) for r in records[2:]]
    manifest = write_manifest(records, tmp_path / "m.csv")
    assert "unseen" not in run(with_recipe, "--manifest", manifest)[1]
    _, said, _ = run(with_recipe, "--manifest", manifest, "--split", "test")
    assert f"at {SIZE} px, scale 1.5 and mirrored 1.2" in said
    assert "unseen" in said and "cam0" not in said and "m.csv test" in said


def test_released_weights_are_shown_what_their_card_says(tmp_path: Path) -> None:
    manifest = write_manifest(rows_of(tmp_path, [250, 10]), tmp_path / "m.csv")
    released = files("faceauth.weights") / "spoofnet"
    assert "at 224 px, scale 2.2 and mirrored 1.2" in run(released / "spoofnet.onnx", "--manifest", manifest)[1]
    (tmp_path / "card.json").write_text("{}")
    (tmp_path / "spoofnet.onnx").write_bytes((released / "spoofnet.onnx").read_bytes())
    code, _, error = run(tmp_path / "spoofnet.onnx", "--manifest", manifest)
    assert code == 1 and "of another version" in error


def test_what_cannot_be_measured_is_one_sentence(with_recipe: Path, tmp_path: Path) -> None:
    manifest = write_manifest(rows_of(tmp_path, [250, 10]), tmp_path / "m.csv")
    code, said, error = run(with_recipe, "--manifest", manifest, "--split", "test")
    assert code == 1 and "no record of the splits test" in error and "Traceback" not in said
    (with_recipe.parent / "recipe.json").unlink()
    code, said, error = run(with_recipe, "--manifest", manifest)
    assert code == 1 and "There is no recipe.json or card.json" in error and "Traceback" not in said
    assert run(manifest, "--manifest", manifest)[0] == 1

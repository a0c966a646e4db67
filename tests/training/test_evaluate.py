"""What a training made is measured like any backend: on the manifest's boxes, with nothing calibrated."""

import csv
import json
import math
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
from training.cli import main  # noqa: E402
from training.config import TrainConfig, ViewSettings  # noqa: E402
from training.evaluate import TrainedNetwork, epoch_table, evaluate_network, load  # noqa: E402
from training.export import export_fp32  # noqa: E402
from training.network import SpoofNet  # noqa: E402

BOX = (20.0, 20.0, 44.0, 44.0)
SIZE = 32


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
    """Pictures of 64 x 64, red in the box and dark around it; even ones live, odd ones prints; two domains."""
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
    save_file(SpoofNet().state_dict(), tmp_path / "run" / "best.safetensors")
    return tmp_path / "run" / "best.safetensors"


def logit(row: Record, scale: float) -> float:
    """Live logit minus spoof logit of ``Redness``, worked out apart from the code under test."""
    spec = TrainedNetwork(Redness(), scale=scale, size=SIZE).crop
    red = square_crop(cv2.imread(str(row.path)), BOX, spec).pixels[..., 0].mean() / 255
    return float(2 * (red - 0.485) / 0.229)


def test_p_live_is_that_of_the_logits_and_half_accepts(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, [250, 10, 200, 240, 240, 30, 40, 20])
    report, scored = evaluate_network(Redness(), rows, scales=[1.0], size=SIZE, name="w", data="toy val")
    assert [one.p_live for one in scored] == pytest.approx([1 / (1 + math.exp(-logit(r, 1.0))) for r in rows], abs=1e-4)
    assert report.threshold == 0.5 and "not calibrated" in report.threshold_origin
    assert report.overall.apcer["print"].errors == 1 and report.overall.bpcer is not None
    assert report.overall.bpcer.errors == 1
    assert (report.backend, report.data) == ("w at 32 px, scale 1", "toy val")
    assert report.reference is not None and report.reference.confusion["spoof"] == {"live": 1, "spoof": 3}


def test_logits_of_several_scales_are_averaged(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, [250, 10, 200, 240])
    _, scored = evaluate_network(Redness(), rows, scales=[1.0, 2.0], size=SIZE, name="w", data="toy")
    means = [(logit(row, 1.0) + logit(row, 2.0)) / 2 for row in rows]
    assert [one.p_live for one in scored] == pytest.approx([1 / (1 + math.exp(-mean)) for mean in means], abs=1e-4)
    assert [one.record for one in scored] == rows and scored[0].context == pytest.approx(64 / 24)


def test_a_certain_score_stays_one_when_it_is_averaged(tmp_path: Path) -> None:
    certain = Redness()
    certain.gain.data *= 1000
    rows = rows_of(tmp_path, [250, 10])
    _, scored = evaluate_network(certain, rows, scales=[1.0, 1.1], size=SIZE, name="w", data="toy")
    assert [one.p_live for one in scored] == pytest.approx([1, 0], abs=1e-6)


def test_a_mirrored_view_is_averaged_as_in_a_release(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, [250, 10, 200, 240])
    report, scored = evaluate_network(
        Redness(), rows, scales=[2.0], mirrored_scale=1.0, size=SIZE, name="w", data="toy"
    )
    means = [np.mean([1 / (1 + math.exp(-logit(row, scale))) for scale in (2.0, 1.0)]) for row in rows]
    assert [one.p_live for one in scored] == pytest.approx(means, abs=1e-4)
    assert report.backend == "w at 32 px, scale 2 and mirrored 1"
    with pytest.raises(UsageError, match="one scale"):
        evaluate_network(Redness(), rows, scales=[1, 2], mirrored_scale=1.0, size=SIZE, name="w", data="toy")


def test_no_crops_give_no_scores() -> None:
    assert TrainedNetwork(Redness(), scale=2.0, size=SIZE).score(np.empty((0, SIZE, SIZE, 3), np.uint8)).shape == (0,)


def test_worse_pictures_are_measured_at_one_scale(tmp_path: Path) -> None:
    rows, told = rows_of(tmp_path, [250, 10]), set()
    report, _ = evaluate_network(
        Redness(), rows, scales=[1.0], size=SIZE, name="w", data="toy", with_robustness=True,
        progress=lambda stage, done, total: told.add(stage),
    )  # fmt: skip
    assert report.robustness is not None and len(report.robustness) == 6
    assert told == {"scale 1", "worse pictures"}
    with pytest.raises(UsageError, match="one scale"):
        evaluate_network(Redness(), rows, scales=[1, 2], size=SIZE, name="w", data="toy", with_robustness=True)


def test_a_training_and_its_release_score_alike(weights: Path, tmp_path: Path) -> None:
    network = load(weights)
    export_fp32(SpoofNet().eval(), tmp_path / "other.onnx")
    export_fp32(network, tmp_path / "same.onnx")
    crops = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    p_live = {
        path.name: TrainedNetwork(load(path), scale=2.0, size=SIZE).score(crops)
        for path in (weights, tmp_path / "same.onnx", tmp_path / "other.onnx")
    }
    np.testing.assert_allclose(p_live["same.onnx"], p_live["best.safetensors"], atol=1e-5)
    assert np.abs(p_live["other.onnx"] - p_live["best.safetensors"]).max() > 1e-4


def test_what_is_not_spoofnet_is_said_so(tmp_path: Path) -> None:
    save_file({"layer": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match=r"other.safetensors does not hold SpoofNet"):
        load(tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match=r"are \.safetensors or \.onnx"):
        load(tmp_path / "other.toml")


def test_epochs_are_shown_without_single_domains_and_the_best_is_marked(tmp_path: Path) -> None:
    lines = [
        {"epoch": 1, "loss": 0.61234, "macro_auc": 0.9, "auc/cam1": 0.9, "macro_auc@2.0": 0.9},
        {"epoch": 2, "loss": 0.5, "macro_auc": 0.8, "portraits_live": 0.75},
    ]
    (tmp_path / "epochs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    console = Console(width=100)
    with console.capture() as shown:
        console.print(epoch_table(tmp_path / "epochs.jsonl"))
    assert [line.split() for line in shown.get().splitlines()] == [
        ["epoch", "loss", "macro_auc", "portraits_live", "best"],
        ["1", "0.61234", "0.9", "-", "*"],
        ["2", "0.5", "0.8", "0.75"],
    ]


def run(*arguments: object) -> tuple[int, str, str]:
    ran = CliRunner().invoke(main, ["evaluate", *map(str, arguments)])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.exit_code, ran.stdout, ran.stderr


def test_the_command_shows_epochs_and_the_whole_report_and_writes_it(weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (weights.parent / "epochs.jsonl").write_text('{"epoch": 1, "macro_auc": 0.75}\n')
    manifest = write_manifest(rows_of(tmp_path, [250, 10, 200, 240, 240, 30, 40, 20]), tmp_path / "m.csv")
    out, page = tmp_path / "out.json", tmp_path / "page.html"
    code, said, _ = run(weights, "--manifest", manifest, "--scale", 1.5, "--size", SIZE, "--json", out, "--html", page)
    assert code == 0
    head, rates = said.split("backend ")
    assert head.split() == ["epoch", "macro_auc", "best", "1", "0.75", "*"]
    for part in ("cam0", "cam1", "As a classifier: accuracy", "mean confidence", "not calibrated", "scale 1.5"):
        assert part in rates
    assert EvaluationReport.model_validate_json(out.read_text()).overall.n_live == 4
    assert "do not publish" in page.read_text()


def test_test_is_scored_only_where_it_is_asked_for(weights: Path, tmp_path: Path) -> None:
    rows = rows_of(tmp_path, [250, 10, 200, 240])
    rows[2:] = [Record(r.path, r.label, r.species, "unseen", "test", box_xyxy=BOX) for r in rows[2:]]
    manifest = write_manifest(rows, tmp_path / "m.csv")
    recipe = TrainConfig(name="a", epochs=1, scales=(1.5, 2.0), view=ViewSettings(size=SIZE))
    (weights.parent / "recipe.json").write_text(recipe.model_dump_json(exclude={"epochs"}))
    assert "unseen" not in run(weights, "--manifest", manifest)[1]
    _, said, _ = run(weights, "--manifest", manifest, "--split", "test")
    assert f"at {SIZE} px, scale 1.5 + 2" in said
    assert "unseen" in said and "cam0" not in said and "m.csv test" in said


def test_the_second_view_is_the_recipes_unless_scales_are_named(weights: Path, tmp_path: Path) -> None:
    manifest = write_manifest(rows_of(tmp_path, [250, 10, 200, 240]), tmp_path / "m.csv")
    recipe = TrainConfig(name="a", epochs=1, scales=(2.0,), mirrored_scale=1.5, view=ViewSettings(size=SIZE))
    (weights.parent / "recipe.json").write_text(recipe.model_dump_json(exclude={"epochs"}))
    assert "scale 2 and mirrored 1.5" in run(weights, "--manifest", manifest)[1]
    assert "scale 2 and mirrored 1.2" in run(weights, "--manifest", manifest, "--mirrored-scale", 1.2)[1]
    assert "mirrored" not in run(weights, "--manifest", manifest, "--scale", 1.1)[1]


def test_released_weights_are_shown_what_their_card_says(tmp_path: Path) -> None:
    manifest = write_manifest(rows_of(tmp_path, [250, 10]), tmp_path / "m.csv")
    released = files("faceauth.weights.store") / "spoofnet"
    assert "at 224 px, scale 2.2 and mirrored 1.2" in run(released / "spoofnet.onnx", "--manifest", manifest)[1]
    (tmp_path / "card.json").write_text("{}")
    (tmp_path / "spoofnet.onnx").write_bytes((released / "spoofnet.onnx").read_bytes())
    code, _, error = run(tmp_path / "spoofnet.onnx", "--manifest", manifest)
    assert code == 1 and "of another version" in error


def test_what_cannot_be_measured_is_one_sentence(weights: Path, tmp_path: Path) -> None:
    manifest = write_manifest(rows_of(tmp_path, [250, 10]), tmp_path / "m.csv")
    (weights.parent / "recipe.json").unlink(missing_ok=True)
    code, said, error = run(weights, "--manifest", manifest)
    assert code == 1 and "give --scale and --size" in error and "Traceback" not in said
    code, said, error = run(weights, "--manifest", manifest, "--split", "test", "--scale", 2, "--size", SIZE)
    assert code == 1 and "no record of the splits test" in error and "Traceback" not in said
    assert run(manifest, "--manifest", manifest)[0] == 1

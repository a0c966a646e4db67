"""Weights are compared on what no training saw, shown in the same ways to each of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from click.testing import CliRunner  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from faceauth.errors import UsageError  # noqa: E402
from faceauth.stages import CropSpec  # noqa: E402
from training.cli import main  # noqa: E402
from training.data.manifests import LIVE, SPOOF  # noqa: E402
from training.data.shards import Shards, complete, save_shard  # noqa: E402
from training.evaluate import weights_comparison  # noqa: E402
from training.evaluate.trained_network import TrainedNetwork  # noqa: E402
from training.evaluate.weights_comparison import (  # noqa: E402
    CHANGED,
    TRIALS,
    Errors,
    Face,
    Trial,
    comparison_table,
    errors_in,
    trials,
)
from training.train.network import SpoofNet  # noqa: E402
from training.train.recipe import Recipe  # noqa: E402

WIDE = CropSpec(size_wh=(32, 32), scale=1.8, kind="square", color="rgb")
SPECS = (WIDE, replace(WIDE, scale=1.4, mirrored=True))


@pytest.fixture(autouse=True)
def few_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_comparison, "SIMULATED", 3)


class Brightness(nn.Module):
    """Takes views brighter than ``level`` (of 255) for live."""

    def __init__(self, level: float, sign: float = 1.0) -> None:
        super().__init__()
        self.level, self.sign = nn.Parameter(torch.tensor(float(level))), sign

    def forward(self, x: Tensor) -> Tensor:
        brighter = self.sign * ((x.mean(dim=(1, 2, 3)) * 0.226 + 0.449) * 255 - self.level)
        return torch.stack([brighter, -brighter], dim=1)


def seen_by(level: float, sign: float = 1.0) -> TrainedNetwork:
    return TrainedNetwork(Brightness(level, sign), SPECS)


def of_grey(values: list[tuple[int, int, str]]) -> Trial:
    """Faces of one shade, label and domain each, two equal crops a face."""
    faces = [Face(np.full((8, 8, 3), v, np.uint8), (1.0, 1.0, 7.0, 7.0), label, d) for v, label, d in values]
    crops = np.stack([face.image for face in faces])
    return Trial("grey", faces, [crops, crops])


def test_errors_are_counted_by_class_and_domain() -> None:
    trial = of_grey([(200, LIVE, "a"), (90, LIVE, "a"), (90, SPOOF, "a"), (220, LIVE, "b"), (210, SPOOF, "b")])
    found = errors_in(trial, seen_by(128))
    assert found == Errors(apcer={"a": 0.0, "b": 1.0}, bpcer={"a": 0.5, "b": 0.0})
    assert found.mean() == pytest.approx((0.5 + 0.25) / 2)
    assert errors_in(trial, seen_by(128, sign=-1)) == Errors(apcer={"a": 1.0, "b": 0.0}, bpcer={"a": 0.5, "b": 1.0})


def test_a_trial_of_one_class_has_the_errors_of_that_class() -> None:
    found = errors_in(of_grey([(90, LIVE, "portraits"), (200, LIVE, "portraits")]), seen_by(128))
    assert found == Errors(apcer={}, bpcer={"portraits": 0.5}) and found.mean() == 0.5


def test_only_what_no_training_saw_is_shown_and_the_same_each_time(tiny_shards: Shards) -> None:
    first, second = list(trials(tiny_shards, SPECS)), list(trials(tiny_shards, SPECS))
    assert [t.name for t in first] == [t.name for t in second] and len(first) == TRIALS
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.crops, other.crops)
        assert [crops.shape for crops in one.crops] == [(len(one.faces), 32, 32, 3)] * 2
    assert {p.domain for t in first for p in t.faces} == {"v", "portraits", "simulated"}
    assert {t.name: len(t.faces) for t in first} == {
        "val": 12,
        "val ending at the face": 4,
        "portraits": 4,
        "portraits ending at the face": 4,
        "simulated attacks": 3,
        "some of these in six worse ways": 6 * (1 + 1 + 1),
    }


def test_an_image_that_ends_at_the_face_still_shows_it(tiny_shards: Shards) -> None:
    """In the middle of the second crop, far inside the face."""
    by_name = {t.name: t.crops[1][:, 12:20, 12:20].astype(float) for t in trials(tiny_shards, SPECS)}
    plain, cut = by_name["val"][::CHANGED].mean(axis=(1, 2)), by_name["val ending at the face"].mean(axis=(1, 2))
    assert np.corrcoef(plain.ravel(), cut.ravel())[0, 1] > 0.8


def test_all_frames_of_val_are_shown_and_one_in_so_many_of_each_class_in_other_ways(tiny_shards: Shards) -> None:
    by_name = {t.name: t.faces for t in trials(tiny_shards, SPECS)}
    assert [p.label for p in by_name["val"]] == [LIVE] * 6 + [SPOOF] * 6
    assert [p.label for p in by_name["val ending at the face"]] == [LIVE] * 2 + [SPOOF] * 2


@pytest.mark.parametrize("origin", ["real", "portrait"])
def test_shards_without_val_or_portraits_are_refused(tiny_shards: Shards, origin: str) -> None:
    split = np.where((tiny_shards.origin == origin) & (tiny_shards.split == "val"), "test", tiny_shards.split)
    with pytest.raises(UsageError, match="lack frames of val"):
        next(trials(replace(tiny_shards, split=split), SPECS))


def test_a_table_has_a_column_for_each_network_and_a_row_for_each_domain_of_val() -> None:
    good, bad = Errors({"v": 0.0}, {"v": 0.1}), Errors({"v": 0.5}, {"v": 0.2})
    table = comparison_table({"val": [good, bad], "portraits": [Errors({}, {"p": 0.25})] * 2}, ["good", "bad"])
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == ["val", "  v", "portraits", "mean error of the trials"]
    assert cells[1] == ["0.0, 10.0", "0.0, 10.0", "-, 25.0", "15.00"]
    assert cells[2] == ["50.0, 20.0", "50.0, 20.0", "-, 25.0", "30.00"]


def test_the_command_compares_files_of_weights(
    tiny_shards: Shards, network: SpoofNet, smoke: Recipe, tmp_path: Path
) -> None:
    save_shard(tmp_path / "tiny.npz", tiny_shards)
    complete(tmp_path, "prepared", [tmp_path / "tiny.npz"])
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        save_file(network.state_dict(), tmp_path / name / "phase2.safetensors")
        (tmp_path / name / "recipe.json").write_text(smoke.model_dump_json())
    files = [str(tmp_path / name / "phase2.safetensors") for name in ("one", "other")]
    result = CliRunner().invoke(main, ["compare", *files, "--shards", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "one/phase2" in result.output and "other/phase2" in result.output
    mean = next(line for line in result.output.splitlines() if line.startswith("mean error")).split()
    assert mean[-1] == mean[-2]

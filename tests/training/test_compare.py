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
from training import compare  # noqa: E402
from training.cli import main  # noqa: E402
from training.compare import CHANGED, TRIALS, Errors, Picture, Trial, comparison, errors, trials  # noqa: E402
from training.network import SpoofNet  # noqa: E402
from training.packs import Pack, finish, save  # noqa: E402
from training.records import LIVE, SPOOF  # noqa: E402

SPEC = CropSpec(size_wh=(32, 32), scale=1.8, kind="square", color="rgb", mirrored_scale=1.4)


@pytest.fixture(autouse=True)
def few_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "SIMULATED", 3)


class Brightness(nn.Module):
    """Takes views brighter than ``level`` (of 255) for live."""

    def __init__(self, level: float, sign: float = 1.0) -> None:
        super().__init__()
        self.level, self.sign = nn.Parameter(torch.tensor(float(level))), sign

    def forward(self, x: Tensor) -> Tensor:
        brighter = self.sign * ((x.mean(dim=(1, 2, 3)) * 0.226 + 0.449) * 255 - self.level)
        return torch.stack([brighter, -brighter], dim=1)


def of_grey(values: list[tuple[int, int, str]]) -> Trial:
    """Pictures of one shade, label and domain each, two equal views a picture."""
    pictures = [Picture(np.full((8, 8, 3), v, np.uint8), (1.0, 1.0, 7.0, 7.0), label, d) for v, label, d in values]
    return Trial("grey", pictures, np.stack([p.image for p in pictures for _ in range(2)]))


def test_errors_are_counted_by_class_and_domain() -> None:
    trial = of_grey([(200, LIVE, "a"), (90, LIVE, "a"), (90, SPOOF, "a"), (220, LIVE, "b"), (210, SPOOF, "b")])
    found = errors(Brightness(128), trial)
    assert found == Errors(apcer={"a": 0.0, "b": 1.0}, bpcer={"a": 0.5, "b": 0.0})
    assert found.mean() == pytest.approx((0.5 + 0.25) / 2)
    assert errors(Brightness(128, sign=-1), trial) == Errors(apcer={"a": 1.0, "b": 0.0}, bpcer={"a": 0.5, "b": 1.0})


def test_a_trial_of_one_class_has_the_errors_of_that_class() -> None:
    found = errors(Brightness(128), of_grey([(90, LIVE, "portraits"), (200, LIVE, "portraits")]))
    assert found == Errors(apcer={}, bpcer={"portraits": 0.5}) and found.mean() == 0.5


def test_only_what_no_training_saw_is_shown_and_the_same_each_time(tiny_pack: Pack) -> None:
    first, second = list(trials(tiny_pack, SPEC)), list(trials(tiny_pack, SPEC))
    assert [t.name for t in first] == [t.name for t in second] and len(first) == TRIALS
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.crops, other.crops)
        assert one.crops.shape == (2 * len(one.pictures), 32, 32, 3)
    assert {p.domain for t in first for p in t.pictures} == {"v", "portraits", "simulated"}
    assert {t.name: len(t.pictures) for t in first} == {
        "val": 12,
        "val ending at the face": 4,
        "val before furniture": 4,
        "portraits": 4,
        "portraits ending at the face": 4,
        "simulated attacks": 3,
        "some of these in six worse ways": 6 * (1 + 1 + 1),
    }


def test_furniture_and_cutting_leave_the_face_where_it_is(tiny_pack: Pack) -> None:
    """In the middle of the second view, far inside the face."""
    by_name = {t.name: t.crops[1::2, 12:20, 12:20].astype(float) for t in trials(tiny_pack, SPEC)}
    changed = by_name["val"][::CHANGED]
    assert np.abs(by_name["val before furniture"] - changed).mean() < 8
    plain, cut = changed.mean(axis=(1, 2)), by_name["val ending at the face"].mean(axis=(1, 2))
    assert np.corrcoef(plain.ravel(), cut.ravel())[0, 1] > 0.8


def test_all_frames_of_val_are_shown_and_one_in_so_many_of_each_class_in_other_ways(tiny_pack: Pack) -> None:
    by_name = {t.name: t.pictures for t in trials(tiny_pack, SPEC)}
    assert [p.label for p in by_name["val"]] == [LIVE] * 6 + [SPOOF] * 6
    assert [p.label for p in by_name["val ending at the face"]] == [LIVE] * 2 + [SPOOF] * 2


@pytest.mark.parametrize("origin", ["real", "portrait"])
def test_packs_without_val_or_portraits_are_refused(tiny_pack: Pack, origin: str) -> None:
    split = np.where((tiny_pack.origin == origin) & (tiny_pack.split == "val"), "test", tiny_pack.split)
    with pytest.raises(UsageError, match="lack frames of val"):
        next(trials(replace(tiny_pack, split=split), SPEC))


def test_a_table_has_a_column_for_each_network_and_a_row_for_each_domain_of_val() -> None:
    good, bad = Errors({"v": 0.0}, {"v": 0.1}), Errors({"v": 0.5}, {"v": 0.2})
    table = comparison({"val": [good, bad], "portraits": [Errors({}, {"p": 0.25})] * 2}, ["good", "bad"])
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == ["val", "  v", "portraits", "mean error of the trials"]
    assert cells[1] == ["0.0, 10.0", "0.0, 10.0", "-, 25.0", "15.00"]
    assert cells[2] == ["50.0, 20.0", "50.0, 20.0", "-, 25.0", "30.00"]


def test_the_command_compares_files_of_weights(tiny_pack: Pack, network: SpoofNet, tmp_path: Path) -> None:
    save(tmp_path / "tiny.npz", tiny_pack)
    finish(tmp_path, [tmp_path / "tiny.npz"])
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        save_file(network.state_dict(), tmp_path / name / "last.safetensors")
    files = [str(tmp_path / name / "last.safetensors") for name in ("one", "other")]
    result = CliRunner().invoke(main, ["compare", *files, "--packs", str(tmp_path), "--scale", "1.8"])
    assert result.exit_code == 0, result.output
    assert "one/last" in result.output and "other/last" in result.output
    mean = next(line for line in result.output.splitlines() if line.startswith("mean error")).split()
    assert mean[-1] == mean[-2]

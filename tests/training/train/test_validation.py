"""Validation scores what was not trained on, domain by domain, with the crops of a release."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from torch import Tensor, nn  # noqa: E402

import training.train.validation  # noqa: E402
from faceauth.errors import UsageError  # noqa: E402
from training.data.shards import Shards  # noqa: E402
from training.train.recipe import Recipe  # noqa: E402
from training.train.validation import refuse_nothing_to_validate, scored, validation_figures  # noqa: E402

SIZE = 32


class Brightness(nn.Module):
    """Calls bright crops live; tiny attacks are dark."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.sign = nn.Parameter(torch.tensor(sign))

    def forward(self, crops: Tensor) -> Tensor:
        """Logits (B, 2)."""
        mean = crops.mean(dim=(1, 2, 3)) * self.sign
        return torch.stack([mean, -mean], dim=1)


def test_a_network_that_sees_the_difference_is_right_and_its_opposite_wrong(tiny_shards: Shards, smoke: Recipe) -> None:
    right, wrong = (validation_figures(Brightness(sign), tiny_shards, smoke, SIZE) for sign in (1.0, -1.0))
    assert right["macro_auc"] > 0.9 > 0.1 > wrong["macro_auc"]
    assert right["error"] < wrong["error"]
    assert right["error"] == pytest.approx((right["macro_hter"] + 1 - right["macro_auc"]) / 2, abs=1e-4)


def test_only_val_and_held_out_domains_are_scored(tiny_shards: Shards, smoke: Recipe) -> None:
    figures = validation_figures(Brightness(), tiny_shards, smoke, SIZE)
    assert {name for name in figures if "/" in name} == {"auc/v", "hter/v"}
    held = validation_figures(Brightness(), tiny_shards, smoke.model_copy(update={"hold_out": ("small",)}), SIZE)
    assert {name for name in held if name.startswith("auc/")} == {"auc/v", "auc/small"}
    assert held["macro_auc"] == pytest.approx((held["auc/v"] + held["auc/small"]) / 2, abs=1e-4)


def test_of_many_held_out_portraits_all_folders_are_scored(
    tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of the four that are held out: every second, not the first two."""
    monkeypatch.setattr(training.train.validation, "PORTRAITS", 2)
    seen = []
    monkeypatch.setattr(
        training.train.validation, "scored", lambda n, c, chosen, *_: seen.append(chosen) or np.zeros(len(chosen))
    )
    validation_figures(Brightness(), tiny_shards, smoke, SIZE)
    held_out = np.flatnonzero((tiny_shards.origin == "portrait") & (tiny_shards.split == "val"))
    assert seen[-1].tolist() == held_out[[0, 2]].tolist()


def test_p_live_is_the_mean_over_the_crops_of_a_release(tiny_shards: Shards, smoke: Recipe) -> None:
    chosen, exact = np.flatnonzero(tiny_shards.split == "val"), smoke.computed_in("32-true")
    wide, close = (
        scored(Brightness(), tiny_shards, chosen, exact.model_copy(update={"scale": scale}), SIZE)
        for scale in (2.2, 1.2)
    )
    both = scored(Brightness(), tiny_shards, chosen, exact.model_copy(update={"close_scale": 1.2}), SIZE)
    np.testing.assert_allclose(both, (wide + close) / 2, atol=1e-5)
    assert not np.allclose(wide, close)


@pytest.mark.parametrize(("precision", "is_mixed"), [("bf16-mixed", True), ("32-true", False)])
def test_scores_have_the_precision_of_the_recipe(
    precision: str, is_mixed: bool, tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = []
    monkeypatch.setattr(
        training.train.validation,
        "logits_of",
        lambda *_: mixed.append(torch.is_autocast_enabled("cpu")) or np.zeros(1, np.float32),
    )
    scored(Brightness(), tiny_shards, np.array([0]), smoke.model_copy(update={"precision": precision}), SIZE)
    assert mixed == [is_mixed]


def test_nothing_to_validate_on_is_one_sentence(tiny_shards: Shards, smoke: Recipe) -> None:
    from dataclasses import replace

    refuse_nothing_to_validate(tiny_shards, smoke)
    with pytest.raises(UsageError, match="val holds no domain"):
        refuse_nothing_to_validate(replace(tiny_shards, split=np.full(len(tiny_shards), "train")), smoke)

"""Validation scores what was not trained on, per domain, and every context scale apart."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from torch import Tensor, nn  # noqa: E402

import training.validate  # noqa: E402
from training.config import DataSettings, TrainConfig  # noqa: E402
from training.packs import Pack  # noqa: E402
from training.validate import p_live, score_pack, validate  # noqa: E402


class Brightness(nn.Module):
    """Calls bright crops live; attacks of the tiny pack are dark."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.sign = nn.Parameter(torch.tensor(sign))

    def forward(self, crops: Tensor) -> Tensor:
        """Logits (B, 2)."""
        mean = crops.mean(dim=(1, 2, 3)) * self.sign
        return torch.stack([mean, -mean], dim=1)


def test_a_network_that_sees_the_difference_is_right_and_its_opposite_wrong(
    tiny_pack: Pack, smoke: TrainConfig
) -> None:
    assert validate(Brightness(), tiny_pack, smoke)["macro_auc"] > 0.9
    assert validate(Brightness(-1.0), tiny_pack, smoke)["macro_auc"] < 0.1


def test_only_val_and_held_out_domains_are_scored(tiny_pack: Pack, smoke: TrainConfig) -> None:
    assert {name for name in validate(Brightness(), tiny_pack, smoke) if name.startswith("auc/")} == {"auc/v"}
    held = smoke.model_copy(update={"data": DataSettings(hold_out=("small",))})
    result = validate(Brightness(), tiny_pack, held)
    assert {name for name in result if name.startswith("auc/")} == {"auc/v", "auc/small"}
    assert result["macro_auc"] == pytest.approx((result["auc/v"] + result["auc/small"]) / 2, abs=1e-4)


def test_of_many_held_out_portraits_all_folders_are_scored(
    tiny_pack: Pack, smoke: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of the four that are held out: every second, not the first two."""
    monkeypatch.setattr(training.validate, "PORTRAITS", 2)
    scored = []
    monkeypatch.setattr(
        training.validate, "score_pack", lambda n, c, chosen, *_: scored.append(chosen) or np.zeros(len(chosen))
    )
    validate(Brightness(), tiny_pack, smoke)
    held_out = np.flatnonzero((tiny_pack.origin == "portrait") & (tiny_pack.split == "val"))
    assert scored[-1].tolist() == held_out[[0, 2]].tolist()


def test_each_scale_has_a_figure_beside_that_of_their_mean(tiny_pack: Pack, smoke: TrainConfig) -> None:
    result = validate(Brightness(), tiny_pack, smoke.model_copy(update={"scales": (1.2, 2.0)}))
    assert {"macro_auc", "macro_auc@1.2", "macro_auc@2.0"} <= set(result)


def test_a_score_is_the_live_logit_minus_the_spoof_logit(tiny_pack: Pack, smoke: TrainConfig) -> None:
    chosen = np.flatnonzero(tiny_pack.split == "val")
    logits = score_pack(Brightness(), tiny_pack, chosen, 2.0, smoke)
    assert logits.shape == (len(chosen),) and logits.dtype == np.float32
    np.testing.assert_allclose(logits, -score_pack(Brightness(-1.0), tiny_pack, chosen, 2.0, smoke))


@pytest.mark.parametrize(("precision", "is_mixed"), [("bf16-mixed", True), ("32-true", False)])
def test_scores_have_the_precision_of_the_recipe(
    precision: str, is_mixed: bool, tiny_pack: Pack, smoke: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = []
    monkeypatch.setattr(
        training.validate, "score", lambda *_: mixed.append(torch.is_autocast_enabled("cpu")) or np.zeros(1)
    )
    score_pack(Brightness(), tiny_pack, np.array([0]), 2.0, smoke.model_copy(update={"precision": precision}))
    assert mixed == [is_mixed]


def test_p_live_rises_with_the_logit_and_is_a_half_at_zero() -> None:
    np.testing.assert_allclose(p_live(np.array([-2.0, 0.0, 2.0], np.float32)), [0.1192, 0.5, 0.8808], atol=1e-4)

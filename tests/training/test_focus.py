"""Errors are counted on what is trained on alone, and what a network gets wrong is drawn more often."""

from collections.abc import Mapping
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("lightning_fabric")

from torch import Tensor, nn  # noqa: E402

import training.train as training_train  # noqa: E402
from training.config import DataSettings, TrainConfig  # noqa: E402
from training.focus import measure_errors  # noqa: E402
from training.packs import Pack  # noqa: E402
from training.sampling import BalancedBatches  # noqa: E402
from training.train import train  # noqa: E402

BETWEEN = -0.2  # normalised; live pictures of the tiny pack lie near 0.2, attacks at 0.6 of their brightness near -0.6


class Bright(nn.Module):
    """Takes bright crops for live."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(10.0))

    def forward(self, crops: Tensor) -> Tensor:
        """Logits (B, 2)."""
        logit = self.gain * (crops.mean(dim=(1, 2, 3)) - BETWEEN)
        return torch.stack([logit, -logit], dim=1)


class Sure(nn.Module):
    """Takes every crop for live, or for spoof."""

    def __init__(self, live: bool) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(3.0 if live else -3.0))

    def forward(self, crops: Tensor) -> Tensor:
        """Logits (B, 2)."""
        return torch.stack([self.logit, -self.logit]).expand(len(crops), 2)


@pytest.mark.parametrize("live", [True, False])
def test_an_error_is_the_share_of_the_worse_class_on_the_wrong_side(
    tiny_pack: Pack, smoke: TrainConfig, live: bool
) -> None:
    """Domains with one class or with four frames of one are not measured, nor is any of val or test."""
    assert measure_errors(Sure(live).eval(), tiny_pack, smoke) == {"large": 1.0}


def test_nothing_is_wrong_where_the_logit_has_the_right_sign(tiny_pack: Pack, smoke: TrainConfig) -> None:
    """In the tiny pack an attack is dark."""
    assert measure_errors(Bright().eval(), tiny_pack, smoke) == {"large": 0.0}


def test_what_is_held_out_is_not_looked_at(tiny_pack: Pack, smoke: TrainConfig) -> None:
    held = smoke.model_copy(update={"data": DataSettings(hold_out=("large",))})
    assert measure_errors(Sure(True).eval(), tiny_pack, held) == {}


def test_each_epoch_draws_by_the_errors_that_it_begins_with(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[dict[str, float]] = []
    errors = iter([{"large": 0.5}, {"large": 1.0}])
    draw_more_often = BalancedBatches.draw_more_often

    def record(batches: BalancedBatches, times: Mapping[str, float]) -> None:
        drawn.append(dict(times))
        draw_more_often(batches, times)

    monkeypatch.setattr(training_train, "measure_errors", lambda *_: next(errors))
    monkeypatch.setattr(BalancedBatches, "draw_more_often", record)
    train(smoke.model_copy(update={"data": DataSettings(focus=4.0)}), tiny_pack, tmp_path)
    assert drawn == [{}, {"large": 3.0}, {"large": 5.0}]

"""A released network can be trained on: with its normalisations back it computes what it did."""

import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from torch import Tensor, nn  # noqa: E402

from training.train.folding import fold, unfold  # noqa: E402
from training.train.network import SpoofNet  # noqa: E402


def views(seed: int) -> Tensor:
    return torch.randn(64, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_it_computes_what_the_released_network_does(network: SpoofNet) -> None:
    back = unfold(fold(network), views(0))
    with torch.inference_mode():
        torch.testing.assert_close(back(views(1)), network(views(1)), rtol=1e-4, atol=1e-4)


def test_in_training_mode_too_on_images_like_those_it_was_shown(network: SpoofNet) -> None:
    back = unfold(fold(network), views(0))
    for layer in back.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0
    with torch.inference_mode():
        spread = float(network(views(0)).std())
        torch.testing.assert_close(back.train()(views(0)), network(views(0)), rtol=0, atol=0.05 * spread)


def test_every_filter_has_length_one(network: SpoofNet) -> None:
    back = unfold(fold(network), views(0))
    for layer in [m for m in back.features.modules() if isinstance(m, nn.Conv2d)]:
        torch.testing.assert_close(layer.weight.flatten(1).norm(dim=1), torch.ones(layer.out_channels))

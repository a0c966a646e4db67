"""The network is exactly SpoofNet: shape, size and indifference to its neighbours in a batch."""

import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from training.train.network import SpoofNet  # noqa: E402


def test_spoofnet_has_its_4881442_parameters() -> None:
    assert sum(parameter.numel() for parameter in SpoofNet().parameters()) == 4_881_442


def test_spoofnet_is_made_of_its_layers_in_their_order() -> None:
    network = SpoofNet()
    twice = ["Conv2d", "BatchNorm2d", "ReLU"] * 2
    assert [[type(layer).__name__ for layer in block] for block in network.features.children()] == [
        [*twice, "MaxPool2d"]
    ] * 5
    hidden = ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    assert [type(layer).__name__ for layer in network.head] == [*hidden, *hidden, "Linear"]
    assert [layer.out_features for layer in network.head if isinstance(layer, torch.nn.Linear)] == [256, 128, 2]
    channels = [layer.out_channels for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert channels == [width for width in (32, 64, 128, 256, 512) for _ in range(2)]


@pytest.mark.parametrize("side", [112, 224])
def test_two_logits_a_crop_at_any_resolution(side: int) -> None:
    with torch.inference_mode():
        logits = SpoofNet().eval()(torch.zeros(2, 3, side, side))
    assert logits.shape == (2, 2)
    assert torch.isfinite(logits).all()


def test_five_poolings_leave_a_map_of_a_32nd() -> None:
    with torch.inference_mode():
        assert SpoofNet().eval().features(torch.zeros(1, 3, 64, 96)).shape == (1, 512, 2, 3)


def test_in_evaluation_a_crop_is_scored_alike_alone_and_in_a_batch() -> None:
    network, crops = SpoofNet().eval(), torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(network(crops)[1:2], network(crops[1:2]), rtol=1e-4, atol=1e-5)

"""SpoofNet: normalised crops in, two logits out (0 = live, 1 = spoof). Knows no data and no threshold."""

from typing import NamedTuple

from torch import Tensor, nn

CHANNELS = (32, 64, 128, 256, 512)
HIDDEN = (256, 128)
INPUT_SIZE = 224
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
POOLING = 6  # place of the pooling in a block


class Activations(NamedTuple):
    """What a forward pass of B crops of H x W makes.

    Attributes:
        logits: (B, 2).
        features: pooled, (B, 512).
        map: of the last block before its pooling, (B, 512, H / 16, W / 16).
    """

    logits: Tensor
    features: Tensor
    map: Tensor


class SpoofNet(nn.Module):
    """Five blocks of two 3 x 3 convolutions, global average pooling, three linear layers; 4,881,442 parameters.

    Args:
        block_dropout: probability that a block drops a whole channel (Dropout2d after its pooling).
        head_dropout: dropout between the linear layers.
    """

    def __init__(self, *, block_dropout: float = 0.1, head_dropout: float = 0.5) -> None:
        super().__init__()
        inputs = (3, *CHANNELS[:-1])
        self.features = nn.Sequential(*(_block(i, o, block_dropout) for i, o in zip(inputs, CHANNELS, strict=True)))
        self.head = nn.Sequential(
            *_hidden(CHANNELS[-1], HIDDEN[0], head_dropout),
            *_hidden(HIDDEN[0], HIDDEN[1], head_dropout),
            nn.Linear(HIDDEN[1], 2),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Logits of RGB crops normalised by ``MEAN`` and ``STD``: (B, 3, H, W) -> (B, 2)."""
        return self.activations(crops).logits

    def activations(self, crops: Tensor) -> Activations:
        """The same logits, and what they are made of."""
        *blocks, last = self.features
        assert isinstance(last, nn.Sequential)
        for block in blocks:
            crops = block(crops)
        last_map = last[:POOLING](crops)
        features = last[POOLING:](last_map).mean(dim=(2, 3))
        return Activations(self.head(features), features, last_map)


def _block(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Dropout2d(dropout),
    )


def _hidden(inputs: int, outputs: int, dropout: float) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True), nn.Dropout(dropout)

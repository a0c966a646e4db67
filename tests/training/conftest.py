"""A pack small enough to train on in a second, with every kind of picture and trap that sampling must respect."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from faceauth.stages import Image
from training.config import OptimiserSettings, TrainConfig, ViewSettings
from training.packs import Pack, Packed, encode, pack
from training.records import LIVE, SPOOF

if TYPE_CHECKING:
    from training.network import SpoofNet

NO_TEACHER = (float("nan"),) * 3


def pattern(seed: int, size: int = 48) -> Image:
    """A smooth random picture: no face, no person."""
    rng = np.random.default_rng(seed)
    cells = rng.uniform(20, 235, (6, 6, 3))
    rows = np.linspace(0, 5, size).astype(int)
    return (
        np.ascontiguousarray(cells[np.ix_(rows, rows)] + rng.normal(0, 4, (size, size, 3)))
        .clip(0, 255)
        .astype(np.uint8)
    )


def packed(key: str, label: int, domain: str, split: str, *, origin: str = "real", source: str = "") -> Packed:
    """A picture with a centred box; attacks are darker, so that a network has something to learn."""
    image = pattern(abs(hash_of(source or key)))
    if label == SPOOF:
        image = (image * 0.6).astype(np.uint8)
    species = "none" if label == LIVE else "print"
    return Packed(
        key, source, origin, label, species, domain, split, (14.0, 12.0, 34.0, 36.0), encode(image), NO_TEACHER
    )


def hash_of(text: str) -> int:
    """A number of a text, the same in every process."""
    return sum(ord(letter) * 31**place for place, letter in enumerate(text)) % 2**32


def frames(domain: str, split: str, *, live: int, spoof: int) -> list[Packed]:
    """Labelled frames of one domain."""
    return [packed(f"{domain}/live/{i}", LIVE, domain, split) for i in range(live)] + [
        packed(f"{domain}/spoof/{i}", SPOOF, domain, split) for i in range(spoof)
    ]


@pytest.fixture(scope="session")
def tiny_pack() -> Pack:
    """Domains: large (64 + 64), small (4 + 4), live-only (16), all train; v (6 + 6) val; t (4 + 4) test; portraits."""
    items = frames("large", "train", live=64, spoof=64) + frames("small", "train", live=4, spoof=4)
    items += frames("live-only", "train", live=16, spoof=0)
    items += frames("v", "val", live=6, spoof=6) + frames("t", "test", live=4, spoof=4)
    for split in ("train", "val"):
        items += [packed(f"p/{split}{i}", LIVE, "portraits", split, origin="portrait") for i in range(4)]
    sources = [item for item in items if item.label == LIVE and item.split == "train"]
    items += [packed(f"{s.key}#1", SPOOF, s.domain, "train", origin="recapture", source=s.key) for s in sources[::4]]
    return pack(items)


@pytest.fixture
def smoke() -> TrainConfig:
    """Two epochs of two batches of four at 32 px, in this process."""
    return TrainConfig(
        name="smoke",
        epochs=2,
        batch_size=4,
        batches_per_epoch=2,
        workers=0,
        view=ViewSettings(size=32),
        optimiser=OptimiserSettings(warmup_steps=1),
    )


@pytest.fixture(scope="session")
def network() -> "SpoofNet":
    """A network whose batch normalisations do something, as after a training; weights are random."""
    import torch
    from torch import nn

    from training.network import SpoofNet

    torch.manual_seed(0)
    network = SpoofNet().eval()
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.2, 1.0)
                layer.weight.uniform_(0.8, 1.6)
                layer.bias.normal_(0, 0.1)
    return network

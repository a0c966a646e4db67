"""Shards small enough to train on in a second, with every kind of image and trap that sampling must respect."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from faceauth.stages import Image
from training.data.manifests import LIVE, SPOOF, Record
from training.data.shards import Origin, Shards, StoredImage, encode, in_columns
from training.train.recipe import Phase, Recipe

if TYPE_CHECKING:
    from training.train.network import SpoofNet


def pattern(seed: int, size: int = 48) -> Image:
    """A smooth random image: no face, no person."""
    rng = np.random.default_rng(seed)
    cells = rng.uniform(20, 235, (6, 6, 3))
    rows = np.linspace(0, 5, size).astype(int)
    return (
        np.ascontiguousarray(cells[np.ix_(rows, rows)] + rng.normal(0, 4, (size, size, 3)))
        .clip(0, 255)
        .astype(np.uint8)
    )


def stored(name: str, label: int, domain: str, split: str, *, origin: Origin = "real", source: str = "") -> StoredImage:
    """An image with a centred box; attacks are darker, so that a network has something to learn."""
    image = pattern(abs(hash_of(source or name)))
    if label == SPOOF:
        image = (image * 0.6).astype(np.uint8)
    species = "none" if label == LIVE else "print"
    record = Record(Path(name), label, species, domain, split, box_xyxy=(14.0, 12.0, 34.0, 36.0))
    return StoredImage(record, origin, encode(image), source)


def hash_of(text: str) -> int:
    """A number of a text, the same in every process."""
    return sum(ord(letter) * 31**place for place, letter in enumerate(text)) % 2**32


def frames(domain: str, split: str, *, live: int, spoof: int) -> list[StoredImage]:
    """Labelled frames of one domain."""
    return [stored(f"{domain}/live/{i}", LIVE, domain, split) for i in range(live)] + [
        stored(f"{domain}/spoof/{i}", SPOOF, domain, split) for i in range(spoof)
    ]


@pytest.fixture(scope="session")
def tiny_shards() -> Shards:
    """Domains: large (64 + 64), small (4 + 4), live-only (16), all train; v (6 + 6) val; t (4 + 4) test; portraits."""
    images = frames("large", "train", live=64, spoof=64) + frames("small", "train", live=4, spoof=4)
    images += frames("live-only", "train", live=16, spoof=0)
    images += frames("v", "val", live=6, spoof=6) + frames("t", "test", live=4, spoof=4)
    for split in ("train", "val"):
        images += [stored(f"p/{split}{i}", LIVE, "portraits", split, origin="portrait") for i in range(4)]
    sources = [image.record for image in images if image.record.label == LIVE and image.record.split == "train"]
    images += [
        stored(f"{s.path}#1", SPOOF, s.domain, "train", origin="recapture", source=str(s.path)) for s in sources[::4]
    ]
    return in_columns(images)


@pytest.fixture
def smoke() -> Recipe:
    """Two phases of four batches of four, at 32 and 48 px."""
    return Recipe(
        name="smoke",
        pairs=0.5,
        portraits=0.25,
        dropout=0.2,
        ema_decay=0.9,
        phases=(
            Phase(size=32, views=16, batch_size=4, lr=1e-3, schedule="constant"),
            Phase(size=48, views=16, batch_size=4, lr=1e-3),
        ),
    )


@pytest.fixture(scope="session")
def network() -> "SpoofNet":
    """A network whose batch normalisations do something, as after a training; weights are random."""
    import torch
    from torch import nn

    from training.train.network import SpoofNet

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

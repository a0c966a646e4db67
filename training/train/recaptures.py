"""Recaptures: simulated attacks on the live images of finished shards, stored beside them in separate shards."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from faceauth.errors import UsageError
from training.data.manifests import LIVE, SPOOF, Record
from training.data.preparation import claim_part, make_shards, trimmed
from training.data.progress import Progress
from training.data.shards import Shards, StoredImage, complete, encode, files_of, load_shards
from training.simulate import Scene, recapture
from training.train.sampling import ONE_CLASS_WEIGHT


def simulate_recaptures(folder: Path, count: int, progress: Progress, *, seed: int = 0) -> list[Path]:
    """Simulate ``count`` attacks from the live training images of a folder of shards; shards that exist stay.

    Args:
        folder: that ``prepare`` completed.
        count: of attacks.
        progress: called after each.
        seed: of the draw of sources and of the simulation.

    Raises:
        UsageError: the folder is not complete, holds other recaptures, or no live training image.
    """
    prepared = files_of(folder, "prepared")
    sources = load_shards(prepared)
    claim_part(folder, "recaptures", [(folder / "prepared.sha256").read_text(), count, seed])
    draws = list(_draws(sources, count, seed))
    made = list(make_shards("recapture", draws, partial(_Job, tuple(prepared)), folder, progress))
    complete(folder, "recaptures", made)
    return made


class _Job:
    """A drawn (source, background, seed) into a simulated attack."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.sources = load_shards(paths)

    def __call__(self, draw: tuple[int, int, int]) -> StoredImage:
        index, background, seed = draw
        sources = self.sources
        live = Scene(sources.image(index), sources.box(index))
        attack, family = recapture(live, sources.image(background), np.random.default_rng(seed))
        image, box = trimmed(attack.image, attack.box_xyxy)
        name, domain = str(sources.name[index]), str(sources.domain[index])
        record = Record(Path(f"{name}#{seed}"), SPOOF, family, domain, "train", box_xyxy=box)
        return StoredImage(record, "recapture", encode(image), name, str(sources.domain[background]))


def _draws(sources: Shards, count: int, seed: int) -> Iterator[tuple[int, int, int]]:
    """Live training images to recapture with a background each: half of labelled domains, half portraits.

    Within a half a domain weighs as the root of its size.
    """
    rng = np.random.default_rng(seed)
    train = sources.split == "train"
    live = train & (sources.label == LIVE)
    if not live.any():
        raise UsageError("There is no live training image to recapture: prepare some.")
    weight = np.zeros(len(sources))
    for domain in np.unique(sources.domain[live]):
        mine = live & (sources.domain == domain)
        is_one_class = bool((sources.label[sources.domain == domain] == LIVE).mean() > 0.9)
        weight[mine] = mine.sum() ** -0.5 * (ONE_CLASS_WEIGHT if is_one_class else 1)
    for is_portrait in (False, True):
        half = live & ((sources.origin == "portrait") == is_portrait)
        if half.any():
            weight[half] /= weight[half].sum()
    backgrounds = np.flatnonzero(train)
    for index in rng.choice(len(sources), count, p=weight / weight.sum()):
        yield int(index), int(rng.choice(backgrounds)), int(rng.integers(2**62))

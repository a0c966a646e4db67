"""Which images make a batch: classes, species and domains balanced, simulated attacks beside their own live sources.

Domains differ in size by a factor of 50 and some hold a single class; drawn unweighted, a network learns the large ones
and "this room is live".
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from faceauth.errors import UsageError
from training.data.manifests import LIVE, SPOOF
from training.data.shards import Shards
from training.train.recipe import Recipe

DOMAIN_SIZE = 220  # images of a class; a larger domain counts as several, of as many people each
ONE_CLASS_WEIGHT = 0.25  # chosen, not measured

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Draw:
    """One view to make: image ``index``, a ``partner`` for colours and mixing, and the seed of its augmentations."""

    index: int
    partner: int
    seed: int


class Batches(Protocol):
    """Where batches of one process come from: the same step always has the same batch."""

    steps_per_epoch: int

    def batch(self, step: int) -> list[Draw]:
        """The draws of a step."""
        ...


@dataclass(frozen=True)
class Stratum:
    """Images of one class, domain and species, recording by recording, and how often it is drawn among its class."""

    recordings: Sequence[Indices]
    weight: float


class BalancedBatches:
    """Endless batches of draws.

    A share ``recipe.pairs`` of a batch is pairs: a simulated attack and its live source with the same seed, hence the
    same framing and the same camera. The rest are labelled frames, half of each class, drawn by :func:`strata`; a share
    ``recipe.portraits`` of the live ones gives way to portraits.

    Args:
        content: the images.
        recipe: gives the shares, what to leave out and the seed.
        batch_size: images in a batch.
        phase: number of the phase, part of the seed.
        rank: number of the process, part of the seed.

    Raises:
        UsageError: labelled frames of a class are missing; pairs are wanted, and no simulated attack is there; or
            portraits, and there is none.
    """

    steps_per_epoch = 1

    def __init__(self, content: Shards, recipe: Recipe, *, batch_size: int, phase: int, rank: int) -> None:
        usable = trained_on(content, recipe.hold_out)
        real = usable & (content.origin == "real")
        self._strata = {label: strata(content, real, label) for label in (LIVE, SPOOF)}
        self._weights = {label: np.array([s.weight for s in found]) for label, found in self._strata.items()}
        self._pairs = _pairs(content, usable)
        self._everything = np.flatnonzero(usable)
        self._portraits = np.flatnonzero(usable & (content.origin == "portrait"))
        for share, found, what in (
            (recipe.pairs, self._pairs, "pairs and the shards hold no simulated attack: run `python -m training "),
            (recipe.portraits, self._portraits, "portraits and the shards hold none: run `python -m training prepare "),
        ):
            if share and not len(found):
                end = "simulate` on them." if found is self._pairs else "--portraits` into a new folder."
                raise UsageError(f"{recipe.name} wants {what}{end}")
        self._recipe, self._batch_size, self._seed = recipe, batch_size, (recipe.seed, phase, rank)

    def batch(self, step: int) -> list[Draw]:
        """The draws of a step."""
        rng = np.random.default_rng((*self._seed, step))
        draws = []
        for pair in rng.integers(0, len(self._pairs), round(self._batch_size * self._recipe.pairs / 2)):
            seed, partner = int(rng.integers(2**62)), int(rng.choice(self._everything))
            draws += [Draw(int(image), partner, seed) for image in self._pairs[pair]]
        for place in range(self._batch_size - len(draws)):
            index = self._labelled(place % 2, rng)
            draws.append(Draw(index, int(rng.choice(self._everything)), int(rng.integers(2**62))))
        return draws

    def _labelled(self, label: int, rng: np.random.Generator) -> int:
        if label == LIVE and rng.random() < self._recipe.portraits:
            return int(rng.choice(self._portraits))
        stratum = self._strata[label][int(rng.choice(len(self._strata[label]), p=self._weights[label]))]
        return int(rng.choice(stratum.recordings[int(rng.integers(len(stratum.recordings)))]))


class EpochBatches:
    """Every training image that is not simulated, portraits included, once an epoch, as the reference recipe does.

    Several processes share the images; the few that do not divide evenly are left out, others each epoch.

    Args:
        content: the images.
        recipe: says what to leave out, and the seed.
        batch_size: images in a batch.
        rank: number of the process.
        processes: how many there are.

    Raises:
        UsageError: there are too few for a batch.
    """

    def __init__(self, content: Shards, recipe: Recipe, *, batch_size: int, rank: int, processes: int) -> None:
        self._images = np.flatnonzero(trained_on(content, recipe.hold_out) & (content.origin != "recapture"))
        self._batch_size, self._rank, self._seed = batch_size, rank, recipe.seed
        self._share = len(self._images) // processes
        whole, rest = divmod(self._share, batch_size)
        self.steps_per_epoch = whole + (rest > 1)  # a single image has no batch statistics
        if not self.steps_per_epoch:
            raise UsageError("train holds too few images for a batch: add some, or leave fewer domains out.")

    def batch(self, step: int) -> list[Draw]:
        """The draws of a step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(self._images)
        mine = order[self._rank * self._share : (self._rank + 1) * self._share]
        rng = np.random.default_rng((self._seed, epoch, self._rank, place))
        chunk = mine[place * self._batch_size : (place + 1) * self._batch_size]
        return [Draw(int(i), int(rng.choice(order)), int(rng.integers(2**62))) for i in chunk]


class StepSampler(Sampler[list[Draw]]):
    """Feeds the batches of the steps ``begin`` to ``end`` to the loader's worker."""

    def __init__(self, batches: Batches, begin: int, end: int) -> None:
        self._batches, self._steps = batches, range(begin, end)

    def __iter__(self) -> Iterator[list[Draw]]:
        return (self._batches.batch(step) for step in self._steps)

    def __len__(self) -> int:
        return len(self._steps)


def strata(content: Shards, usable: npt.NDArray[np.bool_], label: int) -> list[Stratum]:
    """The images of a class by domain and species, with weights that sum to 1.

    A stratum weighs as the root of its size, one of a domain with a single class a quarter of that, and one of more
    than ``DOMAIN_SIZE`` images as so many of its parts; then each species as a whole weighs as the root of what it has.
    Within a stratum recordings (people, videos) weigh the same, however many images each has.

    Raises:
        UsageError: there is no image of that class.
    """
    found: list[tuple[str, Sequence[Indices], float]] = []
    for domain in np.unique(content.domain[usable]):
        mine = usable & (content.domain == domain)
        is_one_class = (mine & (content.label == label)).sum() > 0.9 * mine.sum()
        for species in np.unique(content.species[mine & (content.label == label)]):
            chosen = np.flatnonzero(mine & (content.label == label) & (content.species == species))
            parts = ceil(len(chosen) / DOMAIN_SIZE)
            weight = parts * sqrt(len(chosen) / parts) * (ONE_CLASS_WEIGHT if is_one_class else 1.0)
            found.append((str(species), _by_recording(content, chosen), weight))
    if not found:
        what = "live image" if label == LIVE else "attack"
        raise UsageError(f"train holds no {what} of a camera to draw: add some, or leave fewer domains out.")
    of_species: Counter[str] = Counter()
    for species, _, weight in found:
        of_species[species] += weight  # type: ignore[assignment]  # counts may be fractions
    total = sum(sqrt(weight) for weight in of_species.values())
    return [Stratum(images, weight / sqrt(of_species[species]) / total) for species, images, weight in found]


def trained_on(content: Shards, hold_out: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which images a training may learn from: those of ``train`` that show nothing from the domains left out."""
    unseen = ~np.isin(content.domain, list(hold_out)) & ~np.isin(content.background, list(hold_out))
    return np.asarray((content.split == "train") & unseen)


def refuse_unknown_domains(content: Shards, domains: Collection[str]) -> None:
    """Otherwise a misspelt domain would be trained on although believed to be left out.

    Raises:
        UsageError: a domain has no labelled frame in ``train``.
    """
    known = content.domain[(content.split == "train") & (content.origin == "real")]
    if absent := sorted(set(domains) - set(known.tolist())):
        raise UsageError(f"There is no domain {', '.join(absent)} in train: look for a misspelt name.")


def _by_recording(content: Shards, chosen: Indices) -> list[Indices]:
    """``chosen`` by recording; an image without a recording counts as one."""
    names = content.recording[chosen]
    named = [chosen[names == name] for name in np.unique(names[names != ""])]
    return named + [np.array([index]) for index in chosen[names == ""]]


def _pairs(content: Shards, usable: npt.NDArray[np.bool_]) -> Indices:
    """Simulated attacks that may be learnt from and their live sources: int64, N x 2."""
    place = {name: index for index, name in enumerate(content.name)}
    recaptures = np.flatnonzero(usable & (content.origin == "recapture"))
    return np.array([(index, place[content.source[index]]) for index in recaptures], np.int64).reshape(-1, 2)

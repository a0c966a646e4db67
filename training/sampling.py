"""Which pictures make a batch: balanced over classes and domains, simulated attacks beside their own live sources.

Domains differ in size by 50 times and some hold one class only; drawn as they come, a network learns the large ones
and "this room is live".
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faceauth.errors import UsageError
from training.config import DataSettings
from training.packs import Pack
from training.records import LIVE, SPOOF
from training.simulate import FAMILIES

ONE_CLASS_WEIGHT = 0.25  # chosen, not measured


@dataclass(frozen=True)
class Draw:
    """One view to make: picture ``index``, a ``partner`` for colours and background, and the seed of its randomness.

    ``in_pair`` says that the other picture of a pair is in the batch.
    """

    index: int
    partner: int
    seed: int
    in_pair: bool = False


class BalancedBatches:
    """Endless batches of draws, repeatable by seed.

    A share ``settings.pairs`` of a batch is pairs: a simulated attack and its live source with the same seed, hence the
    same framing and the same camera. The rest are real frames, half of each class, domains weighted by the square
    root of their size; a share ``settings.portraits`` of the live ones gives way to portraits.

    Raises:
        UsageError: a family to leave out does not exist; real frames of a class are missing; pairs are wanted, and
            no simulated attack is there; or portraits, and there is none.
    """

    def __init__(self, content: Pack, settings: DataSettings, *, batch_size: int, seed: int) -> None:
        refuse_unknown_families(settings.without_families)
        usable = trained_on(content, settings.hold_out)
        usable &= (content.origin != "recapture") | ~np.isin(content.species, settings.without_families)
        real = usable & (content.origin == "real")
        for label, name in ((LIVE, "live picture"), (SPOOF, "attack")):
            if not (real & (content.label == label)).any():
                raise UsageError(f"train holds no {name} of a camera to draw: add some, or leave fewer domains out.")
        self._content, self._frames = content, _thinned(content, real, settings.frames_per_class, seed)
        self.batch_size, self.seed = batch_size, seed
        self.draw_more_often({})
        place = {key: i for i, key in enumerate(content.key)}
        recaptures = np.flatnonzero(usable & (content.origin == "recapture"))
        self._pairs = np.array([(i, place[content.source[i]]) for i in recaptures], np.int64).reshape(-1, 2)
        if settings.pairs and not len(self._pairs):
            raise UsageError(
                "The recipe wants pairs and the packs hold no simulated attack: prepare them with --recaptures, or set "
                "data.pairs to 0."
            )
        self._n_pairs = round(batch_size * settings.pairs / 2)
        self._everything = np.flatnonzero(usable)
        self._portraits = np.flatnonzero(usable & (content.origin == "portrait"))
        self._share_of_portraits = settings.portraits
        if settings.portraits and not len(self._portraits):
            raise UsageError(
                "The recipe wants portraits and the packs hold none: prepare them with --portraits, or set "
                "data.portraits to 0."
            )

    def batches(self, epoch: int, count: int, rank: int = 0) -> Iterator[list[Draw]]:
        """``count`` batches of one epoch for one process."""
        rng = np.random.default_rng((self.seed, epoch, rank))
        for _ in range(count):
            yield self._batch(rng)

    def draw_more_often(self, times: Mapping[str, float]) -> None:
        """Draw the real frames of some domains so many times as often as their number says; others as ever."""
        self._real = {label: _by_domain(self._content, self._frames, label, times) for label in (LIVE, SPOOF)}

    def length(self, count: int) -> int:
        """How many batches ``batches`` yields."""
        return count

    def _batch(self, rng: np.random.Generator) -> list[Draw]:
        draws = []
        for attack, source in self._pairs[rng.integers(0, len(self._pairs), self._n_pairs)]:
            seed, partner = int(rng.integers(2**62)), int(rng.choice(self._everything))
            draws += [Draw(int(picture), partner, seed, in_pair=True) for picture in (attack, source)]
        for place in range(self.batch_size - len(draws)):
            frames = self._frames_to_draw_from(place % 2, rng)
            draws.append(Draw(int(rng.choice(frames)), int(rng.choice(self._everything)), int(rng.integers(2**62))))
        return draws

    def _frames_to_draw_from(self, label: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        wants_portrait = label == LIVE and self._share_of_portraits > 0
        if (
            wants_portrait and rng.random() < self._share_of_portraits
        ):  # recipes without them draw what they always drew
            return self._portraits
        domains, weights = self._real[label]
        return domains[int(rng.choice(len(domains), p=weights))]


class EpochBatches:
    """Every training picture that is not simulated, portraits included, once an epoch, as the reference recipe does.

    Several ``processes`` share the frames; the few that do not divide evenly are left out, others each epoch.

    Raises:
        UsageError: there are too few for a batch.
    """

    def __init__(
        self, content: Pack, settings: DataSettings, *, batch_size: int, seed: int, processes: int = 1
    ) -> None:
        usable = trained_on(content, settings.hold_out)
        self._frames = np.flatnonzero(usable & (content.origin != "recapture"))
        self.batch_size, self.seed, self.processes = batch_size, seed, processes
        if not self.length(1):
            raise UsageError("train holds too few pictures for a batch: add some, or leave fewer domains out.")

    def batches(self, epoch: int, count: int, rank: int = 0) -> Iterator[list[Draw]]:
        """The batches of one epoch for one process; ``count`` bounds them, so that a smoke run can be short."""
        order = np.random.default_rng((self.seed, epoch)).permutation(self._frames)
        share = len(order) // self.processes
        mine = order[rank * share : (rank + 1) * share]
        rng = np.random.default_rng((self.seed, epoch, rank))
        for start in range(0, self.length(count) * self.batch_size, self.batch_size):
            chunk = mine[start : start + self.batch_size]
            yield [Draw(int(i), int(rng.choice(order)), int(rng.integers(2**62))) for i in chunk]

    def length(self, count: int) -> int:
        """How many batches ``batches`` yields; a last one of a single frame is dropped: it has no batch statistics."""
        whole, rest = divmod(len(self._frames) // self.processes, self.batch_size)
        return min(count, whole + (rest > 1))


def trained_on(content: Pack, hold_out: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which pictures a training may learn from: those of ``train`` that show nothing of the domains left out."""
    unseen = ~np.isin(content.domain, list(hold_out)) & ~np.isin(content.behind, list(hold_out))
    return np.asarray((content.split == "train") & unseen)


def refuse_unknown_domains(content: Pack, domains: Collection[str]) -> None:
    """A misspelt domain would be trained on, and believed to be left out.

    Raises:
        UsageError: a domain has no real picture in ``train``.
    """
    absent = sorted(
        set(domains) - set(content.domain[(content.split == "train") & (content.origin == "real")].tolist())
    )
    if absent:
        raise UsageError(f"There is no domain {', '.join(absent)} in train: look for a misspelt name.")


def refuse_unknown_families(families: Collection[str]) -> None:
    """A misspelt family would stay, and be believed to be left out.

    Raises:
        UsageError: the simulator has no such family.
    """
    if unknown := sorted(set(families) - set(FAMILIES)):
        raise UsageError(f"There is no family {', '.join(unknown)} of simulated attacks: name {', '.join(FAMILIES)}.")


def _thinned(content: Pack, usable: npt.NDArray[np.bool_], most: int | None, seed: int) -> npt.NDArray[np.bool_]:
    """At most ``most`` pictures of each class and domain of ``usable``: few leave little to learn by heart."""
    if most is None:
        return usable
    rng = np.random.default_rng(seed)
    kept = np.zeros_like(usable)
    for domain in np.unique(content.domain[usable]):
        for label in (LIVE, SPOOF):
            frames = np.flatnonzero(usable & (content.domain == domain) & (content.label == label))
            kept[rng.permutation(frames)[:most]] = True
    return kept


def _by_domain(
    content: Pack, usable: npt.NDArray[np.bool_], label: int, times: Mapping[str, float]
) -> tuple[list[npt.NDArray[np.int64]], npt.NDArray[np.float64]]:
    frames, weights = [], []
    for domain in np.unique(content.domain[usable]):
        mine = usable & (content.domain == domain)
        chosen = np.flatnonzero(mine & (content.label == label))
        if len(chosen):
            share = len(chosen) / int(mine.sum())
            frames.append(chosen)
            weight = np.sqrt(len(chosen)) * (ONE_CLASS_WEIGHT if share > 0.9 else 1.0)
            weights.append(weight * times.get(str(domain), 1.0))
    return frames, np.array(weights) / np.sum(weights)

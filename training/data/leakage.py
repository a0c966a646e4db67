"""Leakage: near-duplicate images and whole domains that are in two splits.

A training image that is also in ``test``, even smaller, brighter or mirrored, makes every figure a lie. So
do weights that started from a training which saw what is now left out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.imaging.decoding import load_image
from faceauth.stages import Image
from training.data.manifests import Record
from training.data.progress import Progress

GRID = 16
BITS = GRID * GRID
NEAR = 24
"""Differing bits of 256 up to which two images count as one.

Chosen from the data: between the splits of ``pad`` the closest of 48.6 million pairs, of other people and places,
differ in 42 (found with ``find_leaks(..., near=42)``), mirrored ones in 46; tests hold that an image made smaller,
brighter, blurred or compressed stays within 24 of itself.
"""
CHUNK = 1024


@dataclass(frozen=True, order=True)
class Twins:
    """Two images in different splits that show the same thing; ``distance`` in bits of 256."""

    distance: int
    first: Path
    second: Path
    mirrored: bool


@dataclass(frozen=True)
class Leaks:
    """What crosses splits; both empty when all is well.

    Attributes:
        twins: near-duplicates, closest first.
        domains: domain -> the splits that it stands in, without those allowed.
    """

    twins: tuple[Twins, ...]
    domains: dict[str, tuple[str, ...]]

    def __bool__(self) -> bool:
        """Whether anything leaks."""
        return bool(self.twins or self.domains)


def find_leaks(
    records: Sequence[Record],
    *,
    allowed_domains: Collection[str] = (),
    near: int = NEAR,
    progress: Progress,
) -> Leaks:
    """Near-duplicates and domains that stand in more than one split.

    Args:
        records: of images; all splits together.
        allowed_domains: domains that may stand in two splits, such as a set with official lists of one camera.
        near: largest distance of near-duplicates, in bits of 256.
        progress: called with "fingerprints", images done and images in all.

    Raises:
        ImageError: an image cannot be read.
    """
    prints = np.empty((len(records), 2, BITS), np.bool_)
    for index, record in enumerate(records):
        image = load_image(record.path)
        prints[index] = fingerprint(image), fingerprint(image[:, ::-1])
        progress("fingerprints", index + 1, len(records))
    return Leaks(tuple(sorted(_twins(records, prints, near))), crossing_domains(records, allowed_domains))


def fingerprint(image: Image) -> npt.NDArray[np.bool_]:
    """Bool, 256: is each cell of a 17 x 16 grid of mean brightness darker than its right neighbour?

    The difference hash ("dHash", N. Krawetz, 2013). Survives scale, compression and changes of light.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    cells = cv2.resize(grey, (GRID + 1, GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(cells[:, 1:] > cells[:, :-1]).ravel()


def crossing_domains(records: Sequence[Record], allowed: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Domains that stand in more than one split, with those splits, except the ``allowed`` ones."""
    splits: dict[str, set[str]] = {}
    for record in records:
        splits.setdefault(record.domain, set()).add(record.split)
    return {
        domain: tuple(sorted(found))
        for domain, found in sorted(splits.items())
        if len(found) > 1 and domain not in allowed
    }


def _twins(records: Sequence[Record], prints: npt.NDArray[np.bool_], near: int) -> list[Twins]:
    split = np.array([record.split for record in records])
    twins = []
    for one, other in combinations(np.unique(split), 2):
        firsts, seconds = np.flatnonzero(split == one), np.flatnonzero(split == other)
        for start in range(0, len(firsts), CHUNK):
            part = firsts[start : start + CHUNK]
            for mirrored in (False, True):
                distance = _distances(prints[part, int(mirrored)], prints[seconds, 0])
                twins += [
                    Twins(int(distance[i, j]), records[part[i]].path, records[seconds[j]].path, mirrored)
                    for i, j in np.argwhere(distance <= near)
                ]
    return twins


def _distances(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Differing bits of every pair, float32, N x M: with bits as -1 and 1 it is one matrix product."""
    signs_first, signs_second = (2 * bits.astype(np.float32) - 1 for bits in (first, second))
    return np.asarray((BITS - signs_first @ signs_second.T) / 2, np.float32)

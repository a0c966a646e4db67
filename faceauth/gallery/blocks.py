"""Blocks of templates: what a search in memory goes through, one block after the other.

A block never changes, so a search continues undisturbed while another thread reads what was enrolled or deleted.
"""

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from faceauth.gallery.compression import Codebook, Codes
from faceauth.gallery.sealed_templates import TurnedTemplate

BLOCK = 16_384
"""Most templates of a block: what is copied when one of them goes, 8 MiB at 128 numbers. Chosen, not measured."""

CANDIDATES = 32
"""Templates of a compressed block whose cosine is calculated: ``python -m benchmarks.gallery_search``."""

Vectors = npt.NDArray[np.float32]


class Nearest(NamedTuple):
    """The most similar template: whose it is, and its cosine."""

    subject: str
    cosine: float


class Block(NamedTuple):
    """Some templates, row by row.

    Attributes:
        matrix: float32, n x D, of unit length, turned.
        codes: the same rows compressed; None where every row is multiplied.
    """

    template_ids: tuple[str, ...]
    subjects: tuple[str, ...]
    matrix: Vectors
    codes: Codes | None = None

    def nearest(self, probe: Vectors) -> Nearest:
        """By cosine with the template itself, of all rows or of those that the codes propose."""
        rows = None if self.codes is None else self.codes.rows_near(probe, CANDIDATES)
        cosines = self.matrix @ probe if rows is None else self.matrix[rows] @ probe
        best = int(cosines.argmax())
        return Nearest(self.subjects[best if rows is None else int(rows[best])], float(cosines[best]))

    def without(self, gone: Set[str]) -> "Block":
        """The block with the rows that stay; itself, if all of them do."""
        if gone.isdisjoint(self.template_ids):
            return self
        stays = [row for row, template_id in enumerate(self.template_ids) if template_id not in gone]
        return Block(
            tuple(self.template_ids[row] for row in stays),
            tuple(self.subjects[row] for row in stays),
            self.matrix[stays],
        )

    def compressed(self, codebook: Codebook) -> "Block":
        """The block with codes."""
        return self if self.codes is not None else self._replace(codes=codebook.codes_of(self.matrix))


def block_of(templates: Sequence[TurnedTemplate]) -> Block:
    """A block of at least one template."""
    return Block(
        tuple(one.template_id for one in templates),
        tuple(one.subject for one in templates),
        np.stack([one.vector for one in templates]),
    )


def extended(blocks: Sequence[Block], new: Block) -> list[Block]:
    """``new`` behind the others, or within the last one if there is room."""
    if not blocks or len(blocks[-1].subjects) + len(new.subjects) > BLOCK:
        return [*blocks, new]
    *others, last = blocks
    merged = Block(
        last.template_ids + new.template_ids,
        last.subjects + new.subjects,
        np.concatenate([last.matrix, new.matrix]),
    )
    return [*others, merged]


def size_of(blocks: Iterable[Block]) -> int:
    """Templates of all blocks."""
    return sum(len(block.subjects) for block in blocks)


def sample_of(blocks: Sequence[Block], rows: int) -> Vectors:
    """About so many rows, as many of each block as it has and the others give."""
    share = -(-rows // len(blocks))
    return np.concatenate([block.matrix[:share] for block in blocks])

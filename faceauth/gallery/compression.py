"""Compressed templates, 32 bytes each: they propose candidates among very many, and decide nothing. Needs ``faiss``.

Product quantisation with 64 parts of 4 bits and a fast scan (André, Kermarrec, Le Scouarnec, "Cache locality is not
enough", VLDB 2015). Every template is looked at: an inverted file or a graph skips some, and those are the people who
look least like their own templates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from faceauth.errors import UsageError

PARTS = 64
BITS = 4
SAMPLE = 16_384
"""Templates that a codebook is made of; faiss itself takes 4,096 of them."""


class Codes:
    """The compressed rows of a matrix."""

    def __init__(self, scan: Any) -> None:
        self._scan = scan

    def rows_near(self, probe: npt.NDArray[np.float32], most: int) -> npt.NDArray[np.int64]:
        """Numbers of the rows that seem most similar to ``probe``, at most so many, at least one."""
        _, (rows,) = self._scan.search(probe[None], most)
        return np.asarray(rows[rows >= 0], np.int64)  # faiss fills up with -1


class Codebook:
    """Compresses templates like those of a sample.

    Args:
        sample: float32, n x D, of unit length; n some thousands.

    Raises:
        UsageError: D is not a multiple of ``PARTS``.
    """

    def __init__(self, sample: npt.NDArray[np.float32]) -> None:
        import faiss

        dimensions = sample.shape[1]
        if dimensions % PARTS:
            raise UsageError(
                f"faiss compresses embeddings of a multiple of {PARTS} numbers, not of {dimensions}. Name the person "
                "(1:1)."
            )
        self._empty = faiss.IndexPQFastScan(dimensions, PARTS, BITS, faiss.METRIC_INNER_PRODUCT)
        with _one_thread():
            self._empty.train(sample[:SAMPLE])

    def codes_of(self, matrix: npt.NDArray[np.float32]) -> Codes:
        """The rows of ``matrix``, float32, n x D, compressed."""
        import faiss

        scan = faiss.clone_index(self._empty)
        with _one_thread():
            scan.add(matrix)
        return Codes(scan)


def check_faiss() -> None:
    """Raise if the package is missing.

    Raises:
        UsageError: it is missing.
    """
    if find_spec("faiss") is None:
        raise UsageError("A search among very many templates needs faiss: `pip install 'faceauth[faiss]'`.")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Its many small loops on several threads took 70 times as long beside another busy program."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)

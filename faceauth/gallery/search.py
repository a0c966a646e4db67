"""Search: who in a gallery looks most like a template. In memory, never on disk.

Up to ``MOST_MULTIPLIED`` templates are compared exactly. Beyond that, compressed templates propose candidates, if the
caller asked for that. Either way the answer is the cosine with the template itself.
"""

import math
import threading
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from faceauth.errors import NotEnrolled, UsageError
from faceauth.gallery.blocks import BLOCK, Block, block_of, extended, sample_of, size_of
from faceauth.gallery.compression import SAMPLE, Codebook, check_faiss
from faceauth.gallery.opened import Gallery
from faceauth.gallery.rotation import Matrix, rotation_for, turned
from faceauth.gallery.sealed_templates import list_searchable, turned_templates
from faceauth.results import Template
from faceauth.templates import mismatch

MOST_MULTIPLIED = 50_000
"""More than this are not multiplied one by one for each login. Chosen, not measured."""

PASSES = 2
"""The first reading of a large gallery takes a minute, in which others enrol and delete; the second reads only that."""

Method = Literal["numpy", "faiss"]


class Candidate(NamedTuple):
    """The most similar template: whose it is, and its cosine similarity, -1 to 1."""

    subject: str
    similarity: float


class _Held(NamedTuple):
    """What is searched: the templates of one moment.

    Attributes:
        revision: of the gallery; None before the first reading.
        valid_until_s: seconds since 1970; then the time to keep somebody's templates ends.
    """

    revision: int | None = None
    valid_until_s: float = math.inf
    rotation: Matrix | None = None
    blocks: tuple[Block, ...] = ()


def somebody(size: int, model_id: str) -> int:
    """``size``, the number of templates of a model, if there are any.

    Raises:
        NotEnrolled: there are none.
    """
    if not size:
        raise NotEnrolled(f"Nobody is enrolled with the embedder {model_id}, so nobody can be found.")
    return size


class Index:
    """The templates of one model, decrypted and turned, in memory. Several threads may use one index.

    Args:
        gallery: whose templates.
        model_id: of the embedder in use; templates of other models are not searched.
        method: ``numpy`` multiplies all templates and refuses more than ``MOST_MULTIPLIED``. ``faiss`` compresses a
            larger gallery; what it proposes is compared exactly. Needs the extra ``faiss``.

    Raises:
        UsageError: the method is unknown, or faiss is not installed.
    """

    def __init__(self, gallery: Gallery, model_id: str, *, method: Method = "numpy") -> None:
        if method not in get_args(Method):
            raise UsageError(f"Unknown search method {method!r}: use {' or '.join(get_args(Method))}.")
        if method == "faiss":
            check_faiss()
        self._gallery = gallery
        self._model_id = model_id
        self._method = method
        self._codebook: Codebook | None = None
        self._held = _Held()
        self._reading = threading.Lock()

    def refresh(self) -> int:
        """Read what was enrolled or deleted, by this process or another; returns how many templates there are.

        Raises:
            NotEnrolled: nobody is enrolled with this model.
            UsageError: there are more than the method takes.
            GalleryTampered, KeyRefused: a template does not open.
        """
        with self._reading:
            for _ in range(PASSES):
                if not self._is_outdated():
                    break
                self._held = self._read()
            size = size_of(self._held.blocks)
        return somebody(size, self._model_id)

    def nearest(self, template: Template) -> Candidate:
        """The most similar template of the last :meth:`refresh`.

        Raises:
            NotEnrolled: there are none.
            TemplateMismatch: ``template`` is of another model.
        """
        held = self._held
        if template.model_id != self._model_id:
            raise mismatch(found=template.model_id, expected=self._model_id)
        if held.rotation is None or not held.blocks:
            raise NotEnrolled("Nobody can be found until the templates have been read.")
        probe = turned(template, held.rotation)
        best = max((block.nearest(probe) for block in held.blocks), key=lambda one: one.cosine)
        return Candidate(best.subject, float(np.clip(best.cosine, -1.0, 1.0)))

    def _is_outdated(self) -> bool:
        with self._gallery.database.transaction() as connection:
            changed = self._gallery.revision(connection) != self._held.revision
            return changed or self._gallery.database.wall_s(connection) >= self._held.valid_until_s

    def _read(self) -> _Held:
        """What is held already, without what is gone, plus what is new; page by page: logins continue."""
        gallery, model_id = self._gallery, self._model_id
        with gallery.database.transaction() as connection:
            listed = list_searchable(gallery, connection, model_id)
            rotation = rotation_for(connection, gallery.keys, model_id)
        compress = self._compresses(len(listed.template_ids))
        known = {template_id for block in self._held.blocks for template_id in block.template_ids}
        gone = known - listed.template_ids
        blocks = [left for block in self._held.blocks if (left := block.without(gone)).subjects]
        missing = sorted(listed.template_ids - known)
        for start in range(0, len(missing), BLOCK):
            with gallery.database.transaction() as connection:
                found = turned_templates(gallery, connection, model_id, missing[start : start + BLOCK])
            blocks = extended(blocks, block_of(found)) if found else blocks
        blocks = self._compressed(blocks) if compress else [block._replace(codes=None) for block in blocks]
        return _Held(listed.revision, listed.valid_until_s, rotation, tuple(blocks))

    def _compresses(self, size: int) -> bool:
        if size > MOST_MULTIPLIED and self._method == "numpy":
            raise UsageError(
                f"The gallery has {size:,} templates; without faiss a search takes at most {MOST_MULTIPLIED:,}. "
                "`pip install 'faceauth[faiss]'` and search with method='faiss', or name the person (1:1)."
            )
        return size > MOST_MULTIPLIED

    def _compressed(self, blocks: Sequence[Block]) -> list[Block]:
        if self._codebook is None and blocks:
            self._codebook = Codebook(sample_of(blocks, SAMPLE))
        return [block if self._codebook is None else block.compressed(self._codebook) for block in blocks]

"""Search: who of a gallery looks most like a template. By plain multiplication, in memory, never on the disk."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from faceauth.errors import NotEnrolled, UsageError
from faceauth.gallery.opened import Gallery
from faceauth.gallery.rotation import rotation_for, turned
from faceauth.gallery.sealed_templates import every_turned_template
from faceauth.results import Template

BLOCK = 4096
"""Templates multiplied at once, so that a search needs little memory besides the templates. Chosen, not measured."""

MOST_SEARCHED = 50_000
"""More than this takes longer than a login may."""


class Candidate(NamedTuple):
    """The most similar template: whose it is, and its cosine similarity."""

    subject: str
    similarity: float


class Index:
    """The templates of one model, decrypted and turned; made anew after every change of the gallery.

    Args:
        gallery: whose templates.
        model_id: of the embedder in use; templates of other models are not searched.
    """

    def __init__(self, gallery: Gallery, model_id: str) -> None:
        self._gallery = gallery
        self._model_id = model_id
        self._revision: int | None = None
        self._rotation: npt.NDArray[np.float32] | None = None
        self._owners: list[str] = []
        self._matrix: npt.NDArray[np.float32] = np.empty((0, 0), np.float32)

    def refresh(self) -> int:
        """Read the templates if they changed; returns how many there are.

        Raises:
            NotEnrolled: nobody is enrolled with this model.
            UsageError: there are more than ``MOST_SEARCHED``.
            GalleryTampered, KeyRefused: a template does not open.
        """
        with self._gallery.database.transaction() as connection:
            revision = self._gallery.revision(connection)
            if revision != self._revision:
                found = list(every_turned_template(self._gallery, connection, self._model_id))
                self._rotation = rotation_for(connection, self._gallery.keys, self._model_id)
                self._owners = [one.subject for one in found]
                self._matrix = np.stack([one.vector for one in found]) if found else np.empty((0, 0), np.float32)
                self._revision = revision
        if not self._owners:
            raise NotEnrolled(f"Nobody is enrolled with the embedder {self._model_id}, so nobody can be found.")
        if len(self._owners) > MOST_SEARCHED:
            raise UsageError(
                f"The gallery has {len(self._owners):,} templates; a search takes at most {MOST_SEARCHED:,}. Name the "
                "person (1:1)."
            )
        return len(self._owners)

    def nearest(self, template: Template) -> Candidate:
        """The most similar template of the last :meth:`refresh`."""
        if self._rotation is None:
            raise NotEnrolled("Nobody can be found before the templates were read.")
        probe = turned(template, self._rotation)
        cosines = np.concatenate(
            [self._matrix[start : start + BLOCK] @ probe for start in range(0, len(self._matrix), BLOCK)]
        )
        best = int(cosines.argmax())
        return Candidate(self._owners[best], float(np.clip(cosines[best], -1.0, 1.0)))

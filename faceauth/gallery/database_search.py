"""Search within PostgreSQL by pgvector: for several processes that are not to hold a large gallery in memory each.

The table of the search has the templates turned but not sealed, so it proposes candidates and decides nothing: each is
opened from its sealed record and compared again. Whoever changes the table can hide people; they let nobody in. It is
read from end to end, without pgvector's indexes: those skip the people who look least like their own templates.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, select, text

from faceauth.errors import NotEnrolled, UsageError
from faceauth.gallery import tables
from faceauth.gallery.opened import Gallery
from faceauth.gallery.rotation import rotation_for, turned
from faceauth.gallery.sealed_templates import TurnedTemplate, searchable, turned_templates
from faceauth.gallery.search import Candidate, somebody
from faceauth.results import Template
from faceauth.templates import mismatch

COMPARED_AGAIN = 8
"""Candidates whose sealed templates are opened. One would do where nobody changed the table."""

BATCH = 1000
"""Templates put into the table in one transaction: logins continue between two of them. Chosen, not measured."""

_ONE_AT_A_TIME = 0x66616366
"""Key of PostgreSQL's advisory lock while the tables are made. Any number that nobody else uses."""

# Unlogged: neither the write-ahead log nor a replica has a copy, and after a crash the server empties both tables.
_CREATE = (
    """CREATE UNLOGGED TABLE IF NOT EXISTS turned_templates (
        template_id varchar(36) PRIMARY KEY REFERENCES templates ON DELETE CASCADE,
        model_id varchar(128) NOT NULL,
        turned vector NOT NULL)""",
    "ALTER TABLE turned_templates ALTER COLUMN turned SET STORAGE PLAIN",  # in the row, or a scan would jump about
    """CREATE UNLOGGED TABLE IF NOT EXISTS turned_until (
        model_id varchar(128) PRIMARY KEY,
        revision bigint NOT NULL)""",
)
_MISSING = text(
    """SELECT t.template_id FROM templates t JOIN subjects s ON s.name = t.subject
    LEFT JOIN turned_templates v ON v.template_id = t.template_id
    WHERE t.model_id = :model_id AND v.template_id IS NULL AND (s.keep_until_s IS NULL OR s.keep_until_s > :now_s)
    LIMIT :most"""
)
_INSERT = text(
    """INSERT INTO turned_templates VALUES (:template_id, :model_id, CAST(:turned AS vector))
    ON CONFLICT DO NOTHING"""  # another process was as fast
)
_SET_UNTIL = text(
    """INSERT INTO turned_until VALUES (:model_id, :revision)
    ON CONFLICT (model_id) DO UPDATE SET revision = excluded.revision"""
)
_UNTIL = text("SELECT revision FROM turned_until WHERE model_id = :model_id")
_NEAREST = text(
    """SELECT template_id FROM turned_templates
    WHERE model_id = :model_id AND template_id NOT IN (
        SELECT t.template_id FROM templates t JOIN subjects s ON s.name = t.subject WHERE s.keep_until_s <= :now_s)
    ORDER BY turned <#> CAST(:probe AS vector) LIMIT :most"""
)


class DatabaseIndex:
    """The templates of one model, in a table of the gallery's PostgreSQL. Several processes share it.

    The gallery's rotation hides the templates from whoever reads the table alone, but that is not encryption: see
    docs/security.md. Deleting a person deletes their rows in the same transaction.

    Args:
        gallery: in PostgreSQL, whose server has the extension ``vector``.
        model_id: of the embedder in use; templates of other models are not searched.

    Raises:
        UsageError: the gallery lies in SQLite, or its database lacks the extension.
        GalleryUnavailable: the tables cannot be made.
    """

    def __init__(self, gallery: Gallery, model_id: str) -> None:
        if gallery.database.path is not None:
            raise UsageError("pgvector searches a gallery in PostgreSQL; this one is in SQLite: use Index.")
        self._gallery = gallery
        self._model_id = model_id
        self._counted: tuple[int, float, int] | None = None
        with gallery.database.transaction() as connection:
            if connection.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'vector'")).first() is None:
                raise UsageError(
                    "This database has no pgvector. Install it on the server, and let a superuser say there: CREATE "
                    "EXTENSION vector."
                )
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
            for statement in _CREATE:
                connection.execute(text(statement))

    def refresh(self) -> int:
        """Put what was enrolled since into the table; returns how many templates there are.

        Raises:
            NotEnrolled: nobody is enrolled with this model.
            GalleryTampered, KeyRefused: a template does not open.
        """
        with self._gallery.database.transaction() as connection:
            revision = self._gallery.revision(connection)
            is_current = connection.execute(_UNTIL, {"model_id": self._model_id}).scalar() == revision
        if not is_current:
            while self._insert_missing():
                pass
            with self._gallery.database.transaction() as connection:
                connection.execute(_SET_UNTIL, {"model_id": self._model_id, "revision": revision})
        return somebody(self._count(revision), self._model_id)

    def nearest(self, template: Template) -> Candidate:
        """The most similar template of the table, by the cosine with its sealed record.

        Raises:
            NotEnrolled: there are none.
            TemplateMismatch: ``template`` is of another model.
            GalleryTampered, KeyRefused: a template does not open.
        """
        if template.model_id != self._model_id:
            raise mismatch(found=template.model_id, expected=self._model_id)
        with self._gallery.database.transaction() as connection:
            rotation = rotation_for(connection, self._gallery.keys, self._model_id)
            if rotation is None:
                raise NotEnrolled(f"Nobody is enrolled with the embedder {self._model_id}.")
            probe = turned(template, rotation)
            found = self._proposed(connection, probe)
        if not found:
            raise NotEnrolled("The table of the search is empty: refresh the index.")
        best = max(found, key=lambda one: float(one.vector @ probe))
        return Candidate(best.subject, float(np.clip(best.vector @ probe, -1.0, 1.0)))

    def _proposed(self, connection: Connection, probe: npt.NDArray[np.float32]) -> list[TurnedTemplate]:
        facts = {
            "model_id": self._model_id,
            "now_s": self._gallery.database.wall_s(connection),
            "probe": _literal(probe),
            "most": COMPARED_AGAIN,
        }
        template_ids: Sequence[str] = connection.execute(_NEAREST, facts).scalars().all()
        return turned_templates(self._gallery, connection, self._model_id, template_ids)

    def _insert_missing(self) -> bool:
        """One transaction of them; whether there were any."""
        gallery, model_id = self._gallery, self._model_id
        with gallery.database.transaction() as connection:
            now_s = gallery.database.wall_s(connection)
            facts = {"model_id": model_id, "now_s": now_s, "most": BATCH}
            missing = connection.execute(_MISSING, facts).scalars().all()
            rows = [
                {"template_id": one.template_id, "model_id": model_id, "turned": _literal(one.vector)}
                for one in turned_templates(gallery, connection, model_id, missing)
            ]
            if rows:
                connection.execute(_INSERT, rows)
        return bool(missing)

    def _count(self, revision: int) -> int:
        """Templates that may be searched, counted again after a change or when somebody's retention time is over."""
        with self._gallery.database.transaction() as connection:
            now_s = self._gallery.database.wall_s(connection)
            if self._counted is None or self._counted[0] != revision or now_s >= self._counted[1]:
                query = select(func.count(), func.min(tables.subjects.c.keep_until_s)).select_from(
                    tables.templates.join(tables.subjects)
                )
                size, ends_s = connection.execute(
                    query.where(*searchable(self._gallery, connection, self._model_id))
                ).one()
                self._counted = (revision, math.inf if ends_s is None else float(ends_s), int(size))
            return self._counted[2]


def _literal(vector: npt.NDArray[np.float32]) -> str:
    """As pgvector reads it; each number comes back to the bit."""
    return f"[{','.join(map(str, vector.tolist()))}]"

"""Templates as the database holds them: rotated, sealed with the name of their person, and never unencrypted."""

import math
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, delete, insert, select

from faceauth.gallery import tables
from faceauth.gallery.data_keys import DataKeys, Facts
from faceauth.gallery.opened import Change, Gallery
from faceauth.gallery.rotation import create_rotation, rotation_for, turned, turned_back
from faceauth.gallery.row_values import seconds
from faceauth.results import Template

VERSION = 1
"""Of what is sealed: float32, little-endian, turned."""

IDS_A_QUERY = 2048
"""Old SQLites and drivers take no more than some ten thousand parameters. Chosen, not measured."""


class TurnedTemplate(NamedTuple):
    """A template as it is compared within the gallery."""

    template_id: str
    subject: str
    vector: npt.NDArray[np.float32]


class Listed(NamedTuple):
    """The templates of a model that may be searched.

    Attributes:
        revision: of the gallery at that moment.
        valid_until_s: seconds since 1970, when the time to keep one of them ends; infinite if there is none such.
    """

    revision: int
    template_ids: set[str]
    valid_until_s: float


def keep_templates(gallery: Gallery, change: Change, subject: str, templates: Sequence[Template]) -> None:
    """Take the place of what ``subject`` has of the same model; templates of other models stay."""
    (model_id,) = {template.model_id for template in templates}
    connection = change.connection
    rotation = rotation_for(connection, gallery.keys, model_id)
    if rotation is None:
        rotation = create_rotation(connection, gallery.keys, model_id, len(templates[0].vector))
    table = tables.templates
    connection.execute(delete(table).where(table.c.subject == subject, table.c.model_id == model_id))
    for template in templates:
        template_id = str(uuid.uuid4())
        content = turned(template, rotation).astype("<f4").tobytes()
        key_id, sealed = gallery.keys.seal(connection, content, facts_of(subject, model_id, template_id, VERSION))
        connection.execute(
            insert(table).values(
                template_id=template_id,
                subject=subject,
                model_id=model_id,
                version=VERSION,
                key_id=key_id,
                sealed=sealed,
                created_s=change.wall_s,
            )
        )
    change.templates_changed()


def templates_of(gallery: Gallery, connection: Connection, subject: str, model_id: str) -> tuple[Template, ...]:
    """The person's templates of one model, unencrypted; empty if there are none.

    Raises:
        GalleryTampered: one does not open under the person's name.
        KeyRefused: the master key is the wrong one.
    """
    rows = connection.execute(
        select(tables.templates)
        .where(tables.templates.c.subject == subject, tables.templates.c.model_id == model_id)
        .order_by(tables.templates.c.created_s, tables.templates.c.template_id)
    ).all()
    rotation = rotation_for(connection, gallery.keys, model_id)
    if not rows or rotation is None:
        return ()
    return tuple(turned_back(_vector(gallery.keys, connection, row), rotation, model_id) for row in rows)


def list_searchable(gallery: Gallery, connection: Connection, model_id: str) -> Listed:
    """Which templates of a model may be searched: those of everybody whose time is not over.

    Raises:
        GalleryTampered: a time was edited into something that is no time.
    """
    revision = gallery.revision(connection)  # before the rest: what is committed meanwhile is read again later
    kept = tables.subjects.c.keep_until_s
    rows = connection.execute(
        select(tables.templates.c.template_id, kept)
        .join(tables.subjects)
        .where(*searchable(gallery, connection, model_id))
    ).all()
    ends = (seconds(keep_until_s, "a time") for _, keep_until_s in rows if keep_until_s is not None)
    return Listed(revision, {row.template_id for row in rows}, min(ends, default=math.inf))


def searchable(gallery: Gallery, connection: Connection, model_id: str) -> tuple[ColumnElement[bool], ...]:
    """What holds of a template that may be searched, for a query that joins the subjects."""
    kept = tables.subjects.c.keep_until_s
    in_time = kept.is_(None) | (kept > gallery.database.wall_s(connection))
    return tables.templates.c.model_id == model_id, in_time


def turned_templates(
    gallery: Gallery, connection: Connection, model_id: str, template_ids: Sequence[str]
) -> list[TurnedTemplate]:
    """Those of the model's templates that are still there, which nobody deletes before the end of the transaction.

    Raises:
        GalleryTampered, KeyRefused: as :func:`templates_of`.
    """
    found = []
    for start in range(0, len(template_ids), IDS_A_QUERY):
        some = template_ids[start : start + IDS_A_QUERY]
        templates = tables.templates.c
        query = select(tables.templates).where(templates.model_id == model_id, templates.template_id.in_(some))
        for row in connection.execute(query.with_for_update(read=True, key_share=True)):
            found.append(TurnedTemplate(row.template_id, row.subject, _vector(gallery.keys, connection, row)))
    return found


def facts_of(subject: str, model_id: str, template_id: str, version: int) -> Facts:
    """What a template is sealed with: it opens for no other person, model, record or version."""
    return ("template", subject, model_id, template_id, version)


def _vector(keys: DataKeys, connection: Connection, row: Any) -> npt.NDArray[np.float32]:
    facts = facts_of(row.subject, row.model_id, row.template_id, row.version)
    return np.frombuffer(keys.unseal(connection, row.key_id, row.sealed, facts), "<f4")

"""Templates as the database holds them: turned, sealed with the name of their person, and never in the clear."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, insert, select

from faceauth.gallery import tables
from faceauth.gallery.data_keys import DataKeys, Facts
from faceauth.gallery.opened import Change, Gallery
from faceauth.gallery.rotation import create_rotation, rotation_for, turned, turned_back
from faceauth.results import Template

VERSION = 1
"""Of what is sealed: float32, little-endian, turned."""


class TurnedTemplate(NamedTuple):
    """A template as it is compared within the gallery."""

    subject: str
    vector: npt.NDArray[np.float32]


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
    """The person's templates of one model, in the clear; empty where there are none.

    Raises:
        GalleryTampered: one does not open under the person's name.
        KeyRefused: the master key is another one.
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


def every_turned_template(gallery: Gallery, connection: Connection, model_id: str) -> Iterator[TurnedTemplate]:
    """The templates of one model that may be searched: of everybody whose time is not over.

    Raises:
        GalleryTampered, KeyRefused: as :func:`templates_of`.
    """
    kept = tables.subjects.c.keep_until_s
    now_s = gallery.database.wall_s(connection)
    rows = connection.execute(
        select(tables.templates)
        .join(tables.subjects)
        .where(tables.templates.c.model_id == model_id, (kept.is_(None)) | (kept > now_s))
        .order_by(tables.templates.c.subject)
    )
    for row in rows:
        yield TurnedTemplate(row.subject, _vector(gallery.keys, connection, row))


def facts_of(subject: str, model_id: str, template_id: str, version: int) -> Facts:
    """What a template is sealed with: it opens for no other person, model, record or version."""
    return ("template", subject, model_id, template_id, version)


def _vector(keys: DataKeys, connection: Connection, row: Any) -> npt.NDArray[np.float32]:
    facts = facts_of(row.subject, row.model_id, row.template_id, row.version)
    return np.frombuffer(keys.unseal(connection, row.key_id, row.sealed, facts), "<f4")

"""New keys for a gallery: a new data key for every record, or another master key around the data keys."""

from typing import Any

from sqlalchemy import Table, delete, select, update

from faceauth.gallery import rotation, sealed_templates, tables
from faceauth.gallery.data_keys import DataKeys, Facts
from faceauth.gallery.master_keys import MasterKey, id_of
from faceauth.gallery.opened import Change, Gallery

BATCH = 500
"""Records in one transaction: logins continue between two of them."""


def rekey(gallery: Gallery) -> int:
    """Seal every record with a new data key and delete the old ones; returns how many records were sealed again.

    Killed half-way it leaves records of several keys, all of which open; the next call seals them all with one.
    """
    with gallery.change() as change:
        gallery.keys.create(change.connection, change.wall_s)
        change.record("rekeying")
    done = 0
    while True:
        with gallery.change() as change:
            renewed = _renew_batch(change, gallery.keys)
            done += renewed
            if not renewed:
                change.connection.execute(delete(tables.data_keys).where(tables.data_keys.c.active.is_(False)))
                change.record("rekeyed", records=done)
                break
    gallery.database.forget_deleted()
    return done


def change_master_key(gallery: Gallery, new: MasterKey) -> None:
    """Wrap the data keys with ``new``, all at once. From then on the gallery opens with it alone.

    Raises:
        KeyRefused: ``new`` does not open what it closed; nothing has changed.
        GalleryUnavailable: one of the two keys does not answer; nothing has changed.
    """
    with gallery.change() as change:
        gallery.keys.rewrap(change.connection, new)
        change.record("master_key_changed", master_key_id=id_of(new))
    gallery.keys.master = new
    gallery.database.forget_deleted()


def _old_keys(change: Change) -> list[str]:
    keys = tables.data_keys
    return list(change.connection.execute(select(keys.c.key_id).where(keys.c.active.is_(False))).scalars())


def _renew_batch(change: Change, keys: DataKeys) -> int:
    old = _old_keys(change)
    renewed = 0
    for table, column in ((tables.rotations, "model_id"), (tables.templates, "template_id")):
        rows = change.connection.execute(select(table).where(table.c.key_id.in_(old)).limit(BATCH - renewed)).all()
        for row in rows:
            _renew(change, keys, table, column, row)
        renewed += len(rows)
    return renewed


def _renew(change: Change, keys: DataKeys, table: Table, column: str, row: Any) -> None:
    facts: Facts = rotation.facts_of(row.model_id)
    if table is tables.templates:
        facts = sealed_templates.facts_of(row.subject, row.model_id, row.template_id, row.version)
    content = keys.unseal(change.connection, row.key_id, row.sealed, facts)
    key_id, sealed = keys.seal(change.connection, content, facts)
    change.connection.execute(
        update(table).where(table.c[column] == getattr(row, column)).values(key_id=key_id, sealed=sealed)
    )

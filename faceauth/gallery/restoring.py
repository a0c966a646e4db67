"""Brings a restored backup up to date with the audit log: used attempts stay used, and deleted people stay deleted."""

from collections.abc import Sequence

from sqlalchemy import delete, select

from faceauth.gallery import tables
from faceauth.gallery.attempts import MOST_FAILURES, set_failures
from faceauth.gallery.audit_log import Line
from faceauth.gallery.opened import Gallery
from faceauth.gallery.subjects import remove
from faceauth.thresholds import Frozen


class Restored(Frozen):
    """What was done to a restored backup.

    Attributes:
        deleted: people whom the backup had brought back.
        enrol_again: people who were enrolled, or enrolled again, after the backup: it has no valid templates of them.
        log_is_whole: whether the audit log reaches back to the backup; if not, everybody needs another factor first.
    """

    deleted: tuple[str, ...]
    enrol_again: tuple[str, ...]
    log_is_whole: bool


def accept_restored(gallery: Gallery) -> Restored:
    """Repeat what the audit log says happened after the backup.

    Failed attempts count again and their waits start again; deleted people are deleted again; templates that were
    replaced are deleted.
    """
    lines = gallery.audit.lines()
    with gallery.change(restoring=True) as change:
        since = [line for line in lines if line["sequence"] > change.before]
        if not since:
            return Restored(deleted=(), enrol_again=(), log_is_whole=True)
        people = set(change.connection.execute(select(tables.subjects.c.name)).scalars())
        gone, again = _deleted(since) & people, _enrolled(since)
        remove(change, sorted(gone), why="deleted")
        for name, model_id in again.items():
            of_model = (tables.templates.c.subject == name) & (tables.templates.c.model_id == model_id)
            change.connection.execute(delete(tables.templates).where(of_model))
        whole = min(line["sequence"] for line in lines) <= change.before + 1
        failures = {line["subject"]: line["failures"] for line in since if line.get("failures") is not None}
        for name in people - gone:
            if not whole or name in failures:
                set_failures(change, name, failures[name] if whole else MOST_FAILURES)
        change.templates_changed()
        change.record("accepted_restored", backup=change.before)
    gallery.database.forget_deleted()
    return Restored(deleted=tuple(sorted(gone)), enrol_again=tuple(sorted(again)), log_is_whole=whole)


def _deleted(since: Sequence[Line]) -> set[str]:
    return {line["subject"] for line in since if line["event"] in ("deleted", "purged")}


def _enrolled(since: Sequence[Line]) -> dict[str, str]:
    """Who was enrolled and not deleted after that, and the model."""
    found: dict[str, str] = {}
    for line in since:
        if line["event"] == "enrolled":
            found[line["subject"]] = line["model_id"]
        elif line["event"] in ("deleted", "purged"):
            found.pop(line["subject"], None)
    return found

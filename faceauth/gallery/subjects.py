"""The people in a gallery: enrolled with their consent, shown, exported, and deleted for good."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from faceauth.errors import AlreadyEnrolled, GalleryTampered, NotEnrolled, UsageError
from faceauth.gallery import tables
from faceauth.gallery.enrolment import Enrolment
from faceauth.gallery.opened import Change, Gallery
from faceauth.gallery.row_values import can_be_stored, count, seconds
from faceauth.gallery.sealed_templates import keep_templates, templates_of
from faceauth.results import Template
from faceauth.thresholds import Frozen

LONGEST_NAME = 128
DAY_S = 86400.0
LONGEST_KEPT_DAYS = 100_000
"""Beyond it the end of the retention time may lie in a year that Python's calendar does not have."""


class Subject(Frozen):
    """An enrolled person.

    Attributes:
        consent: what the person agreed to, as it was written down at enrolment.
        keep_until: when the templates are no longer used, and may be purged; None for no end.
        templates: embedding model -> how many.
        failures: attempts that failed since the last that succeeded.
    """

    name: str
    enrolled: datetime
    consent: str
    consented: datetime
    keep_until: datetime | None
    templates: dict[str, int]
    failures: int


def add_subject(
    gallery: Gallery,
    name: str,
    enrolment: Enrolment,
    *,
    consent: str,
    keep_days: float | None = None,
    replace: bool = False,
) -> None:
    """Keep a person with their templates.

    Args:
        gallery: where.
        name: of the person; no two have the same.
        enrolment: what :func:`faceauth.gallery.enroll` returned.
        consent: what the person agreed to: a form, a version, a date.
        keep_days: how long the templates may be used; None for no end.
        replace: renew an existing person's consent and their templates of the embedder in use. Templates of other
            embedders stay, and so do failed attempts.

    Raises:
        AlreadyEnrolled: somebody of that name is there, and ``replace`` is not set.
        UsageError: the name or the consent is empty or is not plain text, or ``keep_days`` is not between 0 and
            ``LONGEST_KEPT_DAYS``.
    """
    checked_name(name)
    if not consent.strip():
        raise UsageError("Nobody is enrolled without their consent: say what the person agreed to.")
    if not can_be_stored(consent):
        raise UsageError("The consent contains characters that cannot be stored: a NUL, or half of a surrogate pair.")
    if keep_days is not None and not 0 < keep_days < LONGEST_KEPT_DAYS:
        raise UsageError(
            f"Templates are kept for more than 0 and less than {LONGEST_KEPT_DAYS:,} days, not {keep_days}."
        )
    with gallery.change() as change:
        there = _row(change.connection, name) is not None
        if there and not replace:
            raise AlreadyEnrolled(f"{name} is enrolled already. Replace the enrolment, or delete the person first.")
        facts = {
            "consent": consent,
            "consented_s": change.wall_s,
            "keep_until_s": None if keep_days is None else change.wall_s + keep_days * DAY_S,
        }
        if there:
            change.connection.execute(update(tables.subjects).where(tables.subjects.c.name == name).values(**facts))
        else:
            change.connection.execute(insert(tables.subjects).values(name=name, enrolled_s=change.wall_s, **facts))
        keep_templates(gallery, change, name, enrolment.templates)
        change.record(
            "enrolled",
            subject=name,
            model_id=enrolment.templates[0].model_id,
            templates=len(enrolment.templates),
            replaced=there,
        )


def list_subjects(gallery: Gallery) -> list[Subject]:
    """Everybody, by name."""
    with gallery.database.transaction() as connection:
        return _subjects(connection, None)


def find_subject(gallery: Gallery, name: str) -> Subject:
    """One person.

    Raises:
        NotEnrolled: nobody of that name is enrolled.
    """
    with gallery.database.transaction() as connection:
        return _found(connection, name)


def usable_templates(gallery: Gallery, connection: Connection, name: str, model_id: str) -> tuple[Template, ...]:
    """What ``name`` is compared with.

    Raises:
        NotEnrolled: nobody of that name, the time to keep their templates is over, or none is of this model.
        GalleryTampered, KeyRefused: a template does not open.
    """
    subject = _found(connection, name)
    now = datetime.fromtimestamp(gallery.database.wall_s(connection), UTC)
    if subject.keep_until is not None and subject.keep_until <= now:
        raise NotEnrolled(f"The retention time for the templates of {name} is over: enrol the person again, or purge.")
    found = templates_of(gallery, connection, name, model_id)
    if not found:
        others = ", ".join(subject.templates) or "no model"
        raise NotEnrolled(
            f"{name} was enrolled with {others}; the embedder in use is {model_id}, and templates of two models are "
            "never compared. Enrol the person again, or choose the embedder of the enrolment."
        )
    return found


def outdated_subjects(gallery: Gallery, model_id: str) -> list[str]:
    """Who has no template of ``model_id`` and has to enrol again to log in with it."""
    return [subject.name for subject in list_subjects(gallery) if model_id not in subject.templates]


def export_subject(gallery: Gallery, name: str) -> dict[str, Any]:
    """Everything that is kept about a person, for that person: unencrypted templates, and the audit log's lines.

    Raises:
        NotEnrolled: nobody of that name is enrolled.
    """
    with gallery.change() as change:
        subject = _found(change.connection, name)
        templates = {
            model_id: [list(template.vector) for template in templates_of(gallery, change.connection, name, model_id)]
            for model_id in subject.templates
        }
        change.record("exported", subject=name)
    lines = [line for line in gallery.audit.lines() if line.get("subject") == name]
    return {"subject": subject.model_dump(mode="json"), "templates": templates, "audit": lines}


def delete_subject(gallery: Gallery, name: str) -> None:
    """Delete a person for good: the database overwrites the templates. Backups and the audit log are not touched.

    Raises:
        NotEnrolled: nobody of that name is enrolled.
    """
    with gallery.change() as change:
        _found(change.connection, name)
        remove(change, [name], why="deleted")
    gallery.database.forget_deleted()


def purge_expired(gallery: Gallery) -> list[str]:
    """Delete everybody whose time is over, for good; returns their names."""
    with gallery.change() as change:
        kept = tables.subjects.c.keep_until_s
        names = list(change.connection.execute(select(tables.subjects.c.name).where(kept <= change.wall_s)).scalars())
        remove(change, names, why="purged")
    gallery.database.forget_deleted()
    return sorted(names)


def remove(change: Change, names: Sequence[str], *, why: str) -> None:
    """Delete people within a change, and what is known about their sessions."""
    for name in names:
        change.connection.execute(delete(tables.subjects).where(tables.subjects.c.name == name))
        change.connection.execute(delete(tables.sessions).where(tables.sessions.c.subject == name))
        change.record(why, subject=name)
    if names:
        change.templates_changed()


def check_enrolled(connection: Connection, name: str) -> None:
    """Make sure that somebody is enrolled as ``name``, whatever text that is.

    Raises:
        NotEnrolled: nobody of that name is enrolled.
    """
    if _row(connection, name) is None:
        raise NotEnrolled(f"Nobody is enrolled as {name!r}. `faceauth subjects list` shows who is.")


def checked_name(name: str) -> str:
    """``name``, if it may be that of a person.

    Raises:
        UsageError: it is empty, too long, not in normal form (NFC), or has characters that cannot be seen.
    """
    plain = name.isprintable() and name == name.strip() and unicodedata.normalize("NFC", name) == name
    if not name or not plain or len(name) > LONGEST_NAME:
        raise UsageError(
            f"{name[:LONGEST_NAME]!r} cannot be a name: expected 1 to {LONGEST_NAME} printable characters in Unicode's "
            "normal form C, without spaces around them."
        )
    return name


def _row(connection: Connection, name: str) -> Any:
    if not can_be_stored(name):
        return None
    return connection.execute(select(tables.subjects).where(tables.subjects.c.name == name)).one_or_none()


def _found(connection: Connection, name: str) -> Subject:
    check_enrolled(connection, name)
    return _subjects(connection, name)[0]


def _subjects(connection: Connection, name: str | None) -> list[Subject]:
    people, templates, lockouts = tables.subjects, tables.templates, tables.lockouts
    query = select(people, lockouts.c.failures).outerjoin(lockouts).order_by(people.c.name)
    kept = select(templates.c.subject, templates.c.model_id)
    if name is not None:
        query, kept = query.where(people.c.name == name), kept.where(templates.c.subject == name)
    counts: dict[str, dict[str, int]] = {}
    for subject, model_id in connection.execute(kept):
        of_subject = counts.setdefault(subject, {})
        of_subject[model_id] = of_subject.get(model_id, 0) + 1
    return [
        Subject(
            name=row.name,
            enrolled=_time(row.enrolled_s),
            consent=row.consent,
            consented=_time(row.consented_s),
            keep_until=None if row.keep_until_s is None else _time(row.keep_until_s),
            templates=counts.get(row.name, {}),
            failures=count(row.failures or 0, "failed attempts"),
        )
        for row in connection.execute(query)
    ]


def _time(since_1970_s: object) -> datetime:
    try:
        return datetime.fromtimestamp(seconds(since_1970_s, "a time"), UTC)
    except (OverflowError, OSError, ValueError):
        raise GalleryTampered(f"The database holds a time {since_1970_s} that is none: it was edited.") from None

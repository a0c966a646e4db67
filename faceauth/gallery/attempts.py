"""Attempts: who may try to log in, how often, and what a failed try costs.

An attempt is counted before anything is judged, so killing the program gains nothing. It is given back when the answer
is yes or there was no face to judge. Time is the gallery's own clock, which stands still when the machine's clock jumps
back.
"""

import secrets
from typing import Any, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import delete, func, insert, select, update

from faceauth.errors import GalleryError, LockedOut, NotEnrolled, SessionClosed, UsageError
from faceauth.gallery import tables
from faceauth.gallery.opened import Change, Gallery
from faceauth.gallery.row_values import can_be_stored, count, seconds
from faceauth.gallery.subjects import check_enrolled, checked_name, usable_templates
from faceauth.results import Reason, Template, Verification
from faceauth.video.decision import PresentationResult

FREE_FAILURES = 4
"""The fifth failure is the first that costs a wait."""

FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 3600.0

MOST_FAILURES = 50
"""Then the biometric is off until another factor was used: NIST SP 800-63B-4, 3.2.3, asks for no more than 50."""

LONGEST_CLIENT = 128
CLIENT_ATTEMPTS = 20
CLIENT_WINDOW_S = 60.0
SESSION_S = 120.0
KEPT_S = 3600.0
"""How long a session is remembered: longer than any limit here looks back, and than any judging takes."""

NOT_CHARGED = frozenset(
    {
        Reason.NO_FACE,
        Reason.SEVERAL_FACES,
        Reason.FACE_TOO_SMALL,
        Reason.FACE_OUTSIDE_FRAME,
        Reason.FACE_TURNED_AWAY,
        Reason.TOO_DARK,
        Reason.TOO_BRIGHT,
        Reason.TOO_BLURRED,
        Reason.NO_COLOR,
        Reason.IMAGE_UNUSABLE,
        Reason.STREAM_ENDED,
        Reason.CAMERA_LOST,
        Reason.TIMED_OUT,
    }
)
"""There was no face to judge, unless a face was scored anyway: a video may end after that. ``liveness_uncertain`` is
not among them: half-convincing attacks end there."""

Judged: TypeAlias = Verification | PresentationResult
"""The result for an image, or for the frames of a video."""


RefusalT = TypeVar("RefusalT", bound=GalleryError | None)


class Session(NamedTuple):
    """The right to one answer.

    Attributes:
        session_id: to be sent back with the images; random, used once, valid for ``SESSION_S`` seconds.
        subject: who it has to be; None for a search.
        client: where the attempt comes from: a terminal, a host, an API key.
    """

    session_id: str
    subject: str | None
    client: str


def wait_after_s(failures: int) -> float | None:
    """Seconds to wait after so many failures in a row; None until another factor was used."""
    if failures >= MOST_FAILURES:
        return None
    if failures <= FREE_FAILURES:
        return 0.0
    return float(min(FIRST_WAIT_S * 2 ** (failures - FREE_FAILURES - 1), LONGEST_WAIT_S))


def open_session(gallery: Gallery, subject: str | None, client: str) -> Session:
    """Open a session. It counts against the client alone, so nobody can lock another out by opening sessions.

    Raises:
        LockedOut: the client or the person has to wait.
        NotEnrolled: nobody of that name is enrolled; this counts as an attempt of the client.
        UsageError: the name of the client or the person is not valid.
    """
    session = _new_session(subject, client)
    with gallery.change() as change:
        refusal = _open(change, session)
    if refusal is not None:
        raise refusal
    return session


def begin(gallery: Gallery, session: Session, model_id: str) -> tuple[Template, ...]:
    """Count the attempt against the person, and return the templates to compare with; empty for a search.

    Raises:
        SessionClosed: the session was used, has expired, or never existed.
        LockedOut: meanwhile other attempts failed.
        NotEnrolled, GalleryTampered, KeyRefused: there is nothing to compare with.
    """
    with gallery.change() as change:
        found = _begin(gallery, change, session, model_id)
    if isinstance(found, GalleryError):
        raise found
    return found


def open_and_begin(
    gallery: Gallery, subject: str | None, client: str, model_id: str
) -> tuple[Session, tuple[Template, ...]]:
    """:func:`open_session` and :func:`begin` in one change, for images that are there already."""
    session = _new_session(subject, client)
    with gallery.change() as change:
        found = _open(change, session) or _begin(gallery, change, session, model_id)
    if isinstance(found, GalleryError):
        raise found
    return session, found


def settle(gallery: Gallery, session: Session, result: Judged, *, found: str | None = None) -> None:
    """Close the session with its answer, which must not have been given out before: a failure stays counted.

    Args:
        gallery: of the session.
        session: that was begun.
        result: the answer.
        found: who a search recognised.

    Raises:
        SessionClosed: it was not begun, or is settled already.
        LockedOut, NotEnrolled: whom the search recognised may not log in by name either.
    """
    with gallery.change() as change:
        row = _session(change, session)
        if row is None or row.state != "judging":
            raise SessionClosed("The session is not being judged, so its answer does not count.")
        _set_state(change, session, "settled")
        refusal = None
        if found is not None:
            session = session._replace(subject=found)
            refusal = _recorded(change, session, _subject_refusal(change, found))
        if refusal is None:
            failures = None if row.subject is None else _settle_failures(change, row, result)
            change.record(
                "judged", subject=session.subject, client=session.client, failures=failures, **_evidence(result)
            )
    if refusal is not None:
        raise refusal


def reset_attempts(gallery: Gallery, subject: str) -> None:
    """Forget the failures of a person who has just proved themselves by another factor.

    Raises:
        NotEnrolled: nobody of that name is enrolled.
    """
    with gallery.change() as change:
        check_enrolled(change.connection, subject)
        _set_failures(change, subject, 0, 0.0)
        change.record("reset", subject=subject, failures=0)


def set_failures(change: Change, subject: str, failures: int) -> None:
    """Set the count to ``failures``, and begin the wait that belongs to it."""
    _set_failures(change, subject, failures, change.clock_at + (wait_after_s(failures) or 0.0))


def _new_session(subject: str | None, client: str) -> Session:
    if not client or len(client) > LONGEST_CLIENT or not client.isprintable():
        raise UsageError(
            f"A client has a name of 1 to {LONGEST_CLIENT} printable characters; its attempts are counted together."
        )
    if subject is not None:
        checked_name(subject)
    return Session(secrets.token_urlsafe(32), subject, client)


def _open(change: Change, session: Session) -> LockedOut | NotEnrolled | None:
    """Count the attempt against the client; returns a refusal instead of raising it, which would undo the count."""
    _forget_old_sessions(change)
    refusal: LockedOut | NotEnrolled | None = _client_refusal(change, session.client)
    if refusal is None:
        refusal = None if session.subject is None else _subject_refusal(change, session.subject)
        change.connection.execute(
            insert(tables.sessions).values(
                **session._asdict(),
                state="open" if refusal is None else "refused",
                opened_at=change.clock_at,
                locked_until_before_at=0.0,
            )
        )
    return _recorded(change, session, refusal)


def _begin(
    gallery: Gallery, change: Change, session: Session, model_id: str
) -> tuple[Template, ...] | SessionClosed | LockedOut | NotEnrolled:
    row = _session(change, session)
    if row is None or row.state != "open" or change.clock_at - seconds(row.opened_at, "an opening") > SESSION_S:
        return _recorded(change, session, SessionClosed("The session was used or has expired: open another one."))
    found: tuple[Template, ...] = ()
    if session.subject is not None:
        refusal = _subject_refusal(change, session.subject)
        if refusal is not None:
            return _recorded(change, session, refusal)
        try:
            found = usable_templates(gallery, change.connection, session.subject, model_id)
        except NotEnrolled as unusable:
            return _recorded(change, session, unusable)
        _charge(change, session, session.subject)
    _set_state(change, session, "judging")
    return found


def _recorded(change: Change, session: Session, refusal: RefusalT) -> RefusalT:
    if refusal is not None:
        change.record("refused", subject=session.subject, client=session.client, why=type(refusal).__name__)
    return refusal


def _client_refusal(change: Change, client: str) -> LockedOut | None:
    table = tables.sessions
    since = change.clock_at - CLIENT_WINDOW_S
    opened, oldest_at = change.connection.execute(
        select(func.count(), func.min(table.c.opened_at)).where(table.c.client == client, table.c.opened_at > since)
    ).one()
    if opened < CLIENT_ATTEMPTS:
        return None
    wait_s = seconds(oldest_at, "an opening") + CLIENT_WINDOW_S - change.clock_at
    return LockedOut(f"Too many attempts from {client}: wait {wait_s:.0f} s.", retry_after_s=wait_s, client=client)


def _subject_refusal(change: Change, subject: str) -> LockedOut | NotEnrolled | None:
    people, lockouts = tables.subjects, tables.lockouts
    row = change.connection.execute(
        select(people.c.name, lockouts.c.failures, lockouts.c.locked_until_at)
        .outerjoin(lockouts)
        .where(people.c.name == subject)
    ).one_or_none()
    if row is None:
        return NotEnrolled(f"Nobody is enrolled as {subject!r}. `faceauth subjects list` shows who is.")
    failures = count(row.failures or 0, "failed attempts")
    if wait_after_s(failures) is None:
        return LockedOut(
            f"{failures} attempts in a row failed: face log-in is off until another factor has been used. Then run "
            "`faceauth subjects unlock`.",
            retry_after_s=None,
        )
    wait_s = seconds(row.locked_until_at or 0.0, "the end of a wait") - change.clock_at
    if wait_s > 0:
        return LockedOut(f"{failures} attempts in a row failed: wait {wait_s:.0f} s.", retry_after_s=wait_s)
    return None


def _charge(change: Change, session: Session, subject: str) -> None:
    row = _lockout(change, subject)
    failures, before_at = (0, 0.0) if row is None else (row.failures, row.locked_until_at)
    set_failures(change, subject, failures + 1)
    change.connection.execute(
        update(tables.sessions)
        .where(tables.sessions.c.session_id == session.session_id)
        .values(locked_until_before_at=before_at)
    )
    change.record("attempt", subject=subject, client=session.client, failures=failures + 1)


def _is_free(result: Judged) -> bool:
    return result.reason in NOT_CHARGED and result.liveness is None


def _settle_failures(change: Change, row: Any, result: Judged) -> int:
    """Forget the person's failures after a yes, or give back an attempt that was free; returns how many are left."""
    lockout = _lockout(change, row.subject)
    failures = 0 if lockout is None else count(lockout.failures, "failed attempts")
    if result.accepted or _is_free(result):
        failures = 0 if result.accepted else max(failures - 1, 0)
        _set_failures(change, row.subject, failures, row.locked_until_before_at if failures else 0.0)
    return failures


def _lockout(change: Change, subject: str) -> Any:
    table = tables.lockouts
    return change.connection.execute(select(table).where(table.c.subject == subject)).one_or_none()


def _set_failures(change: Change, subject: str, failures: int, until_at: float) -> None:
    table = tables.lockouts
    change.connection.execute(delete(table).where(table.c.subject == subject))
    change.connection.execute(insert(table).values(subject=subject, failures=failures, locked_until_at=until_at))


def _session(change: Change, session: Session) -> Any:
    table = tables.sessions
    if not can_be_stored(session.session_id):  # it may come from a client
        return None
    row = change.connection.execute(select(table).where(table.c.session_id == session.session_id)).one_or_none()
    return row if row is not None and (row.subject, row.client) == (session.subject, session.client) else None


def _set_state(change: Change, session: Session, state: str) -> None:
    table = tables.sessions
    change.connection.execute(update(table).where(table.c.session_id == session.session_id).values(state=state))


def _forget_old_sessions(change: Change) -> None:
    change.connection.execute(delete(tables.sessions).where(tables.sessions.c.opened_at < change.clock_at - KEPT_S))


def _evidence(result: Judged) -> dict[str, Any]:
    """What decided, without what was measured: a score in a log would help its reader climb to the threshold."""
    policy: dict[str, Any] | None = None
    if result.thresholds is not None:
        match = result.thresholds.match
        policy = {
            "liveness": {one.backend: one.live for one in result.thresholds.liveness},
            "match": None if match is None else match.similarity,
        }
    return {
        "verdict": result.verdict,
        "reason": result.reason,
        "policy": policy,
        "backends": {one.name: {"version": one.version, "weights_sha256": one.weights_sha256} for one in result.stages},
    }

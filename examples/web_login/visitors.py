"""Who may finish which check, who is signed in, and the one-time code of an enrolment. Kept in memory: one process.

It hands out tokens and takes them back; requests and cookies are the caller's.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from examples.web_login.refusals import SiteRefusal

CHECK_S = 180.0
"""Seconds for which a check is remembered: longer than a session of the service lives."""

SIGNED_IN_S = 8 * 3600.0
"""Seconds after which somebody has to sign in again."""

MOST_CHECKS = 10_000
"""Open checks of all visitors together: a bound for the memory."""

CODE_TRIES = 5
"""Wrong codes after which another code is printed."""

TOKEN_BYTES = 32
Clock = Callable[[], float]


class Check(NamedTuple):
    """A session of the service that a visitor opened."""

    visitor: str
    subject: str
    until_s: float


class SignedIn(NamedTuple):
    """Somebody who came in."""

    subject: str
    until_s: float


class Visitors:
    """Checks that are open, and people who are signed in.

    Args:
        clock: seconds, which never go back.
    """

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._checks: dict[str, Check] = {}
        self._signed_in: dict[str, SignedIn] = {}

    def note_check(self, session_id: str, visitor: str, subject: str) -> None:
        """A visitor opened a session for a name.

        Raises:
            SiteRefusal: too many checks are open.
        """
        now = self._clock()
        self._checks = {key: check for key, check in self._checks.items() if check.until_s > now}
        if len(self._checks) >= MOST_CHECKS:
            raise SiteRefusal(503, "busy", "Too many people are signing in. Try again in a minute.", retry_after="60")
        self._checks[session_id] = Check(visitor, subject, now + CHECK_S)

    def check_of(self, session_id: str, visitor: str | None) -> Check:
        """The check that this visitor opened.

        Raises:
            SiteRefusal: it is another visitor's, is over, or never was.
        """
        check = self._checks.get(session_id)
        mine = check is not None and visitor is not None and secrets.compare_digest(check.visitor, visitor)
        if check is None or not mine or check.until_s <= self._clock():
            raise SiteRefusal(404, "unknown_session", "This check is over. Start again.")
        return check

    def end_check(self, session_id: str) -> None:
        """Its answer was asked for: nobody gets in by it again."""
        self._checks.pop(session_id, None)

    def sign_in(self, subject: str) -> str:
        """Let somebody in; returns the token for their cookie."""
        now, token = self._clock(), secrets.token_urlsafe(TOKEN_BYTES)
        self._signed_in = {key: one for key, one in self._signed_in.items() if one.until_s > now}
        self._signed_in[token] = SignedIn(subject, now + SIGNED_IN_S)
        return token

    def who(self, token: str | None) -> str | None:
        """Whose token it is; None for nobody's."""
        found = None if token is None else self._signed_in.get(token)
        return None if found is None or found.until_s <= self._clock() else found.subject

    def sign_out(self, token: str | None) -> None:
        """The token is worth nothing from now on."""
        if token is not None:
            self._signed_in.pop(token, None)


class Enrolment(NamedTuple):
    """Who is to be enrolled, by which request: the same request for another name is another enrolment."""

    name: str
    request_key: str


class OneTimeCode:
    """The code that whoever attends an enrolment reads from the terminal, and tells to nobody else.

    Args:
        announce: shows each new code to the attendant.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._code, self._wrong = "", 0
        self._under_way: list[Enrolment] = []
        self._used: tuple[str, Enrolment] | None = None
        self._renew()

    def check(self, given: str) -> None:
        """Whether somebody may be enrolled by it.

        Raises:
            SiteRefusal: it is not the code; after ``CODE_TRIES`` of these the code changes.
        """
        if secrets.compare_digest(_plain(given).encode(), self._code.encode()):
            return
        self._wrong += 1
        if self._wrong >= CODE_TRIES:
            self._renew()
        raise SiteRefusal(403, "wrong_code", "This is not the code. Ask who attends the enrolment to read it again.")

    @contextmanager
    def spent_on(self, enrolment: Enrolment, given: str) -> Iterator[None]:
        """Within it somebody is enrolled, and nobody else by the same code; if that fails, the code stays as it is.

        Raises:
            SiteRefusal: as :meth:`check`, unless it is an enrolment that is sent again; or another one is under way.
        """
        code = _plain(given)
        if self._used != (code, enrolment):
            self.check(code)
        if any(other != enrolment for other in self._under_way):
            raise SiteRefusal(409, "code_in_use", "Somebody is being enrolled by this code. Ask for the next one.")
        self._under_way.append(enrolment)
        try:
            yield
        finally:
            self._under_way.remove(enrolment)
        self._used = (code, enrolment)
        if code == self._code:
            self._renew()

    def _renew(self) -> None:
        self._code, self._wrong = f"{secrets.randbelow(10**12):012}", 0
        self._announce(f"{self._code[:4]} {self._code[4:8]} {self._code[8:]}")


def _plain(given: str) -> str:
    return given.replace(" ", "")

"""The backend of the example, without a browser: who gets the cookie, and what a browser cannot do."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

pytest.importorskip("fastapi", reason="needs the extra server")


import httpx

from examples.web_login.service import Kind, Service
from examples.web_login.site import MOST_BYTES, make_site
from examples.web_login.visitors import CHECK_S, CODE_TRIES, SIGNED_IN_S, OneTimeCode, Visitors
from tests.web_login.scripted_service import KEY, REFUSED, Script, scripted_service

HOST = "http://localhost"
CHUNK = {"files": [("frames", ("12.5", b"\xff\xd8jpeg", "image/jpeg"))]}
OTHER = "x" * 20


class Clock:
    """Seconds that a test turns."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Site:
    """The site before a scripted service, and browsers of its own."""

    def __init__(self, kinds: tuple[Kind, ...] = ("passive", "turn", "light")) -> None:
        self.script, self.codes, self.clock = Script(), list[str](), Clock()
        transport = httpx.ASGITransport(scripted_service(self.script), raise_app_exceptions=False)
        service = Service(httpx.AsyncClient(transport=transport, base_url="http://service"), KEY)
        self.app = make_site(service, OneTimeCode(self.codes.append), kinds, Visitors(clock=self.clock))

    def browser(self, host: str = HOST) -> "Browser":
        return Browser(self.app, host)


class Browser:
    """Keeps cookies and says where it comes from, as a browser does."""

    def __init__(self, app: Any, host: str) -> None:
        self.app, self.host, self.cookies = app, host, httpx.Cookies()

    def ask(self, method: str, path: str, **given: Any) -> Any:
        return anyio.run(self._ask, method, path, given)

    async def _ask(self, method: str, path: str, given: dict[str, Any]) -> Any:
        headers = {"Origin": self.host, **given.pop("headers", {})}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url=self.host, cookies=self.cookies
        ) as client:
            answer = await client.request(method, path, headers=headers, **given)
            self.cookies = client.cookies
            return answer

    def open(self, name: str = "ada", kind: str = "turn") -> str:
        answer = self.ask("POST", "/api/sessions", json={"kind": kind, "name": name})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def send(self, session: str, *, chunks: int = 2) -> None:
        for number in range(chunks):
            answer = self.ask("PUT", f"/api/sessions/{session}/chunks/{number}", **CHUNK)
            assert answer.status_code == 200, answer.text

    def sign_in(self, session: str, **given: Any) -> Any:
        return self.ask("POST", f"/api/sessions/{session}/sign-in", **{"content": b"", **given})

    def is_in(self) -> bool:
        return bool(self.ask("GET", "/welcome").status_code == 200)


@pytest.fixture
def site() -> Site:
    return Site()


# Who is let in.


def test_who_the_service_accepts_is_let_in(site: Site) -> None:
    browser = site.browser()
    session = browser.open()
    browser.send(session)
    assert browser.sign_in(session).json()["signed_in"] and browser.is_in()
    assert browser.ask("GET", "/api/offer").json()["signed_in"] == "ada"


@pytest.mark.parametrize("verdict", ["reject", "uncertain"])
def test_nobody_is_let_in_by_another_verdict(site: Site, verdict: str) -> None:
    site.script.result = {**REFUSED, "verdict": verdict}
    browser = site.browser()
    session = browser.open()
    browser.send(session)
    answer = browser.sign_in(session)
    assert answer.json() == {"signed_in": False, "message": REFUSED["message"]}
    assert "login" not in browser.cookies and not browser.is_in()


@pytest.mark.parametrize(
    "result",
    [
        {},
        [],
        "accept",
        {"verdict": "ACCEPT", "reason": "live_and_matched", "message": "Yes."},
        {"verdict": True, "reason": "live_and_matched", "message": "Yes."},
        {"accepted": True, "reason": "live_and_matched", "message": "Yes."},
        {"verdict": "accept", "reason": "live_and_matched", "message": "Yes.", "subject": "grace"},
        {"verdict": "accept", "reason": "live_and_matched", "message": "Yes.", "subject": None},
    ],
    ids=["empty", "list", "text", "capitals", "truth", "no verdict", "another person", "nobody"],
)
def test_nobody_is_let_in_by_an_answer_that_is_not_exactly_an_accept(site: Site, result: Any) -> None:
    site.script.result = result
    browser = site.browser()
    session = browser.open()
    browser.send(session)
    answer = browser.sign_in(session)
    assert answer.status_code == 502 or answer.json()["signed_in"] is False
    assert "login" not in browser.cookies and not browser.is_in()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 423, 429, 500, 503])
def test_nobody_is_let_in_when_the_service_refuses(site: Site, status: int) -> None:
    browser = site.browser()
    session = browser.open()
    browser.send(session)
    site.script.problem = (status, "because", "The service says no.", {"Retry-After": "7"})
    answer = browser.sign_in(session)
    assert answer.status_code >= 400 and not browser.is_in()


def test_a_browser_cannot_claim_a_verdict(site: Site) -> None:
    browser = site.browser()
    session = browser.open()
    browser.send(session, chunks=1)
    claim = {"verdict": "accept", "signed_in": True, "subject": "ada", "state": "ended"}
    assert browser.sign_in(session, content=None, json=claim).status_code == 409
    browser.cookies.set("login", "ada")
    assert not browser.is_in()


def test_an_answer_lets_in_once(site: Site) -> None:
    browser = site.browser()
    session = browser.open()
    browser.send(session)
    assert browser.sign_in(session).json()["signed_in"]
    browser.ask("POST", "/api/sign-out", content=b"")
    assert browser.sign_in(session).status_code == 404 and not browser.is_in()


def test_a_session_belongs_to_the_browser_that_opened_it(site: Site) -> None:
    honest, thief = site.browser(), site.browser()
    session = honest.open()
    honest.send(session)
    thief.open()
    assert thief.ask("PUT", f"/api/sessions/{session}/chunks/0", **CHUNK).status_code == 404
    assert thief.sign_in(session).status_code == 404 and not thief.is_in()


def test_a_check_is_forgotten(site: Site) -> None:
    browser = site.browser()
    session = browser.open()
    browser.send(session)
    site.clock.now_s += CHECK_S + 1
    assert browser.sign_in(session).status_code == 404


def test_a_kind_that_is_not_offered_lets_nobody_in() -> None:
    site = Site(kinds=("turn",))
    answer = site.browser().ask("POST", "/api/sessions", json={"kind": "passive", "name": "ada"})
    assert answer.status_code == 422 and site.script.kinds == []


def test_attempts_are_counted_by_the_address_of_the_browser(site: Site) -> None:
    site.browser().open()
    assert site.script.clients == {"127.0.0.1"}


def test_a_session_is_left_by_the_browser_that_opened_it(site: Site) -> None:
    browser = site.browser()
    session = browser.open()
    assert site.browser().ask("DELETE", f"/api/sessions/{session}").status_code == 404 and site.script.left == []
    assert browser.ask("DELETE", f"/api/sessions/{session}").status_code == 204 and site.script.left == [session]
    assert browser.sign_in(session).status_code == 404


# Who stays in.


def test_the_inside_is_shown_to_nobody_else(site: Site) -> None:
    browser = site.browser()
    assert browser.ask("GET", "/welcome").status_code == 303
    for path in ("/page/welcome.html", "/page/../inside/welcome.html", "/page/%2e%2e/inside/welcome.html"):
        assert browser.ask("GET", path).status_code == 404


@pytest.mark.parametrize("leave", ["sign out", "wait"])
def test_a_login_ends(site: Site, leave: str) -> None:
    browser = site.browser()
    session = browser.open()
    browser.send(session)
    browser.sign_in(session)
    kept = browser.cookies["login"]
    if leave == "wait":
        site.clock.now_s += SIGNED_IN_S + 1
    else:
        assert browser.ask("POST", "/api/sign-out", content=b"").status_code == 204
        assert "login" not in browser.cookies
    browser.cookies.set("login", kept)
    assert not browser.is_in()


@pytest.mark.parametrize(("host", "secure"), [("https://door.example", True), (HOST, False)])
def test_the_cookie_goes_to_this_site_alone_and_no_script_reads_it(site: Site, host: str, secure: bool) -> None:
    browser = site.browser(host)
    session = browser.open()
    browser.send(session)
    cookie = browser.sign_in(session).headers["Set-Cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and ("secure" in cookie) is secure


# What a browser may ask.


def test_the_key_goes_to_the_service_and_to_nobody_else(site: Site) -> None:
    browser = site.browser()
    session = browser.open()
    browser.send(session)
    answers = [browser.sign_in(session), browser.ask("GET", "/"), browser.ask("GET", "/api/offer")]
    site.script.problem = (401, "key_refused", f"{KEY} is not known.", {})
    answers.append(browser.ask("POST", "/api/sessions", json={"kind": "turn", "name": "ada"}))
    assert site.script.keys == {f"Bearer {KEY}"}
    assert [answer for answer in answers if KEY in answer.text or KEY in str(answer.headers)] == []


@pytest.mark.parametrize("origin", ["http://evil.example", "null", ""])
def test_another_site_changes_nothing(site: Site, origin: str) -> None:
    given = {"json": {"kind": "turn", "name": "ada"}, "headers": {"Origin": origin}}
    assert site.browser().ask("POST", "/api/sessions", **given).status_code == 403
    assert site.script.kinds == []


@pytest.mark.parametrize(("length", "status"), [(str(MOST_BYTES + 1), 413), ("-1", 411), ("", 411), ("a few", 411)])
def test_a_request_that_is_too_large_is_refused_before_it_is_read(site: Site, length: str, status: int) -> None:
    async def watched() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    browser = site.browser()
    session = browser.open()
    given = {"content": watched(), "headers": {"Content-Length": length, "Content-Type": "image/jpeg"}}
    assert browser.ask("PUT", f"/api/sessions/{session}/chunks/0", **given).status_code == status


@pytest.mark.parametrize("status", [404, 409, 423, 429, 503])
def test_a_refusal_that_the_visitor_can_act_on_is_passed_on(site: Site, status: int) -> None:
    site.script.problem = (status, "because", "Wait a little.", {"Retry-After": "30"})
    answer = site.browser().ask("POST", "/api/sessions", json={"kind": "turn", "name": "ada"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "30")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json()["detail"], answer.json()["reason"]) == ("Wait a little.", "because")


@pytest.mark.parametrize("status", [401, 403, 500, 302])
def test_what_concerns_the_site_alone_is_not_told(site: Site, status: int) -> None:
    site.script.problem = (status, "because", "The gallery is at /srv/gallery.", {})
    answer = site.browser().ask("POST", "/api/sessions", json={"kind": "turn", "name": "ada"})
    assert answer.status_code == 502 and "gallery" not in answer.text


def test_a_name_cannot_leave_the_path_of_the_service(site: Site) -> None:
    browser = site.browser()
    given = _enrolment(site, name="../../v1/sessions")
    assert browser.ask("POST", "/api/enrolments", **given).status_code in (201, 404, 502)
    assert site.script.kinds == [] and {one[0] for one in site.script.enrolled} <= {"../../v1/sessions"}


def test_every_answer_forbids_scripts_and_frames_of_others(site: Site) -> None:
    for path in ("/", "/welcome", "/page/page.js", "/api/offer", "/nowhere"):
        headers = site.browser().ask("GET", path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


# Enrolment.


def _enrolment(site: Site, *, request_key: str = OTHER, **changed: str) -> dict[str, Any]:
    fields = {"name": "grace", "code": site.codes[-1], "agreed": "true", **changed}
    photos = [("photos", (f"{number}.jpg", b"\xff\xd8%d" % number, "image/jpeg")) for number in range(3)]
    return {"data": fields, "files": photos, "headers": {"Idempotency-Key": request_key}}


def test_who_has_the_code_enrols_once_and_consent_is_recorded(site: Site) -> None:
    browser, given = site.browser(), _enrolment(site)
    assert browser.ask("POST", "/api/enrolments", **given).status_code == 201
    ((name, consent, _, photos),) = site.script.enrolled
    assert (name, photos) == ("grace", [b"\xff\xd80", b"\xff\xd81", b"\xff\xd82"])
    assert "encrypted templates" in consent
    given["headers"] = {"Idempotency-Key": "y" * 20}
    assert browser.ask("POST", "/api/enrolments", **given).status_code == 403
    assert len(site.script.enrolled) == 1 and len(site.codes) == 2


def test_an_enrolment_that_is_sent_again_is_the_same_enrolment(site: Site) -> None:
    browser, given = site.browser(), _enrolment(site)
    answers = [browser.ask("POST", "/api/enrolments", **given) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len(site.script.enrolled) == 1 and len(site.codes) == 2


def test_a_code_cannot_be_guessed(site: Site) -> None:
    browser, first = site.browser(), site.codes[0]
    for _ in range(CODE_TRIES):
        assert browser.ask("POST", "/api/enrolments", **_enrolment(site, code="1234 567x")).status_code == 403
    assert browser.ask("POST", "/api/enrolments", **_enrolment(site, code=first)).status_code == 403
    assert site.script.enrolled == [] and site.codes[1:] != []
    assert all(len(code.replace(" ", "")) == 12 for code in site.codes)  # and nobody guesses a trillion


def test_a_code_enrols_one_person_though_two_are_sent_at_once(site: Site) -> None:
    first, second = site.browser(), site.browser()
    other = _enrolment(site, name="eve", request_key="y" * 20)
    meanwhile: list[int] = []

    async def send_another() -> None:
        site.script.while_enrolling = None
        meanwhile.append((await second._ask("POST", "/api/enrolments", dict(other))).status_code)

    site.script.while_enrolling = send_another
    assert first.ask("POST", "/api/enrolments", **_enrolment(site)).status_code == 201
    assert meanwhile == [409] and [one[0] for one in site.script.enrolled] == ["grace"]


def test_an_enrolment_that_is_sent_again_for_another_name_is_another_enrolment(site: Site) -> None:
    """Even where the service has forgotten the first."""
    browser, given = site.browser(), _enrolment(site)
    assert browser.ask("POST", "/api/enrolments", **given).status_code == 201
    site.script.enrolled.clear()
    given["data"] = {**given["data"], "name": "eve"}
    assert browser.ask("POST", "/api/enrolments", **given).status_code == 403
    assert site.script.enrolled == []


def test_a_code_that_changed_meanwhile_still_ends_the_enrolment_that_it_began(site: Site) -> None:
    """Anybody can make it change, by wrong codes."""
    browser, given = site.browser(), _enrolment(site)

    async def guess() -> None:
        site.script.while_enrolling = None
        for _ in range(CODE_TRIES):
            wrong = _enrolment(site, code="1234", request_key="z" * 20)
            await site.browser()._ask("POST", "/api/enrolments", wrong)

    site.script.while_enrolling = guess
    answers = [browser.ask("POST", "/api/enrolments", **given) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201] and len(site.script.enrolled) == 1
    assert len(site.codes) == 2


@pytest.mark.parametrize("agreed", ["false", "", "maybe"])
def test_nobody_is_enrolled_without_consent(site: Site, agreed: str) -> None:
    answer = site.browser().ask("POST", "/api/enrolments", **_enrolment(site, agreed=agreed))
    assert answer.status_code == 422 and site.script.enrolled == []


def test_photos_that_are_refused_leave_the_code_as_it_is(site: Site) -> None:
    browser, given = site.browser(), _enrolment(site)
    site.script.problem, site.script.problems_left = (422, "enrolment_refused", "Photo 1: too dark.", {}), 1
    assert browser.ask("POST", "/api/enrolments", **given).json()["detail"] == "Photo 1: too dark."
    assert browser.ask("POST", "/api/enrolments", **given).status_code == 201

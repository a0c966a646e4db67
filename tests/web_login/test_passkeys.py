"""A passkey before the face, by Chromium's virtual authenticator: who shows none opens no session."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="needs the extra dev")

import httpx
from playwright.sync_api import Page, expect

from examples.web_login.passkeys import Passkeys
from tests.web_login.conftest import PATIENCE_MS, Served, Visit, served
from tests.web_login.scripted_service import Script, scripted_service

expect.set_options(timeout=PATIENCE_MS)

WELCOME = re.compile(r"/welcome$")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "passkeys.json"


@pytest.fixture
def site(script: Script, file: Path) -> Iterator[Served]:
    """Asks for a passkey first."""
    client = httpx.AsyncClient(transport=httpx.ASGITransport(scripted_service(script)), base_url="http://service")
    with served(client, passkeys=Passkeys(file)) as site:
        yield site


class Device:
    """A device that makes and shows passkeys, and verifies its user while it is told to."""

    def __init__(self, page: Page) -> None:
        self._tools = page.context.new_cdp_session(page)
        self._tools.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        self._id = self._tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def verify_user(self, verified: bool) -> None:
        given = {"authenticatorId": self._id, "isUserVerified": verified}
        self._tools.send("WebAuthn.setUserVerified", given)


def enrol(page: Page, site: Served, name: str) -> None:
    page.get_by_role("button", name="Enrol with an attendant").click()
    page.locator("#new-name").fill(name)
    page.locator("#code").fill(site.codes[-1])
    page.locator("#agreed").check()
    page.get_by_role("button", name="Take photos").click()
    for number in (1, 2, 3):
        expect(page.get_by_role("status").filter(has_text=f"Photo {number} of 3")).to_be_visible()
        page.get_by_role("button", name="Take photo", exact=True).click()
    expect(page.get_by_role("heading", name="Enrolled")).to_be_visible()
    page.get_by_role("button", name="Sign in").first.click()


def sign_in(page: Page, name: str) -> None:
    page.locator("#name").fill(name)
    page.locator("[name=kind][value=passive]").check()
    page.locator("#name").press("Enter")


@pytest.mark.slow
def test_a_passkey_and_then_the_face_let_in(site: Served, script: Script, visit: Visit, file: Path) -> None:
    page = visit(site)
    Device(page)
    enrol(page, site, "grace")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and len(json.loads(file.read_text())) == 1
    sent: list[Any] = []
    page.on("request", lambda asked: sent.append(asked.post_data) if asked.url.endswith("/api/sessions") else None)
    sign_in(page, "grace")
    expect(page).to_have_url(WELCOME)
    assert script.kinds == ["passive"]
    again = page.context.request.post(
        f"{site.url}/api/sessions", data=sent[0], headers={"Origin": site.url, "Content-Type": "application/json"}
    )
    assert again.status == 403 and script.kinds == ["passive"], "what a device signed serves once"


def test_a_device_that_does_not_verify_its_user_opens_nothing(site: Served, script: Script, visit: Visit) -> None:
    page = visit(site)
    device = Device(page)
    enrol(page, site, "grace")
    device.verify_user(False)
    sign_in(page, "grace")
    expect(page.get_by_role("alert")).to_contain_text("No passkey was used.")
    assert script.kinds == []


def test_a_passkey_opens_the_name_that_it_was_made_for_alone(site: Served, script: Script, visit: Visit) -> None:
    page = visit(site)
    Device(page)
    enrol(page, site, "grace")
    sign_in(page, "ada")
    expect(page.get_by_role("alert")).to_contain_text("This passkey does not open this name.")
    assert script.kinds == []


def test_no_passkey_is_made_without_the_code(site: Served, script: Script, visit: Visit, file: Path) -> None:
    page = visit(site)
    Device(page)
    page.get_by_role("button", name="Enrol with an attendant").click()
    page.locator("#new-name").fill("grace")
    page.locator("#code").fill("nothing")
    page.locator("#agreed").check()
    page.get_by_role("button", name="Take photos").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not the code.")
    assert not file.exists() and script.enrolled == []


@pytest.mark.parametrize("shown", [None, "", "{}", "[]", "nothing", '{"id": "AAAA"}', '{"id": ["AAAA"]}'])
def test_whoever_shows_no_passkey_opens_no_session(site: Served, script: Script, shown: str | None) -> None:
    with httpx.Client(base_url=site.url, headers={"Origin": site.url}) as browser:
        browser.post("/api/passkeys/request", json={"name": "ada"})
        answer = browser.post("/api/sessions", json={"kind": "passive", "name": "ada", "passkey": shown})
    assert answer.status_code == 403 and answer.json()["reason"] == "passkey_refused" and script.kinds == []


def test_whoever_makes_no_passkey_is_not_enrolled(site: Served, script: Script) -> None:
    with httpx.Client(base_url=site.url, headers={"Origin": site.url}) as browser:
        answer = browser.post(
            "/api/enrolments",
            data={"name": "ada", "code": site.codes[-1], "agreed": "true", "passkey": "{}"},
            files=[("photos", ("0.jpg", b"\xff\xd8", "image/jpeg"))],
            headers={"Idempotency-Key": "0123456789abcdef"},
        )
    assert answer.status_code == 403 and script.enrolled == []

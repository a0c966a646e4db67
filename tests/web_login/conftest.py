"""The site on a port of its own, and Debian's Chromium to open it with."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra server")
pytest.importorskip("playwright", reason="needs the extra dev")
pytest.importorskip("webauthn", reason="needs the extra dev")

import httpx
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from examples.web_login.passkeys import Passkeys
from examples.web_login.service import Kind, Service
from examples.web_login.site import make_site
from examples.web_login.visitors import Clock, OneTimeCode, Visitors
from tests.web_login.scripted_service import KEY, Script, scripted_service

KINDS: tuple[Kind, ...] = ("passive", "turn", "light")
FAKE_CAMERA = "--use-fake-device-for-media-stream"
PATIENCE_MS = 30_000
"""A busy machine is no fault of a test."""

Launch = Callable[..., Browser]


@pytest.fixture(scope="module")
def launch() -> Iterator[Launch]:
    """Starts Chromium with more arguments; per module, since Playwright's loop stands in the way of other loops."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        started: list[Browser] = []

        def launch(*arguments: str) -> Browser:
            given = ["--no-sandbox", "--disable-gpu", *arguments]
            started.append(playwright.chromium.launch(executable_path=path, args=given))
            return started[-1]

        yield launch
        for browser in started:
            browser.close()


@pytest.fixture(scope="module")
def chromium(launch: Launch) -> Browser:
    """With a camera that shows a moving pattern."""
    return launch(FAKE_CAMERA)


@dataclass
class Served:
    """A site that listens.

    Attributes:
        url: of its start page.
        codes: of enrolments, the newest last.
    """

    url: str
    codes: list[str]


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """An application on a port that is free; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.05)
    assert server.started
    yield f"http://localhost:{port}"
    server.should_exit = True
    thread.join(20)


@contextmanager
def served(
    client: httpx.AsyncClient, key: str = KEY, *, passkeys: Passkeys | None = None, clock: Clock = time.monotonic
) -> Iterator[Served]:
    """The site before a service."""
    codes: list[str] = []
    app = make_site(Service(client, key), OneTimeCode(codes.append), KINDS, Visitors(clock=clock), passkeys)
    with listening(app) as url:
        yield Served(url, codes)


@pytest.fixture
def script() -> Script:
    """What the service says."""
    return Script()


@pytest.fixture
def site(script: Script) -> Iterator[Served]:
    """Before a service that follows the script."""
    transport = httpx.ASGITransport(scripted_service(script))
    with served(httpx.AsyncClient(transport=transport, base_url="http://service")) as site:
        yield site


Visit = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Opens a page in a browser profile of its own."""
    opened: list[BrowserContext] = []

    def visit(site: Served, *, camera: bool = True, browser: Browser = chromium, **options: Any) -> Page:
        options = {"viewport": {"width": 768, "height": 1024}, **options}
        context = browser.new_context(permissions=["camera"] if camera else [], **options)
        context.set_default_timeout(PATIENCE_MS)
        opened.append(context)
        page = context.new_page()
        page.goto(site.url)
        return page

    yield visit
    for context in opened:
        context.close()

"""The example as people use it: Chromium, the site, the service, and the built-in networks.

Frames that come too late are refused, and a machine that runs tests is busy: the time of page and service goes on by
one frame at a time, and stands still while something is computed. What no flat photo can do is stood in for: where the
head has to turn, the face mesh reads its pose from a grey square in the corner, which the drawn camera paints.
Everything else is what a user has.
"""

import base64
import itertools
import json
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

pytest.importorskip("playwright", reason="needs the extra dev")
pytest.importorskip("fastapi", reason="needs the extra server")
pytest.importorskip("ai_edge_litert", reason="needs the extra challenge")

import httpx
from playwright.sync_api import Browser, Page, expect

from faceauth import Pipeline
from faceauth.challenge.challenge_testing import head_mesh
from faceauth.gallery import Gallery, LocalKey, find_subject, reset_attempts
from faceauth.imaging.decoding import load_image
from faceauth.results import Face
from faceauth.server import KeyFile, Scope, Service, application
from faceauth.stages import Image, MeshPoints
from tests.video.clips import clip
from tests.web_login.conftest import FAKE_CAMERA, Launch, Served, Visit, listening, served

EXAMPLES = Path(__file__).parents[2] / "examples"
LIVE, ENROLLED = EXAMPLES / "collins.jpg", EXAMPLES / "collins_enrolled.jpg"
CANVAS = Path(__file__).with_name("canvas_camera.js").read_text(encoding="utf-8")
FACE_IN_CANVAS = [0.452, 0.24, 0.09, 0.15]
"""Centre and half axes of the face of ``LIVE`` in the drawn camera, as shares of its width and height."""

CLOCK = Path(__file__).with_name("stepped_clock.js").read_text(encoding="utf-8")

WELCOME = re.compile(r"/welcome$")
UNTIL_DECIDED_MS = 120_000
"""A busy machine is no fault of a test."""

pytestmark = pytest.mark.slow


class DrawnPose:
    """Stands for the face mesh: a head of the yaw that the drawn camera writes into the corner."""

    def points(self, image: Image, face: Face) -> MeshPoints:
        corner = image[-24:-8, 8:24].mean()
        return head_mesh(yaw_deg=float(corner - 128) / 3)


class Chunk(NamedTuple):
    """Frames on their way to the service.

    Attributes:
        last_ms: when the newest of them was captured.
    """

    body: bytes
    content_type: str
    last_ms: float


@dataclass
class Running(Served):
    """A site, the gallery of its service, and the chunks that went there."""

    gallery: Gallery
    chunks: list[Chunk]


Start = Callable[..., Running]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a service in which Eileen is enrolled, and the site before it."""
    with ExitStack() as running:

        def start(mesh: Any = None) -> Running:
            folder = tmp_path_factory.mktemp("service")
            gallery = Gallery(folder / "gallery.sqlite", LocalKey.create_file(folder / "master.key"), create=True)
            keys = KeyFile(folder / "api_keys.json")
            key = keys.add("web", [Scope.SESSIONS, Scope.SUBJECTS, Scope.FORWARD])
            service = Service(Pipeline(), gallery, keys, mesh=mesh)
            chunks: list[Chunk] = []
            service.sessions.clock = lambda: chunks[-1].last_ms / 1000 if chunks else 0.0
            url = running.enter_context(listening(application(service)))
            client = httpx.AsyncClient(base_url=url, timeout=60, event_hooks={"request": [noting(chunks)]})
            photos = [("photos", (photo.name, photo.read_bytes(), "image/jpeg")) for photo in (LIVE, ENROLLED)]
            answer = httpx.post(
                f"{url}/v1/subjects/eileen/templates",
                files=photos,
                data={"consent": "in the public domain"},
                headers={"Authorization": f"Bearer {key}"},
                timeout=60,
            )
            assert answer.status_code == 201, answer.text
            site = running.enter_context(served(client, key, clock=service.sessions.clock))
            return Running(site.url, site.codes, gallery, chunks)

        yield start


def noting(chunks: list[Chunk]) -> Callable[[httpx.Request], Awaitable[None]]:
    """Notes each chunk on its way to the service, whose clock is that of the frames."""

    async def note(request: httpx.Request) -> None:
        if request.method == "PUT":
            times_ms = re.findall(rb'filename="([\d.]+)"', request.content)
            chunks.append(Chunk(request.content, request.headers["Content-Type"], float(times_ms[-1])))

    return note


@pytest.fixture(scope="module")
def started(start: Start) -> Running:
    """With every network that is built in."""
    return start()


@pytest.fixture
def site(started: Running) -> Running:
    """Where nobody has failed yet, or the fifth refusal here would lock Eileen out."""
    reset_attempts(started.gallery, "eileen")
    return started


Camera = Callable[[str, Image], Browser]


@pytest.fixture(scope="module")
def camera(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Camera:
    """Chromium with a camera that shows a photo, moved by hand, with a sensor's noise."""

    def camera(name: str, photo: Image) -> Browser:
        path = tmp_path_factory.mktemp("camera") / f"{name}.mjpeg"
        frames = (cv2.imencode(".jpg", image)[1] for _, image in clip(photo, 2.0, rate=15.0))
        path.write_bytes(b"".join(frame.tobytes() * 2 for frame in frames))  # Chromium plays 30 a second
        return launch(FAKE_CAMERA, f"--use-file-for-fake-video-capture={path}")

    return camera


def stepped(page: Page, *cameras: str) -> Page:
    """The page again, with a clock that goes on by frames."""
    for script in (*cameras, CLOCK):
        page.add_init_script(script)
    page.reload()
    return page


def drawn(photo: Path, *, answers: bool = True) -> str:
    """The script of a camera that is drawn."""
    given = {"PHOTO": base64.b64encode(photo.read_bytes()).decode(), "ANSWERS": answers, "FACE": FACE_IN_CANVAS}
    return "".join(f"const {name} = {json.dumps(value)};\n" for name, value in given.items()) + CANVAS


def sign_in(page: Page, kind: str, name: str = "eileen") -> None:
    page.locator("#name").fill(name)
    page.locator(f"[name=kind][value={kind}]").check()
    page.get_by_role("button", name="Sign in", exact=True).click()


def expect_refusal(page: Page, message: str | re.Pattern[str]) -> None:
    expect(page.locator("#answer-message")).to_have_text(message, timeout=UNTIL_DECIDED_MS)
    page.goto(page.url.split("#")[0] + "welcome")
    expect(page).not_to_have_url(WELCOME)


def expect_prompt_and_stop(page: Page, site: Running, message: str) -> None:
    expect(page.get_by_role("status").filter(has_text=message)).to_be_visible(timeout=UNTIL_DECIDED_MS)
    charged = failures(site)
    with page.expect_response(lambda response: response.request.method == "DELETE", timeout=UNTIL_DECIDED_MS):
        page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Who are you?")).to_be_visible()
    assert failures(site) == charged - 1, "nobody was judged, so the attempt is given back"
    page.goto(f"{site.url}/welcome")
    expect(page).not_to_have_url(WELCOME)


def failures(site: Running) -> int:
    return find_subject(site.gallery, "eileen").failures


# Passive.


def test_the_enrolled_person_is_let_in(site: Running, chromium: Browser, visit: Visit) -> None:
    page = stepped(visit(site, browser=chromium), drawn(LIVE))
    sign_in(page, "passive")
    expect(page).to_have_url(WELCOME, timeout=UNTIL_DECIDED_MS)
    expect(page.get_by_role("heading")).to_have_text("Welcome, eileen")
    assert failures(site) == 0


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        ("collins_on_a_phone.jpg", "This looks like a photo or a screen|This may not be a live person"),
        ("collins_on_paper.jpg", "This looks like a photo or a screen|This may not be a live person"),
        ("hopper.jpg", "Not the person in the reference|This may not be a live person"),
    ],
    ids=["phone", "paper", "another person"],
)
def test_a_photo_and_another_person_are_kept_out(
    site: Running, chromium: Browser, visit: Visit, photo: str, said: str
) -> None:
    page = stepped(visit(site, browser=chromium), drawn(EXAMPLES / photo))
    sign_in(page, "passive")
    expect_refusal(page, re.compile(said))


# The camera of Chromium.


def test_two_people_are_asked_to_be_one(site: Running, camera: Camera, visit: Visit) -> None:
    page = stepped(visit(site, browser=camera("two", two_people())))
    sign_in(page, "passive")
    expect_prompt_and_stop(page, site, "Only one person may be in the image.")


def test_nobody_is_asked_to_show_a_face(site: Running, camera: Camera, visit: Visit) -> None:
    page = stepped(visit(site, browser=camera("empty", load_image(LIVE)[300:, :200])))
    sign_in(page, "passive")
    expect_prompt_and_stop(page, site, "No face found.")


def two_people() -> Image:
    """The same face twice, of one size and sharpness, so that neither is taken for somebody in the background."""
    face = load_image(LIVE)[:, 90:390]
    return np.hstack([face, face])


# A drawn camera, which answers.


def test_a_turn_of_the_head_lets_in_and_answers_no_other_session(
    start: Start, chromium: Browser, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for(monkeypatch, "left")
    site = start(DrawnPose())
    page = stepped(visit(site, browser=chromium), drawn(LIVE))
    sign_in(page, "turn")
    expect(page).to_have_url(WELCOME, timeout=UNTIL_DECIDED_MS)
    recorded = list(site.chunks)
    ask_for(monkeypatch, "right")
    assert replay(site, recorded)["signed_in"] is False


def ask_for(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Take the lot out of what is asked; everything else is as it is."""

    class Lot(random.SystemRandom):
        def choice(self, ways: Any) -> Any:
            return way if way in ways else super().choice(ways)

    monkeypatch.setattr("faceauth.challenge.pose_challenge.secrets.SystemRandom", Lot)


def replay(site: Running, chunks: list[Chunk]) -> dict[str, Any]:
    """The answer to another session that gets these chunks, byte for byte, and as far apart as they were."""
    with httpx.Client(base_url=site.url, headers={"Origin": site.url}, timeout=60) as browser:
        opened = browser.post("/api/sessions", json={"kind": "turn", "name": "eileen"})
        path = f"/api/sessions/{opened.json()['id']}"
        for number, chunk in enumerate(chunks):
            headers = {"Content-Type": chunk.content_type}
            answer = browser.put(f"{path}/chunks/{number}", content=chunk.body, headers=headers)
            assert answer.status_code == 200, answer.text
            if answer.json()["state"] == "ended":
                break
        found: dict[str, Any] = browser.post(f"{path}/sign-in", content=b"").json()
        return found


def test_a_face_that_the_screen_lights_is_let_in(
    site: Running, chromium: Browser, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one of three tries. Drawn light answers some colours worse than a lamp, so the lots are always the same."""
    seeds = itertools.count(1)
    monkeypatch.setattr("faceauth.challenge.light.secrets.SystemRandom", lambda: random.Random(next(seeds)))
    page = stepped(visit(site, browser=chromium), drawn(LIVE))
    ended = page.get_by_role("heading", name=re.compile("Welcome, eileen|You were not signed in"))
    for _ in range(3):
        sign_in(page, "light")
        expect(ended).to_be_visible(timeout=UNTIL_DECIDED_MS)
        if WELCOME.search(page.url):
            break
        page.get_by_role("button", name="Try again").click()
    expect(page).to_have_url(WELCOME)


def test_a_face_that_the_screen_does_not_light_is_kept_out(site: Running, chromium: Browser, visit: Visit) -> None:
    page = stepped(visit(site, browser=chromium), drawn(LIVE, answers=False))
    sign_in(page, "light")
    expect_refusal(page, re.compile("The screen hardly lights the face|did not answer the colours"))

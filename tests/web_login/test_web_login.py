"""The example as people use it: Chromium, the site, the service, and the built-in networks, in slow motion.

Frames that come too late are refused, and a machine that runs tests is busy: the clocks of page and service go slower.
What no flat photo can do is stood in for: where the head has to turn, the face mesh reads its pose from a grey square
in the corner, which the drawn camera paints. Everything else is what a user has.
"""

import base64
import json
import random
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("playwright", reason="needs the extra dev")
pytest.importorskip("fastapi", reason="needs the extra server")
pytest.importorskip("ai_edge_litert", reason="needs the extra challenge")

import httpx
from playwright.sync_api import Browser, Page, Request, expect

from faceauth import Pipeline
from faceauth.challenge.challenge_testing import head_mesh
from faceauth.gallery import Gallery, LocalKey, find_subject
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

SLOWER = 6
SLOW_CLOCK = f"const SLOWER = {SLOWER};\n" + Path(__file__).with_name("slow_clock.js").read_text(encoding="utf-8")

WELCOME = re.compile(r"/welcome$")
UNTIL_DECIDED_MS = 150_000
"""A busy machine is no fault of a test."""

pytestmark = pytest.mark.slow


class DrawnPose:
    """Stands for the face mesh: a head of the yaw that the drawn camera writes into the corner."""

    def points(self, image: Image, face: Face) -> MeshPoints:
        corner = image[-24:-8, 8:24].mean()
        return head_mesh(yaw_deg=float(corner - 128) / 3)


Start = Callable[..., Served]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a service in which Eileen is enrolled, and the site before it."""
    with ExitStack() as running:

        def start(mesh: Any = None) -> Served:
            folder = tmp_path_factory.mktemp("service")
            gallery = Gallery(folder / "gallery.sqlite", LocalKey.create_file(folder / "master.key"), create=True)
            keys = KeyFile(folder / "api_keys.json")
            key = keys.add("web", [Scope.SESSIONS, Scope.SUBJECTS, Scope.FORWARD])
            service = Service(Pipeline(), gallery, keys, mesh=mesh)
            service.sessions.clock = lambda: time.monotonic() / SLOWER
            url = running.enter_context(listening(application(service)))
            client = httpx.AsyncClient(base_url=url, timeout=60)
            photos = [("photos", (photo.name, photo.read_bytes(), "image/jpeg")) for photo in (LIVE, ENROLLED)]
            answer = httpx.post(
                f"{url}/v1/subjects/eileen/templates",
                files=photos,
                data={"consent": "in the public domain"},
                headers={"Authorization": f"Bearer {key}"},
                timeout=60,
            )
            assert answer.status_code == 201, answer.text
            site = running.enter_context(served(client, key))
            GALLERIES[site.url] = gallery
            return site

        yield start


GALLERIES: dict[str, Gallery] = {}


@pytest.fixture(scope="module")
def site(start: Start) -> Served:
    """With every network that is built in."""
    return start()


Camera = Callable[[str, Image], Browser]


@pytest.fixture(scope="module")
def camera(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Camera:
    """Chromium with a camera that shows a photo, moved by hand, with a sensor's noise."""
    folder, started = tmp_path_factory.mktemp("cameras"), dict[str, Browser]()

    def camera(name: str, photo: Image) -> Browser:
        if name not in started:
            path = folder / f"{name}.mjpeg"
            frames = (cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1] for _, image in clip(photo, 4.0))
            path.write_bytes(b"".join(frame.tobytes() * SLOWER for frame in frames))  # Chromium plays 30 a second
            started[name] = launch(FAKE_CAMERA, f"--use-file-for-fake-video-capture={path}")
        return started[name]

    return camera


def slow(page: Page, *scripts: str) -> Page:
    """The page again, in slow motion, after these scripts."""
    for script in (SLOW_CLOCK, *scripts):
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


def expect_prompt_and_stop(page: Page, site: Served, message: str) -> None:
    expect(page.get_by_role("status").filter(has_text=message)).to_be_visible(timeout=UNTIL_DECIDED_MS)
    charged = failures(site)
    with page.expect_response(lambda response: response.request.method == "DELETE", timeout=UNTIL_DECIDED_MS):
        page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Who are you?")).to_be_visible()
    assert failures(site) == charged - 1, "nobody was judged, so the attempt is given back"
    page.goto(f"{site.url}/welcome")
    expect(page).not_to_have_url(WELCOME)


def failures(site: Served) -> int:
    return find_subject(GALLERIES[site.url], "eileen").failures


# The camera of Chromium, passive.


def test_the_enrolled_person_is_let_in(site: Served, camera: Camera, visit: Visit) -> None:
    page = slow(visit(site, browser=camera("live", load_image(LIVE))))
    sign_in(page, "passive")
    expect(page).to_have_url(WELCOME, timeout=UNTIL_DECIDED_MS)
    expect(page.get_by_role("heading")).to_have_text("Welcome, eileen")
    assert failures(site) == 0


@pytest.mark.parametrize("attack", ["collins_on_a_phone", "collins_on_paper"])
def test_a_photo_of_the_person_is_kept_out(site: Served, camera: Camera, visit: Visit, attack: str) -> None:
    page = slow(visit(site, browser=camera(attack, load_image(EXAMPLES / f"{attack}.jpg"))))
    sign_in(page, "passive")
    expect_refusal(page, re.compile("This looks like a photo or a screen|This may not be a live person"))


def test_another_person_is_kept_out(site: Served, camera: Camera, visit: Visit) -> None:
    page = slow(visit(site, browser=camera("hopper", load_image(EXAMPLES / "hopper.jpg"))))
    sign_in(page, "passive")
    expect_refusal(page, re.compile("Not the person|This may not be a live person|This looks like a photo"))


def test_two_people_are_asked_to_be_one(site: Served, camera: Camera, visit: Visit) -> None:
    page = slow(visit(site, browser=camera("two", two_people())))
    sign_in(page, "passive")
    expect_prompt_and_stop(page, site, "Only one person may be in the image.")


def test_nobody_is_asked_to_show_a_face(site: Served, camera: Camera, visit: Visit) -> None:
    page = slow(visit(site, browser=camera("empty", load_image(LIVE)[300:, :200])))
    sign_in(page, "passive")
    expect_prompt_and_stop(page, site, "No face found.")


def two_people() -> Image:
    """Both photos side by side, with faces of one size."""
    one, other = load_image(LIVE), load_image(EXAMPLES / "hopper.jpg")
    other = cv2.resize(other, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    height = min(len(one), len(other))
    return np.ascontiguousarray(np.hstack([one[:height, 90:390], other[:height]]))


# A drawn camera, which answers.


def test_a_turn_of_the_head_lets_in(start: Start, chromium: Browser, visit: Visit) -> None:
    page = slow(visit(start(DrawnPose()), browser=chromium), drawn(LIVE))
    sign_in(page, "turn")
    expect(page).to_have_url(WELCOME, timeout=UNTIL_DECIDED_MS)


def test_a_face_that_the_screen_lights_is_let_in(site: Served, chromium: Browser, visit: Visit) -> None:
    page = slow(visit(site, browser=chromium), drawn(LIVE))
    sign_in(page, "light")
    expect(page).to_have_url(WELCOME, timeout=UNTIL_DECIDED_MS)


def test_a_face_that_the_screen_does_not_light_is_kept_out(site: Served, chromium: Browser, visit: Visit) -> None:
    page = slow(visit(site, browser=chromium), drawn(LIVE, answers=False))
    sign_in(page, "light")
    expect_refusal(page, re.compile("The screen hardly lights the face|did not answer the colours"))


_ = (random, secrets, Request)

"""The commands of docs/web_login.md, typed in their order in the home of somebody who has nothing yet."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra server")
pytest.importorskip("ai_edge_litert", reason="needs the extra challenge")
pytest.importorskip("httpx", reason="needs the extra dev")

import httpx

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "web_login.md"
PATIENCE_S = 400.0
PHOTOS = ("collins.jpg", "collins_enrolled.jpg")


class Newcomer:
    """Types commands, each of which goes on running or ends, in an empty home."""

    def __init__(self, home: Path, running: ExitStack) -> None:
        self.home, self._running = home, running
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("FACEAUTH_", "XDG_"))}
        self._environ = {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT)}

    def type(self, line: str) -> None:
        """A command that ends."""
        words, _, file = line.partition(" > ")
        done = subprocess.run(self._argv(words), cwd=self.home, env=self._environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (self.home / file).write_text(done.stdout)

    def start(self, line: str, *more: str) -> Path:
        """A command that goes on; returns the file to which it writes."""
        log = self.home / f"{len(list(self.home.iterdir()))}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [*self._argv(line), *more], cwd=self.home, env=self._environ, stdout=file, stderr=subprocess.STDOUT
            )
        self._running.callback(process.wait)
        self._running.callback(process.terminate)
        return log

    def _argv(self, line: str) -> list[str]:
        program, *words = shlex.split(line)
        return [sys.executable, *(("-m", "faceauth") if program == "faceauth" else ()), *words]


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    with ExitStack() as running:
        yield Newcomer(tmp_path, running)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answer_of(url: str, log: Path) -> httpx.Response:
    """As soon as somebody answers."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        try:
            return httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"nobody answers at {url}: {log.read_text()}")


@pytest.mark.slow
def test_the_commands_of_the_tutorial_make_a_page_that_enrols_and_asks(newcomer: Newcomer) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    make_key, serve, page, _ = (line for line in lines if re.match("faceauth |python -m examples", line))
    service, site = free_port(), free_port()
    newcomer.type(make_key)
    log = newcomer.start(serve, "--port", str(service))
    assert answer_of(f"http://127.0.0.1:{service}/v1/sessions", log).status_code == 405
    log = newcomer.start(page, "--port", str(site), "--service", f"http://127.0.0.1:{service}")
    url = f"http://localhost:{site}"
    assert "<h1>Sign in with your face</h1>" in answer_of(url, log).text
    (code,) = re.findall(r"Code for the next enrolment: (\d{4} \d{4} \d{4})", log.read_text())
    photos = [("photos", (name, (ROOT / "examples" / name).read_bytes(), "image/jpeg")) for name in PHOTOS]
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=PATIENCE_S) as browser:
        enrolled = browser.post(
            "/api/enrolments",
            data={"name": "eileen", "code": code, "agreed": "true"},
            files=photos,
            headers={"Idempotency-Key": "0123456789abcdef"},
        )
        assert enrolled.status_code == 201, enrolled.text
        assert browser.get("/api/offer").json()["kinds"] == ["turn", "light"]
        opened = browser.post("/api/sessions", json={"kind": "turn", "name": "eileen"})
        assert opened.json()["prompt"]["message"] == "Look straight into the camera and hold still.", opened.text
        stranger = browser.post("/api/sessions", json={"kind": "turn", "name": "somebody"})
        assert stranger.status_code == 404

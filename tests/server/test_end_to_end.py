"""The embedded defaults and the photos of the examples, through a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi", reason="needs the extra server")
pytest.importorskip("ai_edge_litert", reason="needs the extra challenge")

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@dataclass
class Process:
    """A service as people run it."""

    process: subprocess.Popen[bytes]
    url: str
    key: str
    log: Path
    environ: dict[str, str]

    def post(self, path: str, name: str, photo: str, **fields: str) -> httpx.Response:
        files = {name: (photo, (EXAMPLES / photo).read_bytes(), "image/jpeg")}
        auth = {"Authorization": f"Bearer {self.key}"}
        return httpx.post(self.url + path, files=files, data=fields, headers=auth, timeout=60)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    environ = {key: value for key, value in os.environ.items() if not key.startswith("FACEAUTH_")}
    environ |= {
        "FACEAUTH_GALLERY": str(folder / "gallery.sqlite"),
        "FACEAUTH_MASTER_KEY_FILE": str(folder / "master.key"),
        "FACEAUTH_API_KEYS": str(folder / "api_keys.json"),
    }
    program, log = [sys.executable, "-m", "faceauth"], folder / "log"
    scopes = [word for scope in ("sessions", "subjects", "identify") for word in ("--scope", scope)]
    made = subprocess.run(
        [*program, "keys", "add", "test", *scopes], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    with log.open("wb") as stderr:
        command = [*program, "serve", "--port", str(port), "--create"]
        served = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=stderr)
    found = Process(served, f"http://127.0.0.1:{port}", made.stdout.strip(), log, environ)
    deadline_s = time.monotonic() + 120
    while not answers(found.url):
        assert served.poll() is None and time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.1)
    yield found
    served.kill()
    served.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url + "/readyz", timeout=10).is_success
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_the_person_gets_in_and_another_person_and_a_photo_of_her_do_not(process: Process) -> None:
    made = process.post("/v1/subjects/eileen/templates", "photos", "collins_enrolled.jpg", consent="form 1")
    assert (made.status_code, made.json()["templates"]) == (201, 1), made.text
    said = {
        photo: process.post("/v1/subjects/eileen/verify", "photo", photo).json()
        for photo in ("collins.jpg", "hopper.jpg", "collins_on_paper.jpg")
    }
    assert [(one["verdict"], one["reason"], one["subject"]) for one in said.values()] == [
        ("accept", "live_and_matched", "eileen"),
        ("reject", "not_matched", None),
        ("reject", "attack_suspected", None),
    ]
    assert process.post("/v1/identify", "photo", "collins.jpg").json()["subject"] == "eileen"
    assert process.post("/v1/identify", "photo", "hopper.jpg").json()["subject"] is None
    refused = process.post("/v1/subjects/paper/templates", "photos", "collins_on_paper.jpg", consent="form 1")
    assert (refused.status_code, refused.json()["reason"]) == (422, "enrolment_refused")


def test_what_was_accepted_is_answered_after_the_process_was_told_to_end(process: Process) -> None:
    """The last test of this process."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(process.post("/v1/identify", "photo", "collins.jpg").status_code)
        except httpx.TransportError as error:
            answers.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    deadline_s = time.monotonic() + 30
    while queue_length(process) < 3 and time.monotonic() < deadline_s:
        time.sleep(0.005)
    process.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert process.process.wait(60) in (0, -signal.SIGTERM)
    accepted = [one for one in answers if one == 200]
    refused = [one for one in answers if isinstance(one, httpx.ConnectError)]  # it came after the signal
    assert len(accepted) >= 3 and len(accepted) + len(refused) == 6, answers
    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    assert sum(line.get("route") == "/v1/identify" and line["status"] == 200 for line in lines) >= len(accepted)


def queue_length(process: Process) -> float:
    text = httpx.get(process.url + "/metrics", timeout=10).text
    (line,) = (line for line in text.splitlines() if line.startswith("faceauth_queue_length "))
    return float(line.split()[1])

"""Many people log in at once over HTTP: how many get a verdict, whether a wrong one gets in, how long it takes.

The service runs as people run it, with the embedded defaults, in a process of its own, on loopback alone. Each locust
user logs in in a name of its own, from a client of its own, so that neither lock-outs nor the limit of clients is
measured: eight in ten show the enrolled person, one another person, one the person's photo on a phone. 503 and its
``Retry-After`` are honoured, and the login asked for again.

``python -m benchmarks.server_load [--users 1000] [--logins 2] [--out FILE]``
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.machine import machine_facts
from faceauth import Pipeline
from faceauth.gallery import Gallery, LocalKey, add_subject, enroll
from faceauth.server import KeyFile, Scope

ROOT = Path(__file__).parents[1]
PHOTOS = {"same": "collins.jpg", "other": "hopper.jpg", "phone": "collins_on_a_phone.jpg"}
LONGEST_S = 600
"""A run that takes longer is ended, and the logins without a verdict are lost."""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="faceauth-load-") as name:
        folder = Path(name)
        environ, key = _prepared(folder, options.users)
        with _served(folder, environ) as (url, process):
            memory = _Memory(process)
            logins, seconds = _load(folder, url, key, options)
            memory.stop()
            spent = process.cpu_times()
    found = _summary(logins, seconds, options) | memory.summary() | {"machine": machine_facts()}
    # of everything that was asked, start included: it says what a busy machine hides
    found["processor_s"] = round(spent.user + spent.system, 1)
    print(json.dumps({name: value for name, value in found.items() if name != "machine"}, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n")
    if found["lost"] or found["wrongly_accepted"]:
        sys.exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1000, help="people at once")
    parser.add_argument("--logins", type=int, default=2, help="logins of each, at most 4 before a wait begins")
    parser.add_argument("--out", type=Path, help="file for the figures")
    return parser.parse_args()


def _prepared(folder: Path, users: int) -> tuple[dict[str, str], str]:
    """A gallery with as many people as users, all with one face, and a key that may name its clients."""
    enrolment = enroll(Pipeline(), [ROOT / "examples" / "collins_enrolled.jpg"])
    gallery = Gallery(folder / "gallery.sqlite", LocalKey.create_file(folder / "keys" / "master.key"), create=True)
    for number in range(users):
        add_subject(gallery, f"person-{number}", enrolment, consent="benchmark")
    key = KeyFile(folder / "api_keys.json").add("load", [Scope.SESSIONS, Scope.FORWARD])
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FACEAUTH_")}
    environ |= {
        "FACEAUTH_GALLERY": str(folder / "gallery.sqlite"),
        "FACEAUTH_MASTER_KEY_FILE": str(folder / "keys" / "master.key"),
        "FACEAUTH_API_KEYS": str(folder / "api_keys.json"),
    }
    return environ, key


@contextmanager
def _served(folder: Path, environ: dict[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        served = subprocess.Popen(
            [sys.executable, "-m", "faceauth", "serve", "--port", str(port)], cwd=ROOT, env=environ, stderr=log
        )
    try:
        while True:
            if served.poll() is not None:
                sys.exit((folder / "log").read_text())
            try:
                urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url, psutil.Process(served.pid)
    finally:
        served.terminate()
        served.wait()


def _load(folder: Path, url: str, key: str, options: argparse.Namespace) -> tuple[list[dict[str, Any]], float]:
    """Every login, and the seconds from the first to the last verdict."""
    lines = folder / "logins.jsonl"
    environ = os.environ | {
        "KEY": key,
        "LOGINS": str(lines),
        "LOGINS_EACH": str(options.logins),
        "PHOTOS": json.dumps({name: str(ROOT / "examples" / file) for name, file in PHOTOS.items()}),
    }
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "benchmarks" / "login_users.py"), "--headless"]
    rates = ["--users", str(options.users), "--spawn-rate", str(max(options.users, 1)), "--host", url]
    started_s = time.perf_counter()
    run = subprocess.Popen([*command, *rates, "--run-time", f"{LONGEST_S}s", "--only-summary"], cwd=ROOT, env=environ)
    wanted = options.users * options.logins
    while run.poll() is None and _count(lines) < wanted:
        time.sleep(0.2)
    seconds = time.perf_counter() - started_s
    run.terminate()
    run.wait()
    logins = [json.loads(line) for line in lines.read_text().splitlines()]
    return logins + [{"verdict": None}] * (wanted - len(logins)), seconds


def _count(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _summary(logins: list[dict[str, Any]], seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    judged = [login for login in logins if login["verdict"] is not None]
    wrong = [login for login in judged if login["shown"] != "same" and login["verdict"] == "accept"]
    refused = [login for login in judged if login["shown"] == "same" and login["verdict"] != "accept"]
    return {
        "users": options.users,
        "logins": len(logins),
        "lost": len(logins) - len(judged),
        "wrongly_accepted": len(wrong),
        "wrongly_refused": len(refused),
        "logins_a_second": round(len(judged) / seconds, 2),
        "asked_again": sum(login["asked"] - 1 for login in judged),
        "to_verdict_ms": _percentiles([login["to_verdict_ms"] for login in judged]),
        "answered_ms": _percentiles([login["answered_ms"] for login in judged]),
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    return {f"p{percent}": round(float(np.percentile(values, percent)), 1) for percent in (50, 99)} if values else {}


class _Memory:
    """Resident memory of a process, twice a second."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._mb = [self._now_mb()]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _now_mb(self) -> float:
        return float(self._process.memory_info().rss) / 2**20

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            self._mb.append(self._now_mb())

    def stop(self) -> None:
        self._done.set()
        self._thread.join()
        self._mb.append(self._now_mb())

    def summary(self) -> dict[str, Any]:
        """Flat if the second half of the run needs no more than the first."""
        half = len(self._mb) // 2
        names = {"at_start": self._mb[0], "most_of_first_half": max(self._mb[: half + 1]), "most": max(self._mb)}
        return {"memory_mb": {name: round(value) for name, value in {**names, "at_end": self._mb[-1]}.items()}}


if __name__ == "__main__":
    main()

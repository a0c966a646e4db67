"""Locust users who log in over HTTP, each in a name of its own. ``benchmarks.server_load`` starts them.

A login is asked for again after ``Retry-After`` until there is a verdict or the run ends. Every login becomes a line of
JSON in the file that ``LOGINS`` names.
"""

import itertools
import json
import os
import random
import time
from pathlib import Path
from typing import Any

from locust import HttpUser, task
from locust.exception import StopUser

PHOTOS = {name: Path(path).read_bytes() for name, path in json.loads(os.environ["PHOTOS"]).items()}
LOGINS = int(os.environ["LOGINS_EACH"])
OUT = open(os.environ["LOGINS"], "a", buffering=1, encoding="ascii")  # noqa: SIM115  # as long as the process lives

SHOWN = ("same", "same", "same", "same", "same", "same", "same", "same", "other", "phone")
"""What one user in ten shows: the same person, another one, or a photo of the person on a phone."""

_numbers = itertools.count()


class LoginUser(HttpUser):
    """Logs in as often as it is told to, and leaves."""

    def on_start(self) -> None:
        """Take a name."""
        self.number = next(_numbers)
        self.left = LOGINS
        self.headers = {
            "Authorization": f"Bearer {os.environ['KEY']}",
            "Faceauth-Client": f"client-{self.number}",
        }

    @task
    def log_in(self) -> None:
        """Ask until there is a verdict."""
        shown = SHOWN[self.number % len(SHOWN)]
        started_s, asked = time.perf_counter(), 0
        answer: dict[str, Any] = {}
        answered_ms = 0.0
        try:
            while "verdict" not in answer:
                asked += 1
                answer, answered_ms, wait_s = self._ask(shown)
                time.sleep(wait_s)
        finally:  # a run that ends meanwhile leaves a login without a verdict
            line = {
                "shown": shown,
                "verdict": answer.get("verdict"),
                "reason": answer.get("reason"),
                "asked": asked,
                "to_verdict_ms": (time.perf_counter() - started_s) * 1000,
                "answered_ms": answered_ms,
            }
            OUT.write(json.dumps(line) + "\n")
        self.left -= 1
        if self.left == 0:
            raise StopUser

    def _ask(self, shown: str) -> tuple[dict[str, Any], float, float]:
        """The answer, its time in milliseconds, and how many seconds to wait before asking again."""
        path = f"/v1/subjects/person-{self.number}/verify"
        files = {"photo": ("photo.jpg", PHOTOS[shown], "image/jpeg")}
        with self.client.post(
            path, files=files, headers=self.headers, name="verify", timeout=120, catch_response=True
        ) as response:
            again = response.status_code in (0, 423, 429, 503)  # 0: the connection was refused or lost
            if again or response.status_code == 200:
                response.success()
            answer = {} if again else response.json()
            if response.status_code not in (0, 200, 423, 429, 503):
                raise RuntimeError(f"{response.status_code}: {response.text}")
            # a little later than told, each at a time of its own, or all would come at once again
            wait_s = float(response.headers.get("Retry-After", 1)) * random.uniform(1, 1.5) if again else 0.0
            return answer, response.request_meta["response_time"], wait_s

"""The OpenAPI document is true: schemathesis finds nothing against it."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from faceauth.gallery import attempts

from .conftest import Running, Serve

CONFIG = """
[checks.positive_data_acceptance]
# photos are bytes to the document, and most bytes show nobody
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 415, 422]
"""


def test_the_document_is_openapi_3_1_and_every_error_in_it_is_a_problem(running: Running) -> None:
    document = running.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len(operations) == len({one["operationId"] for one in operations}) == 14
    for operation in operations:
        for status, response in operation["responses"].items():
            assert int(status) < 400 or set(response["content"]) == {"application/problem+json"}
        if operation.get("security"):
            assert {"401", "403", "422", "500", "503"} <= set(operation["responses"])


@pytest.fixture
def served(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, str]]:
    """The stub service on a port of its own."""
    monkeypatch.setattr(attempts, "CLIENT_ATTEMPTS", 10**6)  # or almost every answer would be 429
    running = serve()
    running.enrol("ada", 1)
    server = uvicorn.Server(uvicorn.Config(running.http.app, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    (port,) = {socket.getsockname()[1] for one in server.servers for socket in one.sockets}
    yield running, f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.mark.slow
def test_schemathesis_finds_nothing(served: tuple[Running, str], tmp_path: Path) -> None:
    program = shutil.which("st", path=str(Path(sys.executable).parent)) or shutil.which("st")
    if program is None:
        pytest.skip("needs schemathesis")
    running, url = served
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [program, "--config-file", str(tmp_path / "schemathesis.toml"), "run", f"{url}/openapi.json"]
    options = ["--max-examples", "8", "--no-color", "--header", f"Authorization: Bearer {running.keys['all']}"]
    ran = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr
    assert "14" in ran.stdout.partition("Tested:")[2][:8]

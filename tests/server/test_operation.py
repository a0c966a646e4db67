"""Health, readiness, metrics and the log: enough to run the service, and nothing about people."""

import json
import logging
from collections.abc import Iterator

import pytest

from faceauth.errors import UsageError
from faceauth.pipeline import Pipeline
from faceauth.server import KeyFile, Service
from faceauth.server.request_log import JsonLines

from ..pipelines import fake_pipeline
from .conftest import Running, jpeg


def test_health_and_readiness_need_no_key(running: Running) -> None:
    assert running.http.get("/healthz").json() == {"status": "ok"}
    assert running.http.get("/readyz").json() == {"status": "ok"}


def test_verdicts_are_counted_by_kind_and_reason(running: Running) -> None:
    running.enrol("ada", 1)
    running.verify("ada", jpeg(1))
    running.verify("ada", jpeg(2))
    running.verify("ada", jpeg(2))
    session_id = running.open("ada").json()["id"]
    running.send(session_id, 0, (0.0, jpeg(1)), (99.0, jpeg(1)))
    running.open()
    text = running.http.get("/metrics").text
    for line in (
        'faceauth_results_total{kind="verify",reason="live_and_matched",verdict="accept"} 1.0',
        'faceauth_results_total{kind="verify",reason="not_matched",verdict="reject"} 2.0',
        'faceauth_results_total{kind="passive",reason="frozen_stream",verdict="reject"} 1.0',
        "faceauth_sessions_running 1.0",
        "faceauth_queue_length 0.0",
    ):
        assert line in text
    count = 'faceauth_request_seconds_count{method="POST",route="/v1/subjects/{name}/verify",status="200"} 3.0'
    assert count in text


def test_metrics_grow_with_no_name_and_no_path_of_a_caller(running: Running) -> None:
    running.enrol("ada", 1)
    for name in ("ada", "nobody", "else"):
        running.http.get(f"/v1/subjects/{name}", headers=running.auth())
        running.http.get(f"/{name}")
        running.http.request(name.upper(), "/v1/subjects")
    text = running.http.get("/metrics").text
    assert not any(name in text.lower() for name in ('"ada"', "nobody", "else"))


class Lines(logging.Handler):
    """Keeps what would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.setFormatter(JsonLines())

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))


@pytest.fixture
def log() -> Iterator[list[str]]:
    handler, logger = Lines(), logging.getLogger("faceauth.server")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    yield handler.written
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_every_request_is_one_line_of_json_without_names_keys_or_ids(running: Running, log: list[str]) -> None:
    running.enrol("ada", 1)
    running.verify("ada", jpeg(1))
    session_id = running.open("ada").json()["id"]
    running.result(session_id)
    running.http.get("/v1/subjects", headers={"Authorization": "Bearer wrong"})
    lines = [json.loads(line) for line in log]
    assert [(line["route"], line["status"], line["key"]) for line in lines] == [
        ("/v1/subjects/{name}/templates", 201, "all"),
        ("/v1/subjects/{name}/verify", 200, "all"),
        ("/v1/sessions", 201, "all"),
        ("/v1/sessions/{session_id}/result", 409, "all"),
        ("/v1/subjects", 401, None),
    ]
    assert {"time", "level", "logger", "method", "elapsed_ms"} <= set(lines[0])
    told = json.dumps([{**line, "time": None, "elapsed_ms": None} for line in lines])
    assert not any(secret in told for secret in ('"ada"', session_id, running.keys["all"], "wrong", "0.9"))


def test_health_checks_are_not_logged(running: Running, log: list[str]) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        running.http.get(path)
    assert log == []


def test_an_error_is_a_line_with_its_traceback() -> None:
    try:
        raise RuntimeError("two\nlines")
    except RuntimeError as error:
        record = logging.LogRecord("a", logging.ERROR, "", 0, "failed", (), (type(error), error, error.__traceback__))
    line = JsonLines().format(record)
    assert "\n" not in line and "RuntimeError" in json.loads(line)["error"]


def test_a_pipeline_without_liveness_is_not_served(running: Running) -> None:
    blind = fake_pipeline(require_liveness=False)
    with pytest.raises(UsageError, match="require_liveness"):
        Service(blind, running.gallery, running.key_file)


def test_a_service_is_not_started_with_keys_that_cannot_be_read(running: Running, tmp_path: object) -> None:
    running.key_file.path.write_text("nonsense")
    pipeline: Pipeline = fake_pipeline()
    with pytest.raises(UsageError, match="holds no API keys"):
        Service(pipeline, running.gallery, KeyFile(running.key_file.path))

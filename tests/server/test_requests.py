"""What is refused before it is read, what is refused while it is read, and how every error is told."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from faceauth.server.body_guard import BODIES_AT_ONCE, CHUNK_BYTES, JSON_BYTES, UPLOAD_BYTES, BodyGuard
from faceauth.server.problems import Problem
from faceauth.server.work_queue import RETRY_AFTER_S

from .conftest import Running, Serve, jpeg, photos

FORM = "multipart/form-data; boundary=x"


def is_problem(answer: Any, status: int, reason: str) -> bool:
    body = answer.json()
    told = (answer.status_code, answer.headers["content-type"], body["status"], body["reason"])
    return told == (status, "application/problem+json", status, reason) and {"type", "title", "detail"} <= set(body)


# Size.


@pytest.mark.parametrize(
    ("path", "method", "most_bytes", "kind"),
    [
        ("/v1/sessions", "POST", JSON_BYTES, "application/json"),
        ("/v1/sessions/x/chunks/0", "PUT", CHUNK_BYTES, FORM),
        ("/v1/subjects/ada/verify", "POST", UPLOAD_BYTES, FORM),
    ],
)
def test_a_body_that_says_that_it_is_too_large_is_refused_before_it_is_read(
    running: Running, path: str, method: str, most_bytes: int, kind: str
) -> None:
    headers = running.auth(**{"Content-Length": str(most_bytes + 1), "Content-Type": kind})
    scope_headers = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
    answer = asgi(running, method, path, scope_headers, [b"x" * 10])
    assert answer["status"] == 413 and answer["read"] == 0
    assert (b"connection", b"close") in answer["headers"]


def test_a_body_that_does_not_say_how_large_it_is_is_counted(running: Running) -> None:
    running.enrol("ada")

    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\nContent-Type: image/jpeg\r\n\r\n'
        for _ in range(UPLOAD_BYTES // 2**20 + 2):
            yield bytes(2**20)

    answer = running.http.post(
        "/v1/subjects/ada/verify", content=endless(), headers=running.auth(**{"Content-Type": FORM})
    )
    assert is_problem(answer, 413, "too_large")
    assert running.failures("ada") == 0


def asgi(
    running: Running, method: str, path: str, headers: list[tuple[bytes, bytes]], parts: list[bytes]
) -> dict[str, Any]:
    """The status, the headers, and how many parts of the body were asked for."""
    found: dict[str, Any] = {"read": 0, "body": b""}

    async def receive() -> dict[str, Any]:
        found["read"] += 1
        return {"type": "http.request", "body": parts[0], "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.update(status=message["status"], headers=message["headers"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "server": ("test", 80),
        "client": ("test", 1),
    }
    running.on_loop(running.http.app, scope, receive, send)
    return found


def test_without_a_key_no_body_is_read(running: Running) -> None:
    headers = [(b"content-type", FORM.encode()), (b"content-length", b"10")]
    for path in ("/v1/identify", "/v1/subjects", "/v1/subjects/ada/templates", "/v1/subjects/ada/verify"):
        answer = asgi(running, "POST", path, headers, [b"x" * 10])
        assert (answer["status"], answer["read"]) == (401, 0)
    json_headers = [(b"content-type", b"application/json"), (b"content-length", b"10")]
    answer = asgi(running, "POST", "/v1/sessions", json_headers, [b"x" * 10])
    assert (answer["status"], answer["read"]) == (401, 0)


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceauth.server.body_guard.BODY_S", 0.05)
    raised: list[Problem] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await receive()
        except Problem as problem:
            raised.append(problem)

    async def never() -> Any:
        await asyncio.sleep(60)

    asyncio.run(BodyGuard(app, check_queue=lambda: None)(a_post(), never, never))
    assert [problem.status for problem in raised] == [408]


def test_so_many_bodies_are_read_at_once_and_no_more() -> None:
    refused: list[tuple[int, str | None]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await receive()
        except Problem as problem:
            refused.append((problem.status, problem.headers.get("Retry-After")))
            return
        await release.wait()

    async def one_part() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def run() -> None:
        guard = BodyGuard(app, check_queue=lambda: None, bodies_at_once=2)
        tasks = [asyncio.create_task(guard(a_post(), one_part, one_part)) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert refused == [(503, str(RETRY_AFTER_S))]
        release.set()
        await asyncio.gather(*tasks)
        await guard(a_post(), one_part, one_part)  # the places were given back
        assert refused == [(503, str(RETRY_AFTER_S))]

    release = asyncio.Event()
    asyncio.run(run())
    assert BODIES_AT_ONCE * UPLOAD_BYTES <= 2 * 2**30


def a_post() -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": "/v1/identify", "headers": [(b"content-type", FORM.encode())]}


# Media types.


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/sessions", "text/plain"),
        ("/v1/sessions", FORM),
        ("/v1/identify", "application/json"),
        ("/v1/identify", "image/jpeg"),
        ("/v1/subjects", ""),
    ],
)
def test_another_media_type_is_refused(running: Running, path: str, kind: str) -> None:
    headers = running.auth(**({"Content-Type": kind} if kind else {}))
    assert is_problem(running.http.post(path, content=b"{}", headers=headers), 415, "media_type")


def test_a_photo_of_another_type_and_a_compressed_body_are_refused(running: Running) -> None:
    gif = running.http.post(
        "/v1/identify", files=photos(b"GIF89a", name="photo", kind="image/gif"), headers=running.auth()
    )
    assert is_problem(gif, 415, "media_type")
    headers = running.auth(**{"Content-Type": FORM, "Content-Encoding": "gzip"})
    assert is_problem(running.http.post("/v1/identify", content=b"x", headers=headers), 415, "media_type")


@pytest.mark.parametrize("charset", ["punycode", "undefined", "idna", "utf-7"])
def test_text_is_utf_8_and_no_other_decoder_of_python_is_run(running: Running, charset: str) -> None:
    headers = running.auth(**{"Content-Type": f"{FORM}; charset={charset}"})
    answer = running.http.post("/v1/subjects", content=A_FIELD, headers=headers)
    assert answer.status_code == 415 and answer.json()["reason"] == "media_type"
    for same in ("utf-8", "UTF-8", '"utf-8"'):
        headers["Content-Type"] = f"{FORM}; charset={same}"
        assert "There is no image" in running.http.post("/v1/subjects", content=A_FIELD, headers=headers).text


A_FIELD = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nx-\xff\r\n--x--\r\n'


@pytest.mark.parametrize(
    "content", [b"", b"x", b"--x\r\n\r\nhello\r\n--x--", b"--x\r\nnonsense\r\n--x--", b"\xff" * 99]
)
def test_a_form_that_is_none_is_malformed(running: Running, content: bytes) -> None:
    headers = running.auth(**{"Content-Type": FORM})
    answer = running.http.post("/v1/identify", content=content, headers=headers)
    assert answer.status_code in (400, 422) and answer.headers["content-type"] == "application/problem+json"


def test_faces_are_not_written_into_temporary_files(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a face went to the disk")

    running.enrol("ada")
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    assert running.verify("ada", jpeg(1) + bytes(4 * 2**20)).status_code == 200


# How errors are told.


def test_every_error_is_a_problem_document(running: Running) -> None:
    auth = running.auth()
    assert is_problem(running.http.get("/nowhere", headers=auth), 404, "not_found")
    wrong = running.http.patch("/v1/subjects", headers=auth, files=photos(b"x"))
    assert is_problem(wrong, 405, "method_not_allowed") and wrong.headers["Allow"] == "GET, POST"
    assert is_problem(running.http.get("/v1/subjects/nobody", headers=auth), 404, "not_enrolled")
    assert is_problem(running.http.get("/v1/sessions/x/result", headers=auth), 404, "session_unknown")
    assert is_problem(running.http.get("/v1/subjects/" + "x" * 200, headers=auth), 422, "invalid")
    client = running.auth("web", **{"Faceauth-Client": "two words"})
    assert is_problem(running.http.post("/v1/sessions", json={"kind": "passive"}, headers=client), 422, "invalid")


def test_a_gallery_that_cannot_be_used_lets_nobody_in_and_says_nothing_of_its_place(running: Running) -> None:
    running.enrol("ada", 1)
    path = running.gallery.database.path
    assert path is not None
    path.unlink()
    closed = running.verify("ada", jpeg(1))
    assert is_problem(closed, 503, "unavailable") and str(path) not in closed.text
    ready = running.http.get("/readyz")
    assert is_problem(ready, 503, "unavailable") and str(path) not in ready.text
    assert running.http.get("/healthz").status_code == 200


def test_a_bug_is_a_problem_too_and_says_nothing_of_itself(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    running = serve()

    def bug(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(running.service.sessions, "find", bug)
    running.http._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    failed = running.http.get("/v1/sessions/x/result", headers=running.auth())
    assert is_problem(failed, 500, "broken") and "secret" not in failed.text


def test_what_was_sent_is_not_repeated(running: Running) -> None:
    answer = running.http.post("/v1/sessions", json={"kind": "SECRET"}, headers=running.auth())
    assert answer.status_code == 422 and "SECRET" not in answer.text


def test_answers_are_not_kept_by_caches(running: Running) -> None:
    running.enrol("ada", 1)
    for answer in (running.verify("ada", jpeg(1)), running.open("ada"), running.open("nobody")):
        assert answer.headers["Cache-Control"] == "no-store"

"""API keys: kept as hashes, shown once, refused when they are removed, and good for their scopes alone."""

import hmac
import json
import os
from pathlib import Path

import pytest

from faceauth.cli.keys import SCOPES
from faceauth.errors import UsageError
from faceauth.server import KeyFile, Scope
from faceauth.server import api_keys as keys_module
from faceauth.server.api_keys import KeyRing

from .conftest import Running, jpeg, photos


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys" / "api_keys.json")


def ring_of(file: KeyFile) -> KeyRing:
    ring = KeyRing(file)
    ring.refresh()
    return ring


# What is kept.


def test_no_key_is_kept_but_its_argon2_hash_in_a_file_of_its_owner(file: KeyFile) -> None:
    text = file.add("web", [Scope.SESSIONS])
    content = file.path.read_text()
    assert text not in content and text.split("_", 2)[2] not in content
    assert json.loads(content)[0]["hashed"].startswith("$argon2id$")
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_key_is_known_and_no_other_text_is(file: KeyFile) -> None:
    text = file.add("web", [Scope.SESSIONS])
    ring = ring_of(file)
    assert ring.known(text) is None  # not before it was proved
    key = ring.proved(text)
    assert key is not None and (key.name, key.scopes) == ("web", (Scope.SESSIONS,))
    assert ring.known(text) == key
    for wrong in (text[:-1], text + "x", text[:-1] + ("A" if text[-1] != "A" else "B"), "", "fa__", "fa_x_y", "ü_ü_ü"):
        assert ring.known(wrong) is None and ring.proved(wrong) is None


def test_what_was_proved_is_compared_in_constant_time(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    text = file.add("web", [Scope.SESSIONS])
    ring, compared = ring_of(file), []
    ring.proved(text)
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(keys_module.hmac, "compare_digest", compare)
    assert ring.known(text) is not None and ring.known(text[:-1]) is None
    assert compared == [(32, 32), (32, 32)]


def test_a_removed_key_is_forgotten_though_it_was_proved(file: KeyFile) -> None:
    text = file.add("web", [Scope.SESSIONS])
    ring = ring_of(file)
    ring.proved(text)
    file.remove("web")
    ring.refresh()
    assert ring.known(text) is None and ring.proved(text) is None


def test_a_hash_that_was_swapped_makes_the_proved_key_worthless(file: KeyFile) -> None:
    text = file.add("web", [Scope.SESSIONS])
    ring = ring_of(file)
    ring.proved(text)
    stored = json.loads(file.path.read_text())
    file.remove("web")
    file.add("web", [Scope.SESSIONS])
    stored[0]["hashed"] = json.loads(file.path.read_text())[0]["hashed"]
    file.path.write_text(json.dumps(stored))
    ring.refresh()
    assert ring.known(text) is None and ring.proved(text) is None


def test_a_key_is_known_while_the_file_is_read_again(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of another thread comes in between; a file that cannot be read makes the key unknown all the same."""
    text = file.add("web", [Scope.SESSIONS])
    ring = ring_of(file)
    ring.proved(text)
    file.add("other", [Scope.SESSIONS])
    known_meanwhile: list[bool] = []
    read = file.read

    def watched() -> object:
        known_meanwhile.append(ring.known(text) is not None)
        return read()

    monkeypatch.setattr(file, "read", watched)
    ring.refresh()
    assert known_meanwhile == [True] and ring.known(text) is not None
    file.path.write_text("nonsense")
    with pytest.raises(UsageError):
        ring.refresh()
    assert ring.known(text) is None


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_keys_that_others_may_read_are_refused(file: KeyFile, mode: int) -> None:
    file.add("web", [Scope.SESSIONS])
    file.path.chmod(mode)
    with pytest.raises(UsageError, match="chmod 600"):
        file.read()


@pytest.mark.parametrize("content", [b"", b"{}", b"[{}]", b"[1]", b"\xff"])
def test_a_file_that_holds_no_keys_is_an_error_and_not_an_empty_list(file: KeyFile, content: bytes) -> None:
    file.add("web", [Scope.SESSIONS])
    file.path.write_bytes(content)
    with pytest.raises(UsageError, match="holds no API keys"):
        file.read()


@pytest.mark.parametrize("name", ["", "a/b", "a b", "é", "-a", "x" * 33])
def test_a_key_has_a_plain_name(file: KeyFile, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        file.add(name, [Scope.SESSIONS])


def test_two_keys_have_two_names_and_every_key_has_a_scope(file: KeyFile) -> None:
    file.add("web", [Scope.SESSIONS])
    with pytest.raises(UsageError, match="already"):
        file.add("web", [Scope.SUBJECTS])
    with pytest.raises(UsageError, match="without a scope"):
        file.add("other", [])
    with pytest.raises(UsageError, match="no key"):
        file.remove("other")


def test_the_command_offers_every_scope() -> None:
    assert tuple(Scope) == SCOPES


# What a service makes of them.


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer fa_000000000000_x", "Basic abc", "Bearer ü"])
def test_without_a_valid_key_nothing_is_answered(running: Running, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for method, path in (("GET", "/v1/subjects"), ("POST", "/v1/identify"), ("DELETE", "/v1/sessions/x")):
        files = photos(jpeg(), name="photo") if method == "POST" else None
        refused = running.http.request(method, path, headers=headers, files=files)  # type: ignore[arg-type]
        assert (refused.status_code, refused.json()["reason"]) == (401, "key_refused")
        assert refused.headers["WWW-Authenticate"] == "Bearer"


ROUTES = {
    "sessions": [
        ("POST", "/v1/sessions"),
        ("PUT", "/v1/sessions/x/chunks/0"),
        ("GET", "/v1/sessions/x/result"),
        ("DELETE", "/v1/sessions/x"),
        ("POST", "/v1/subjects/ada/verify"),
    ],
    "subjects": [
        ("GET", "/v1/subjects"),
        ("POST", "/v1/subjects"),
        ("GET", "/v1/subjects/ada"),
        ("DELETE", "/v1/subjects/ada"),
        ("POST", "/v1/subjects/ada/templates"),
    ],
    "identify": [("POST", "/v1/identify")],
}


@pytest.mark.parametrize("scope", ROUTES)
def test_a_key_does_what_its_scope_says_and_nothing_else(running: Running, scope: str) -> None:
    text = running.key_file.add("one", [Scope(scope)])
    running.enrol("ada")
    for other, routes in ROUTES.items():
        for method, path in routes:
            name = "photos" if path.endswith(("templates", "subjects")) else "photo"
            form = {"files": photos(jpeg(), name=name)} if method == "POST" and path != "/v1/sessions" else {}
            body = {"json": {"kind": "passive"}} if path == "/v1/sessions" else form
            if method == "PUT":
                body = {"files": [("frames", ("1", jpeg(), "image/jpeg"))]}
            answer = running.http.request(method, path, headers={"Authorization": f"Bearer {text}"}, **body)  # type: ignore[arg-type]
            refused = answer.status_code == 403 and answer.json()["reason"] == "scope_missing"
            assert refused == (other != scope), (method, path, answer.status_code)


def test_the_routes_above_are_all_that_need_a_key(running: Running) -> None:
    document = running.http.get("/openapi.json").json()
    secured = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation.get("security")
    }
    filled = {
        (method, path.replace("/x", "/{session_id}").replace("/ada", "/{name}").replace("chunks/0", "chunks/{number}"))
        for routes in ROUTES.values()
        for method, path in routes
    }
    assert secured == filled
    assert {path for path in document["paths"] if path.startswith("/v1/")} == {path for _, path in filled}


def test_a_running_service_notices_keys_that_are_added_and_removed(running: Running) -> None:
    text = running.key_file.add("late", [Scope.SUBJECTS])
    auth = {"Authorization": f"Bearer {text}"}
    assert running.http.get("/v1/subjects", headers=auth).status_code == 200
    running.key_file.remove("late")
    assert running.http.get("/v1/subjects", headers=auth).status_code == 401


def test_keys_that_cannot_be_read_let_nobody_in(running: Running) -> None:
    assert running.http.get("/v1/subjects", headers=running.auth()).status_code == 200
    running.key_file.path.chmod(0o644)
    closed = running.http.get("/v1/subjects", headers=running.auth())
    assert (closed.status_code, closed.json()["reason"]) == (503, "unavailable")
    assert str(running.key_file.path) not in closed.text
    assert running.http.get("/readyz").status_code == 503


# Clients of clients.


def test_each_forwarded_client_has_attempts_of_its_own(running: Running) -> None:
    def opened(client: str) -> int:
        headers = running.auth("web", **{"Faceauth-Client": client})
        return running.http.post("/v1/sessions", json={"kind": "passive"}, headers=headers).status_code

    assert [opened("203.0.113.7") for _ in range(21)] == [201] * 20 + [429]
    assert opened("203.0.113.8") == 201
    assert running.open(key="web").status_code == 201


def test_only_a_key_with_the_scope_names_a_client(running: Running) -> None:
    headers = running.auth("all", **{"Faceauth-Client": "203.0.113.7"})
    refused = running.http.post("/v1/sessions", json={"kind": "passive"}, headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (403, "scope_missing")


def test_an_id_of_a_session_is_not_told_to_whoever_lacks_its_key(running: Running) -> None:
    session_id = running.open().json()["id"]
    assert session_id not in running.result(session_id, key="web").text

"""``faceauth keys`` and what ``faceauth serve`` refuses before it listens."""

import socket
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra server")

from .conftest import Run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "api_keys.json"


def test_a_key_is_printed_once_listed_by_name_and_removed(run: Run, file: Path) -> None:
    made = run("keys", "add", "web", "--scope", "sessions", "--scope", "forward", "--api-keys", file)
    key = made.stdout.strip()
    assert made.exit_code == 0 and key.startswith("fa_") and key not in made.stderr
    listed = run("keys", "list", "--api-keys", file).stdout
    assert listed.startswith("web  sessions, forward  ") and key not in listed
    assert run("keys", "remove", "web", "--api-keys", file).stdout == "web: removed\n"
    assert run("keys", "list", "--api-keys", file).stdout == ""
    assert run("keys", "remove", "web", "--api-keys", file).exit_code == 2


def test_a_key_has_a_scope_that_exists(run: Run, file: Path) -> None:
    assert run("keys", "add", "web", "--api-keys", file).exit_code == 2
    assert run("keys", "add", "web", "--scope", "everything", "--api-keys", file).exit_code == 2
    assert not file.exists()


def test_no_gallery_is_made_unless_that_is_asked_for(run: Run, tmp_path: Path, file: Path) -> None:
    gallery = tmp_path / "none.sqlite"
    refused = run("serve", "--gallery", gallery, "--master-key", tmp_path / "master.key", "--api-keys", file)
    assert refused.exit_code in (2, 4) and not gallery.exists()


def test_a_port_that_is_taken_is_an_error_of_usage_and_no_verdict(run: Run, tmp_path: Path, file: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs the extra challenge")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        places = ("--gallery", tmp_path / "g.sqlite", "--master-key", tmp_path / "keys" / "m.key", "--api-keys", file)
        refused = run("serve", "--create", "--port", taken.getsockname()[1], *places)
    assert refused.exit_code == 2 and "choose another --host or --port" in " ".join(refused.stderr.split())

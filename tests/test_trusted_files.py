"""Only regular files are opened, and nothing else is waited for."""

import os
import socket
from pathlib import Path

import pytest

from faceauth.trusted_files import open_regular, open_trusted, read_trusted


def test_a_regular_file_is_read_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\r\nb\x1ac")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"a\r\nb\x1ac"


def test_a_link_to_a_regular_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"content"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a pipe, not a regular file"):
        open_regular(tmp_path / "pipe")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs devices")
def test_a_device_and_a_link_to_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in ("/dev/zero", tmp_path / "link"):
        with pytest.raises(OSError, match="it is a device"):
            open_regular(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        open_regular(tmp_path)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs sockets with a path")
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("server")
        with pytest.raises(OSError):
            open_regular("server")


def test_nothing_stays_open_after_a_refusal(tmp_path: Path) -> None:
    before = os.dup(0)
    os.close(before)
    for _ in range(3):
        with pytest.raises(OSError):
            open_regular("/dev/null" if Path("/dev/null").exists() else tmp_path)
    after = os.dup(0)
    os.close(after)
    assert after == before


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"], ids=["NUL", "surrogate"])
def test_text_that_can_be_no_path_is_refused_like_any_file(path: str) -> None:
    with pytest.raises(OSError) as refused:
        open_regular(path)
    assert refused.value.strerror


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be replaced elsewhere")
def test_a_file_that_is_swapped_while_it_is_opened_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's file is opened, and root's lies there when it is asked whose it is."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("theirs")
    other.write_text("root's")
    monkeypatch.setattr(
        "faceauth.trusted_files.refuse_writable_by_others", lambda path, called: os.replace(other, path)
    )
    with pytest.raises(OSError, match="swapped while it was opened"):
        open_trusted(path, called="configuration")


def test_a_file_that_nobody_swaps_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert read_trusted(tmp_path / "file", called="configuration", limit=7) == b"content"
    with pytest.raises(OSError, match="more than 6 bytes"):
        read_trusted(tmp_path / "file", called="configuration", limit=6)

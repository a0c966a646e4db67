"""What is freed stays with the process where the C library can do that, and elsewhere nothing is claimed."""

import platform

import pytest

from training.train import memory


def test_glibc_takes_all_settings() -> None:
    assert memory.keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not memory.keep_freed_memory()

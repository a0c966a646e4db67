"""The parts of the Dockerfile, without Docker: what it copies builds, what it starts runs, and its health check works.

The service is started by the very words of ``ENTRYPOINT`` and ``CMD``, with the environment of ``ENV``, where the
root file system is read-only but for the volumes.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_end_to_end import answers, free_port

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LINES = re.sub(r"^#.*\n", "", SOURCE, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
MEMORY = Path("/dev/shm")


def instructions(name: str) -> list[str]:
    """What stands behind an instruction, of the last stage."""
    last = max(number for number, line in enumerate(LINES) if line.startswith("FROM "))
    return [line.removeprefix(name).strip() for line in LINES[last:] if line.startswith(f"{name} ")]


def environment() -> dict[str, str]:
    return dict(word.split("=", 1) for line in instructions("ENV") for word in shlex.split(line))


def health_command() -> list[str]:
    (line,) = instructions("HEALTHCHECK")
    return list(json.loads(line.partition(" CMD ")[2]))


def command() -> list[str]:
    return [*json.loads(instructions("ENTRYPOINT")[0]), *json.loads(instructions("CMD")[0])]


def test_it_is_slim_and_runs_as_nobody_who_has_a_shell() -> None:
    (base,) = instructions("FROM")
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", base)
    assert int(instructions("USER")[0]) >= 1000  # a number: Kubernetes can see that it is not root
    assert "--shell /usr/sbin/nologin" in instructions("RUN")[0]


def test_every_variable_is_read_and_every_path_lies_in_a_volume() -> None:
    from faceauth.settings.environment import READ_ELSEWHERE

    ours = {name: value for name, value in environment().items() if name.startswith("FACEAUTH_")}
    assert set(ours) <= READ_ELSEWHERE
    volumes = json.loads(instructions("VOLUME")[0])
    paths = [value for value in ours.values() if value.startswith("/")]
    assert len(paths) == 4 and all(str(Path(path).parent) in volumes for path in paths)
    key, gallery = Path(ours["FACEAUTH_MASTER_KEY_FILE"]), Path(ours["FACEAUTH_GALLERY"])
    assert key.parent != gallery.parent


def test_the_libraries_that_opencv_needs_are_installed() -> None:
    import faceauth_command

    needed = {faceauth_command.SYSTEM_PACKAGES[name] for name in ("libGL.so.1", "libgthread-2.0.so.0")}
    assert needed <= set(instructions("RUN")[0].split())


@pytest.mark.slow
def test_what_is_copied_is_enough_to_build_the_package(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="needs hatchling")
    source = tmp_path / "source"
    source.mkdir()
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in kept:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "dist")]
    ran = subprocess.run(build, cwd=source, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert list((tmp_path / "dist").glob("*.whl"))


@pytest.fixture
def volumes() -> Iterator[Path]:
    if not os.access(MEMORY, os.W_OK):
        pytest.skip("needs a file system in memory at /dev/shm, which stays writable")
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


def test_it_runs_where_the_file_system_is_read_only_and_its_health_check_works(volumes: Path) -> None:
    read_only = ["unshare", "--mount", "sh", "-c", 'mount -o remount,ro,bind / && exec "$@"', "sh"]
    probe = subprocess.run([*read_only, "touch", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    if "Read-only file system" not in probe.stderr:
        pytest.skip("needs the right to remount in a namespace of its own: root, or user namespaces")
    port = str(free_port())
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
    for name, value in environment().items():
        environ |= {name: f"{volumes}{value}" if value.startswith("/") else value} if name != "PATH" else {}
    program, *words = command()
    assert program == "faceauth"
    start = [sys.executable, "-m", "faceauth", *words, "--port", port, "--create"]
    for folder in ("data", "keys"):
        (volumes / folder).mkdir(mode=0o700)
    log = volumes / "log"
    with log.open("wb") as stderr:
        served = subprocess.Popen([*read_only, *start], cwd="/", env=environ, stderr=stderr)
    try:
        deadline_s = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}"):
            assert served.poll() is None and time.monotonic() < deadline_s, log.read_text()
            time.sleep(0.1)
        assert healthy(port)
        (volumes / "data" / "gallery.sqlite").unlink()
        assert not healthy(port)
    finally:
        served.kill()
        served.wait()


def healthy(port: str) -> bool:
    python, *words = health_command()
    assert python == "python" and words[0] == "-c"
    check = [sys.executable, "-c", words[1].replace(":8000/", f":{port}/")]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0

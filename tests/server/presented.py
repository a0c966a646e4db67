"""Presentations by script, as JPEGs: each is known again by its pixels, so the fakes see what its shot says."""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image as Photo

from faceauth.imaging.decoding import load_image
from faceauth.pipeline import Pipeline
from faceauth.results import Face
from faceauth.stages import Image, MeshPoints
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, face_in

from ..pipelines import fake_pipeline
from ..video.scenes import BACKGROUND, Shot

STEP_MS = 100.0


class Presented:
    """A pipeline that knows the frames that were made here.

    Attributes:
        frames: milliseconds and JPEG.
        meshes: what a mesh sees, by the pixels of a frame.
    """

    def __init__(self, script: Sequence[tuple[float, Shot]]) -> None:
        self._shots: dict[bytes, Shot] = {}
        self._now = Shot()
        self.meshes: dict[bytes, MeshPoints] = {}
        self.frames = [(time_s * 1000, self.jpeg(number, shot)) for number, (time_s, shot) in enumerate(script)]
        self.pipeline: Pipeline = fake_pipeline(
            detector=FakeDetector(self._detect),
            liveness=FakeLiveness(lambda crops: np.full(len(crops[0]), self._now.p_live, np.float32)),
            embedder=FakeEmbedder(self._embed),
        )

    def jpeg(self, number: int, shot: Shot, mesh: MeshPoints | None = None) -> bytes:
        pixels = BACKGROUND.copy()
        pixels[:16, :16] = (number * 3) % 256, number // 80 * 40, 128
        file = io.BytesIO()
        Photo.fromarray(pixels).save(file, "JPEG", quality=95)
        key = load_image(file.getvalue()).tobytes()
        assert key not in self._shots
        self._shots[key] = shot
        if mesh is not None:
            self.meshes[key] = mesh
        return file.getvalue()

    def points(self, image: Image, face: Face) -> MeshPoints | None:
        """In place of the face mesh."""
        return self.meshes.get(image.tobytes())

    def chunks(self, size: int = 3) -> list[list[tuple[float, bytes]]]:
        return [self.frames[start : start + size] for start in range(0, len(self.frames), size)]

    def _detect(self, image: Image) -> list[Face]:
        if image.shape != BACKGROUND.shape:  # the gate asks again, of a crop
            return [face_in(image)]
        self._now = self._shots[image.tobytes()]
        return self._now.faces()

    def _embed(self, crops: Image) -> object:
        angle = math.radians(self._now.person)
        return np.tile(np.float32([math.cos(angle), math.sin(angle)]), (len(crops), 1))

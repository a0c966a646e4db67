"""The contracts between the stages of the pipeline: protocols and the values they exchange, no implementation.

A stage knows no file name, no threshold and no other stage; it takes pixels and returns numbers. The pipeline checks
what comes back and decides. ``API_VERSION`` is checked when a backend is loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from faceauth.results import Face, OperatingPoints

API_VERSION = 1

Image = npt.NDArray[np.uint8]
"""uint8, H x W x 3, BGR, 0-255, upright."""

Crops = npt.NDArray[np.uint8]
"""uint8, N x H x W x 3, 0-255, in the colour order of the backend's ``CropSpec``."""

Scores = npt.NDArray[np.float32]
"""float32; N for P(live), N x D for embeddings."""


@dataclass(frozen=True)
class CropSpec:
    """What a backend wants to see of a face.

    Attributes:
        size_wh: width and height of the crop in pixels.
        scale: side of the square taken from the picture / longer side of the face box; only for ``kind="context"``.
        kind: ``context`` is an upright square around the face (:func:`faceauth.cropping.square.context_crop`);
            ``arcface`` the five-point similarity to the 112 x 112 ArcFace template.
        color: channel order of the pixels that the backend receives.
        mirrored_scale: of a second view, or None: another square with its own scale, mirrored left to right. A liveness
            backend scores the two like two faces, and the mean of their P(live) is the face's (:mod:`faceauth.views`).
    """

    size_wh: tuple[int, int]
    scale: float
    kind: Literal["context", "arcface"]
    color: Literal["bgr", "rgb"]
    mirrored_scale: float | None = None


@dataclass(frozen=True)
class Crop:
    """A face as a backend sees it.

    Attributes:
        pixels: uint8, h x w x 3, in the colour order of the spec that asked for it.
        outside: share of the requested square that lies outside the picture, in [0, 1).
        scale: side of the square really taken / longer side of the face box; below the spec's scale where the
            picture holds less context.
    """

    pixels: npt.NDArray[np.uint8]
    outside: float
    scale: float


@runtime_checkable
class Detector(Protocol):
    """Finds faces."""

    api_version: int

    @property
    def weights_sha256(self) -> Mapping[str, str]:
        """File name -> digest of every weight file in use; empty for a backend without weights."""
        ...

    def detect(self, image: Image) -> list[Face]:
        """Faces of one picture, best first; an empty list when there is none."""
        ...


@runtime_checkable
class Aligner(Protocol):
    """Cuts a face out of a picture as a backend's ``CropSpec`` wants it."""

    def align(self, image: Image, face: Face, spec: CropSpec) -> Crop:
        """The crop, with how much of it lies outside the picture; asked for each view apart."""
        ...


@runtime_checkable
class LivenessBackend(Protocol):
    """Scores crops for liveness."""

    api_version: int
    crop: CropSpec

    @property
    def weights_sha256(self) -> Mapping[str, str]:
        """File name -> digest of every weight file in use; empty for a backend without weights."""
        ...

    @property
    def operating_points(self) -> OperatingPoints | None:
        """Measured thresholds; None for a backend without any, which then needs an explicit threshold."""
        ...

    def score(self, crops: Crops) -> Scores:
        """P(live) of each crop: float32, N, in [0, 1], in the same order; empty for N = 0."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns aligned faces into templates."""

    api_version: int
    crop: CropSpec
    model_id: str
    """Identifies the embedding space; templates with different ids are never compared."""

    @property
    def weights_sha256(self) -> Mapping[str, str]:
        """File name -> digest of every weight file in use; empty for a backend without weights."""
        ...

    @property
    def match_threshold(self) -> float | None:
        """Cosine similarity at a measured false-match rate; None needs an explicit threshold."""
        ...

    def embed(self, crops: Crops) -> Scores:
        """Embeddings: float32, N x D, rows of unit length."""
        ...

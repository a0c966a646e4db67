"""The contracts between the stages of the pipeline: protocols and the values they exchange, no implementation.

A backend receives pixels and returns numbers. It never sees a file name, a threshold or another stage; the pipeline
checks what comes back and decides. ``API_VERSION`` is checked when a backend is loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from faceauth.results import Face, Reason
from faceauth.thresholds import MatchPoints, OperatingPoints

API_VERSION = 2

Image = npt.NDArray[np.uint8]
"""uint8, H x W x 3, BGR, 0-255, upright."""

Crops = npt.NDArray[np.uint8]
"""uint8, N x h x w x 3, 0-255, as the backend's ``CropSpec`` asks."""

Scores = npt.NDArray[np.float32]
"""float32; N for P(live), N x D for embeddings."""


CropKind = Literal["square", "box", "arcface"]


@dataclass(frozen=True)
class CropSpec:
    """What a backend wants to see of a face; :mod:`faceauth.cropping` makes it.

    Attributes:
        size_wh: width and height of the crop in pixels.
        scale: side of the region / side of the face box; not used for ``kind="arcface"``.
        kind: ``square`` is an upright square around the face, mirrored beyond the border of the image; ``box`` is the
            face box scaled by a factor, kept inside the image, stretched to ``size_wh``; ``arcface`` is the five-point
            similarity to the 112 x 112 ArcFace template.
        color: channel order of the pixels.
        mirrored: whether left and right are exchanged.
    """

    size_wh: tuple[int, int]
    scale: float
    kind: CropKind
    color: Literal["bgr", "rgb"]
    mirrored: bool = False


@dataclass(frozen=True)
class Crop:
    """A face as a backend sees it.

    Attributes:
        pixels: uint8, h x w x 3, in the colour order of the spec that asked for it.
        outside: share of the region that lies outside the image, in [0, 1).
        scale: longer side of the region that was taken / longer side of the face box; below the spec's scale where the
            image holds less.
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
        """Faces of one image, best first; an empty list when there is none."""
        ...


@runtime_checkable
class LivenessBackend(Protocol):
    """Scores faces for liveness.

    Attributes:
        crops: the crops it wants of each face, at least one.
    """

    api_version: int
    crops: tuple[CropSpec, ...]

    @property
    def weights_sha256(self) -> Mapping[str, str]:
        """File name -> digest of every weight file in use; empty for a backend without weights."""
        ...

    @property
    def operating_points(self) -> OperatingPoints | None:
        """Measured thresholds; None for a backend without any, which then needs a points file or a number."""
        ...

    def score(self, crops: Sequence[Crops]) -> Scores:
        """P(live) of N faces.

        Args:
            crops: one array for each entry of ``self.crops``, in that order; row i of each shows face i.

        Returns:
            float32, N, in [0, 1], face for face; empty for N = 0.
        """
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns aligned faces into templates.

    Attributes:
        model_id: identifies the embedding space; templates with different ids are never compared.
    """

    api_version: int
    crop: CropSpec
    model_id: str

    @property
    def weights_sha256(self) -> Mapping[str, str]:
        """File name -> digest of every weight file in use; empty for a backend without weights."""
        ...

    @property
    def match_points(self) -> MatchPoints | None:
        """Measured thresholds on the cosine similarity; None for an embedder without any, which then needs a number."""
        ...

    def embed(self, crops: Crops) -> Scores:
        """Embeddings: float32, N x D, rows of unit length."""
        ...


Rgb = tuple[int, int, int]
"""sRGB, 0-255."""

MeshPoints = npt.NDArray[np.float64]
"""float64, 468 x 3: the points of the MediaPipe face mesh in pixels of the image; z grows away from the camera."""


@dataclass(frozen=True)
class Screen:
    """What the screen in front of the person shows: its left and its right half, as the person sees them."""

    left: Rgb
    right: Rgb


@dataclass(frozen=True)
class Prompt:
    """What to do now.

    Attributes:
        action: for machines, such as ``"turn_left"``; left and right are the person's own.
        message: one sentence for people.
        screen: what the screen shows now; None where it does not matter.
        next_screen: what it shows from that capture time on; None until the change is due within half a second.
        nearer: how many times as near as at first the face has to be; None where it does not matter.
    """

    action: str
    message: str
    screen: Screen | None = None
    next_screen: tuple[float, Screen] | None = None
    nearer: float | None = None


@dataclass(frozen=True)
class ChallengeFrame:
    """One frame of a presentation, as a challenge sees it.

    Attributes:
        time_s: when it was captured; later than that of every frame before.
        image: read-only.
        face: as it was detected last, at most a few frames ago.
        mesh_px: of this very frame.
    """

    time_s: float
    image: Image
    face: Face
    mesh_px: MeshPoints


@dataclass(frozen=True)
class ChallengeState:
    """Where a challenge stands. Once it has ended, it stays as it is.

    Attributes:
        passed: everything was answered as asked.
        reason: why it ended without being passed, any that does not accept; None until then.
        message: one sentence for people, where the reason's own does not say enough.
        progress: from 0 to 1.
    """

    passed: bool = False
    reason: Reason | None = None
    message: str = ""
    progress: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether nothing more is asked."""
        return self.passed or self.reason is not None


@runtime_checkable
class Challenge(Protocol):
    """Asks for something that a recording cannot know, and judges the answer. One instance serves one presentation.

    It draws what to ask next from a source that cannot be predicted, and only when it is due.
    """

    api_version: int

    @property
    def weights_sha256(self) -> Mapping[str, str]:
        """File name -> digest of every weight file it uses; empty for a challenge without weights."""
        ...

    @property
    def state(self) -> ChallengeState:
        """Where it stands after the last frame."""
        ...

    def prompt(self) -> Prompt:
        """What to do now; it may change with every frame."""
        ...

    def feed(self, frame: ChallengeFrame) -> None:
        """Judge the next frame. Frames in which no face can be judged do not come, but for a moment."""
        ...

"""Presentations by script: what each frame shows is told, and the fakes find, score and embed just that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from faceauth.pipeline import Pipeline
from faceauth.results import Box, Face
from faceauth.stages import Image
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, face_in
from faceauth.video import PresentationSession, State

from ..pipelines import fake_pipeline, noise_image

BACKGROUND = noise_image(0)


@dataclass(frozen=True)
class Shot:
    """What one frame shows.

    Attributes:
        side_px: of the face; None for nobody.
        x_px: middle of the face.
        turn, nod: of the nose to the side and down, as a share of the face: 0.01 are some 3 degrees.
        other: side of another face, as a share of this one's; None for nobody else.
        p_live: what the liveness backend says.
        person: what the embedder sees: an angle in degrees, whose cosine to another is the similarity.
        image: instead of the background.
    """

    side_px: float | None = 80.0
    x_px: float = 160.0
    turn: float = 0.0
    nod: float = 0.0
    other: float | None = None
    p_live: float = 0.9
    person: float = 0.0
    image: Image = field(default_factory=lambda: BACKGROUND, compare=False)

    def faces(self) -> list[Face]:
        own = [] if self.side_px is None else [face_at(self.x_px, 120.0, self.side_px, turn=self.turn, nod=self.nod)]
        return own if self.other is None else [*own, face_at(50.0, 50.0, self.other * own[0].box_xyxy.width)]


def face_at(x: float, y: float, side: float, *, turn: float = 0.0, nod: float = 0.0) -> Face:
    left, top = x - side / 2, y - side / 2
    points = ((0.3, 0.4), (0.7, 0.4), (0.5 + turn, 0.6 + nod), (0.35, 0.8), (0.65, 0.8))
    return Face(
        box_xyxy=Box(left, top, left + side, top + side),
        score=0.9,
        landmarks_px=tuple((left + dx * side, top + dy * side) for dx, dy in points),  # type: ignore[arg-type]
    )


def growing(seconds: float, *, rate: float = 30.0, start_s: float = 0.0) -> list[tuple[float, Shot]]:
    """A live person who comes closer, 10 % in a fifth of a second: every frame of one is unlike those before it."""
    times = [start_s + number / rate for number in range(round(seconds * rate))]
    return [(time_s, Shot(side_px=80.0 * 1.1 ** ((time_s - start_s) / 0.2))) for time_s in times]


def changed(
    script: Iterable[tuple[float, Shot]], after_s: float, until_s: float = np.inf, **changes: object
) -> list[tuple[float, Shot]]:
    """The script with changes to its shots from one time on, until before another."""
    return [
        (time_s, replace(shot, **changes) if after_s <= time_s < until_s else shot)  # type: ignore[arg-type]
        for time_s, shot in script
    ]


class Scene:
    """A pipeline that sees a script, and the images to feed.

    Attributes:
        detector, liveness, embedder: the fakes, to be asked what they saw.
    """

    def __init__(self, script: Sequence[tuple[float, Shot]], **settings: object) -> None:
        self.script = list(script)
        self._now = Shot()
        self.detector = FakeDetector(self._detect)
        self.liveness = FakeLiveness(lambda crops: np.full(len(crops[0]), self._now.p_live, np.float32))
        self.embedder = FakeEmbedder(self._embed)
        backends = {"detector": self.detector, "liveness": self.liveness, "embedder": self.embedder}
        self.pipeline: Pipeline = fake_pipeline(**{**backends, **settings})  # type: ignore[arg-type]

    def frames(self) -> list[tuple[float, Image]]:
        return [(time_s, self.image(number)) for number, (time_s, _) in enumerate(self.script)]

    def image(self, number: int) -> Image:
        """The frame with its number in a corner, and otherwise as its shot says."""
        image = self.script[number][1].image.copy()
        image[0, 0] = number % 256, number // 256, 0
        return image

    def run(self, session: PresentationSession | None = None) -> State:
        """The last state; without one the session is told that no more frames come."""
        session = session or PresentationSession(self.pipeline)
        for time_s, image in self.frames():
            state = session.feed(image, time_s)
            if state.result is not None:
                return state
        return session.finish()

    def _detect(self, image: Image) -> list[Face]:
        if image.shape != BACKGROUND.shape:  # the gate asks again, of a crop
            return [face_in(image)]
        low, high, _ = map(int, image[0, 0])
        self._now = self.script[low + 256 * high][1]
        return self._now.faces()

    def _embed(self, crops: Image) -> object:
        angle = np.radians(self._now.person)
        return np.tile(np.float32([np.cos(angle), np.sin(angle)]), (len(crops), 1))

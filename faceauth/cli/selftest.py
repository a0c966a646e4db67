"""Runs every backend on a face drawn by code, so it shows no real person.

A P(live) or a similarity of a drawing says that the network runs, not that it is right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import cv2
import numpy as np

from faceauth.backends.answers import ContractBroken, check_embeddings, check_faces, check_p_live
from faceauth.backends.loading import Backends, Instances, options_of
from faceauth.backends.registry import load_backend
from faceauth.backends.time_limit import Guard
from faceauth.config import PipelineConfig
from faceauth.cropping.crops import crop_face
from faceauth.errors import FaceAuthError
from faceauth.policy import liveness_thresholds, match_threshold
from faceauth.results import Box, Face, StageName, Template
from faceauth.stages import Crops, CropSpec, Image, LivenessBackend, Scores
from faceauth.templates import similarity

SIDE_PX = 320
_SUPERSAMPLED = 4
Point = tuple[float, float]
Color = tuple[int, int, int]
T = TypeVar("T")

FACE = Face(
    box_xyxy=Box(101.0, 73.0, 220.0, 231.0),
    score=1.0,
    landmarks_px=((135.0, 135.0), (185.0, 135.0), (160.0, 170.0), (138.0, 194.0), (180.0, 196.0)),
)
"""Where the drawn face is, as YuNet and SCRFD see it to within a few pixels."""


@dataclass(frozen=True)
class Outcome:
    """What a stage did with the drawing; ``error`` is None where it did what its contract promises."""

    stage: str
    said: str
    error: FaceAuthError | None = None


def portrait() -> Image:
    """The drawing of a face: uint8, 320 x 320 x 3, BGR. YuNet and SCRFD find exactly one face in it."""
    image = np.full((SIDE_PX * _SUPERSAMPLED, SIDE_PX * _SUPERSAMPLED, 3), (150, 140, 130), np.uint8)
    skin, shade, dark = (140, 170, 215), (120, 150, 195), (40, 50, 65)
    _ellipse(image, (160, 330), (110, 80), (90, 60, 40))  # shoulders
    cv2.rectangle(image, _pixel((135, 200)), _pixel((185, 290)), shade, -1)  # neck
    _ellipse(image, (160, 130), (78, 92), (30, 40, 55))  # hair
    _ellipse(image, (160, 150), (62, 80), skin)
    for x in (135, 185):
        _ellipse(image, (x, 135), (13, 7), (235, 240, 240))
        _ellipse(image, (x, 135), (6, 6), (60, 50, 40))
        _ellipse(image, (x, 135), (3, 3), (10, 10, 10))
        _arc(image, (x, 122), (16, 6), dark, width_px=3)
        _arc(image, (x, 135), (14, 8), (60, 80, 110), width_px=1)
    _ellipse(image, (160, 165), (9, 16), shade)  # nose
    _ellipse(image, (160, 176), (12, 6), (105, 130, 175))
    for x in (154, 166):
        _ellipse(image, (x, 178), (3, 2), (60, 70, 100))
    _ellipse(image, (160, 200), (22, 7), (90, 90, 170))  # mouth
    cv2.line(image, _pixel((138, 200)), _pixel((182, 200)), (50, 50, 100), _SUPERSAMPLED)
    small = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    drawn: Image = np.asarray(cv2.GaussianBlur(small, (0, 0), 1.2), np.uint8)
    return drawn


def run(config: PipelineConfig) -> list[Outcome]:
    """Detector, liveness backend and embedder of ``config``, each loaded and run on the drawing, and their thresholds.

    Liveness and embedder get the crop of :data:`FACE`, so that one broken stage does not hide the others.
    """
    return [
        _outcome("detection", lambda: _detect(config)),
        _outcome("liveness", lambda: _score(config)),
        _outcome("embedding", lambda: _embed(config)),
    ]


def _outcome(stage: str, attempt: Callable[[], str]) -> Outcome:
    try:
        return Outcome(stage, attempt())
    except FaceAuthError as error:
        return Outcome(stage, str(error), error)


def _detect(config: PipelineConfig) -> str:
    loaded = load_backend(
        "detection", config.detector, allowed=config.allowed_plugins, options=options_of(config, config.detector)
    )

    def find() -> list[Face]:
        faces = check_faces(loaded.backend.detect(portrait()), portrait())
        if not faces:
            raise ContractBroken("found no face in the drawing")
        return faces

    faces = _guarded("detection", config.detector, find, config)
    return f"{config.detector} finds {len(faces)} face, score {faces[0].score:.2f}"


def _score(config: PipelineConfig) -> str:
    liveness = Backends(config, Instances()).liveness
    if liveness is None:
        return "switched off"
    own_points = {stage.provenance.name: stage.facts.operating_points for stage in liveness.members}
    liveness_thresholds(liveness.combination, config.threshold, own_points, liveness.points, liveness.profile)
    said = []
    for stage in liveness.members:
        crops = [_crop(spec) for spec in stage.facts.crops]
        (p_live,) = stage.guard.call(partial(_scores, stage.backend, crops))
        said.append(f"{stage.provenance.name} answers, P(live) {p_live:.4f} for a drawing")
    return "; ".join(said)


def _scores(backend: LivenessBackend, crops: list[Crops]) -> Scores:
    return check_p_live(backend.score(crops), 1)


def _embed(config: PipelineConfig) -> str:
    loaded = load_backend(
        "embedding", config.embedder, allowed=config.allowed_plugins, options=options_of(config, config.embedder)
    )
    match_threshold(config.match_threshold, loaded.facts.match_points)
    crops = np.concatenate([_crop(loaded.facts.crop)] * 2)
    rows = _guarded("embedding", config.embedder, lambda: check_embeddings(loaded.backend.embed(crops), 2), config)
    first, second = (Template(model_id=loaded.facts.model_id, vector=tuple(row)) for row in rows.tolist())
    return (
        f"{config.embedder} answers with {rows.shape[1]} numbers, similarity to itself {similarity(first, second):.4f}"
    )


def _guarded(stage: StageName, name: str, call: Callable[[], T], config: PipelineConfig) -> T:
    return Guard(stage, name, timeout_s=config.stage_timeout_s).call(call)


def _crop(spec: CropSpec) -> Crops:
    return crop_face(portrait(), FACE, spec).pixels[None]


def _pixel(point: Point) -> tuple[int, int]:
    return round(point[0] * _SUPERSAMPLED), round(point[1] * _SUPERSAMPLED)


def _ellipse(image: Image, center: Point, half_axes: Point, color: Color) -> None:
    cv2.ellipse(image, _pixel(center), _pixel(half_axes), 0, 0, 360, color, -1, cv2.LINE_AA)


def _arc(image: Image, center: Point, half_axes: Point, color: Color, *, width_px: int) -> None:
    """The upper arc of an ellipse: a brow, a lid."""
    thickness = width_px * _SUPERSAMPLED
    cv2.ellipse(image, _pixel(center), _pixel(half_axes), 0, 190, 350, color, thickness, cv2.LINE_AA)

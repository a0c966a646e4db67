"""Augmentation: a picture and its face box in, one view of ``size`` x ``size`` out. Knows no label.

What differs between cameras, rooms and people must carry no label, so live pictures and attacks pass through the same
nuisances with the same probabilities.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.cropping.square import square_around, square_crop
from faceauth.stages import CropSpec, Image
from training.config import ViewSettings
from training.simulate.randomness import chance, log_uniform
from training.simulate.sensor import camera, through_jpeg

Box = tuple[float, float, float, float]
FaceInView = tuple[float, float, float]
"""Centre (x, y) of a face and longer side of its box, in shares of the side of a view."""

CLOSE = 1.2  # nearly half of the collections were cut at the face by who made them, at 0.7 to 1.0


@dataclass(frozen=True)
class Framing:
    """Where the square is cut: context scale, shift of the box centre in box sides, mirrored or not."""

    scale: float
    shift: tuple[float, float]
    flip: bool


def draw_framing(settings: ViewSettings, rng: np.random.Generator, *, in_pair: bool = False) -> Framing:
    """A random framing; small contexts as likely as large ones on a logarithmic scale."""
    close = settings.close_pairs if in_pair and settings.close_pairs is not None else settings.close
    is_close = close and rng.random() < close  # recipes without it draw what they always drew
    high = CLOSE if is_close else settings.scale_high
    scale = float(np.exp(rng.uniform(np.log(settings.scale_low), np.log(high))))
    dx, dy = (float(v) for v in rng.normal(0, 0.05, 2))
    return Framing(scale, (dx, dy), bool(rng.random() < 0.5))


def frame(image: Image, box_xyxy: Box, framing: Framing, size: int) -> Image:
    """Cut ``framing`` with the library's own crop: uint8, size x size x 3, BGR."""
    spec = CropSpec(size_wh=(size, size), scale=framing.scale, kind="square", color="bgr")
    pixels = square_crop(image, _shifted(image, box_xyxy, framing), spec).pixels
    return pixels[:, ::-1] if framing.flip else pixels


def face_in_view(image: Image, box_xyxy: Box, framing: Framing) -> FaceInView:
    """Where the face is in the view that :func:`frame` cuts."""
    left, top, right, bottom = box_xyxy
    x0, y0, side = square_around(image.shape[1::-1], _shifted(image, box_xyxy, framing), framing.scale)
    x, y = ((left + right) / 2 - x0) / side, ((top + bottom) / 2 - y0) / side
    return 1 - x if framing.flip else x, y, max(right - left, bottom - top) / side


def _shifted(image: Image, box_xyxy: Box, framing: Framing) -> Box:
    left, top, right, bottom = box_xyxy
    # A box that reaches beyond the picture may be all but outside already: it keeps at least a pixel inside.
    dx = min(max(framing.shift[0] * (right - left), 1 - right), image.shape[1] - 1 - left)
    dy = min(max(framing.shift[1] * (bottom - top), 1 - bottom), image.shape[0] - 1 - top)
    return left + dx, top + dy, right + dx, bottom + dy


def degrade(view: Image, settings: ViewSettings, rng: np.random.Generator, *, reference: Image | None) -> Image:
    """The nuisances of cameras and places, each with its own probability.

    Args:
        view: uint8, size x size x 3, BGR.
        settings: the probabilities.
        rng: decides; the same state gives the same nuisances to any view.
        reference: another view, of any class and domain, whose exposure and colours may be taken over.
    """
    if reference is not None and rng.random() < settings.recolour:
        view = recolour(view, reference, float(rng.uniform(0.3, 1.0)))
    if settings.worsen and rng.random() < settings.worsen:  # recipes without it draw what they always drew
        view = worsen(view, rng)
    if rng.random() < settings.camera:
        view = camera(np.ascontiguousarray(view), rng)
    if rng.random() < settings.greyscale:
        view = np.repeat(cv2.cvtColor(view, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2).astype(np.uint8)
    if rng.random() < settings.texture:
        view = texture(view, rng)
    if rng.random() < settings.occlusion:
        view = occlude(view, rng)
    return np.ascontiguousarray(view)


def recolour(view: Image, reference: Image, share: float) -> Image:
    """Move mean and spread of each channel towards ``reference`` (Reinhard et al. 2001, in BGR), by ``share``."""
    mean, spread = (m[:, 0] for m in cv2.meanStdDev(view))
    to_mean, to_spread = (m[:, 0] for m in cv2.meanStdDev(reference))
    gain = 1 + share * (np.clip(to_spread / np.maximum(spread, 1), 0.5, 2) - 1)
    moved = (view - mean) * gain + mean + share * (to_mean - mean)
    return np.clip(moved, 0, 255).astype(np.uint8)


def worsen(view: Image, rng: np.random.Generator) -> Image:
    """Out of focus, too dark or too bright, seen from afar, badly compressed: each every other time.

    Far more of it than ``camera`` has; all ranges are chosen, not measured. None of it says live or attack, and a
    network that has not seen it takes each for one of the two.
    """
    size = view.shape[0]
    if chance(rng, 0.5):
        view = np.asarray(cv2.GaussianBlur(view, (0, 0), log_uniform(rng, 0.4, 3.0)), np.uint8)
    if chance(rng, 0.5):
        view = np.asarray(cv2.convertScaleAbs(view, alpha=log_uniform(rng, 0.25, 2.2)), np.uint8)
    if chance(rng, 0.5):
        side = round(size * log_uniform(rng, 0.25, 1.0))
        small = cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA)
        view = np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    return through_jpeg(view, int(rng.integers(15, 70))) if chance(rng, 0.5) else view


def exchange_background(view: Image, background: Image, rng: np.random.Generator, face: FaceInView) -> Image:
    """Keep the head of one view and put it before the surroundings of another.

    Args:
        view: uint8, size x size x 3, BGR.
        background: another view of that size.
        rng: decides how much of the head is kept, and how soft its edge is.
        face: where it is in ``view`` (:func:`face_in_view`).
    """
    size = view.shape[0]
    mask = np.zeros((size, size), np.float32)
    x, y, half = face[0] * size, face[1] * size, face[2] * size / 2
    axes = (round(half * rng.uniform(0.85, 1.15)), round(half * rng.uniform(1.1, 1.4)))
    cv2.ellipse(mask, (round(x), round(y)), axes, 0, 0, 360, 1.0, -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.5, half * rng.uniform(0.02, 0.15))), np.float32)[..., None]
    return (view * mask + background * (1 - mask)).astype(np.uint8)


def blend(view: Image, other: Image, rng: np.random.Generator) -> Image:
    """Two views laid over one another by any ratio (mixup, Zhang et al. 2018)."""
    share = float(rng.uniform(0, 1))
    return np.asarray(cv2.addWeighted(view, share, other, 1 - share, 0), np.uint8)


def patch(view: Image, other: Image, rng: np.random.Generator) -> Image:
    """A view with a rectangle of the other in it, 30 to 90 % of each side (cut-mix, Yun et al. 2019)."""
    size = view.shape[0]
    width, height = (int(rng.uniform(0.3, 0.9) * size) for _ in range(2))
    x, y = int(rng.integers(0, size - width)), int(rng.integers(0, size - height))
    patched = view.copy()
    patched[y : y + height, x : x + width] = other[y : y + height, x : x + width]
    return patched


def texture(view: Image, rng: np.random.Generator) -> Image:
    """Multiply by smooth random blotches, as uneven light, dirt on a lens or make-up would."""
    cells = int(rng.integers(3, 24))
    blotches = rng.normal(1, rng.uniform(0.03, 0.12), (cells, cells)).astype(np.float32)
    field = cv2.resize(blotches, view.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(view * np.asarray(field)[..., None], 0, 255), np.uint8)


def occlude(view: Image, rng: np.random.Generator) -> Image:
    """Cover a rectangle of up to 40 % of each side with one colour or with noise."""
    size = view.shape[0]
    width, height = (int(rng.uniform(0.1, 0.4) * size) for _ in range(2))
    x, y = int(rng.integers(0, size - width)), int(rng.integers(0, size - height))
    covered = view.copy()
    if rng.random() < 0.5:
        covered[y : y + height, x : x + width] = rng.integers(0, 256, 3, dtype=np.uint8)
    else:
        covered[y : y + height, x : x + width] = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return covered


def batch_of(views: list[Image]) -> npt.NDArray[np.uint8]:
    """uint8, N x size x size x 3, RGB, from BGR views."""
    return np.ascontiguousarray(np.stack(views)[..., ::-1])

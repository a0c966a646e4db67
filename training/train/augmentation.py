"""Makes a view of an image: a random crop around the face, changed as cameras and places would.

What differs between cameras, rooms and people must carry no label, so live images and attacks pass through the same
augmentations with the same probabilities.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.cropping.crops import crop_box
from faceauth.cropping.square import square_around
from faceauth.stages import CropSpec, Image
from training.data.shards import Box
from training.simulate import camera
from training.train.recipe import AugmentationSettings

CLOSE = 1.2  # nearly half of the collections were cropped at the face by who made them, at 0.7 to 1.0


@dataclass(frozen=True)
class Framing:
    """Where the square is cropped: context, shift of the box centre in box sides, mirrored or not."""

    scale: float
    shift: tuple[float, float]
    flip: bool


def draw_framing(settings: AugmentationSettings, rng: np.random.Generator) -> Framing:
    """A random framing; small contexts as likely as large ones on a logarithmic scale."""
    high = CLOSE if rng.random() < settings.close else settings.context_high
    low = min(settings.context_low, high)
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    dx, dy = (float(v) for v in rng.normal(0, 0.05, 2))
    return Framing(scale, (dx, dy), bool(rng.random() < 0.5))


def framed(image: Image, box_xyxy: Box, framing: Framing, size: int) -> Image:
    """Crop ``framing`` with the library's own crop: uint8, size x size x 3, BGR."""
    spec = CropSpec(size_wh=(size, size), scale=framing.scale, kind="square", color="bgr", mirrored=framing.flip)
    return crop_box(image, _shifted(image, box_xyxy, framing), spec).pixels


def context_shown(image: Image, box_xyxy: Box, framing: Framing) -> float:
    """Side of what :func:`framed` crops over the longer side of the face; of a tight image hardly above 1."""
    left, top, right, bottom = box_xyxy
    side = square_around(image.shape[1::-1], _shifted(image, box_xyxy, framing), framing.scale)[2]
    return side / max(right - left, bottom - top)


def augment(view: Image, settings: AugmentationSettings, rng: np.random.Generator, *, reference: Image) -> Image:
    """What cameras and places do to a view, each with its own probability.

    Args:
        view: uint8, size x size x 3, BGR.
        settings: the probabilities.
        rng: decides; the same state does the same to any view.
        reference: another view, of any class and domain, whose exposure and colours may be taken over.
    """
    if rng.random() < settings.recolour:
        view = recolour(view, reference, float(rng.uniform(0.3, 1.0)))
    if rng.random() < settings.camera:
        view = camera(np.ascontiguousarray(view), rng)
    if rng.random() < settings.greyscale:
        view = np.repeat(cv2.cvtColor(view, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2).astype(np.uint8)
    if rng.random() < settings.erasing:
        view = erase(view, rng)
    return np.ascontiguousarray(view)


def recolour(view: Image, reference: Image, share: float) -> Image:
    """Move mean and spread of each channel towards ``reference`` (Reinhard et al. 2001, in BGR), by ``share``."""
    mean, spread = (m[:, 0] for m in cv2.meanStdDev(view))
    to_mean, to_spread = (m[:, 0] for m in cv2.meanStdDev(reference))
    gain = 1 + share * (np.clip(to_spread / np.maximum(spread, 1), 0.5, 2) - 1)
    moved = (view - mean) * gain + mean + share * (to_mean - mean)
    return np.clip(moved, 0, 255).astype(np.uint8)


def mixup(view: Image, other: Image, rng: np.random.Generator) -> Image:
    """Two views laid over one another by any ratio (Zhang et al. 2018)."""
    share = float(rng.uniform(0, 1))
    return np.asarray(cv2.addWeighted(view, share, other, 1 - share, 0), np.uint8)


def cutmix(view: Image, other: Image, rng: np.random.Generator) -> Image:
    """A view with a rectangle of the other in it, 30 to 90 % of each side (Yun et al. 2019)."""
    size = view.shape[0]
    width, height = (int(rng.uniform(0.3, 0.9) * size) for _ in range(2))
    x, y = int(rng.integers(0, size - width)), int(rng.integers(0, size - height))
    mixed = view.copy()
    mixed[y : y + height, x : x + width] = other[y : y + height, x : x + width]
    return mixed


def erase(view: Image, rng: np.random.Generator) -> Image:
    """Cover a rectangle of up to 40 % of each side with one colour or noise (random erasing, Zhong et al. 2020)."""
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


def _shifted(image: Image, box_xyxy: Box, framing: Framing) -> Box:
    left, top, right, bottom = box_xyxy
    # A box that reaches beyond the image may be all but outside already: it keeps at least a pixel inside.
    dx = min(max(framing.shift[0] * (right - left), 1 - right), image.shape[1] - 1 - left)
    dy = min(max(framing.shift[1] * (bottom - top), 1 - bottom), image.shape[0] - 1 - top)
    return left + dx, top + dy, right + dx, bottom + dy

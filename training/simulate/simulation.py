"""Turns a live photo into a presentation attack: source image, medium, scene, automatic exposure, camera."""

import cv2
import numpy as np

from training.simulate import cutout, mask, print, replay
from training.simulate.camera_settings import draw_camera, steadied
from training.simulate.placement import cropped_tightly
from training.simulate.randomness import chance
from training.simulate.scene import Box, Exposure, Family, Image, Light, Scene, crop_of, to_linear
from training.simulate.sensor import capture, through_jpeg

_FILLS, _FILLS_TIGHT = 0.6, 0.85  # share of media that fill the frame, the second before a tightly cropped live image
_MIDDLE_GREY = 0.18  # linear; what an exposure meter takes the world for

FAMILIES: dict[str, Family] = {
    family.name: family for family in (*print.FAMILIES, *cutout.FAMILIES, *replay.FAMILIES, *mask.FAMILIES)
}


def recapture(
    live: Scene,
    background: Image | None,
    rng: np.random.Generator,
    *,
    family: str | None = None,
) -> tuple[Scene, str]:
    """Turn ``live`` into an attack.

    Args:
        live: uint8, H x W x 3, BGR, with its face box in px; the box may reach beyond a tightly cropped image.
        background: another image (uint8, BGR) to be seen behind the sheet or device and mirrored in glass.
        rng: the only source of chance: the same state gives the same bytes.
        family: a key of ``FAMILIES``; None draws one by its share.

    Returns:
        The attack with its face box in its own px (its size differs from the live image's), and the family.
    """
    name = family or _draw_family(rng)
    fills = chance(rng, _FILLS_TIGHT if cropped_tightly(live) else _FILLS)
    settings = draw_camera(rng)
    if chance(rng, 0.85 if fills else 0.35):
        settings = steadied(settings)
    source = Scene(_attackers_copy(live.image, rng), live.box_xyxy)
    exposure = FAMILIES[name].render(source, background, settings.lens, rng, fills=fills)
    exposure = Exposure(np.maximum(exposure.light, 0), exposure.box_xyxy)
    light = _auto_exposure(exposure, live, rng)
    scale = settings.lens.sensor_scale
    size_wh = (max(16, round(light.shape[1] / scale)), max(16, round(light.shape[0] / scale)))
    return Scene(capture(light, settings, rng, size_wh), _scaled(exposure.box_xyxy, 1 / scale)), name


def _draw_family(rng: np.random.Generator) -> str:
    shares = np.array([family.share for family in FAMILIES.values()])
    return str(rng.choice(list(FAMILIES), p=shares / shares.sum()))


def _scaled(box: Box, factor: float) -> Box:
    return (box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor)


def _attackers_copy(image: Image, rng: np.random.Generator) -> Image:
    """What the attacker has: often the photo itself, else a frame of a small or badly compressed video."""
    if chance(rng, 0.8):
        return image
    height, width = image.shape[:2]
    shrink = rng.uniform(0.45, 1.0)
    size = (max(16, round(width * shrink)), max(16, round(height * shrink)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    small = through_jpeg(small, int(rng.integers(30, 85)))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _auto_exposure(exposure: Exposure, live: Scene, rng: np.random.Generator) -> Light:
    """Bring the scene near the live image's brightness, metered on the face, on the whole frame, or between.

    Metered on the frame, a screen in a dark room is over-exposed and a bright wall darkens the face, as in a real
    webcam. The aim lies between the live image's own level and the middle grey that any camera seeks, and a
    tenth of a stop above: real attacks in the training data are brighter than its live images. The spread here
    and that of the camera's own ``stops`` keep brightness from giving the label.
    """
    on_face, own_mind = float(rng.beta(2.0, 0.6)), float(rng.uniform(0, 0.6))
    like_live = _metered(to_linear(live.image), live.box_xyxy, on_face)
    wanted = like_live ** (1 - own_mind) * _MIDDLE_GREY**own_mind * 2.0 ** rng.normal(0.1, 0.4)
    return exposure.light * np.float32(wanted / _metered(exposure.light, exposure.box_xyxy, on_face))


def _metered(light: Light, box: Box, on_face: float) -> float:
    """Mean of the square roots, squared: near the mean brightness as seen, not ruled by a few highlights."""
    face, frame = (float(np.sqrt(part[::2, ::2]).mean()) for part in (crop_of(light, box), light))
    return max(on_face * face + (1 - on_face) * frame, 0.01) ** 2

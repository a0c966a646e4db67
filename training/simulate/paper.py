"""A printed sheet under a lamp at a camera: what print, cut-out and paper mask have in common."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.aliasing import Grid
from training.simulate.halftone import screen
from training.simulate.hands import draw_fingers
from training.simulate.placement import View
from training.simulate.press import Press, draw_press, reflect, separate
from training.simulate.printer_lines import draw_over
from training.simulate.randomness import chance, clouds, grain, log_uniform
from training.simulate.room import behind, lamp, windows
from training.simulate.scene import Box, Exposure, Image, Light, Scene
from training.simulate.surface import inside, over, seen, shadow

Field = NDArray[np.float32]

FACE_MM = (45.0, 260.0)  # height of a printed face: a passport's enlarged, to a poster's; chosen, not measured
DISTANCE_MM = (200.0, 600.0)  # from the camera


@dataclass(frozen=True)
class Sheet:
    """Paper: its outline in medium px, and how rough, glossy and creased it is.

    Attributes:
        outline: of the paper.
        image_box: the printed part of it.
        roughness: deviation of the reflectance.
        gloss: strength of mirrored lamps, 0 for matt.
        scatter: light that the surface sends back before it reaches the ink: it lifts the blacks.
        folds: creases across it.
        lettered: an identity card or a page of a document: text around the image.
    """

    outline: Box
    image_box: Box
    roughness: float
    gloss: float
    scatter: float
    folds: int
    lettered: bool


def draw_sheet(part: Box, face_size: float, rng: np.random.Generator) -> Sheet:
    """Trimmed to the image, with a thin white border, or an image in the middle of a larger page."""
    kind = rng.choice(["trimmed", "border", "page"], p=[0.35, 0.4, 0.25])
    reach = {"trimmed": 0.0, "border": 0.15, "page": 0.9}[str(kind)] * face_size
    margins = rng.uniform(0.1, 1, 4) * reach
    outline = (part[0] - margins[0], part[1] - margins[1], part[2] + margins[2], part[3] + margins[3])
    gloss = log_uniform(rng, 0.03, 0.9) if chance(rng, 0.35) else 0.0
    folds = int(rng.integers(1, 3)) if chance(rng, 0.2) else 0
    lettered = kind == "page" and chance(rng, 0.5)
    scatter = log_uniform(rng, 0.003, 0.08) if chance(rng, 0.5) else 0.0
    return Sheet(outline, part, log_uniform(rng, 0.002, 0.015), gloss, scatter, folds, lettered)


def print_on(live: Scene, sheet: Sheet, grid: Grid, rng: np.random.Generator) -> Light:
    """Reflectance of the printed sheet at each sensor px, as if it covered the whole frame."""
    x0, y0, x1, y1 = (round(v) for v in sheet.image_box)
    image, box = live.image[y0:y1, x0:x1], sheet.image_box
    if chance(rng, 0.5):
        image = _auto_levels(image)
    if sheet.lettered:
        image, box = _document(image, sheet, rng), sheet.outline
    press = draw_press(rng)
    coverage = _laid_down(seen(separate(image, press), box, grid.view), press, grid, rng)
    printed = (inside(box, grid.view) * 255).astype(np.uint8)
    coverage = np.asarray(cv2.multiply(coverage, cv2.merge([printed] * 4), scale=1 / 255), np.uint8)
    return reflect(coverage, press)


def _laid_down(coverage: NDArray[np.uint8], press: Press, grid: Grid, rng: np.random.Generator) -> NDArray[np.uint8]:
    if press.lines is not None:
        coverage = draw_over(coverage, press.lines, grid, rng)
    return coverage if press.halftone is None else screen(coverage, press.halftone, grid, rng)


def _auto_levels(image: Image) -> Image:
    """Stretched from its 1st to its 99th percentile, as photo services and printer drivers do unasked."""
    low, high = np.percentile(image[::3, ::3], (1, 99))
    table = np.clip((np.arange(256) - low) * (245 / max(high - low, 60)) + 5, 0, 255)
    return np.asarray(cv2.LUT(image, table.astype(np.uint8)), np.uint8)


def _document(image: Image, sheet: Sheet, rng: np.random.Generator) -> Image:
    """The image on its page, with coloured ground and lines of text over, under and beside it."""
    reach = np.abs(np.array(sheet.outline) - np.array(sheet.image_box)).round().astype(int)
    ground = rng.integers(205, 256, 3).tolist()
    page = cv2.copyMakeBorder(image, reach[1], reach[3], reach[0], reach[2], cv2.BORDER_CONSTANT, value=ground)
    ink = rng.integers(0, 110, 3).tolist()
    size = image.shape[1] * rng.uniform(0.03, 0.08)
    left, y = int(rng.uniform(0.02, 0.4) * page.shape[1]), size
    while y < page.shape[0]:
        text = "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVW 0123456789"), int(rng.integers(4, 30))))
        cv2.putText(page, text, (left, int(y)), cv2.FONT_HERSHEY_DUPLEX, size / 22, ink, 1, cv2.LINE_AA)
        y += size * rng.uniform(1.4, 4)
    page[reach[1] : reach[1] + image.shape[0], reach[0] : reach[0] + image.shape[1]] = image
    return np.asarray(page, np.uint8)


def light_up(reflectance: Light, sheet: Sheet, view: View, rng: np.random.Generator, *, even: bool) -> Light:
    """Light that the sheet sends to the camera. ``even``: no lamp near, nothing mirrored, no crease."""
    shape = view.shape_hw
    light = 1 + np.float32(sheet.roughness) * _fibres(shape, view.scale, rng)
    light *= 1 + np.float32(0.03) * clouds(shape, 2, rng) if even else lamp(shape, rng)
    gloss = 0.0 if even else sheet.gloss
    mirror = windows(shape, rng) * np.float32(gloss) if gloss else None
    slope = view.angle()
    if slope is not None:
        towards = rng.normal(0, 0.15 if even else 0.5)
        light *= np.maximum(np.cos(slope - np.float32(towards)), 0.05) / np.float32(np.cos(towards))
        if mirror is not None:
            at = rng.uniform(-1, 1)
            mirror = mirror * np.float32(0.4) + np.exp(-(((slope - at) / 0.15) ** 2)).astype(np.float32) * gloss * 0.6
    for _ in range(0 if even else sheet.folds):
        light *= _fold(sheet.outline, view, rng)
    lit = (reflectance + np.float32(sheet.scatter)) * light[..., None]
    lit *= np.exp(rng.normal([-0.05, 0, 0.05], 0.1)).astype(np.float32)  # lamps are mostly warmer than the day
    return np.asarray(lit if mirror is None else lit + mirror[..., None], np.float32)


def _fibres(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Field:
    """Grain of the paper at about 1.5 medium px, and uneven sizing over centimetres."""
    fine = cv2.GaussianBlur(grain(shape, rng), (0, 0), max(0.5, 0.8 * scale)) * np.float32(2)
    return np.asarray(fine + np.float32(0.7) * clouds(shape, 9, rng), np.float32)


def _fold(outline: Box, view: View, rng: np.random.Generator) -> Field:
    """A crease across the sheet: one side turns away from the lamp, the ridge is worn."""
    upright = chance(rng, 0.5)
    low, high = (outline[0], outline[2]) if upright else (outline[1], outline[3])
    at, skew = rng.uniform(low, high), rng.normal(0, 0.05)
    across = (view.x - at + skew * view.y) if upright else (view.y - at + skew * view.x)
    across = across.astype(np.float32)
    reach, depth = np.float32(rng.uniform(6, 60)), np.float32(rng.normal(0, 0.12))
    sides = depth * np.sign(across) * np.exp(-np.abs(across) / reach)
    ridge = np.float32(rng.uniform(0, 0.25)) * np.exp(-((across / np.float32(rng.uniform(0.5, 1.5))) ** 2))
    return np.asarray(1 + sides + ridge, np.float32)


def in_the_room(
    paper: Light, cover: Field, sheet: Sheet, view: View, background: Image | None, rng: np.random.Generator
) -> Exposure:
    """Put the lit sheet in front of the background, throw its shadow and let hands hold it."""
    face = view.box_xyxy[3] - view.box_xyxy[1]
    wall = behind(background, view.shape_hw, rng) * np.float32(log_uniform(rng, 0.3, 1.8))
    if chance(rng, 0.5):
        shift = (float(rng.normal(0, 0.08) * face), float(rng.normal(0.05, 0.06) * face))
        wall = wall * shadow(cover, shift, face * rng.uniform(0.02, 0.12), rng.uniform(0.1, 0.6))[..., None]
    light = over(paper, cover, np.asarray(wall, np.float32))
    if chance(rng, 0.55):
        light = draw_fingers(light, view, sheet.outline, log_uniform(rng, 0.12, 0.4), rng)
    return Exposure(light, view.box_xyxy)

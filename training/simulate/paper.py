"""A printed sheet under a lamp before a camera: what print, curved print and cut-out have in common."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate import press as printing
from training.simulate.hands import draw_fingers
from training.simulate.placement import View
from training.simulate.randomness import chance, clouds, grain, log_uniform
from training.simulate.room import behind, lamp, windows
from training.simulate.scene import Box, Exposure, Image, Light, Scene
from training.simulate.surface import inside, over, seen, shadow

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Sheet:
    """Paper: its outline in medium px, and how rough, glossy and creased it is."""

    outline: Box
    picture: Box  # the printed part of it
    roughness: float  # deviation of the reflectance
    gloss: float  # strength of mirrored lamps, 0 for matt
    folds: int
    lettered: bool  # an identity card or a page of a document: text around the picture


def draw_sheet(part: Box, face_size: float, rng: np.random.Generator) -> Sheet:
    """Trimmed to the picture, with a thin white border, or a picture in the middle of a larger page."""
    kind = rng.choice(["trimmed", "border", "page"], p=[0.35, 0.4, 0.25])
    reach = {"trimmed": 0.0, "border": 0.15, "page": 0.9}[str(kind)] * face_size
    margins = rng.uniform(0.1, 1, 4) * reach
    outline = (part[0] - margins[0], part[1] - margins[1], part[2] + margins[2], part[3] + margins[3])
    gloss = log_uniform(rng, 0.03, 0.9) if chance(rng, 0.35) else 0.0
    folds = int(rng.integers(1, 3)) if chance(rng, 0.2) else 0
    lettered = kind == "page" and chance(rng, 0.5)
    return Sheet(outline, part, log_uniform(rng, 0.003, 0.03), gloss, folds, lettered)


def print_on(live: Scene, sheet: Sheet, view: View, rng: np.random.Generator) -> Light:
    """Light that the sheet sends to each sensor px, as if it covered the whole frame."""
    x0, y0, x1, y1 = (round(v) for v in sheet.picture)
    picture, box = live.image[y0:y1, x0:x1], sheet.picture
    if chance(rng, 0.5):
        picture = _auto_levels(picture)
    if sheet.lettered:
        picture, box = _document(picture, sheet, rng), sheet.outline
    press = printing.draw_press(rng)
    coverage = printing.lay_down(printing.separate(picture, press), press, rng)
    coverage = seen(coverage, box, view)
    printed = inside(box, view)
    coverage = np.asarray(
        cv2.multiply(coverage, cv2.merge([(printed * 255).astype(np.uint8)] * 4), scale=1 / 255), np.uint8
    )
    return _lit(printing.reflect(coverage, press), sheet, view, rng)


def _auto_levels(picture: Image) -> Image:
    """Stretched from its 1st to its 99th percentile, as photo services and printer drivers do unasked."""
    low, high = np.percentile(picture[::3, ::3], (1, 99))
    table = np.clip((np.arange(256) - low) * (245 / max(high - low, 60)) + 5, 0, 255)
    return np.asarray(cv2.LUT(picture, table.astype(np.uint8)), np.uint8)


def _document(picture: Image, sheet: Sheet, rng: np.random.Generator) -> Image:
    """The picture on its page, with coloured ground and lines of text over, under and beside it."""
    reach = np.abs(np.array(sheet.outline) - np.array(sheet.picture)).round().astype(int)
    ground = rng.integers(205, 256, 3).tolist()
    page = cv2.copyMakeBorder(picture, reach[1], reach[3], reach[0], reach[2], cv2.BORDER_CONSTANT, value=ground)
    ink = rng.integers(0, 110, 3).tolist()
    size = picture.shape[1] * rng.uniform(0.03, 0.08)
    left, y = int(rng.uniform(0.02, 0.4) * page.shape[1]), size
    while y < page.shape[0]:
        text = "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVW 0123456789"), int(rng.integers(4, 30))))
        cv2.putText(page, text, (left, int(y)), cv2.FONT_HERSHEY_DUPLEX, size / 22, ink, 1, cv2.LINE_AA)
        y += size * rng.uniform(1.4, 4)
    page[reach[1] : reach[1] + picture.shape[0], reach[0] : reach[0] + picture.shape[1]] = picture
    return np.asarray(page, np.uint8)


def _lit(reflectance: Light, sheet: Sheet, view: View, rng: np.random.Generator) -> Light:
    shape = view.shape_hw
    light = lamp(shape, rng) * (1 + np.float32(sheet.roughness) * _fibres(shape, view.scale, rng))
    mirror = windows(shape, rng) * np.float32(sheet.gloss) if sheet.gloss else None
    slope = view.angle()
    if slope is not None:
        towards = rng.normal(0, 0.5)
        light *= np.maximum(np.cos(slope - np.float32(towards)), 0.05) / np.float32(np.cos(towards))
        if mirror is not None:
            at = rng.uniform(-1, 1)
            mirror = (
                mirror * np.float32(0.4) + np.exp(-(((slope - at) / 0.15) ** 2)).astype(np.float32) * sheet.gloss * 0.6
            )
    for _ in range(sheet.folds):
        light *= _fold(sheet.outline, view, rng)
    lit = reflectance * light[..., None]
    if mirror is not None:
        lit += mirror[..., None]
    if chance(rng, 0.5):
        lit += np.float32(log_uniform(rng, 0.002, 0.04))  # surface scatter lifts the blacks of matt paper
    return np.asarray(lit, np.float32)


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
    """Put the lit sheet before the background, throw its shadow and let hands hold it."""
    face = view.box_xyxy[3] - view.box_xyxy[1]
    wall = behind(background, view.shape_hw, rng) * np.float32(log_uniform(rng, 0.3, 1.8))
    if chance(rng, 0.5):
        shift = (float(rng.normal(0, 0.08) * face), float(rng.normal(0.05, 0.06) * face))
        wall = wall * shadow(cover, shift, face * rng.uniform(0.02, 0.12), rng.uniform(0.1, 0.6))[..., None]
    light = over(paper, cover, np.asarray(wall, np.float32))
    if chance(rng, 0.55):
        light = draw_fingers(light, view, sheet.outline, log_uniform(rng, 0.12, 0.4), rng)
    return Exposure(light, view.box_xyxy)


def covered(sheet: Sheet, view: View) -> Field:
    """Share of each sensor px that the sheet covers."""
    return inside(sheet.outline, view)

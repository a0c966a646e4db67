"""Family ``cutout``: a printed head cut along its outline, sometimes with holes for the attacker's own eyes."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.paper import draw_sheet, in_the_room, print_on
from training.simulate.placement import Bend, draw_pose, look
from training.simulate.randomness import chance
from training.simulate.scene import Box, Exposure, Family, Image, Lens, Scene, to_linear
from training.simulate.surface import inside, over, seen

_EYES = ((0.31, 0.42), (0.69, 0.42))  # share of the face box; a frontal face, chosen, not measured


def render(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator) -> Exposure:
    """The cut head as the camera sees it; see ``scene.Render``."""
    size = max(live.box_xyxy[2] - live.box_xyxy[0], live.box_xyxy[3] - live.box_xyxy[1])
    height, width = live.image.shape[:2]
    whole: Box = (0.0, 0.0, float(width), float(height))
    bend = Bend(size * rng.uniform(0.8, 4), True, rng.uniform(0, 0.4)) if chance(rng, 0.5) else None
    view = look(live, whole, draw_pose(rng, bend=bend), lens, rng, fills=False)
    sheet = replace(draw_sheet(whole, size, rng), picture=whole, outline=_around(live.box_xyxy), lettered=False)
    paper = print_on(live, sheet, view, rng)
    mask, rim = _outlines(live, rng)
    cover, printed = (np.asarray(seen(m, whole, view), np.float32) / np.float32(255) for m in (mask, rim))
    cover = cover * inside(whole, view)
    paper = over(np.full_like(paper, rng.uniform(0.6, 0.95)), 1 - printed, paper)
    if chance(rng, 0.25):
        skin = to_linear(seen(live.image, whole, view)) * np.float32(rng.uniform(0.4, 1))
        paper = over(skin, _holes(live, view.x, view.y, rng), paper)
    return in_the_room(paper, cover, sheet, view, background, rng)


def _around(box: Box) -> Box:
    """Where hands take hold: about the outline of the head."""
    width, height = box[2] - box[0], box[3] - box[1]
    return (box[0] - 0.1 * width, box[1] - 0.2 * height, box[2] + 0.1 * width, box[3] + 0.15 * height)


def _outlines(live: Scene, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Masks over the live picture (0 or 255): the cut, and inside of it the print without its white rim."""
    x0, y0, x1, y1 = live.box_xyxy
    width, height = x1 - x0, y1 - y0
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    wobble = np.ones_like(turn)
    for k in range(2, 7):
        wobble += rng.normal(0, 0.05 / k) * np.cos(k * turn + rng.uniform(0, 2 * np.pi))
    half_w, up, down = width * rng.uniform(0.5, 0.68), height * rng.uniform(0.58, 0.85), height * rng.uniform(0.5, 0.62)
    tall = np.where(np.sin(turn) < 0, up, down)
    outline = np.column_stack([half_w * np.cos(turn), tall * np.sin(turn)]) * wobble[:, None]
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    mask, rim = (np.zeros(live.image.shape[:2], np.uint8) for _ in range(2))
    neck = chance(rng, 0.35)
    margin = 1 - rng.uniform(0.02, 0.09) if chance(rng, 0.4) else 1.0
    for plane, factor in ((mask, 1.0), (rim, margin)):
        cv2.fillPoly(plane, [np.round((centre + factor * outline) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        if neck:
            low = np.array(
                [[-0.3, 0.3], [0.3, 0.3], [0.35, 0.6], [1.0, 0.85], [1.2, 2], [-1.2, 2], [-1, 0.85], [-0.35, 0.6]]
            )
            body = centre + factor * low * np.array([width, height])
            cv2.fillPoly(plane, [np.round(body * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask, rim


def _holes(
    live: Scene, x: NDArray[np.float32], y: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Share of each sensor px that an eye hole leaves open."""
    x0, y0, x1, y1 = live.box_xyxy
    width, height = x1 - x0, y1 - y0
    open_ = np.zeros(x.shape, np.float32)
    radius_x, radius_y = width * rng.uniform(0.09, 0.15), height * rng.uniform(0.04, 0.08)
    for ex, ey in _EYES:
        away = ((x - np.float32(x0 + ex * width)) / radius_x) ** 2 + (
            (y - np.float32(y0 + ey * height)) / radius_y
        ) ** 2
        open_ = np.maximum(open_, np.clip((1 - away) * 4, 0, 1))
    return open_.astype(np.float32)


FAMILY = Family("cutout", "print", 0.6, render)

"""Species ``cutout``: a print with holes for the attacker's own eyes, or a printed head cut along its outline."""

from dataclasses import replace

import numpy as np

from training.simulate.aliasing import draw_grid
from training.simulate.outline import cut_along, head, skin_behind, with_eye_holes
from training.simulate.paper import DISTANCE_MM, FACE_MM, draw_sheet, in_the_room, light_up, print_on
from training.simulate.placement import look, shown_part
from training.simulate.pose import Bend, draw_pose
from training.simulate.randomness import chance, log_uniform
from training.simulate.scene import Box, Exposure, Family, Image, Lens, Scene
from training.simulate.surface import inside, over


def with_eyes(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator, *, fills: bool) -> Exposure:
    """A sheet in front of the attacker's face, whose eyes look through its holes; see ``scene.Render``."""
    part = shown_part(live, rng, whole=fills)
    bend = Bend(live.face_px * rng.uniform(0.9, 4), True, rng.uniform(0, 0.4)) if chance(rng, 0.5) else None
    view = look(live, part, draw_pose(rng, bend=bend), lens, rng, fills=fills)
    grid = draw_grid(view, lens, log_uniform(rng, 120, FACE_MM[1]), DISTANCE_MM, rng)  # as large as a face, or nearly
    sheet = draw_sheet(part, live.face_px, rng)
    paper = light_up(print_on(live, sheet, grid, rng), sheet, view, rng, even=fills)
    paper = with_eye_holes(paper, skin_behind(live, view, rng), live, view, rng)
    if fills:
        return Exposure(paper, view.box_xyxy)
    return in_the_room(paper, inside(sheet.outline, view), sheet, view, background, rng)


def cut_head(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator, *, fills: bool) -> Exposure:
    """A head cut along its outline, at times with holes for the eyes: its edge is always in view.

    ``fills`` only makes the light even.
    """
    height, width = live.image.shape[:2]
    whole: Box = (0.0, 0.0, float(width), float(height))
    bend = Bend(live.face_px * rng.uniform(0.8, 4), True, rng.uniform(0, 0.4)) if chance(rng, 0.5) else None
    view = look(live, whole, draw_pose(rng, bend=bend), lens, rng, fills=False)
    grid = draw_grid(view, lens, log_uniform(rng, *FACE_MM), DISTANCE_MM, rng)
    sheet = replace(
        draw_sheet(whole, live.face_px, rng), image_box=whole, outline=_around(live.box_xyxy), lettered=False
    )
    paper = light_up(print_on(live, sheet, grid, rng), sheet, view, rng, even=fills)
    margin = rng.uniform(0.02, 0.09) if chance(rng, 0.4) else 0.0
    cover, printed = cut_along(live, head(rng), view, margin=margin)
    paper = over(paper, printed, np.full_like(paper, rng.uniform(0.6, 0.95)))
    if chance(rng, 0.25):
        paper = with_eye_holes(paper, skin_behind(live, view, rng), live, view, rng)
    return in_the_room(paper, cover, sheet, view, background, rng)


def _around(box: Box) -> Box:
    """Where hands take hold: about the outline of the head."""
    width, height = box[2] - box[0], box[3] - box[1]
    return (box[0] - 0.1 * width, box[1] - 0.2 * height, box[2] + 0.1 * width, box[3] + 0.15 * height)


FAMILIES = (Family("eye_holes", "cutout", 0.5, with_eyes), Family("cutout", "cutout", 0.5, cut_head))

"""Species ``mask``: a printed face cut along its outline and worn in front of the attacker's, who looks through it."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.aliasing import draw_grid
from training.simulate.hands import draw_fingers
from training.simulate.outline import cut_along, face, with_eye_holes
from training.simulate.paper import DISTANCE_MM, draw_sheet, light_up, print_on
from training.simulate.placement import View, look
from training.simulate.pose import Bend, draw_pose
from training.simulate.randomness import chance, log_uniform
from training.simulate.scene import Box, Exposure, Family, Image, Lens, Light, Scene, to_linear
from training.simulate.surface import over, seen, shadow

Field = NDArray[np.float32]


def paper_mask(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator, *, fills: bool) -> Exposure:
    """The mask on the wearer's head, who is the person of the live image; see ``scene.Render``.

    ``fills`` only makes the light even, and ``background`` is not needed: behind the mask is the live image itself.
    """
    height, width = live.image.shape[:2]
    whole: Box = (0.0, 0.0, float(width), float(height))
    view = look(live, whole, draw_pose(rng, steady=2.5), lens, rng, fills=True)
    wearer = to_linear(seen(live.image, whole, view)) * np.exp(rng.normal(0, 0.15, 3)).astype(np.float32)
    worn = _worn(live, view, rng)
    grid = draw_grid(worn, lens, rng.uniform(160, 260), DISTANCE_MM, rng)
    sheet = replace(draw_sheet(whole, live.face_px, rng), image_box=whole, outline=live.box_xyxy, lettered=False)
    paper = light_up(print_on(live, sheet, grid, rng), sheet, worn, rng, even=fills) * np.float32(rng.uniform(0.6, 1.4))
    cover, printed = cut_along(live, face(rng), worn, margin=rng.uniform(0.01, 0.06) if chance(rng, 0.3) else 0.0)
    paper = over(paper, printed, np.full_like(paper, np.percentile(paper, 97)))
    across, down = _in_sides(live, worn)
    if chance(rng, 0.6):
        paper = paper * _facets(across, down, rng)[..., None]
    if chance(rng, 0.6):
        paper = _folded_nose(paper, across, down, rng)
    paper = with_eye_holes(paper, wearer, live, worn, rng)
    side = view.scale * live.face_px
    shift = (float(rng.normal(0, 0.03) * side), float(rng.uniform(0, 0.05) * side))
    shade = shadow(cover, shift, rng.uniform(0.01, 0.06) * side, rng.uniform(0.2, 0.7))
    light = over(np.asarray(paper, np.float32), cover, wearer * shade[..., None])
    return Exposure(_held(light, live, view, rng), view.box_xyxy)


def _worn(live: Scene, view: View, rng: np.random.Generator) -> View:
    """Where each sensor px meets the mask: rolled around the head, and a little larger, smaller or beside the face."""
    bend = Bend(live.face_px * rng.uniform(0.65, 1.6), chance(rng, 0.9), rng.uniform(0, 0.3))
    zoom = rng.uniform(0.92, 1.12)
    dx, dy = rng.normal(0, 0.02, 2) * live.face_px
    x = ((view.x - np.float32(view.centre[0] + dx)) / np.float32(zoom)).astype(np.float32)
    y = ((view.y - np.float32(view.centre[1] + dy)) / np.float32(zoom)).astype(np.float32)
    x, y = bend.on_the_paper(x, y)
    x, y = x + np.float32(view.centre[0]), y + np.float32(view.centre[1])
    return replace(view, x=x, y=y, pose=replace(view.pose, bend=bend))


def _in_sides(live: Scene, view: View) -> tuple[Field, Field]:
    """Coordinates of each sensor px on the mask, in sides of the face box from its centre."""
    x0, y0, x1, y1 = live.box_xyxy
    across = (view.x - np.float32((x0 + x1) / 2)) / np.float32(x1 - x0)
    down = (view.y - np.float32((y0 + y1) / 2)) / np.float32(y1 - y0)
    return across.astype(np.float32), down.astype(np.float32)


def _facets(across: Field, down: Field, rng: np.random.Generator) -> Field:
    """Light on paper folded to a head: planes that touch a paraboloid, so that they meet as Voronoi cells do."""
    count = int(rng.integers(3, 9))
    half = rng.uniform((0.05, -0.55), (0.5, 0.55), (count, 2))
    touch = np.vstack([half, half * (-1, 1)]) if chance(rng, 0.7) else half * rng.choice([-1, 1], (count, 1))
    away = np.stack([(across - x) ** 2 + (down - y) ** 2 for x, y in touch.astype(np.float32)])
    lamp = rng.normal(0, 0.35, 2)
    light = (1 + touch @ lamp).clip(0.4, 1.6).astype(np.float32)[away.argmin(axis=0)]
    first, second = np.partition(away, 1, axis=0)[:2]
    crease = np.exp(-(((second - first) / np.float32(rng.uniform(0.005, 0.02))) ** 2))
    return np.asarray(light * (1 + np.float32(rng.normal(0, 0.15)) * crease), np.float32)


def _folded_nose(paper: Light, across: Field, down: Field, rng: np.random.Generator) -> Light:
    """A flap folded along the ridge of the nose: one side in the light, one in the shade, open at the nostrils."""
    top, bottom, half = rng.uniform(-0.15, -0.02), rng.uniform(0.12, 0.24), rng.uniform(0.1, 0.2)
    along = (down - np.float32(top)) / np.float32(bottom - top)
    flap = (np.abs(across) < half * along) & (along < 1) & (along > 0)
    side = np.where(across < 0, np.float32(1), np.float32(-1)) * np.float32(rng.normal(0, 0.25))
    light = 1 + np.where(flap, side, np.float32(0))
    opening = (np.abs(across) < half * 0.9) & (along >= 1) & (along < 1 + rng.uniform(0.02, 0.1))
    light = np.where(opening, np.float32(rng.uniform(0.05, 0.6)), light)
    return np.asarray(paper * cv2.GaussianBlur(light.astype(np.float32), (0, 0), 0.7)[..., None], np.float32)


def _held(light: Light, live: Scene, view: View, rng: np.random.Generator) -> Light:
    """By an elastic around the head, by the wearer's hand, or by glue and cap that are not in view."""
    kind = rng.choice(["elastic", "hand", "unseen"], p=[0.25, 0.35, 0.4])
    if kind == "hand":
        return draw_fingers(light, view, live.box_xyxy, log_uniform(rng, 0.1, 0.22), rng)
    if kind == "unseen":
        return light
    x0, y0, x1, y1 = live.box_xyxy
    at, tone = y0 + rng.uniform(0.3, 0.55) * (y1 - y0), float(rng.choice([0.03, 0.5, 0.9]))
    band = np.zeros(light.shape[:2], np.uint8)
    thick = max(1, round(live.face_px * view.scale * rng.uniform(0.008, 0.03)))
    for inner, outer in ((x0 + 0.06 * (x1 - x0), x0 - (x1 - x0)), (x1 - 0.06 * (x1 - x0), x1 + (x1 - x0))):
        ends = np.array([(inner, at), (outer, at + rng.normal(0, 0.1) * (y1 - y0))], np.float32)
        start, end = np.clip(view.project(ends), -3000, 3000).round().astype(int).tolist()
        cv2.line(band, start, end, 255, thick, cv2.LINE_AA)
    return over(np.full_like(light, tone), band.astype(np.float32) / np.float32(255), light)


FAMILIES = (Family("paper_mask", "mask", 0.7, paper_mask),)

"""Family ``print``: a flat or slightly bent printed photo, filling the frame or held before a room."""

import numpy as np

from training.simulate.paper import covered, draw_sheet, in_the_room, print_on
from training.simulate.placement import Bend, cut_tightly, draw_pose, look, shown_part
from training.simulate.randomness import chance
from training.simulate.scene import Exposure, Family, Image, Lens, Scene


def render(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator) -> Exposure:
    """The sheet as the camera sees it; see ``scene.Render``."""
    fills = chance(rng, 0.8 if cut_tightly(live) else 0.4)
    size = max(live.box_xyxy[2] - live.box_xyxy[0], live.box_xyxy[3] - live.box_xyxy[1])
    bend = None
    if not fills and chance(rng, 0.35):
        bend = Bend(size * rng.uniform(2.5, 7), chance(rng, 0.6), rng.uniform(-0.2, 0.2))
    part = shown_part(live, rng, whole=fills)
    view = look(live, part, draw_pose(rng, bend=bend), lens, rng, fills=fills)
    sheet = draw_sheet(part, size, rng)
    paper = print_on(live, sheet, view, rng)
    if fills:
        return Exposure(paper, view.box_xyxy)
    return in_the_room(paper, covered(sheet, view), sheet, view, background, rng)


FAMILY = Family("print", "print", 1.2, render)

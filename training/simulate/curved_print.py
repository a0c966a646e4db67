"""Family ``curved_print``: a printed photo rolled strongly, as when wrapped around a head or a bottle."""

import numpy as np

from training.simulate.paper import covered, draw_sheet, in_the_room, print_on
from training.simulate.placement import Bend, cut_tightly, draw_pose, look, shown_part
from training.simulate.randomness import chance
from training.simulate.scene import Exposure, Family, Image, Lens, Scene


def render(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator) -> Exposure:
    """The rolled sheet as the camera sees it; see ``scene.Render``."""
    size = max(live.box_xyxy[2] - live.box_xyxy[0], live.box_xyxy[3] - live.box_xyxy[1])
    bend = Bend(size * rng.uniform(0.75, 2.0), chance(rng, 0.8), rng.uniform(0.0, 0.5))
    part = shown_part(live, rng, whole=chance(rng, 0.3))
    view = look(live, part, draw_pose(rng, bend=bend), lens, rng, fills=chance(rng, 0.6 if cut_tightly(live) else 0.15))
    sheet = draw_sheet(part, size, rng)
    return in_the_room(print_on(live, sheet, view, rng), covered(sheet, view), sheet, view, background, rng)


FAMILY = Family("curved_print", "print", 0.6, render)

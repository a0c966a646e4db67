"""Species ``print``: a printed photo, flat or bent, filling the frame or held in front of a room."""

import numpy as np

from training.simulate.aliasing import draw_grid
from training.simulate.paper import DISTANCE_MM, FACE_MM, draw_sheet, in_the_room, light_up, print_on
from training.simulate.placement import look, shown_part
from training.simulate.pose import Bend, draw_pose
from training.simulate.randomness import chance, log_uniform
from training.simulate.scene import Exposure, Family, Image, Lens, Scene
from training.simulate.surface import inside


def flat(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator, *, fills: bool) -> Exposure:
    """A sheet that lies, hangs or is held flat, or nearly so; see ``scene.Render``."""
    slightly = not fills and chance(rng, 0.35)
    bend = Bend(live.face_px * rng.uniform(2.5, 7), chance(rng, 0.6), rng.uniform(-0.2, 0.2)) if slightly else None
    return _sheet(live, background, lens, rng, bend, fills=fills)


def bent(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator, *, fills: bool) -> Exposure:
    """A sheet that is bent by the hands that hold it, or rolled as around a head; see ``scene.Render``."""
    radius = live.face_px * (rng.uniform(1.3, 3.0) if fills else rng.uniform(0.75, 2.0))
    return _sheet(live, background, lens, rng, Bend(radius, chance(rng, 0.8), rng.uniform(0.0, 0.5)), fills=fills)


def _sheet(
    live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator, bend: Bend | None, *, fills: bool
) -> Exposure:
    close = fills or chance(rng, 0.15)  # the sheet fills the frame, but lit and held as it comes
    part = shown_part(live, rng, whole=close)
    view = look(live, part, draw_pose(rng, bend=bend), lens, rng, fills=close)
    grid = draw_grid(view, lens, log_uniform(rng, *FACE_MM), DISTANCE_MM, rng)
    sheet = draw_sheet(part, live.face_px, rng)
    paper = light_up(print_on(live, sheet, grid, rng), sheet, view, rng, even=fills)
    if close:
        return Exposure(paper, view.box_xyxy)
    return in_the_room(paper, inside(sheet.outline, view), sheet, view, background, rng)


FAMILIES = (Family("print", "print", 2.2, flat), Family("bent_print", "print", 0.6, bent))

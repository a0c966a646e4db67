"""Family ``monitor``: the live picture on a monitor, laptop or television that mostly fills the frame."""

import numpy as np

from training.simulate.display import add_glare, draw_display, shine
from training.simulate.overlay import overlay
from training.simulate.placement import cut_tightly, draw_pose, look, shown_part
from training.simulate.randomness import chance, log_uniform
from training.simulate.room import behind
from training.simulate.scene import Box, Exposure, Family, Image, Lens, Scene
from training.simulate.surface import inside, over


def render(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator) -> Exposure:
    """The screen as the camera sees it; see ``scene.Render``."""
    fills = chance(rng, 0.8 if cut_tightly(live) else 0.65)
    part = shown_part(live, rng, whole=True)
    view = look(live, part, draw_pose(rng, steady=1.4), lens, rng, fills=fills)
    display = draw_display(rng, pitch=(0.35, 4.0), flicker_chance=0.3)
    picture = overlay(live.image, rng) if chance(rng, 0.1) else live.image
    light = shine(picture, part, view, display, lens, rng)
    glare = log_uniform(rng, 0.005, 0.15) if chance(rng, 0.5) else 0.0
    if fills:
        return Exposure(add_glare(light, background, glare, rng), view.box_xyxy)

    width = part[2] - part[0]
    bars = width * rng.uniform(0, 0.5, 2) * (rng.random(2) < 0.5)  # a portrait on a wide screen has bars at its sides
    screen: Box = (part[0] - bars[0], part[1], part[2] + bars[1], part[3])
    rim = width * rng.uniform(0.02, 0.12)
    body: Box = (screen[0] - rim, screen[1] - rim, screen[2] + rim, screen[3] + rim * rng.uniform(1, 2.5))
    light = over(light, inside(part, view), np.full_like(light, display.black * display.brightness))
    light = add_glare(light, background, glare, rng)
    bezel = np.full_like(light, rng.choice([0.01, 0.03, 0.25, 0.6], p=[0.5, 0.3, 0.1, 0.1]))
    light = over(light, inside(screen, view), bezel)
    wall = behind(background, view.shape_hw, rng) * np.float32(log_uniform(rng, 0.05, 1.5))
    return Exposure(over(light, inside(body, view), np.asarray(wall, np.float32)), view.box_xyxy)


FAMILY = Family("monitor", "replay", 1.3, render)

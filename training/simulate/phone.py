"""Family ``phone``: the live picture on a phone or tablet, held in a hand or standing, bezel often in view."""

import numpy as np

from training.simulate.display import add_glare, draw_display, shine
from training.simulate.hands import draw_fingers
from training.simulate.overlay import overlay
from training.simulate.placement import View, cut_tightly, draw_pose, look, shown_part
from training.simulate.randomness import chance, log_uniform
from training.simulate.room import behind
from training.simulate.scene import Box, Exposure, Family, Image, Lens, Light, Scene
from training.simulate.surface import inside, over, shadow


def render(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator) -> Exposure:
    """The device as the camera sees it; see ``scene.Render``."""
    fills = chance(rng, 0.8 if cut_tightly(live) else 0.35)
    part = shown_part(live, rng, whole=fills)
    view = look(live, part, draw_pose(rng), lens, rng, fills=fills)
    display = draw_display(rng, pitch=(0.6, 5.0), flicker_chance=0.12)
    x0, y0, x1, y1 = (round(v) for v in part)
    picture = live.image[y0:y1, x0:x1]
    picture = overlay(picture, rng) if chance(rng, 0.2) else picture
    light = shine(picture, part, view, display, lens, rng)
    glare = log_uniform(rng, 0.01, 0.2) if chance(rng, 0.6) else 0.0
    if fills:
        return Exposure(add_glare(light, background, glare, rng), view.box_xyxy)

    screen, body, corner = _device(part, rng)
    bars = np.float32(rng.choice([0.0, 0.0, 0.0, 0.9])) * np.array(display.white_bgr, np.float32) * display.brightness
    light = over(light, inside(part, view), np.full_like(light, display.black) + bars.astype(np.float32))
    light = add_glare(light, background, glare, rng)
    bezel = np.full_like(light, rng.choice([0.015, 0.03, 0.1, 0.7], p=[0.45, 0.3, 0.1, 0.15]))
    device = over(light, inside(screen, view, corner=corner * 0.8), bezel)
    return _in_hand(device, body, corner, view, background, rng)


def _device(part: Box, rng: np.random.Generator) -> tuple[Box, Box, float]:
    """Screen, body and corner radius around the shown picture, medium px: tall, with bars over and under it."""
    width, height = part[2] - part[0], part[3] - part[1]
    aspect = rng.uniform(1.3, 2.2)
    spare = max(0.0, aspect * width - height) if chance(rng, 0.7) else 0.0
    above = spare * rng.uniform(0.2, 0.7)
    screen = (part[0], part[1] - above, part[2], part[3] + spare - above)
    side = width * rng.uniform(0.01, 0.07)
    end = side * (1.0 if chance(rng, 0.6) else rng.uniform(1.5, 5))
    body = (screen[0] - side, screen[1] - end, screen[2] + side, screen[3] + end)
    return screen, body, width * rng.uniform(0.0, 0.12)


def _in_hand(
    device: Light, body: Box, corner: float, view: View, background: Image | None, rng: np.random.Generator
) -> Exposure:
    """Before the room, which is often darker than the screen, with fingers around the body."""
    wall = behind(background, view.shape_hw, rng) * np.float32(log_uniform(rng, 0.03, 1.5))
    cover = inside(body, view, corner=corner)
    face = view.box_xyxy[3] - view.box_xyxy[1]
    if chance(rng, 0.3):
        wall = wall * shadow(cover, (0.0, 0.05 * face), 0.08 * face, rng.uniform(0.1, 0.5))[..., None]
    light = over(device, cover, np.asarray(wall, np.float32))
    if chance(rng, 0.6):
        lit = np.float32(log_uniform(rng, 0.1, 1.0))
        light = draw_fingers(light / lit, view, body, log_uniform(rng, 0.2, 0.5), rng) * lit
    return Exposure(light, view.box_xyxy)


FAMILY = Family("phone", "replay", 1.3, render)

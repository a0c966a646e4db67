"""Species ``replay``: the live image on a phone or tablet in a hand, or on a monitor, laptop or television."""

import numpy as np

from training.simulate.aliasing import Grid, draw_grid
from training.simulate.display import Display, add_glare, draw_display, shine
from training.simulate.hands import draw_fingers
from training.simulate.interface import overlay
from training.simulate.placement import View, look, shown_part
from training.simulate.pose import draw_pose
from training.simulate.randomness import chance, log_uniform
from training.simulate.room import behind
from training.simulate.scene import Box, Exposure, Family, Image, Lens, Light, Scene
from training.simulate.surface import inside, over, shadow


def phone(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator, *, fills: bool) -> Exposure:
    """A phone or tablet, held in a hand or standing; see ``scene.Render``."""
    close = fills or chance(rng, 0.2)
    part = shown_part(live, rng, whole=close)
    view = look(live, part, draw_pose(rng), lens, rng, fills=close)
    grid = draw_grid(view, lens, log_uniform(rng, 35, 150), (120, 450), rng)
    display = draw_display(rng, px_mm=(0.05, 0.11), flicker_chance=0.12)
    light = _shown(live.image, part, grid, display, rng)
    if close:
        return Exposure(light if fills else _mirroring(light, background, rng), view.box_xyxy)
    screen, body, corner = _device(part, rng)
    bars = np.float32(rng.choice([0.0, 0.0, 0.0, 0.9])) * np.array(display.white_bgr, np.float32) * display.brightness
    light = over(light, inside(part, view), np.full_like(light, display.black) + bars.astype(np.float32))
    light = _mirroring(light, background, rng)
    bezel = np.full_like(light, rng.choice([0.015, 0.03, 0.1, 0.7], p=[0.45, 0.3, 0.1, 0.15]))
    device = over(light, inside(screen, view, corner=corner * 0.8), bezel)
    return _in_hand(device, body, corner, view, background, rng)


def monitor(live: Scene, background: Image | None, lens: Lens, rng: np.random.Generator, *, fills: bool) -> Exposure:
    """A screen that stands on a desk and mostly fills the frame; see ``scene.Render``."""
    close = fills or chance(rng, 0.4)
    part = shown_part(live, rng, whole=True)
    view = look(live, part, draw_pose(rng, steady=1.4), lens, rng, fills=close)
    grid = draw_grid(view, lens, log_uniform(rng, 80, 400), (250, 900), rng)
    display = draw_display(rng, px_mm=(0.1, 0.45), flicker_chance=0.3)
    light = _shown(live.image, part, grid, display, rng)
    if close:
        return Exposure(light if fills else _mirroring(light, background, rng), view.box_xyxy)
    width = part[2] - part[0]
    bars = width * rng.uniform(0, 0.5, 2) * (rng.random(2) < 0.5)  # a portrait on a wide screen has bars at its sides
    screen: Box = (part[0] - bars[0], part[1], part[2] + bars[1], part[3])
    rim = width * rng.uniform(0.02, 0.12)
    body: Box = (screen[0] - rim, screen[1] - rim, screen[2] + rim, screen[3] + rim * rng.uniform(1, 2.5))
    light = over(light, inside(part, view), np.full_like(light, display.black * display.brightness))
    light = _mirroring(light, background, rng)
    bezel = np.full_like(light, rng.choice([0.01, 0.03, 0.25, 0.6], p=[0.5, 0.3, 0.1, 0.1]))
    light = over(light, inside(screen, view), bezel)
    wall = behind(background, view.shape_hw, rng) * np.float32(log_uniform(rng, 0.05, 1.5))
    return Exposure(over(light, inside(body, view), np.asarray(wall, np.float32)), view.box_xyxy)


def _shown(image: Image, part: Box, grid: Grid, display: Display, rng: np.random.Generator) -> Light:
    x0, y0, x1, y1 = (round(v) for v in part)
    image = image[y0:y1, x0:x1]
    return shine(overlay(image, rng) if chance(rng, 0.12) else image, part, grid, display, rng)


def _mirroring(light: Light, background: Image | None, rng: np.random.Generator) -> Light:
    return add_glare(light, background, log_uniform(rng, 0.005, 0.2) if chance(rng, 0.6) else 0.0, rng)


def _device(part: Box, rng: np.random.Generator) -> tuple[Box, Box, float]:
    """Screen, body and corner radius around the shown image, medium px: tall, with bars over and under it."""
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


FAMILIES = (Family("phone", "replay", 1.3, phone), Family("monitor", "replay", 1.3, monitor))

"""A lit display: the light that an image's sub-pixels send to each sensor px."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.aliasing import Grid
from training.simulate.randomness import chance, clouds, log_uniform, ramp
from training.simulate.room import mirrored, windows
from training.simulate.scene import Box, Image, Light
from training.simulate.surface import seen

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Display:
    """One screen and its setting."""

    px_mm: float  # side of a display px
    stripes: str  # "upright", "level" (a turned phone) or "pentile"
    fill: float  # contrast of the dark gaps between sub-pixels, 0-1; 0 = too dense to matter
    rows: float  # contrast of the dark lines between rows
    gamma: float  # on top of sRGB
    contrast: float  # blend of an S curve: the vivid mode of televisions
    saturation: float
    black: float  # light of a black px, share of white
    white_bgr: tuple[float, float, float]
    brightness: float  # white, in units of lit paper
    unevenness: float  # backlight and viewing angle
    flicker: float  # depth of the refresh bands
    flicker_periods: float  # over the height of the frame


def draw_display(rng: np.random.Generator, *, px_mm: tuple[float, float], flicker_chance: float) -> Display:
    """From a good phone, whose px no camera tells apart, to an old television.

    The good one is bright and pale and leaves no moire and hardly a cast: only its tones give it away.
    """
    good = chance(rng, 0.45)
    blue, green = rng.normal(0.04 if good else 0.08, 0.06 if good else 0.2), rng.normal(-0.03, 0.02 if good else 0.06)
    flicker = float(rng.uniform(0.02, 0.25)) if not good and chance(rng, flicker_chance) else 0.0
    vivid = not good and chance(rng, 0.6)
    return Display(
        px_mm=log_uniform(rng, *px_mm),
        stripes=str(rng.choice(["upright", "level", "pentile"], p=[0.6, 0.1, 0.3])),
        fill=0.0 if good else float(rng.uniform(0.1, 1.0)),
        rows=0.0 if good or chance(rng, 0.2) else float(rng.uniform(0.0, 0.4)),
        gamma=float(np.exp(rng.normal(-0.12 if good else 0.05, 0.15))),
        contrast=float(rng.uniform(0.1, 1.0)) if vivid or chance(rng, 0.3) else 0.0,
        saturation=float(rng.uniform(0.75, 1.7 if vivid else 1.2)),
        black=log_uniform(rng, 0.001, 0.03 if good else 0.1),
        white_bgr=(float(np.exp(blue)), float(np.exp(green)), float(np.exp(-blue))),
        brightness=log_uniform(rng, 0.5, 3.0),
        unevenness=float(abs(rng.normal(0, 0.03 if good else 0.1))),
        flicker=flicker,
        flicker_periods=log_uniform(rng, 0.6, 12) if chance(rng, 0.8) else float(rng.uniform(20, 60)),
    )


def shine(image: Image, part: Box, grid: Grid, display: Display, rng: np.random.Generator) -> Light:
    """Light of ``image`` (uint8, shown over ``part`` of the medium) at each sensor px, as if it covered the frame."""
    levels = (np.arange(256) / 255.0) ** display.gamma
    levels = levels + display.contrast * (levels * levels * (3 - 2 * levels) - levels)
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    white = np.array(display.white_bgr) * display.brightness
    table = ((linear * (1 - display.black) + display.black)[:, None] * white).astype(np.float32)[None]
    grey = np.array([[0.114, 0.587, 0.299]] * 3) * (1 - display.saturation)
    vivid = np.asarray(cv2.transform(image, grey + np.eye(3) * display.saturation), np.uint8)
    light = np.asarray(cv2.LUT(seen(vivid, part, grid.view), table), np.float32)
    shape = grid.view.shape_hw
    field = 1 + np.float32(display.unevenness) * (ramp(shape, rng) + np.float32(0.3) * clouds(shape, 3, rng))
    if display.flicker:
        field = field * _bands(shape, display, rng)
    light *= np.maximum(field, 0.05)[..., None]
    for channel, plane in enumerate(_lattice(display, grid)):
        light[..., channel] *= np.maximum(plane, 0)
    return light


def _lattice(display: Display, grid: Grid) -> list[Field]:
    """Light that each of blue, green and red sends through the gaps of its sub-pixels; 1 on average."""
    per_mm = 1 / display.px_mm
    planes = [np.ones(grid.view.shape_hw, np.float32) for _ in range(3)]
    if display.stripes == "pentile":
        for down in (per_mm / 2, -per_mm / 2):  # red and blue lie on the diagonals, in turns; green is twice as dense
            diagonal = grid.wave((per_mm / 2, down))
            if diagonal is not None:
                for channel, sign in ((0, -1), (2, 1)):
                    planes[channel] += (
                        sign * np.float32(0.6 * display.fill) * diagonal.contrast[channel] * diagonal.cosine
                    )
    for harmonic in (1, 2) if display.stripes != "pentile" else ():
        frequency = per_mm * harmonic
        stripes = grid.wave((0.0, frequency) if display.stripes == "level" else (frequency, 0.0))
        if stripes is None:
            break
        weight = 2 * np.sinc(harmonic / 3) * display.fill  # of a pulse of a third of the period
        for channel in range(3):
            lag = 2 * np.pi * harmonic * (2 - channel) / 3  # red first, then green, then blue
            strength = weight * stripes.contrast[channel]
            planes[channel] += np.float32(strength * np.cos(lag)) * stripes.cosine
            planes[channel] += np.float32(strength * np.sin(lag)) * stripes.sine
    rows = grid.wave((per_mm, 0.0) if display.stripes == "level" else (0.0, per_mm))
    if rows is not None and display.rows:
        planes = [
            p * (1 + np.float32(display.rows) * c * rows.cosine) for p, c in zip(planes, rows.contrast, strict=True)
        ]
    return planes


def _bands(shape_hw: tuple[int, int], display: Display, rng: np.random.Generator) -> Field:
    """Refresh or backlight pulses seen by a rolling shutter: level bands, smooth or with one hard edge."""
    phase = np.linspace(0, display.flicker_periods, shape_hw[0], dtype=np.float32) + np.float32(rng.uniform())
    wave = np.sin(2 * np.pi * phase) if chance(rng, 0.7) else 2 * (phase % 1) - 1
    return np.asarray(1 + np.float32(display.flicker) * wave, np.float32)[:, None]


def add_glare(light: Light, background: Image | None, strength: float, rng: np.random.Generator) -> Light:
    """The room mirrored in the glass, ``strength`` of the screen's white, and now and then a lamp."""
    shape = (light.shape[0], light.shape[1])
    light = light + mirrored(background, shape, rng) * np.float32(strength)
    if chance(rng, 0.3):
        light = light + windows(shape, rng)[..., None] * np.float32(log_uniform(rng, 0.03, 0.8))
    return np.asarray(light, np.float32)

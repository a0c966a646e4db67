"""A lit display: a picture in, the light that its sub-pixels send to each sensor px out. Knows no device around it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.placement import View
from training.simulate.randomness import chance, clouds, log_uniform, ramp
from training.simulate.room import mirrored, windows
from training.simulate.scene import Box, Image, Lens, Light
from training.simulate.surface import seen

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Display:
    """One screen and its setting."""

    pitch: float  # display px per sensor px, at the face
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


def draw_display(rng: np.random.Generator, *, pitch: tuple[float, float], flicker_chance: float) -> Display:
    """From a good phone to an old television."""
    blue, green = rng.normal(0.08, 0.2), rng.normal(-0.05, 0.06)
    flicker = float(rng.uniform(0.02, 0.25)) if chance(rng, flicker_chance) else 0.0
    return Display(
        pitch=log_uniform(rng, *pitch),
        stripes=str(rng.choice(["upright", "level", "pentile"], p=[0.7, 0.1, 0.2])),
        fill=float(rng.uniform(0.1, 1.0)) if chance(rng, 0.7) else 0.0,
        rows=float(rng.uniform(0.0, 0.4)) if chance(rng, 0.7) else 0.0,
        gamma=float(np.exp(rng.normal(0.05, 0.15))),
        contrast=float(rng.uniform(0.1, 1.0)) if chance(rng, 0.6) else 0.0,
        saturation=float(rng.uniform(0.75, 1.7)) if chance(rng, 0.6) else 1.0,
        black=log_uniform(rng, 0.001, 0.05),
        white_bgr=(float(np.exp(blue)), float(np.exp(green)), float(np.exp(-blue))),
        brightness=log_uniform(rng, 0.5, 3.0),
        unevenness=float(abs(rng.normal(0, 0.1))),
        flicker=flicker,
        flicker_periods=log_uniform(rng, 0.6, 12) if chance(rng, 0.8) else float(rng.uniform(20, 60)),
    )


def shine(picture: Image, part: Box, view: View, display: Display, lens: Lens, rng: np.random.Generator) -> Light:
    """Light of ``picture`` (uint8, shown over ``part`` of the medium) at each sensor px, as if it covered the frame."""
    levels = (np.arange(256) / 255.0) ** display.gamma
    levels = levels + display.contrast * (levels * levels * (3 - 2 * levels) - levels)
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    white = np.array(display.white_bgr) * display.brightness
    table = ((linear * (1 - display.black) + display.black)[:, None] * white).astype(np.float32)[None]
    grey = np.array([[0.114, 0.587, 0.299]] * 3) * (1 - display.saturation)
    vivid = np.asarray(cv2.transform(picture, grey + np.eye(3) * display.saturation), np.uint8)
    light = np.asarray(cv2.LUT(seen(vivid, part, view), table), np.float32)
    field = 1 + np.float32(display.unevenness) * (
        ramp(view.shape_hw, rng) + np.float32(0.3) * clouds(view.shape_hw, 3, rng)
    )
    if display.flicker:
        field = field * _bands(view.shape_hw, display, rng)
    light *= np.maximum(field, 0.05)[..., None]
    return _through_subpixels(light, view, display, lens)


def _through_subpixels(light: Light, view: View, display: Display, lens: Lens) -> Light:
    """Multiply by the sub-pixel lattice as the sensor samples it.

    The lattice is a Fourier series in display px. Each harmonic of frequency f (cycles per sensor px) reaches the
    sensor weakened by the photosite's aperture, sinc(f), and by the lens, exp(-2 (pi sigma f)^2). Evaluating it at
    the px centres then IS the sampling: above half a cycle it folds down into moire, and the colour mosaic of the
    camera, which samples red and blue at every second px, folds it further.
    """
    per_medium = np.float32(display.pitch * view.scale * 2 * np.pi)
    across, down = (view.y, view.x) if display.stripes == "level" else (view.x, view.y)
    row_strength = display.rows * _passed(display.pitch, lens)
    lattice: list[Field | np.float32] = [np.float32(1)] * 3
    if display.stripes == "pentile":
        half = per_medium / 2
        strength = np.float32(1.2 * display.fill * _passed(display.pitch * np.sqrt(0.5), lens))
        if strength > 0.004:
            diagonal = np.cos(across * half) * np.cos(down * half)  # of the two diagonals, at pitch / sqrt 2 each
            lattice = [1 - strength * diagonal, np.float32(1), 1 + strength * diagonal]
    else:
        for harmonic in (1, 2):
            # a pulse of a third of the period: 2 sinc(k/3) is the weight of its k-th harmonic
            weight = 2 * np.sinc(harmonic / 3) * display.fill * _passed(display.pitch * harmonic, lens)
            if weight < 0.004:
                break
            phase = across * (per_medium * harmonic)
            cosine, sine = np.cos(phase), np.sin(phase)
            for channel in range(3):
                lag = 2 * np.pi * harmonic * (2 - channel) / 3  # red first, then green, then blue
                term = np.float32(weight * np.cos(lag)) * cosine + np.float32(weight * np.sin(lag)) * sine
                lattice[channel] = lattice[channel] + term
    if row_strength > 0.004:
        rows = 1 + np.float32(row_strength) * np.cos(down * per_medium)
        lattice = [plane * rows for plane in lattice]
    for channel, plane in enumerate(lattice):
        light[..., channel] *= np.maximum(plane, 0)
    return light


def _passed(frequency: float, lens: Lens) -> float:
    """Contrast left of a pattern of ``frequency`` cycles per sensor px, after lens and photosite."""
    aperture = 0.85  # side of the light-sensitive part of a px; chosen, not measured
    sigma = np.hypot(lens.blur_px, 0.25)  # even a sharp lens has some blur
    return float(abs(np.sinc(aperture * frequency)) * np.exp(-2 * (np.pi * sigma * frequency) ** 2))


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

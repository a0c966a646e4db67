"""The lens of a cheap camera: from linear light in front of it to linear light on the sensor."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.camera_settings import Camera
from training.simulate.randomness import ramp
from training.simulate.scene import Light


def through_lens(light: Light, settings: Camera, rng: np.random.Generator) -> Light:
    """Light behind the lens: out of focus, smeared, white-balanced, with glow, haze and darker corners."""
    if settings.lens.blur_px > 0.3:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), settings.lens.blur_px), np.float32)
    if settings.motion_px:
        kernel = _smear(settings.motion_px * settings.lens.sensor_scale, settings.motion_deg)
        light = np.asarray(cv2.filter2D(light, -1, kernel), np.float32)
    gains = np.array(settings.balance_bgr, np.float32) * np.float32(2.0**settings.stops)
    light = light * gains
    if settings.glow:
        light = light + np.float32(settings.glow) * (_spread(light) - light)
    if settings.haze:
        veil = light.mean(axis=(0, 1)) * np.float32(0.5) + np.float32(0.5 * light.mean() + 0.1)
        mist = settings.haze * (1 + 0.5 * ramp((light.shape[0], light.shape[1]), rng))[..., None]
        light = light + mist.astype(np.float32) * (veil - light)
    if settings.vignette:
        y = np.linspace(-1, 1, light.shape[0], dtype=np.float32)[:, None] ** 2
        x = np.linspace(-1, 1, light.shape[1], dtype=np.float32)[None, :] ** 2
        light = light * (1 - np.float32(settings.vignette / 2) * (x + y))[..., None]
    return np.asarray(light, np.float32)


def _spread(light: Light) -> Light:
    """The light blurred over an eighth of the image, made at a low resolution."""
    small = cv2.resize(light, (32, 32), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 4)
    return np.asarray(cv2.resize(small, (light.shape[1], light.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def _smear(length_px: float, angle_deg: float) -> NDArray[np.float32]:
    size = int(length_px) | 1
    kernel = np.zeros((size + 2, size + 2), np.float32)
    half = length_px / 2
    centre = (size + 1) / 2
    dx, dy = half * np.cos(np.deg2rad(angle_deg)), half * np.sin(np.deg2rad(angle_deg))
    ends = [(round((centre + s * dx) * 16), round((centre + s * dy) * 16)) for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_8, 4)
    return np.asarray(kernel / kernel.sum(), np.float32)

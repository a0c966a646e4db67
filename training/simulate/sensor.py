"""The sensor of a cheap camera and what comes after it: from light to a JPEG-compressed image.

Live images and attacks pass through the same one. It must not know which of the two it sees: blur, exposure, noise and
compression would give the label away.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.camera_settings import Camera, draw_camera
from training.simulate.optics import through_lens
from training.simulate.randomness import grain
from training.simulate.scene import Image, Light, to_linear

_CODES = 4095  # resolution of the tone table


def camera(image: Image, rng: np.random.Generator) -> Image:
    """Photograph ``image`` (uint8, H x W x 3, BGR) again as if it were the world; the size stays."""
    settings = draw_camera(rng)
    height, width = image.shape[:2]
    scale = settings.lens.sensor_scale
    if scale != 1.0:
        image = np.asarray(cv2.resize(image, (round(width * scale), round(height * scale))), np.uint8)
    return capture(to_linear(image), settings, rng, (width, height))


def capture(light: Light, settings: Camera, rng: np.random.Generator, size_wh: tuple[int, int]) -> Image:
    """Linear light on the sensor (float32, h x w x 3, BGR) to an image of ``size_wh`` (uint8, BGR)."""
    light = through_lens(light, settings, rng)
    image = _tone(_sense(light, settings, rng), settings)
    if settings.smooth:
        image = np.asarray(cv2.medianBlur(image, 3), np.uint8)
    image = _resize(image, size_wh, settings, rng)
    if settings.sharpen:
        soft = cv2.GaussianBlur(image, (0, 0), 1.0)
        image = np.asarray(cv2.addWeighted(image, 1 + settings.sharpen, soft, -settings.sharpen, 0), np.uint8)
    for quality in settings.jpeg:
        image = through_jpeg(image, quality)
    return image


def _sense(light: Light, settings: Camera, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Sample with noise, through an RGGB mosaic or three full planes; codes of the tone table."""
    if not settings.bayer:
        return _quantise(_noisy(light, settings, rng))
    height, width = light.shape[:2]
    mosaic = np.empty((height, width), np.float32)
    mosaic[0::2, 0::2] = light[0::2, 0::2, 2]
    mosaic[0::2, 1::2] = light[0::2, 1::2, 1]
    mosaic[1::2, 0::2] = light[1::2, 0::2, 1]
    mosaic[1::2, 1::2] = light[1::2, 1::2, 0]
    codes = _quantise(_noisy(mosaic, settings, rng))
    return np.asarray(cv2.cvtColor(codes, cv2.COLOR_BayerBG2BGR), np.uint16)  # OpenCV's "BG" is RGGB


def _noisy(light: Light, settings: Camera, rng: np.random.Generator) -> Light:
    """Poisson-Gaussian noise in its normal approximation (Foi et al., IEEE TIP 2008)."""
    sigma = np.sqrt(np.maximum(light, 0) * np.float32(settings.shot_noise) + np.float32(settings.read_noise**2))
    return np.asarray(light + sigma * grain(light.shape, rng), np.float32)


def _quantise(light: Light) -> NDArray[np.uint16]:
    return np.asarray(np.clip(light * np.float32(_CODES), 0, _CODES), np.uint16)


def _tone(codes: NDArray[np.uint16], settings: Camera) -> Image:
    """SRGB encoding, the maker's gamma and S curve in one table; then saturation."""
    x = np.linspace(0, 1, _CODES + 1)
    y = np.where(x <= 0.0031308, x * 12.92, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055) ** settings.gamma
    y = y + settings.contrast * (y * y * (3 - 2 * y) - y)
    image = (np.clip(y, 0, 1) * 255 + 0.5).astype(np.uint8)[codes]
    if abs(settings.saturation - 1) < 0.05:
        return image
    grey = np.array([[0.114, 0.587, 0.299]] * 3, np.float32) * (1 - settings.saturation)
    mix = grey + np.eye(3, dtype=np.float32) * settings.saturation
    return np.asarray(cv2.transform(image, mix), np.uint8)


def _resize(image: Image, size_wh: tuple[int, int], settings: Camera, rng: np.random.Generator) -> Image:
    """To the output size, sometimes through a smaller one. Linear shrinking aliases, as cheap pipelines do."""
    modes = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
    down, up = modes[int(rng.integers(3))], modes[int(rng.integers(1, 3))]
    if settings.shrink < 1:
        small = (max(16, round(size_wh[0] * settings.shrink)), max(16, round(size_wh[1] * settings.shrink)))
        image = np.asarray(cv2.resize(image, small, interpolation=down), np.uint8)
        down = up
    if (image.shape[1], image.shape[0]) != size_wh:
        image = np.asarray(cv2.resize(image, size_wh, interpolation=down), np.uint8)
    return image


def through_jpeg(image: Image, quality: int) -> Image:
    """Encoded at ``quality`` (0-100) and decoded again."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

"""A cheap camera: linear light in, a JPEG-worn picture out. Live pictures and attacks pass through the same one.

It must not know which of the two it sees: blur, exposure, noise and compression would give the label away.
All ranges are chosen, not measured, unless a line says otherwise.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.randomness import chance, grain, log_uniform, ramp
from training.simulate.scene import Image, Lens, Light, to_linear

_CODES = 4095  # resolution of the tone table


@dataclass(frozen=True)
class Camera:
    """The settings of one shot, as ``draw_camera`` draws them."""

    lens: Lens
    motion_px: float  # length of the smear, output px; 0 = none
    motion_deg: float
    stops: float  # exposure, in powers of two
    balance_bgr: tuple[float, float, float]  # white balance gains
    haze: float  # share of veiling glare in the light, 0-1
    glow: float  # light spread far around highlights by lens and glass, 0-1
    vignette: float  # light lost in the corners, 0-1
    bayer: bool  # sample through a colour mosaic
    shot_noise: float  # variance per unit of light
    read_noise: float  # deviation in the dark, linear units
    smooth: bool  # a denoiser's median
    gamma: float  # exponent on top of sRGB
    contrast: float  # blend of an S curve, may be negative
    saturation: float  # 1 = as seen
    sharpen: float  # gain of the unsharp mask
    shrink: float  # detour through a smaller picture; 1 = none
    jpeg: tuple[int, ...]  # qualities, in order

    @property
    def blur_px(self) -> float:
        """Sigma of optics and defocus, sensor px."""
        return self.lens.blur_px


def draw_camera(rng: np.random.Generator) -> Camera:
    """Settings from a good phone to a bad webcam. Most shots are mild: the tails are long, the middle is clean."""
    scale = float(rng.uniform(1.0, 1.5)) if chance(rng, 0.4) else 1.0
    blur = float(abs(rng.normal(0.0, 0.35))) if chance(rng, 0.85) else float(rng.uniform(0.8, 2.4))
    iso = log_uniform(rng, 1e-5, 2e-3)
    qualities = [int(rng.integers(45, 97))]
    if chance(rng, 0.4):
        qualities.append(int(rng.integers(65, 97)))
    warm, tint = rng.normal(0, 0.07), rng.normal(0, 0.03)
    return Camera(
        lens=Lens(scale, blur * scale),
        motion_px=float(rng.uniform(2, 9)) if chance(rng, 0.1) else 0.0,
        motion_deg=float(rng.uniform(0, 180)),
        stops=float(rng.normal(0.05, 0.3) + (rng.uniform(-1.5, 1.1) if chance(rng, 0.12) else 0)),
        balance_bgr=(float(np.exp(warm)), float(np.exp(tint)), float(np.exp(-warm))),
        haze=float(rng.beta(1.2, 4)) * 0.6 if chance(rng, 0.2) else 0.0,
        glow=float(rng.uniform(0.03, 0.25)) if chance(rng, 0.25) else 0.0,
        vignette=float(rng.uniform(0.05, 0.4)) if chance(rng, 0.25) else 0.0,
        bayer=chance(rng, 0.6),
        shot_noise=iso,
        read_noise=float(np.sqrt(iso) * rng.uniform(0.02, 0.15)),
        smooth=chance(rng, 0.12),
        gamma=float(np.exp(rng.normal(0.0, 0.1))),
        contrast=float(rng.normal(0.25, 0.25)),
        saturation=float(np.clip(rng.normal(1, 0.15), 0.3, 1.6)),
        sharpen=float(rng.uniform(0.2, 2.0)) if chance(rng, 0.6) else 0.0,
        shrink=float(rng.uniform(0.4, 0.95)) if chance(rng, 0.22) else 1.0,
        jpeg=tuple(qualities),
    )


def camera(image: Image, rng: np.random.Generator) -> Image:
    """Photograph ``image`` (uint8, H x W x 3, BGR) again as if it were the world; the size stays."""
    settings = draw_camera(rng)
    height, width = image.shape[:2]
    scale = settings.lens.sensor_scale
    if scale != 1.0:
        image = np.asarray(cv2.resize(image, (round(width * scale), round(height * scale))), np.uint8)
    return capture(to_linear(image), settings, rng, (width, height))


def capture(light: Light, settings: Camera, rng: np.random.Generator, size_wh: tuple[int, int]) -> Image:
    """Linear light on the sensor (float32, h x w x 3, BGR) to a picture of ``size_wh`` (uint8, BGR)."""
    light = _optics(light, settings, rng)
    picture = _tone(_sense(light, settings, rng), settings)
    if settings.smooth:
        picture = np.asarray(cv2.medianBlur(picture, 3), np.uint8)
    picture = _resize(picture, size_wh, settings, rng)
    if settings.sharpen:
        soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
        picture = np.asarray(cv2.addWeighted(picture, 1 + settings.sharpen, soft, -settings.sharpen, 0), np.uint8)
    for quality in settings.jpeg:
        picture = through_jpeg(picture, quality)
    return picture


def _optics(light: Light, settings: Camera, rng: np.random.Generator) -> Light:
    if settings.blur_px > 0.3:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), settings.blur_px), np.float32)
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
    """The light blurred over an eighth of the picture, made at a low resolution."""
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
    picture = (np.clip(y, 0, 1) * 255 + 0.5).astype(np.uint8)[codes]
    if abs(settings.saturation - 1) < 0.05:
        return picture
    grey = np.array([[0.114, 0.587, 0.299]] * 3, np.float32) * (1 - settings.saturation)
    mix = grey + np.eye(3, dtype=np.float32) * settings.saturation
    return np.asarray(cv2.transform(picture, mix), np.uint8)


def _resize(picture: Image, size_wh: tuple[int, int], settings: Camera, rng: np.random.Generator) -> Image:
    """To the output size, sometimes through a smaller one. Linear shrinking aliases, as cheap pipelines do."""
    modes = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
    down, up = modes[int(rng.integers(3))], modes[int(rng.integers(1, 3))]
    if settings.shrink < 1:
        small = (max(16, round(size_wh[0] * settings.shrink)), max(16, round(size_wh[1] * settings.shrink)))
        picture = np.asarray(cv2.resize(picture, small, interpolation=down), np.uint8)
        down = up
    if (picture.shape[1], picture.shape[0]) != size_wh:
        picture = np.asarray(cv2.resize(picture, size_wh, interpolation=down), np.uint8)
    return picture


def through_jpeg(picture: Image, quality: int) -> Image:
    """Encoded at ``quality`` (0-100) and decoded again."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

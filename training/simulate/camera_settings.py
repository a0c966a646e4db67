"""What one shot of a camera is set to, from a good phone to a bad webcam. All ranges are chosen, not measured."""

from dataclasses import dataclass, replace

import numpy as np

from training.simulate.randomness import chance, log_uniform
from training.simulate.scene import Lens


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
    shrink: float  # detour through a smaller image; 1 = none
    jpeg: tuple[int, ...]  # qualities, in order


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


def steadied(shot: Camera) -> Camera:
    """The same shot by somebody who takes care: a good phone held still, in focus, in good light."""
    return replace(
        shot,
        lens=Lens(shot.lens.sensor_scale, min(shot.lens.blur_px, 0.25)),
        motion_px=0.0,
        stops=float(np.clip(shot.stops, -0.4, 0.5)),
        haze=0.0,
        glow=0.0,
        bayer=False,  # its mosaic is finer than what it stores
        shot_noise=min(shot.shot_noise, 5e-5),
        read_noise=min(shot.read_noise, 5e-4),
        smooth=False,
        shrink=1.0,
        sharpen=0.6 * shot.sharpen,
        jpeg=tuple(max(quality, 80) for quality in shot.jpeg),
    )

"""A printer: picture in, ink coverages out, and coverages to reflected light. Knows no paper shape and no camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.halftone import RULINGS, Threshold, blue_noise, clustered_dot, screen
from training.simulate.randomness import chance, grain, log_uniform
from training.simulate.scene import Image, Light

_LARGEST = 1000  # side of the raster in px, so that large pictures stay quick; chosen, not measured

Coverage = NDArray[np.uint8]  # H x W x 4: C, M, Y, K, 0-255 = 0-100 % of the area

# Light that a solid layer of each ink lets through twice (B, G, R), between a poor and a good set.
# Chosen after the shape of published process inks: cyan also takes green, magenta also takes blue.
_POOR = np.array([[0.62, 0.42, 0.16], [0.38, 0.17, 0.74], [0.20, 0.76, 0.86], [0.11, 0.11, 0.11]], np.float32)
_GOOD = np.array([[0.80, 0.58, 0.05], [0.58, 0.06, 0.86], [0.06, 0.90, 0.93], [0.03, 0.03, 0.03]], np.float32)


@dataclass(frozen=True)
class Press:
    """One printer with its paper."""

    inks: NDArray[np.float32]  # 4 x 3, transmission of C, M, Y, K in B, G, R
    managed: float  # 0: inks are laid down as if pure; 1: their impurity is compensated
    black_share: float  # grey component taken over by K
    gains: tuple[float, float, float, float]  # dot gain at 50 %, per ink
    lightness: float  # exponent on the picture before printing
    monochrome: bool
    paper_bgr: NDArray[np.float32]  # reflectance of the bare paper
    dots: tuple[Threshold, ...] | None  # None: dots too fine to matter
    raster: float  # raster px per picture px when there are dots
    banding: float  # uneven transport, deviation of the coverage per line


def draw_press(rng: np.random.Generator) -> Press:
    """From a photo laboratory to a tired office printer."""
    quality = float(rng.beta(2, 1))
    inks = _POOR + (_GOOD - _POOR) * np.float32(quality)
    inks = np.clip(inks * np.exp(rng.normal(0, 0.08, inks.shape)), 0.02, 0.97).astype(np.float32)
    kind = rng.choice(["none", "am", "fm"], p=[0.74, 0.15, 0.11])
    dots: tuple[Threshold, ...] | None = None
    if kind == "am":
        dots = tuple(clustered_dot(a, b) for a, b in RULINGS[int(rng.choice(len(RULINGS), p=[0.4, 0.3, 0.2, 0.1]))])
    elif kind == "fm":
        noise = blue_noise()
        dots = tuple(np.roll(noise, (31 * k, 57 * k), (0, 1)) for k in range(4))
    gain = rng.normal(0.03, 0.05)
    white = rng.uniform(0.78, 0.97)
    return Press(
        inks=inks,
        managed=float(np.clip(rng.normal(0.95, 0.15), 0.5, 1.05)),
        black_share=float(rng.uniform(0, 0.7)),
        gains=tuple(float(g) for g in np.clip(gain + rng.normal(0, 0.025, 4), -0.12, 0.22)),  # type: ignore[arg-type]
        lightness=float(np.exp(rng.normal(-0.1, 0.2))),
        monochrome=chance(rng, 0.08),
        paper_bgr=(white * np.exp(rng.normal([0.01, 0, 0], 0.025))).astype(np.float32),
        dots=dots,
        raster=log_uniform(rng, 2.2, 5.0),
        banding=float(rng.uniform(0.01, 0.05)) if chance(rng, 0.15) else 0.0,
    )


def separate(picture: Image, press: Press) -> Coverage:
    """Ink coverages that the printer lays down for ``picture`` (uint8, H x W x 3, BGR), dot gain included.

    Densities are unmixed by the inverse of the inks' density matrix (the first-order masking equations of
    Yule, "Principles of Color Reproduction", 1967); what falls outside of 0-100 % is cut: the gamut's edge.
    """
    density = np.asarray(cv2.LUT(picture, _density_table(press.lightness)), np.float32)
    if press.monochrome:
        density = np.repeat(density @ np.array([0.12, 0.58, 0.3], np.float32)[..., None], 3, axis=2)
    own = -np.log(press.inks[:3])  # C, M, Y in rows, density in B, G, R
    ideal = np.diag(np.array([own[2, 0], own[1, 1], own[0, 2]]))[::-1].copy()
    unmix = np.linalg.inv((press.managed * own + (1 - press.managed) * ideal).T)
    amount = cv2.transform(density, unmix.astype(np.float32))  # (H, W, 3): 1 = one solid layer of C, M, Y
    black = np.float32(press.black_share) * np.maximum(amount.min(axis=2) - np.float32(0.25), 0)
    if press.monochrome:
        black, amount = density[..., 1] / -np.log(press.inks[3, 1]), np.zeros_like(amount)
    else:
        amount = amount - black[..., None]
        black = black * np.float32(own.sum(axis=0).mean() / -np.log(press.inks[3, 1]))  # the grey that C, M, Y made
    layers = np.dstack([amount, black])
    solid = np.append([own[0, 2], own[1, 1], own[2, 0]], -np.log(press.inks[3, 1])).astype(np.float32)
    coverage = (1 - np.exp(-np.clip(layers, 0, 1) * solid)) / (1 - np.exp(-solid))
    return _dot_gain((coverage * 255).astype(np.uint8), press.gains)


def _density_table(lightness: float) -> NDArray[np.float32]:
    v = (np.arange(256) / 255.0) ** lightness
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    return (-np.log(np.maximum(linear, 0.004))).astype(np.float32)


def _dot_gain(coverage: Coverage, gains: tuple[float, ...]) -> Coverage:
    """Parabolic gain, largest at 50 % (ISO 12647-2 gives 13-20 points for offset; the residue is what counts here)."""
    a = np.arange(256) / 255.0
    tables = [np.clip(a + 4 * g * a * (1 - a), 0, 1) * 255 for g in gains]
    return np.asarray(cv2.LUT(coverage, np.stack(tables, axis=1).astype(np.uint8)[None]), np.uint8)


def lay_down(coverage: Coverage, press: Press, rng: np.random.Generator) -> Coverage:
    """Dots and uneven lines. The result may be larger than ``coverage``: one px is one raster px."""
    if press.dots is not None:
        scale = min(press.raster, _LARGEST / max(coverage.shape))
        size = (round(coverage.shape[1] * scale), round(coverage.shape[0] * scale))
        coverage = np.asarray(cv2.resize(coverage, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    if press.banding:
        lines = grain((coverage.shape[0], 1), rng) * np.float32(press.banding)
        lines = np.asarray(cv2.GaussianBlur(lines, (1, 0), rng.uniform(0.4, 2.5)), np.float32) * np.float32(1.5)
        strength = np.repeat(np.clip((1 + lines) * 128, 0, 255).astype(np.uint8), coverage.shape[1], axis=1)
        coverage = np.asarray(cv2.multiply(coverage, cv2.merge([strength] * 4), scale=1 / 128), np.uint8)
    if press.dots is not None:
        shift = (int(rng.integers(4096)), int(rng.integers(4096)))
        coverage = screen(coverage, press.dots, shift)
    return coverage


def reflect(coverage: Coverage, press: Press) -> Light:
    """Reflectance of paper under inks of the given mean coverages: Neugebauer with Demichel's random overlap."""
    planes = [plane.astype(np.float32) / 255 for plane in cv2.split(coverage)]
    channels = []
    for c in range(3):
        value = np.full(planes[0].shape, press.paper_bgr[c], np.float32)
        for ink, plane in zip(press.inks[:, c], planes, strict=True):
            value *= 1 - plane * np.float32(1 - ink)
        channels.append(value)
    return np.asarray(cv2.merge(channels), np.float32)

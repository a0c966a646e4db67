"""A printer and its paper: from an image to ink coverages, and from coverages to reflected light."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.halftone import Coverage, Halftone, draw_halftone
from training.simulate.printer_lines import Lines, draw_lines
from training.simulate.randomness import chance
from training.simulate.scene import Image, Light

# Light that a solid layer of each ink lets through twice (B, G, R), between a poor and a good set.
# Chosen after the shape of published process inks: cyan also takes green, magenta also takes blue.
_POOR = np.array([[0.62, 0.42, 0.16], [0.38, 0.17, 0.74], [0.20, 0.76, 0.86], [0.11, 0.11, 0.11]], np.float32)
_GOOD = np.array([[0.80, 0.58, 0.05], [0.58, 0.06, 0.86], [0.06, 0.90, 0.93], [0.03, 0.03, 0.03]], np.float32)

_UNDYED_PAPER = np.array([0.88, 0.97, 1.0])  # yellowish: what faded or cheap paper lacks of blue


@dataclass(frozen=True)
class Press:
    """One printer with its paper.

    Attributes:
        inks: 4 x 3, transmission of C, M, Y, K in B, G, R that the printer reckons with.
        strength: what is left of the density of each ink: cartridges run dry, dyes fade in the sun.
        managed: 0 = inks are laid down as if pure, 1 = their impurity is compensated.
        black_share: grey component taken over by K.
        gains: dot gain at 50 %, per ink.
        lightness: exponent on the image before printing.
        levels: tones that the driver makes of an image's 256.
        monochrome: prints with K alone.
        paper_bgr: reflectance of the bare paper.
        halftone: how tones become dots; None: dots too fine to matter (a photo laboratory, dye sublimation).
        lines: along which ink is missing or too much; None: none.
    """

    inks: NDArray[np.float32]
    strength: NDArray[np.float32]
    managed: float
    black_share: float
    gains: tuple[float, ...]
    lightness: float
    levels: int
    monochrome: bool
    paper_bgr: NDArray[np.float32]
    halftone: Halftone | None
    lines: Lines | None


def draw_press(rng: np.random.Generator) -> Press:
    """From a photo laboratory to a tired office printer."""
    quality = float(rng.beta(2, 1))
    inks = _POOR + (_GOOD - _POOR) * np.float32(quality)
    inks = np.clip(inks * np.exp(rng.normal(0, 0.08, inks.shape)), 0.02, 0.97).astype(np.float32)
    gain = rng.normal(0.03, 0.05)
    white = rng.uniform(0.78, 0.97) * _UNDYED_PAPER ** rng.uniform(0, 1)
    return Press(
        inks=inks,
        strength=_strength(rng),
        managed=float(np.clip(rng.normal(0.95, 0.15), 0.5, 1.05)),
        black_share=float(rng.uniform(0, 0.7)),
        gains=tuple(float(g) for g in np.clip(gain + rng.normal(0, 0.025, 4), -0.12, 0.22)),
        lightness=float(np.exp(rng.normal(-0.1, 0.2))),
        levels=int(rng.integers(16, 64)) if chance(rng, 0.08) else 256,
        monochrome=chance(rng, 0.06),
        paper_bgr=(white * np.exp(rng.normal(0, 0.02, 3))).astype(np.float32),
        halftone=draw_halftone(rng) if chance(rng, 0.75) else None,
        lines=draw_lines(rng),
    )


def _strength(rng: np.random.Generator) -> NDArray[np.float32]:
    """Mostly full; else all faded by a share, dyes more than black, or one cartridge nearly dry."""
    kind = rng.choice(["fresh", "faded", "dry"], p=[0.5, 0.35, 0.15])
    strength = np.clip(rng.normal(1, 0.04, 4), 0.85, 1.1)
    if kind == "faded":
        strength *= 1 - rng.uniform(0.1, 0.6) * rng.uniform([0.4, 0.6, 0.6, 0.3], 1)
    elif kind == "dry":
        strength[rng.integers(4)] *= rng.uniform(0.3, 0.85)
    return strength.astype(np.float32)


def separate(image: Image, press: Press) -> Coverage:
    """Ink coverages that the printer lays down for ``image`` (uint8, H x W x 3, BGR), dot gain included.

    Densities are unmixed by the inverse of the inks' density matrix (the first-order masking equations of
    Yule, "Principles of Color Reproduction", 1967); what falls outside of 0-100 % is cut: the gamut's edge.
    """
    density = np.asarray(cv2.LUT(image, _density_table(press)), np.float32)
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


def _density_table(press: Press) -> NDArray[np.float32]:
    v = np.round(np.arange(256) / 255 * (press.levels - 1)) / (press.levels - 1)
    v = v**press.lightness
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    return (-np.log(np.maximum(linear, 0.004))).astype(np.float32)


def _dot_gain(coverage: Coverage, gains: tuple[float, ...]) -> Coverage:
    """Parabolic gain, largest at 50 % (ISO 12647-2 gives 13-20 points for offset; the residue is what counts here)."""
    a = np.arange(256) / 255.0
    tables = [np.clip(a + 4 * g * a * (1 - a), 0, 1) * 255 for g in gains]
    return np.asarray(cv2.LUT(coverage, np.stack(tables, axis=1).astype(np.uint8)[None]), np.uint8)


def reflect(coverage: Coverage, press: Press) -> Light:
    """Reflectance of paper under inks of the given mean coverages: Neugebauer with Demichel's random overlap."""
    laid = press.inks ** press.strength[:, None]
    planes = [plane.astype(np.float32) / 255 for plane in cv2.split(coverage)]
    channels = []
    for c in range(3):
        value = np.full(planes[0].shape, press.paper_bgr[c], np.float32)
        for ink, plane in zip(laid[:, c], planes, strict=True):
            value *= 1 - plane * np.float32(1 - ink)
        channels.append(value)
    return np.asarray(cv2.merge(channels), np.float32)

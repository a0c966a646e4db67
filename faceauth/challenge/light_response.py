"""What a face answered to the light of a screen: pure functions of what was read in the frames and of what was shown.

Automatic exposure and white balance hide nearly all of the screen's light in the image as a whole, but they change face
and background alike. So only two things count: the face less the background, and its left less its right half.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from faceauth.challenge.code_book import DARK, SYMBOL_S, SYMBOLS, WHITE, Floats, Lit, light_at, linear
from faceauth.challenge.shading import BRIGHTEST, DARKEST, MIN_POINTS, shading_of
from faceauth.stages import MeshPoints

LAGS_S = np.arange(0.0, 0.5, 1 / 60)
"""Delays from the screen to the frame that are tried: a screen, a camera and a browser together stay below half a
second. Chosen, not measured."""

STABLE_LAG_S = 0.12
"""Seconds by which the delays of the two halves of a word may differ: chosen, not measured."""

MIN_CORRELATION = 0.8
"""Of what was shown and what was answered; set by eye over a dozen runs of ``benchmarks.light_simulation``."""

MIN_LEAD = 0.15
"""By how much the true word has to correlate better than the best of the decoys; set in the same way."""

MIN_GAIN = 0.03
"""Share by which white light raises the face over the background; below, it is too bright. Chosen, not measured."""

SHADING_GAIN = 0.3
"""Share by which one side of the screen raises the face, from which on the face has to be shaded like a solid. So was
every head of the `light` data that its weaker lamp raised so far, see ``benchmarks/results/light_shading.json``."""

MIN_SIDE = 0.4
"""Correlation of the lit sides with the left less the right half; set in the same way."""

SKIN_RED_GREEN = (0.8, 5.0)
SKIN_BLUE_GREEN = (0.1, 1.5)
"""Light that skin sends back, red and blue over green, under white light. Skin of any tone is reddest and least blue;
the limits are wide, since a camera's white balance moves both. Chosen, not measured."""

USABLE_SHARE = 0.95
"""Of the frames in which a point has to be neither black nor clipped to count: chosen, not measured."""

MIN_FRAMES = 3
"""Of each symbol."""

MAX_GAP_S = 0.25


class Reading(NamedTuple):
    """What was read in one frame.

    Attributes:
        time_s: when it was captured.
        points: light at each point of the mesh, float64, 468 x 3, RGB.
        behind: mean light beside the head, float64, 3, RGB.
    """

    time_s: float
    points: Floats
    behind: Floats


@dataclass(frozen=True)
class Response:
    """The answer to a word.

    Attributes:
        correlation: with the word, at the best delay.
        halves_lag_s: those of the first and of the second half of the word.
        decoy: the best correlation of any decoy, each at its own best delay.
        gain: share by which white light raised the face over the background, mean of the channels.
        red_green, blue_green: of what the face sent back under white light.
        side: correlation of the lit sides.
        shading: see :func:`faceauth.challenge.shading.shading_of`; None where it tells nothing.
    """

    correlation: float
    halves_lag_s: tuple[float, float]
    decoy: float
    gain: float
    red_green: float
    blue_green: float
    side: float
    shading: float | None


def untimely(readings: Sequence[Reading], start_s: float) -> str | None:
    """Why the frames cannot be judged: gaps, or too few of a symbol; None when they can."""
    times = np.array([one.time_s for one in readings])
    gaps = np.diff(times[times >= start_s])
    if len(gaps) == 0 or gaps.max() > MAX_GAP_S:
        return f"frames with a face came up to {max(gaps, default=MAX_GAP_S):.2f} s apart"
    index = np.floor((times - start_s) / SYMBOL_S).astype(int)
    fewest = min(int((index == number).sum()) for number in range(SYMBOLS))
    return None if fewest >= MIN_FRAMES else f"{fewest} frames of a colour, at least {MIN_FRAMES} are needed"


def response_to(
    readings: Sequence[Reading],
    start_s: float,
    symbols: Sequence[Lit],
    decoys: Sequence[Sequence[Lit]],
    mesh: MeshPoints,
) -> Response:
    """How the face answered the symbols that were shown from ``start_s`` on."""
    times = np.array([one.time_s for one in readings]) - start_s
    face = _face([one.points for one in readings])
    answer = np.log(face + 1e-6) - np.log(np.array([one.behind for one in readings]) + 1e-6)  # (N, 3)
    fits = [_fit(answer, times, symbols, lag) for lag in LAGS_S]
    best = int(np.argmax([fit.correlation for fit in fits]))
    middle = SYMBOLS * SYMBOL_S / 2
    halves = [_best_lag(answer, times, symbols, part) for part in (times < middle, times >= middle)]
    raised = fits[best].slope * (linear(WHITE) - linear(DARK))  # share a channel
    sent = np.maximum(raised * face.mean(axis=0), 1e-9)
    lag = float(LAGS_S[best])
    return Response(
        correlation=fits[best].correlation,
        halves_lag_s=(halves[0], halves[1]),
        decoy=max(max(_fit(answer, times, decoy, lag).correlation for lag in LAGS_S[::2]) for decoy in decoys),
        gain=float(raised.mean()),
        red_green=float(sent[0] / sent[1]),
        blue_green=float(sent[2] / sent[1]),
        side=_side(readings, times, symbols, lag, mesh),
        shading=_shading(readings, times, symbols, lag, mesh),
    )


def _face(points: Sequence[Floats]) -> Floats:
    """Mean light of the face in each frame, N x 3, of the points that are never black or clipped, if enough are."""
    light = np.array(points)  # (N, 468, 3)
    usable = (((light > DARKEST) & (light < BRIGHTEST)).mean(axis=0) >= USABLE_SHARE).all(axis=1)
    if usable.sum() < MIN_POINTS:
        usable[:] = True
    return np.asarray(np.nanmean(light[:, usable], axis=1), np.float64)


class _Fit(NamedTuple):
    correlation: float
    slope: Floats  # of each channel


def _fit(answer: Floats, times: Floats, symbols: Sequence[Lit], lag: float) -> _Fit:
    """Each channel of the answer by the same channel of the light, which only ever adds."""
    light = _steady(light_at(symbols, times - lag)[0], times)
    steady = _steady(answer, times)
    power = (light**2).sum(axis=0)
    slope = np.maximum((light * steady).sum(axis=0), 0) / np.maximum(power, 1e-12)
    explained = float(((slope * light) ** 2).sum())
    return _Fit(float(np.sqrt(explained / max(float((steady**2).sum()), 1e-12))), slope)


def _best_lag(answer: Floats, times: Floats, symbols: Sequence[Lit], part: npt.NDArray[np.bool_]) -> float:
    found = [_fit(answer[part], times[part], symbols, lag).correlation for lag in LAGS_S]
    return float(LAGS_S[int(np.argmax(found))])


def _steady(series: Floats, times: Floats) -> Floats:
    """Without its mean and its drift."""
    trend = np.column_stack([np.ones_like(times), times])
    weights, *_ = np.linalg.lstsq(trend, series, rcond=None)
    return np.asarray(series - trend @ weights, np.float64)


def _luma(points: Floats) -> Floats:
    return np.asarray(points @ np.array([0.2126, 0.7152, 0.0722]), np.float64)


def _side(readings: Sequence[Reading], times: Floats, symbols: Sequence[Lit], lag: float, mesh: MeshPoints) -> float:
    """Correlation of the person's left (the right of the image) less the right with the sides that were lit."""
    image_right = mesh[:, 0] > np.median(mesh[:, 0])
    lumas = np.array([_luma(one.points) for one in readings])
    left, right = (np.log(np.nanmean(lumas[:, half], axis=1) + 1e-6) for half in (image_right, ~image_right))
    found = _steady((left - right)[:, None], times)[:, 0]
    shown = _steady(light_at(symbols, times - lag)[1][:, None], times)[:, 0]
    return float((found * shown).sum() / max(float(np.linalg.norm(found) * np.linalg.norm(shown)), 1e-12))


def _shading(
    readings: Sequence[Reading], times: Floats, symbols: Sequence[Lit], lag: float, mesh: MeshPoints
) -> float | None:
    """The shading of the frames that one side lit; the person's left is the right of the image."""
    sides = light_at(symbols, times - lag)[1]
    if not {1.0, -1.0} <= set(sides):
        return None
    from_right, from_left = (
        np.mean([_luma(one.points) for one, lit in zip(readings, sides, strict=True) if lit == side], axis=0)
        for side in (1, -1)
    )
    return shading_of(from_right, from_left, mesh)

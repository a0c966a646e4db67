"""Where paper is cut: around a head or a face, and at the eyes; and what is seen through the holes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.simulate.placement import View
from training.simulate.randomness import chance
from training.simulate.scene import Box, Light, Scene, to_linear
from training.simulate.surface import inside, over, seen

Field = NDArray[np.float32]

_EYES = ((0.31, 0.42), (0.69, 0.42))  # share of the face box; a frontal face, chosen, not measured


def cut_along(live: Scene, outline: NDArray[np.float64], view: View, *, margin: float = 0.0) -> tuple[Field, Field]:
    """Share of each sensor px on the cut paper, and on its printed part.

    Args:
        live: the image on the paper.
        outline: N x 2 corners of the cut, in sides of the face box from its centre.
        view: the paper as the camera sees it.
        margin: width of the white rim that is left around the printed part, as a share of the outline's size.
    """
    x0, y0, x1, y1 = live.box_xyxy
    corners = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) + outline * (x1 - x0, y1 - y0)
    cover = _within(live, corners, view)
    return cover, _within(live, corners, view, shrink=1 - margin) if margin else np.ones_like(cover)


def _within(live: Scene, corners: NDArray[np.float64], view: View, *, shrink: float = 1.0) -> Field:
    height, width = live.image.shape[:2]
    whole: Box = (0.0, 0.0, float(width), float(height))
    plane = np.zeros((height, width), np.uint8)
    middle = corners.mean(axis=0)
    points = np.round((middle + shrink * (corners - middle)) * 16).astype(np.int32)
    cv2.fillPoly(plane, [points], 255, cv2.LINE_AA, 4)
    share = seen(plane, whole, view) / np.float32(255) * inside(whole, view)
    return np.asarray(cv2.GaussianBlur(share, (0, 0), 0.6), np.float32)


def head(rng: np.random.Generator) -> NDArray[np.float64]:
    """The outline of a head with its hair, at times with neck and shoulders, as scissors cut it; sides of the box."""
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False) + np.pi / 2  # from the chin on
    half_w, up, down = rng.uniform(0.5, 0.68), rng.uniform(0.58, 0.85), rng.uniform(0.5, 0.62)
    tall = np.where(np.sin(turn) < 0, up, down)
    outline = np.column_stack([half_w * np.cos(turn), tall * np.sin(turn)]) * _wobble(turn, rng)[:, None]
    if not chance(rng, 0.35):
        return outline
    left = np.array([(-0.3, 0.4), (-0.35, 0.6), (-1.0, 0.85), (-1.2, 2.0)])
    return np.vstack([left[::-1], outline[8:-8], left * (-1, 1)])  # open at the chin, down the neck on both sides


def face(rng: np.random.Generator) -> NDArray[np.float64]:
    """The outline of a face without its hair, as masks are cut: straight at the brow or round; sides of the box."""
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    square = rng.uniform(0.6, 1.0)  # 1 = an ellipse
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** square
    down = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** np.where(np.sin(turn) < 0, square, 1.0)
    sides = np.column_stack(
        [rng.uniform(0.42, 0.56) * across, np.where(down < 0, rng.uniform(0.38, 0.56), 0.51) * down]
    )
    return sides * _wobble(turn, rng)[:, None]


def _wobble(turn: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    wobble = np.ones_like(turn)
    for k in range(2, 7):
        wobble += rng.normal(0, 0.05 / k) * np.cos(k * turn + rng.uniform(0, 2 * np.pi))
    return wobble


def with_eye_holes(paper: Light, behind: Light, live: Scene, view: View, rng: np.random.Generator) -> Light:
    """``paper`` with both eyes cut out, and ``behind`` seen through them, in the shade of the edges.

    Args:
        paper: the lit print at each sensor px.
        behind: the lit face behind it.
        live: the image on the paper.
        view: the paper as the camera sees it.
        rng: decides size and shape, and how dark it is behind.
    """
    x0, y0, x1, y1 = live.box_xyxy
    across, down = (view.x - np.float32(x0)) / np.float32(x1 - x0), (view.y - np.float32(y0)) / np.float32(y1 - y0)
    radius_x, radius_y, round_ = rng.uniform(0.08, 0.15), rng.uniform(0.03, 0.08), rng.uniform(1.6, 2.4)
    px = np.float32(view.scale * (x1 - x0) * radius_x)  # sensor px from the centre of a hole to its edge
    edge = np.full(across.shape, np.inf, np.float32)
    for x, y in _EYES:
        x, y = rng.normal(x, 0.01), rng.normal(y, 0.015)
        away = np.abs((across - x) / radius_x) ** round_ + np.abs((down - y) / radius_y) ** round_
        edge = np.minimum(edge, (away - 1) / np.float32(round_) * px)  # about px beyond the edge
    shade = np.float32(rng.beta(1.6, 1)) * np.clip(0.5 - edge / px, 0.3, 1)
    white = np.float32(max(0.0, rng.uniform(-0.4, 0.5)))  # of the paper's thickness, at times in view at the cut
    rim = white * np.clip(1.2 - np.abs(edge - 0.6), 0, 1)
    paper = over(paper, 1 - rim, np.full_like(paper, np.percentile(paper, 97)))
    return over(behind * shade[..., None], np.clip(0.5 - edge / 2, 0, 1).astype(np.float32), paper)


def skin_behind(live: Scene, view: View, rng: np.random.Generator) -> Light:
    """The attacker's own face at each sensor px: taken from the live image, moved a little."""
    height, width = live.image.shape[:2]
    dx, dy = rng.normal(0, 0.025, 2) * live.face_px
    skin = to_linear(seen(live.image, (dx, dy, width + dx, height + dy), view))
    return np.asarray(skin * np.exp(rng.normal(0, 0.25)), np.float32)

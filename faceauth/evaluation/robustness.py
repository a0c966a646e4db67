"""Error rates of a liveness network under worse images: one curve for each kind of change.

Each change acts on the image before the face is cropped, as a worse camera or detector would.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np

from faceauth.config import PipelineConfig
from faceauth.errors import UsageError
from faceauth.evaluation.measuring import rate_among
from faceauth.evaluation.records import Record
from faceauth.evaluation.report import RobustnessPoint
from faceauth.evaluation.scoring import Box, Change, Progress, score_records
from faceauth.metrics.error_rates import accepted
from faceauth.stages import Image, LivenessBackend

_DEFAULTS = PipelineConfig()


def face_size(side_px: float) -> Change:
    """Shrinks the image until the longer side of the face box is ``side_px``; never enlarges it."""

    def change(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
        height, width = image.shape[:2]
        scale = min(1.0, side_px / _longer(box_xyxy))
        size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
        x, y = size_wh[0] / width, size_wh[1] / height
        small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
        left, top, right, bottom = box_xyxy
        return np.asarray(small, np.uint8), (left * x, top * y, right * x, bottom * y)

    return change


def blur(percent_of_face: float) -> Change:
    """Gaussian blur whose sigma is a share of the longer side of the face box."""

    def change(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
        sigma = percent_of_face / 100 * _longer(box_xyxy)
        if sigma == 0:
            return image, box_xyxy
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8), box_xyxy

    return change


def brightness(gain: float) -> Change:
    """Multiplies every channel; what passes 255 is lost, as in an over-exposed image."""

    def change(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
        return np.asarray(cv2.convertScaleAbs(image, alpha=gain), np.uint8), box_xyxy

    return change


def jpeg_quality(quality: float) -> Change:
    """Compresses the whole image once more at this quality, 1 to 100."""

    def change(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
        _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, int(quality)))
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8), box_xyxy

    return change


def crop_margin(factor: float) -> Change:
    """Scales the face box about its centre, as a detector with another habit would; the crop follows."""

    def change(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
        left, top, right, bottom = box_xyxy
        x, y = (left + right) / 2, (top + bottom) / 2
        w, h = (right - left) / 2 * factor, (bottom - top) / 2 * factor
        return image, (x - w, y - h, x + w, y + h)

    return change


def context(box_sides: float) -> Change:
    """Crops the image to a square, given in longer sides of the face box, as far as the image reaches.

    Many public collections were cropped so by who made them; a caller that crops the face itself does the same.
    """

    def change(image: Image, box_xyxy: Box) -> tuple[Image, Box]:
        height, width = image.shape[:2]
        left, top, right, bottom = box_xyxy
        half = max(1.0, box_sides * _longer(box_xyxy)) / 2
        x, y = (left + right) / 2, (top + bottom) / 2
        x0, y0 = max(0, round(x - half)), max(0, round(y - half))
        x1, y1 = min(width, max(x0 + 1, round(x + half))), min(height, max(y0 + 1, round(y + half)))
        return np.ascontiguousarray(image[y0:y1, x0:x1]), (left - x0, top - y0, right - x0, bottom - y0)

    return change


CHANGES: Mapping[str, tuple[Callable[[float], Change], tuple[float, ...]]] = MappingProxyType(
    {
        "face size, px": (face_size, (24, 32, 48, 64, 96, 128)),
        "blur, % of face": (blur, (0, 1, 2, 3, 5)),
        "brightness, x": (brightness, (0.25, 0.5, 0.75, 1, 1.5, 2)),
        "JPEG quality": (jpeg_quality, (10, 20, 40, 60, 80, 95)),
        "crop margin, x": (crop_margin, (0.8, 0.9, 1, 1.1, 1.25)),
        "image, box sides": (context, (1, 1.2, 1.5, 2, 2.7)),
    }
)
"""Name with unit -> the change and its levels; chosen, not measured."""


def measure_robustness(
    records: Sequence[Record],
    backend: LivenessBackend,
    threshold: float,
    *,
    config: PipelineConfig = _DEFAULTS,
    progress: Progress | None = None,
) -> dict[str, tuple[RobustnessPoint, ...]]:
    """Kind of change -> BPCER and pooled APCER at each of its levels, at one fixed threshold.

    Scores all records about 30 times: give a sample of a large manifest.

    Args:
        records: live and spoof, each with a face box.
        backend: any that needs no landmarks.
        threshold: on P(live).
        config: as in :func:`faceauth.evaluation.scoring.score_records`.
        progress: told after each level, with the number of all levels.

    Raises:
        UsageError: live or spoof is missing.
        UsageError, ImageError, ScoreError: as :func:`faceauth.evaluation.scoring.score_records`.
    """
    live = np.array([record.is_live for record in records])
    if live.all() or not live.any():
        raise UsageError("Robustness is measured on live and spoof images; one of them is missing.")
    plan = [(name, change, level) for name, (change, levels) in CHANGES.items() for level in levels]
    curves: dict[str, tuple[RobustnessPoint, ...]] = {}
    for done, (name, change, level) in enumerate(plan, start=1):
        scored = score_records(records, backend, config=config, change=change(level))
        took = accepted([s.p_live for s in scored if s.p_live is not None], threshold)
        point = RobustnessPoint(
            level=level,
            bpcer=rate_among(scored, ~took, live),
            apcer_pooled=rate_among(scored, took, ~live),
        )
        curves[name] = (*curves.get(name, ()), point)
        if progress is not None:
            progress(done, len(plan))
    return curves


def _longer(box_xyxy: Box) -> float:
    left, top, right, bottom = box_xyxy
    return max(right - left, bottom - top)

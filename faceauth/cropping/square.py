"""The upright square around a face.

The library, training and every export check crop with it, so a score is the same wherever it is computed.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.stages import Crop, CropSpec, Image


def square_around(
    size_wh: tuple[int, int], box_xyxy: tuple[float, float, float, float], scale: float
) -> tuple[int, int, int]:
    """Left, top and side, in pixels, of the square around a face.

    The side is ``scale`` times the longer side of the box, but never more than the longer side of the image. The
    square is centred on the box and shifted, not shrunk, where it would leave the image along a side that can
    hold it; what still sticks out is padded and measured by :func:`square_crop`.

    Raises:
        ValueError: the box is empty or not finite.
    """
    width, height = size_wh
    left, top, right, bottom = box_xyxy
    longer = max(right - left, bottom - top)
    if not np.isfinite(box_xyxy).all() or right <= left or bottom <= top:
        raise ValueError(f"A face box needs finite corners with left < right and top < bottom, not {box_xyxy}.")
    side = max(1, round(min(scale * longer, max(width, height))))
    return _place((left + right) / 2, side, width), _place((top + bottom) / 2, side, height), side


def square_crop(image: Image, box_xyxy: tuple[float, float, float, float], spec: CropSpec) -> Crop:
    """Crop the square of :func:`square_around`, mirror what lies outside the image, resize to ``spec.size_wh``.

    Shrinks by pixel area, so that a fine screen pattern fades instead of turning into moire.

    Args:
        image: uint8, H x W x 3, BGR.
        box_xyxy: face box in pixels of ``image``; may reach beyond its border.
        spec: scale and size.

    Returns:
        Pixels in BGR.

    Raises:
        ValueError: the box is empty, not finite, or wholly outside the image: the square would show no face.
    """
    height, width = image.shape[:2]
    left, top, side = square_around((width, height), box_xyxy, spec.scale)
    if box_xyxy[0] >= width or box_xyxy[1] >= height or box_xyxy[2] <= 0 or box_xyxy[3] <= 0:
        raise ValueError(f"The face box {box_xyxy} lies outside the {width} x {height} image.")
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    inside = (x1 - x0) * (y1 - y0)
    pixels: npt.NDArray[Any] = image[y0:y1, x0:x1]
    if inside < side * side:
        margins = (y0 - top, top + side - y1, x0 - left, left + side - x1)
        pixels = cv2.copyMakeBorder(pixels, *margins, borderType=cv2.BORDER_REFLECT)
    interpolation = cv2.INTER_AREA if side > max(spec.size_wh) else cv2.INTER_LINEAR
    pixels = cv2.resize(pixels, spec.size_wh, interpolation=interpolation)
    longer = max(box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1])
    return Crop(np.asarray(pixels, np.uint8), outside=1 - inside / (side * side), scale=side / longer)


def _place(centre: float, side: int, length: int) -> int:
    if side > length:
        return (length - side) // 2
    return int(min(max(round(centre - side / 2), 0), length - side))

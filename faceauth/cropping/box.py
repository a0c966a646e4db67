"""The face box scaled by a factor and kept inside the image: the crop that MiniFASNet was trained on."""

import cv2
import numpy as np

from faceauth.stages import Crop, CropSpec, Image

Box = tuple[float, float, float, float]


def scaled_box(size_wh: tuple[int, int], box_xyxy: Box, scale: float) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, in whole pixels and all inclusive, of the scaled box.

    The factor is first reduced until width and height fit into the image, then the box is shifted, not clipped, until
    it lies inside. Method and rounding are those of minivision-ai/Silent-Face-Anti-Spoofing (2020).

    Raises:
        ValueError: the box is empty, not finite, or wholly outside the image: the region would show no face.
    """
    width, height = size_wh
    left, top, right, bottom = box_xyxy
    if not np.isfinite(box_xyxy).all() or right <= left or bottom <= top:
        raise ValueError(f"A face box needs finite corners with left < right and top < bottom, not {box_xyxy}.")
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        raise ValueError(f"The face box {box_xyxy} lies outside the {width} x {height} image.")
    face_width, face_height = right - left, bottom - top
    scale = min(scale, (width - 1) / face_width, (height - 1) / face_height)
    x0, x1 = _inside(left + face_width / 2, face_width * scale, width - 1)
    y0, y1 = _inside(top + face_height / 2, face_height * scale, height - 1)
    return x0, y0, x1, y1


def box_crop(image: Image, box_xyxy: Box, spec: CropSpec) -> Crop:
    """The region of :func:`scaled_box`, stretched to ``spec.size_wh``; it lies entirely inside the image.

    Args:
        image: uint8, H x W x 3, BGR.
        box_xyxy: face box in pixels of ``image``; may reach beyond its border.
        spec: scale and size; bilinear, without smoothing, whatever the factor, as the network was trained.

    Raises:
        ValueError: the box is empty, not finite, or wholly outside the image.
    """
    left, top, right, bottom = scaled_box((image.shape[1], image.shape[0]), box_xyxy, spec.scale)
    pixels = cv2.resize(image[top : bottom + 1, left : right + 1], spec.size_wh, interpolation=cv2.INTER_LINEAR)
    face = max(box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1])
    taken = max(right - left, bottom - top) + 1
    return Crop(np.asarray(pixels, np.uint8), outside=0.0, scale=taken / face)


def _inside(centre: float, length: float, last: int) -> tuple[int, int]:
    """First and last pixel of one side, which is shifted to stay between 0 and ``last``."""
    low, high = centre - length / 2, centre + length / 2
    if low < 0:
        low, high = 0.0, high - low
    if high > last:  # set, not added up: a sum that is the smallest bit below a whole number loses that pixel
        low, high = low - (high - last), float(last)
    return int(low), int(high)

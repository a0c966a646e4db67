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
        ValueError: the box is empty or not finite.
    """
    left, top, right, bottom = box_xyxy
    if not np.isfinite(box_xyxy).all() or right <= left or bottom <= top:
        raise ValueError(f"A face box needs finite corners with left < right and top < bottom, not {box_xyxy}.")
    last_xy = np.array(size_wh, np.float64) - 1
    face_wh = np.array((right - left, bottom - top))
    region_wh = face_wh * min(scale, *(last_xy / face_wh))
    low = np.array((left, top)) + face_wh / 2 - region_wh / 2
    low = np.clip(low, 0, np.maximum(last_xy - region_wh, 0))
    high = np.minimum(low + region_wh, last_xy)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def box_crop(image: Image, box_xyxy: Box, spec: CropSpec) -> Crop:
    """The region of :func:`scaled_box`, stretched to ``spec.size_wh``; nothing of it lies outside the image.

    Args:
        image: uint8, H x W x 3, BGR.
        box_xyxy: face box in pixels of ``image``; may reach beyond its border.
        spec: scale and size; bilinear, without smoothing, whatever the factor, as the network was trained.

    Raises:
        ValueError: the box is empty or not finite.
    """
    left, top, right, bottom = scaled_box((image.shape[1], image.shape[0]), box_xyxy, spec.scale)
    pixels = cv2.resize(image[top : bottom + 1, left : right + 1], spec.size_wh, interpolation=cv2.INTER_LINEAR)
    face = max(box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1])
    taken = max(right - left, bottom - top) + 1
    return Crop(np.asarray(pixels, np.uint8), outside=0.0, scale=taken / face)

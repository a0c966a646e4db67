"""Crops a square around a face with level eyes, and gives the transform from its pixels back to the image."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from faceauth.results import Face
from faceauth.stages import Image


def levelled_crop(image: Image, face: Face, *, scale: float, side_px: int) -> tuple[Image, npt.NDArray[np.float64]]:
    """The square around the middle of the face box, rotated by the line between the eyes.

    Args:
        image: uint8, H x W x 3, BGR; beyond its border the outermost pixels are repeated.
        face: in pixels of ``image``.
        scale: side of the square / longer side of the face box.
        side_px: width and height of the crop.

    Returns:
        The crop, and float64, 2 x 3: what takes a point of the crop to the same point of the image.
    """
    (right_x, right_y), (left_x, left_y) = face.landmarks_px[:2]
    angle = math.atan2(left_y - right_y, left_x - right_x)
    zoom = scale * face.box_xyxy.longer_side / side_px
    turned = zoom * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    left, top, right, bottom = face.box_xyxy
    shift = np.array([(left + right) / 2, (top + bottom) / 2]) - turned @ np.full(2, side_px / 2)
    to_image = np.column_stack([turned, shift])
    crop = cv2.warpAffine(
        image,
        to_image,
        (side_px, side_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8), to_image

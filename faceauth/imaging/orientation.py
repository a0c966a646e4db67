"""The Exif orientation: an Exif block in, 1 to 8 out; a picture and 1 to 8 in, the upright picture out.

Knows no file format and does not remember whether it was applied: :mod:`faceauth.imaging.decoding` applies it, once.
"""

import struct

import cv2
import numpy as np

from faceauth.stages import Image


def exif_orientation(tiff: bytes) -> int:
    """Orientation 1 to 8 of an Exif block (from its TIFF header on); 1 where it is absent or makes no sense."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, at)
        for entry in range(entries):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, at + 2 + 12 * entry)
            if tag == 0x0112:
                return int(value) if kind == 3 and count == 1 and 1 <= value <= 8 else 1
    except struct.error:
        pass  # a damaged note about the picture is no reason to refuse the picture; viewers show it as stored
    return 1


def upright(pixels: Image, orientation: int) -> Image:
    """Undo the Exif orientation: 2 to 4 mirror or turn by 180 degrees, 5 to 8 exchange width and height."""
    if orientation == 2:
        turned = cv2.flip(pixels, 1)
    elif orientation == 3:
        turned = cv2.flip(pixels, -1)
    elif orientation == 4:
        turned = cv2.flip(pixels, 0)
    elif orientation == 5:
        turned = cv2.transpose(pixels)
    elif orientation == 6:
        turned = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
    elif orientation == 7:
        turned = cv2.flip(cv2.transpose(pixels), -1)
    elif orientation == 8:
        turned = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
    else:
        return pixels
    return np.asarray(turned, np.uint8)

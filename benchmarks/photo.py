"""The image that every benchmark judges: a 640 x 480 JPEG with one face of 106 pixels, made of the example photo."""

from pathlib import Path

import cv2
import numpy as np

from faceauth.imaging.decoding import load_image

SIZE_WH = (640, 480)
QUALITY = 90
COLLINS = Path(__file__).parents[1] / "examples" / "collins.jpg"


def photo_640x480() -> bytes:
    """The bytes of the JPEG; the sides are mirrored, for the example photo is square."""
    width, height = SIZE_WH
    square = cv2.resize(load_image(COLLINS), (height, height), interpolation=cv2.INTER_AREA)
    margin = (width - height) // 2
    wide = cv2.copyMakeBorder(square, 0, 0, margin, margin, cv2.BORDER_REFLECT)
    return bytes(np.asarray(cv2.imencode(".jpg", wide, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]))

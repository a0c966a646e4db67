"""Draws the example photos: ``python -m examples.make_photos``. Needs scikit-image (the extra ``dev``).

``collins.jpg`` is scikit-image's ``astronaut``: Eileen Collins, photographed by NASA, public domain. The other two are
attacks with that picture, simulated by ``training.simulate``; the coffee behind them is scikit-image's ``coffee`` by
Rachel Michetti, CC0. The seeds were chosen by eye, for attacks that anybody would call one.
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data

from faceauth.stages import Image
from training.simulate import Scene, recapture

FOLDER = Path(__file__).parent
FACE_XYXY = (178.0, 62.5, 268.5, 176.5)  # in px of ``astronaut``, as YuNet finds it
ATTACKS = {"collins_on_a_phone.jpg": ("phone", 41), "collins_on_paper.jpg": ("print", 28)}
JPEG_QUALITY = 92


def photos() -> dict[str, Image]:
    """File name -> picture: uint8, H x W x 3, BGR."""
    collins = Scene(_bgr(skimage.data.astronaut()), FACE_XYXY)
    coffee = _bgr(skimage.data.coffee())
    drawn = {"collins.jpg": collins.image}
    for name, (family, seed) in ATTACKS.items():
        attack, _ = recapture(collins, coffee, np.random.default_rng(seed), family=family)
        drawn[name] = attack.image
    return drawn


def _bgr(rgb: Image) -> Image:
    return np.ascontiguousarray(rgb[..., ::-1])


def main() -> None:
    """Write every photo beside this file."""
    for name, picture in photos().items():
        if not cv2.imwrite(str(FOLDER / name), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
            raise OSError(f"{FOLDER / name} cannot be written: check that the folder is writable.")


if __name__ == "__main__":
    main()

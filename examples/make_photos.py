"""Makes the example photos: ``python -m examples.make_photos``. Needs scikit-image and matplotlib (the extra ``dev``).

- ``collins.jpg`` is scikit-image's ``astronaut``: Eileen Collins, photographed by NASA, public domain.
- ``collins_enrolled.jpg`` is the same photo, cropped, darkened and shrunk, because no second portrait of her in the
  public domain comes with a package. It stands for the photo that somebody enrolled with.
- ``collins_on_a_phone.jpg`` and ``collins_on_paper.jpg`` are attacks with it, simulated by ``training.simulate``. The
  seeds were chosen by eye, for attacks that anybody would recognise. The coffee behind them is scikit-image's
  ``coffee`` by Rachel Michetti, CC0.
- ``hopper.jpg`` is another person: Grace Hopper, official U.S. Navy portrait, public domain, from matplotlib's sample
  data.
"""

from pathlib import Path

import cv2
import matplotlib.cbook
import numpy as np
import skimage.data

from faceauth.stages import Image
from training.simulate import Scene, recapture

FOLDER = Path(__file__).parent
FACE_XYXY = (178.0, 62.5, 268.5, 176.5)  # in px of ``astronaut``, as YuNet finds it
ATTACKS = {"collins_on_a_phone.jpg": ("phone", 41), "collins_on_paper.jpg": ("print", 28)}
JPEG_QUALITY = 92


def photos() -> dict[str, Image]:
    """File name -> image: uint8, H x W x 3, BGR."""
    collins = Scene(_bgr(skimage.data.astronaut()), FACE_XYXY)
    coffee = _bgr(skimage.data.coffee())
    made = {"collins.jpg": collins.image, "collins_enrolled.jpg": _enrolled(collins.image), "hopper.jpg": _hopper()}
    for name, (family, seed) in ATTACKS.items():
        attack, _ = recapture(collins, coffee, np.random.default_rng(seed), family=family)
        made[name] = attack.image
    return made


def _enrolled(image: Image) -> Image:
    """Head and shoulders at four fifths of the size, and three quarters of the brightness."""
    crop = cv2.resize(image[:360, 40:400], None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(crop, alpha=0.75)


def _hopper() -> Image:
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)


def _bgr(rgb: Image) -> Image:
    return np.ascontiguousarray(rgb[..., ::-1])


def main() -> None:
    """Write every photo beside this file."""
    for name, image in photos().items():
        if not cv2.imwrite(str(FOLDER / name), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
            raise OSError(f"{FOLDER / name} cannot be written: check that the folder is writable.")


if __name__ == "__main__":
    main()

"""Makes the golden crops and their P(live) anew: ``python -m tests.golden.make_golden``, after new weights only.

Each face of the public-domain portrait and its two simulated attacks in ``examples`` is cropped as SpoofNet asks. The
last one is blurred until the network is in doubt: where P(live) is near 0 or 1 it hides what changed.
"""

import json
from pathlib import Path

import cv2
import numpy as np

from faceauth.cropping.crops import crop_box
from faceauth.detection.yunet import YuNet
from faceauth.imaging.decoding import load_image
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.stages import Image

GOLDEN = Path(__file__).parent
EXAMPLES = GOLDEN.parents[1] / "examples"
PHOTOS = {"live": "collins", "phone": "collins_on_a_phone", "paper": "collins_on_paper", "blurred": "collins"}
BLUR_PX = 3.0
VARIANTS = ("fp32", "int8")


def photo(face: str) -> Image:
    """The image that a golden face is cropped from."""
    image = load_image(EXAMPLES / f"{PHOTOS[face]}.jpg")
    return np.asarray(cv2.GaussianBlur(image, (0, 0), BLUR_PX), np.uint8) if face == "blurred" else image


def main() -> None:
    """Write the crops as PNG files and ``golden.json``."""
    networks = {variant: SpoofNet(variant=variant) for variant in VARIANTS}  # type: ignore[arg-type]
    faces = {}
    for face in PHOTOS:
        image = photo(face)
        (found,) = YuNet().detect(image)
        crops = [crop_box(image, found.box_xyxy, spec).pixels for spec in networks["fp32"].crops]
        for i, pixels in enumerate(crops):
            cv2.imwrite(str(GOLDEN / f"{face}.{i}.png"), pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        batch = [pixels[None] for pixels in crops]
        p_live = {variant: round(float(network.score(batch)[0]), 6) for variant, network in networks.items()}
        faces[face] = {"box_xyxy": [round(side, 3) for side in found.box_xyxy], "p_live": p_live}
    content = {"weights_sha256": {v: n.weights_sha256 for v, n in networks.items()}, "faces": faces}
    (GOLDEN / "golden.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Turns a decoded PIL image into upright uint8 BGR pixels, transparency on white."""

from contextlib import suppress

import numpy as np
from PIL import Image as Pil
from PIL import ImageOps

from faceauth.errors import ImageUnreadable
from faceauth.stages import Image

MAX_EXIF_BYTES = 2**16
"""A JPEG's segment holds no more. In a longer block a thousand entries may each claim all of it."""

_STRIP_PIXELS = 2**18
"""Converted at a time, so that only these exist in several forms at once."""
_8_BIT = frozenset(("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV", "RGBA", "LA", "PA", "RGBa", "La"))
_16_BIT = frozenset(("I;16", "I;16L", "I;16B", "I;16N"))


def check_mode(image: Pil.Image) -> None:
    """Refuse pixels whose range is not stated.

    Raises:
        ImageUnreadable: 32-bit, floating-point or Lab.
    """
    if image.mode not in _8_BIT | _16_BIT:
        raise ImageUnreadable(
            f"The image has mode {image.mode}: expected RGB, RGBA, L or another 8-bit mode, or 16-bit grey. Convert it "
            "first, for example with `image.convert('RGB')`."
        )


def upright_bgr(image: Pil.Image, *, has_alpha: bool) -> Image:
    """uint8, H x W x 3, BGR; ``image`` is turned in place as its Exif orientation says.

    Args:
        image: loaded, of a mode that :func:`check_mode` lets pass.
        has_alpha: show it on white, as viewers do; otherwise its alpha channel means nothing.
    """
    _turn(image)
    width, height = image.size
    bgr = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = _rgb(image.crop((0, top, width, bottom)), has_alpha=has_alpha)
        bgr[top:bottom] = np.frombuffer(strip.tobytes("raw", "BGR"), np.uint8).reshape(bottom - top, width, 3)
    return bgr


def _turn(image: Pil.Image) -> None:
    """A damaged note about the image is no reason to refuse it; viewers show it as stored."""
    if len(image.info.get("exif") or b"") > MAX_EXIF_BYTES:
        del image.info["exif"]
    with suppress(Exception):  # Pillow raises what it meets in the Exif block, before it turns or after
        ImageOps.exif_transpose(image, in_place=True)


def _rgb(strip: Pil.Image, *, has_alpha: bool) -> Pil.Image:
    if strip.mode in _16_BIT:
        return Pil.fromarray((np.asarray(strip) >> 8).astype(np.uint8)).convert("RGB")
    if not has_alpha:
        return strip if strip.mode == "RGB" else strip.convert("RGB")  # which would copy it
    clear = strip.convert("RGBA")
    white = Pil.new("RGB", clear.size, "white")
    white.paste(clear, mask=clear)
    return white

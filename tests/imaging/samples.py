"""Small images made here, the bytes of files around them, and what tests of imaging ask of the answer."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pil

from faceauth.errors import ImageUnreadable
from faceauth.imaging.decoding import load_image
from faceauth.imaging.limits import ImageLimits
from faceauth.stages import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
EXIF_FORMATS = ("JPEG", "PNG", "WEBP")
WHITE, HALF = 255, 128


def scene() -> Pil.Image:
    """64 x 48, smooth, and different under each of the eight orientations."""
    x, y = np.meshgrid(np.linspace(0, 255, 64), np.linspace(0, 255, 48))
    return Pil.fromarray(np.dstack([x, y, 0.6 * x]).astype(np.uint8))


def encode(picture: Pil.Image, image_format: str, **options: object) -> bytes:
    if image_format == "WEBP":
        options.setdefault("lossless", True)
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


def bgr(picture: Pil.Image) -> Image:
    return np.asarray(picture.convert("RGB"))[..., ::-1]


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(*chunks: bytes, size_wh: tuple[int, int] = (40, 40), colour: int = 2) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size_wh, 8, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks)


def png_pixels(size_wh: tuple[int, int] = (40, 40), channels: int = 3) -> bytes:
    return png_chunk(b"IDAT", zlib.compress((b"\0" + bytes(channels * size_wh[0])) * size_wh[1]))


IEND = png_chunk(b"IEND", b"")


def assert_close(found: Image, expected: Image, tolerance: float = 0.0) -> None:
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= tolerance


def refusal(source: object, limits: ImageLimits | None = None) -> str:
    with pytest.raises(ImageUnreadable) as caught:
        load_image(source, limits or ImageLimits())  # type: ignore[arg-type]
    return str(caught.value)

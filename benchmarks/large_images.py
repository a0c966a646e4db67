"""Files whose pixels cost a decoder the most memory, a few kilobytes each: name -> bytes."""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image as Pil

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Left, top and the steps in x and y of the passes of an interlaced PNG."""

PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type -> channels."""


def large_images(size_wh: tuple[int, int]) -> Iterator[tuple[str, bytes]]:
    """The costliest kinds of file that Pillow decodes, each of ``size_wh`` and one colour."""
    yield "PNG, RGB, interlaced", png(size_wh, interlaced=True)
    yield "PNG, RGBA, 16 bits, interlaced", png(size_wh, depth=16, colour=6, interlaced=True)
    yield "PNG, grey and alpha", png(size_wh, colour=4)
    yield "PNG, palette with transparency", png(size_wh, colour=3)
    exif = Pil.Exif()
    exif[0x0112] = 6
    yield "PNG, RGB, turned by Exif", saved("RGB", size_wh, "PNG", exif=exif)
    yield "JPEG, baseline, turned by Exif", saved("RGB", size_wh, "JPEG", exif=exif)
    yield "JPEG, progressive, 4:4:4", saved("RGB", size_wh, "JPEG", progressive=True, subsampling=0)
    yield "JPEG, progressive, CMYK, turned by Exif", saved("CMYK", size_wh, "JPEG", progressive=True, exif=exif)
    yield "WebP, lossy, with alpha", saved("RGBA", size_wh, "WEBP", method=0)
    yield "WebP, lossless, with alpha, turned by Exif", saved("RGBA", size_wh, "WEBP", lossless=True, exif=exif)
    yield "BMP, 24 bits", saved("RGB", size_wh, "BMP")


def saved(mode: str, size_wh: tuple[int, int], image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Pil.new(mode, size_wh, 90 if len(mode) == 1 else (90,) * len(mode)).save(buffer, image_format, **options)
    return buffer.getvalue()


def png(size_wh: tuple[int, int], *, depth: int = 8, colour: int = 2, interlaced: bool = False) -> bytes:
    """A PNG of zeros; Pillow writes neither interlaced ones nor 16 bits with colour."""
    width, height = size_wh
    compressor = zlib.compressobj(1)
    pixels = bytearray()
    for left, top, step_x, step_y in ADAM7 if interlaced else ((0, 0, 1, 1),):
        row = bytes(1 + -(-len(range(left, width, step_x)) * PNG_CHANNELS[colour] * depth // 8))
        for _ in range(top, height, step_y):
            pixels += compressor.compress(row)
    pixels += compressor.flush()
    palette = (chunk(b"PLTE", bytes(3 * 256)), chunk(b"tRNS", bytes(256))) if colour == 3 else ()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    return b"".join((b"\x89PNG\r\n\x1a\n", header, *palette, chunk(b"IDAT", bytes(pixels)), chunk(b"IEND", b"")))


def chunk(kind: bytes, payload: bytes) -> bytes:
    """One chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))

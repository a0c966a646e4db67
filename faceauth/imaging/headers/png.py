"""The chunks of a PNG in (W3C, third edition), its size and layout out. Decodes nothing."""

import struct
import zlib

from faceauth.imaging.headers.layout import MAX_PARTS, ImageLayout, animated, damaged
from faceauth.imaging.orientation import exif_orientation

_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Colour type -> bits per channel that it may have."""


def read_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in stored pixels, from the bytes before the pixels."""
    length, kind, width, height, depth, colour, *methods = struct.unpack_from(">I4sIIBBBBB", data, 8)
    if kind != b"IHDR" or length != 13:
        raise damaged(name, "PNG", f"its first chunk is {kind!r}, not IHDR")
    if depth not in _DEPTHS.get(colour, ()) or methods not in ([0, 0, 0], [0, 0, 1]):
        raise damaged(name, "PNG", f"colour type {colour} with {depth} bits and methods {methods} does not exist")
    return width, height


def read_layout(data: bytes, name: str) -> ImageLayout:
    """Walk the file to its end; see :func:`faceauth.imaging.headers.read_layout`."""
    colour = data[25]
    orientation, has_data, has_alpha = 1, False, colour in (4, 6)
    at, essence = 8, [data[:8]]
    for _ in range(MAX_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        (expected,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(memoryview(data)[at + 4 : end]) != expected:
            raise damaged(name, "PNG", f"the checksum of chunk {kind!r} at byte {at} does not fit")
        if kind in (b"acTL", b"fcTL", b"fdAT"):
            raise animated(name, "PNG")
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            essence.append(data[at : end + 4])
        if kind == b"IEND":
            if not has_data:
                raise damaged(name, "PNG", "it holds no picture data")
            return ImageLayout(orientation, has_alpha, b"".join(essence))
        has_data = has_data or kind == b"IDAT"
        has_alpha = has_alpha or (kind == b"tRNS" and colour in (2, 3))
        if kind == b"eXIf":
            orientation = exif_orientation(data[at + 8 : end])
        at = end + 4
    raise damaged(name, "PNG", f"it has more than {MAX_PARTS} chunks")

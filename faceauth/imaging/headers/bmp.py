"""The headers of a BMP in (BITMAPCOREHEADER, BITMAPINFOHEADER and its successors), its size and layout out."""

import struct

from faceauth.errors import ImageUnreadable
from faceauth.imaging.headers.layout import ImageHeader, ImageLayout, damaged, truncated


def read_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in stored pixels, from the bytes before the pixels."""
    (info,) = struct.unpack_from("<I", data, 14)
    if info == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return width, height
    width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # a negative height stores the rows from top to bottom


def read_layout(data: bytes, header: ImageHeader, name: str) -> ImageLayout:
    """Walk the file to its end; see :func:`faceauth.imaging.headers.read_layout`."""
    offset, info = struct.unpack_from("<I4x", data, 10)[0], struct.unpack_from("<I", data, 14)[0]
    (bits,) = struct.unpack_from("<H", data, 24 if info == 12 else 28)
    compression = 0 if info == 12 else struct.unpack_from("<I", data, 30)[0]
    if compression not in (0, 3) or bits not in (1, 4, 8, 16, 24, 32):
        raise ImageUnreadable(
            f"{name} is a BMP of {bits} bits with compression {compression}: expected 1 to 32 bits, uncompressed. "
            "Save it as PNG."
        )
    if info != 12 and struct.unpack_from("<I", data, 46)[0] > 256:
        raise damaged(name, "BMP", "its palette has more than 256 colours")
    row = (header.size_wh[0] * bits + 31) // 32 * 4
    if offset + row * header.size_wh[1] > len(data):
        raise truncated(name, "BMP")
    return ImageLayout(1, has_alpha=False, essence=data)

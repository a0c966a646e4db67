"""The chunks of a WebP in (RFC 9649), its size and layout out. Decodes nothing."""

import struct

from faceauth.imaging.headers.layout import MAX_PARTS, ImageHeader, ImageLayout, animated, damaged, truncated
from faceauth.imaging.orientation import exif_orientation


def read_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in stored pixels, from the bytes before the pixels."""
    (kind,) = struct.unpack_from("4s", data, 12)
    if kind in (b"VP8 ", b"VP8L"):
        return _frame_size(kind, data, 20, name)
    if kind == b"VP8X":
        flags, width, high, height, top = struct.unpack_from("<B3xHBHB", data, 20)
        if flags & 0x02:
            raise animated(name, "WebP")
        return (width | high << 16) + 1, (height | top << 16) + 1
    raise damaged(name, "WebP", f"its first chunk is {kind!r}")


def read_layout(data: bytes, header: ImageHeader, name: str) -> ImageLayout:
    """Walk the file to its end; see :func:`faceauth.imaging.headers.read_layout`."""
    (riff_length,) = struct.unpack_from("<I", data, 4)
    end, at = 8 + riff_length, 12
    if end > len(data):
        raise truncated(name, "WebP")
    frames, has_alpha, orientation = 0, False, 1
    for part in range(MAX_PARTS + 1):
        if at + 8 > end:
            break
        if part == MAX_PARTS:
            raise damaged(name, "WebP", f"it has more than {MAX_PARTS} chunks")
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise truncated(name, "WebP")
        if kind in (b"ANIM", b"ANMF"):
            raise animated(name, "WebP")
        if kind in (b"VP8 ", b"VP8L"):
            frames += 1
            size_wh = _frame_size(kind, data, at + 8, name)
            if size_wh != header.size_wh:
                raise damaged(name, "WebP", f"its header says {header.size_wh} pixels, its picture is {size_wh}")
            has_alpha = has_alpha or (kind == b"VP8L" and bool(data[at + 12] & 0x10))
        has_alpha = has_alpha or kind == b"ALPH"
        if kind == b"EXIF":
            orientation = exif_orientation(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    if frames != 1:
        raise damaged(name, "WebP", f"it holds {frames} pictures where one was expected")
    return ImageLayout(orientation, has_alpha, essence=data)


def _frame_size(kind: bytes, data: bytes, at: int, name: str) -> tuple[int, int]:
    """Size in a VP8 key frame or a VP8L stream whose payload begins at ``at``."""
    if kind == b"VP8 ":
        tag, start_code, width, height = struct.unpack_from("<B2x3sHH", data, at)
        if tag & 1 or start_code != b"\x9d\x01\x2a":
            raise damaged(name, "WebP", "its VP8 data does not begin with a key frame")
        return width & 0x3FFF, height & 0x3FFF
    signature, bits = struct.unpack_from("<BI", data, at)
    if signature != 0x2F:
        raise damaged(name, "WebP", "its VP8L data lacks the signature")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1

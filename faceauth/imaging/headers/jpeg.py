"""The segments of a JPEG in (ITU-T T.81 annex B), its size and layout out. Decodes nothing."""

import re
import struct
from collections.abc import Iterator

from faceauth.errors import ImageUnreadable
from faceauth.imaging.headers.layout import MAX_PARTS, ImageLayout, damaged, truncated
from faceauth.imaging.orientation import exif_orientation

MAX_SCANS = 64
"""Scans of one progressive JPEG; libjpeg writes 10. Chosen, not measured: each scan passes over all pixels again."""

_MARKER = re.compile(rb"\xff++([^\xff])", re.DOTALL)
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_SOF_HUFFMAN = frozenset((0xC0, 0xC1, 0xC2))
_SOF_OTHER = frozenset((0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
_SOS, _EOI, _APP1 = 0xDA, 0xD9, 0xE1
_TABLES_AND_NOTES = frozenset((0xC4, 0xCC, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)))


def read_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in stored pixels, from the bytes before the pixels."""
    for code, payload in _segments(data, name):
        if code in _SOF_HUFFMAN:
            bits, height, width, channels = struct.unpack_from(">BHHB", payload)
            if bits != 8 or channels not in (1, 3, 4):
                raise ImageUnreadable(
                    f"{name} is a JPEG of {bits} bits and {channels} channels: expected 8 bits and 1, 3 or 4 "
                    "channels. Save it as an ordinary JPEG or as PNG."
                )
            return width, height
        if code in _SOF_OTHER:
            raise ImageUnreadable(
                f"{name} is a JPEG with the rare coding SOF{code - 0xC0}: expected baseline or progressive Huffman "
                "coding. Save it as an ordinary JPEG or as PNG."
            )
        if code not in _TABLES_AND_NOTES:
            break
    raise damaged(name, "JPEG", "its picture data has no frame header before it")


def read_layout(data: bytes, name: str) -> ImageLayout:
    """Walk the file to its end; see :func:`faceauth.imaging.headers.read_layout`."""
    orientation: int | None = None
    frames = scans = 0
    for code, payload in _segments(data, name):
        frames += code in _SOF_HUFFMAN
        scans += code == _SOS
        if code not in _TABLES_AND_NOTES and code not in _SOF_HUFFMAN and code not in (_SOS, _EOI):
            raise damaged(name, "JPEG", f"marker 0x{code:02x} has no place in it")
        if frames > 1 or scans > MAX_SCANS:
            raise damaged(name, "JPEG", f"it has {frames} frames and {scans} scans")
        if code == _APP1 and payload.startswith(b"Exif\0\0") and orientation is None:
            orientation = exif_orientation(payload[6:])
    if scans == 0:
        raise damaged(name, "JPEG", "it holds no picture data")
    return ImageLayout(orientation or 1, has_alpha=False, essence=data)


def _segments(data: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    """Marker and payload of each segment, the entropy-coded data skipped; ends with EOI."""
    at = 2
    for _ in range(MAX_PARTS):
        marker = _MARKER.match(data, at)
        if marker is None:
            if data[at : at + 1].strip(b"\xff"):
                raise damaged(name, "JPEG", f"byte {at} should begin a marker")
            raise truncated(name, "JPEG")
        code, at = marker[1][0], marker.end()
        if code == _EOI:
            yield code, b""
            return
        (length,) = struct.unpack_from(">H", data, at)
        if length < 2:
            raise damaged(name, "JPEG", f"the segment at byte {at} has the length {length}")
        if at + length > len(data):
            raise truncated(name, "JPEG")
        yield code, data[at + 2 : at + length]
        at += length
        if code == _SOS:
            end = _SCAN_END.search(data, at)
            if end is None:
                raise truncated(name, "JPEG")
            at = end.start()
    raise damaged(name, "JPEG", f"it has more than {MAX_PARTS} segments")

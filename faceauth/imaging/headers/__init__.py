"""The bytes of a JPEG, PNG, WebP or BMP file in, its size, orientation and transparency out.

Decodes no pixel and allocates nothing that grows with what a header claims; knows no limit on size.

Strict on purpose: a file that ends early, is animated, or that two decoders could read differently is refused here,
so the decoder behind it sees complete files only.
"""

import re
import struct

from faceauth.errors import ImageUnreadable
from faceauth.imaging.headers import bmp, jpeg, png, webp
from faceauth.imaging.headers.layout import ImageFormat, ImageHeader, ImageLayout, damaged, truncated

__all__ = ["ImageFormat", "ImageHeader", "ImageLayout", "read_header", "read_layout"]

_SIGNATURES: tuple[tuple[re.Pattern[bytes], ImageFormat], ...] = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WebP"),
    (re.compile(rb"BM.{12}[\x0c-\x7c]\0\0\0", re.DOTALL), "BMP"),
)
_KNOWN_BUT_REFUSED: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"GIF8"), "a GIF"),
    (re.compile(rb"II\*\0|MM\0\*"), "a TIFF"),
    (re.compile(rb"....ftyp(hei|hev|mif|msf)", re.DOTALL), "a HEIC"),
    (re.compile(rb"....ftypavi", re.DOTALL), "an AVIF"),
    (re.compile(rb"%PDF"), "a PDF"),
)


def read_header(data: bytes, name: str) -> ImageHeader:
    """Format and stored size, from magic bytes and the format's own header.

    Args:
        data: the file, whole or at least its beginning.
        name: what to call the picture in an error.

    Raises:
        ImageUnreadable: empty, of another format, or the header is damaged.
    """
    image_format = _format(data, name)
    try:
        if image_format == "JPEG":
            size_wh = jpeg.read_size(data, name)
        elif image_format == "PNG":
            size_wh = png.read_size(data, name)
        elif image_format == "WebP":
            size_wh = webp.read_size(data, name)
        else:
            size_wh = bmp.read_size(data, name)
    except struct.error:
        raise truncated(name, image_format) from None
    if min(size_wh) < 1:
        raise damaged(name, image_format, f"its header says {size_wh[0]} x {size_wh[1]} pixels")
    return ImageHeader(image_format, size_wh)


def read_layout(data: bytes, header: ImageHeader, name: str) -> ImageLayout:
    """Walk the whole file once: it must be complete and hold exactly one picture.

    Raises:
        ImageUnreadable: truncated, damaged, animated, or coded in a way that is not read.
    """
    try:
        if header.format == "JPEG":
            return jpeg.read_layout(data, name)
        if header.format == "PNG":
            return png.read_layout(data, name)
        if header.format == "WebP":
            return webp.read_layout(data, header, name)
        return bmp.read_layout(data, header, name)
    except struct.error:
        raise truncated(name, header.format) from None


def _format(data: bytes, name: str) -> ImageFormat:
    if not data:
        raise ImageUnreadable(
            f"{name} is empty (0 bytes): expected a JPEG, PNG, WebP or BMP file. Copy or upload it again."
        )
    for signature, image_format in _SIGNATURES:
        if signature.match(data):
            return image_format
    for signature, found in _KNOWN_BUT_REFUSED:
        if signature.match(data):
            raise ImageUnreadable(f"{name} is {found} file: expected JPEG, PNG, WebP or BMP. Convert it first.")
    raise ImageUnreadable(
        f"{name} is no picture that is read here (it begins with {data[:8]!r}): expected JPEG, PNG, WebP or BMP, "
        "recognised by content and not by name. Check the file, or convert it first."
    )

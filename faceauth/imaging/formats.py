"""Opens the bytes of an image file as a PIL image: of an allowed format, not animated, and within the limits.

No pixel is decoded here. Pillow knows dozens of formats, some through other programs: it is offered those below only.
"""

import io
import re

from PIL import Image as Pil
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.MpoImagePlugin import MpoImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from faceauth.errors import ImageTooLarge, ImageUnreadable
from faceauth.imaging.limits import ImageLimits, check_size

HEIC = "HEIF"  # Pillow's word
_OPENED = tuple(plugin.format for plugin in (JpegImageFile, PngImageFile, WebPImageFile, BmpImageFile))
_FIRST_OF_MANY = frozenset((MpoImageFile.format, HEIC))
"""A phone's JPEG with a second view or a depth map behind the photo; a HEIC with more images than the primary one."""

ALLOWED = frozenset((*_OPENED, *_FIRST_OF_MANY))
EXPECTED = "expected JPEG, PNG, WebP or BMP (or HEIC, with the extra `heic`)"

MAX_READS = 100_000
"""Reads of one file. Pillow reads each chunk or segment on its own, so this bounds the time of a file of empty ones; 32
MiB of PNG in chunks of 8 KiB need 16,000."""

MAX_SCANS = 64
"""Scans of one JPEG; libjpeg writes 10 at most. Chosen, not measured: each passes over all pixels again."""

_NAMES: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WebP"),
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"....ftyp(hei|hev|mif|msf)", re.DOTALL), "HEIC"),
)
_REFUSED: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"GIF8"), "a GIF file: {expected}. Convert it first."),
    (re.compile(rb"II\*\0|MM\0\*"), "a TIFF file: {expected}. Convert it first."),
    (re.compile(rb"....ftypavi", re.DOTALL), "an AVIF file: {expected}. Convert it first."),
    (re.compile(rb"%PDF"), "a PDF file: {expected}. Convert it first."),
    (re.compile(rb"/9j/|iVBORw0KGgo|UklGR|data:"), "base64 text: {expected}. Decode it with base64.b64decode first."),
)
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]", re.DOTALL)
_SOS, _EOI = b"\xff\xda", b"\xff\xd9"


def format_name(data: bytes, name: str) -> str:
    """The format that a file's first bytes state.

    Raises:
        ImageUnreadable: empty, of a format that is not allowed, or of none.
    """
    if not data:
        raise ImageUnreadable(f"{name} is empty (0 bytes): {EXPECTED}. Copy or upload it again.")
    for signature, format_found in _NAMES:
        if signature.match(data):
            return format_found
    for signature, refusal in _REFUSED:
        if signature.match(data):
            raise ImageUnreadable(f"{name} is {refusal.format(expected=EXPECTED)}")
    raise ImageUnreadable(
        f"{name} is not an image faceauth reads (it begins with {data[:8]!r}): {EXPECTED}, recognised by content and "
        "not by name. Check the file, or convert it first."
    )


def open_image(data: bytes, name: str, limits: ImageLimits) -> ImageFile:
    """The image of a file, not decoded yet, and smaller than stored where :class:`ImageLimits` says so.

    Raises:
        ImageTooLarge: too many pixels, or more than Pillow opens.
        ImageUnreadable: animated, too small, or of an extra that is not installed.
        Exception: whatever Pillow's plugins raise about a damaged file.
    """
    image = _opened(data, name, limits)
    if isinstance(image, JpegImageFile):
        _check_scans(data, image, name)
        _draft(image, limits)
    check_size(image.size, name, limits)
    if isinstance(image, PngImageFile):
        image.verify()  # the checksums of the pixels too, which `load` does not look at
        image = _opened(data, name, limits)
    if isinstance(image, BmpImageFile) and image.tile[0].codec_name == "bmp_rle":  # decoded in Python, byte by byte
        raise ImageUnreadable(f"{name} is a compressed BMP: expected an uncompressed one. Save it as PNG.")
    check_still(image, name)
    return image


def check_still(image: Pil.Image, name: str) -> None:
    """Refuse an animation; of a file that holds further images beside the photo, the photo is taken.

    Raises:
        ImageUnreadable: more than one frame.
    """
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in _FIRST_OF_MANY:
        raise ImageUnreadable(
            f"{name} is animated, it holds {frames} frames: expected a still image. Pass the one frame that is to be "
            "judged."
        )


class _CountedFile(io.BytesIO):
    """A file in memory that ends a reader who asks too often."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise OSError("it consists of too many parts")
        return super().read(size)


def _opened(data: bytes, name: str, limits: ImageLimits) -> ImageFile:
    file = _CountedFile(data)
    if format_name(data, name) == "HEIC":
        return _opened_heic(file, name)
    try:
        return Pil.open(file, formats=_OPENED)
    except Pil.DecompressionBombError as error:
        found = int(re.search(r"\d+", str(error))[0])  # type: ignore[index]  # "Image size (2500000000 pixels) ..."
        limit = min(limits.max_pixels, 2 * (Pil.MAX_IMAGE_PIXELS or found))
        raise ImageTooLarge(
            f"{name} has {found:,} pixels: at most {limit:,} are allowed. Scale it down.", found=found, limit=limit
        ) from None


def _opened_heic(file: io.BytesIO, name: str) -> ImageFile:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise ImageUnreadable(
            f"{name} is a HEIC file, and what reads it is not installed: run `pip install 'faceauth[heic]'`, or "
            "convert it to JPEG."
        ) from None
    image: ImageFile = HeifImageFile(file)  # type: ignore[no-untyped-call]
    return image


def _draft(image: JpegImageFile, limits: ImageLimits) -> None:
    """Decode a baseline JPEG of too many pixels at the largest fraction that fits; its coefficients are not kept."""
    width, height = image.size
    if image.info.get("progressive"):
        return
    for part in (1, 2, 4, 8):
        if -(-width // part) * -(-height // part) <= limits.max_pixels:
            image.draft(None, (width // part, height // part))
            return


def _check_scans(data: bytes, image: JpegImageFile, name: str) -> None:
    assert image.fp is not None
    scans, at = 1, image.fp.tell()  # Pillow stands behind the head of the first scan
    while (marker := _MARKER.search(data, at)) and marker[0] != _EOI:
        scans += marker[0] == _SOS
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    if scans > MAX_SCANS:
        raise ImageUnreadable(
            f"{name} is a JPEG of {scans} scans: at most {MAX_SCANS} are read. Save it once in an image editor."
        )

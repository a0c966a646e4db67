"""What the header of a picture file says, and the three ways in which a file is refused. Knows no format."""

from dataclasses import dataclass
from typing import Literal

from faceauth.errors import ImageUnreadable

ImageFormat = Literal["JPEG", "PNG", "WebP", "BMP"]

MAX_PARTS = 20_000
"""Chunks or segments of one file. Chosen, not measured: bounds the time that a file of empty chunks can take."""


@dataclass(frozen=True)
class ImageHeader:
    """What the first bytes of a file claim.

    Attributes:
        size_wh: width and height in stored pixels, before the orientation is applied; both > 0.
    """

    format: ImageFormat
    size_wh: tuple[int, int]


@dataclass(frozen=True)
class ImageLayout:
    """What the rest of a complete, still picture says about its pixels.

    Attributes:
        orientation: Exif value 1 to 8; 1 where there is none or it is damaged.
        has_alpha: the pixels carry transparency. A grey PNG with one transparent grey counts as opaque, and so does
            a BMP, whose fourth byte is mostly unset.
        essence: the file for the decoder. A PNG without its notes (colour profiles, compressed texts), about which
            libpng prints warnings and some of which it unpacks; the other formats as they are.
    """

    orientation: int
    has_alpha: bool
    essence: bytes


def truncated(name: str, image_format: ImageFormat) -> ImageUnreadable:
    """The data ends before the picture does."""
    return ImageUnreadable(
        f"{name} is a truncated {image_format}: its data ends before the picture does, and a complete file was "
        "expected. Copy or upload it again."
    )


def damaged(name: str, image_format: ImageFormat, what: str) -> ImageUnreadable:
    """``what`` contradicts the format, or could be read in two ways."""
    return ImageUnreadable(
        f"{name} is a damaged {image_format}: {what}; an intact file was expected. Copy it again, or open and save it "
        "once in a picture editor."
    )


def animated(name: str, image_format: ImageFormat) -> ImageUnreadable:
    """More than one frame."""
    return ImageUnreadable(
        f"{name} is an animated {image_format}: expected a still picture. Save the one frame that is to be judged."
    )

"""How large an image may be, and how much memory decoding one costs."""

from pydantic import BaseModel, ConfigDict, Field

from faceauth.errors import ImageTooLarge, ImageUnreadable

PEAK_BYTES_PER_PIXEL = 17
"""Most memory that ``load_image`` takes per decoded pixel; 3 of them are the result. A large file's bytes come on top.

``python -m benchmarks.memory decoding`` measured 8 for PNG and baseline JPEG, 10 to 12 for progressive JPEG, 13 for BMP
with its file, 16 for WebP: 200 to 400 MB at 25 megapixels. A JPEG that comes out smaller costs by what comes out.
"""


class ImageLimits(BaseModel):
    """Largest and smallest image that is decoded. Chosen, not measured: a phone's photo passes, a bomb does not.

    Attributes:
        max_bytes: size of the file; a PIL image and an array have none.
        max_pixels: width times height of what is decoded. A larger baseline JPEG is decoded at a half, a quarter or an
            eighth of its size, whichever fits first: a 50-megapixel photo at 12.5. Boxes and landmarks are in pixels of
            what was decoded. Every other image is refused.
        min_side_px: shorter side; no face that can be judged fits into less.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, revalidate_instances="always")

    max_bytes: int = Field(default=32 * 2**20, ge=1)
    max_pixels: int = Field(default=25_000_000, ge=1)
    min_side_px: int = Field(default=32, ge=1)


DEFAULT_LIMITS = ImageLimits()


def check_size(size_wh: tuple[int, int], name: str, limits: ImageLimits) -> None:
    """Refuse what has too many pixels or too few.

    Raises:
        ImageTooLarge, ImageUnreadable: it does not fit.
    """
    width, height = size_wh
    if width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"{name} has {width} x {height} = {width * height:,} pixels: at most {limits.max_pixels:,} are allowed. "
            "Scale it down, or raise max_pixels.",
            found=width * height,
            limit=limits.max_pixels,
        )
    if min(width, height) < limits.min_side_px:
        raise ImageUnreadable(
            f"{name} has {width} x {height} pixels: its shorter side needs at least {limits.min_side_px}. Take a "
            "larger image."
        )


def check_bytes(length: int, name: str, limits: ImageLimits) -> None:
    """Refuse a file of more than ``max_bytes``.

    Raises:
        ImageTooLarge: it has more, or has not ended there.
    """
    if length > limits.max_bytes:
        raise ImageTooLarge(
            f"{name} has {length:,} bytes or more: at most {limits.max_bytes:,} are allowed. Save it smaller, or raise "
            "max_bytes.",
            found=length,
            limit=limits.max_bytes,
        )

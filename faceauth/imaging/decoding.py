"""Opens a path, bytes, a file, a PIL image or an array as an upright uint8 BGR image within limits.

Pillow decodes, so that damage is an error and no line of a C library on stderr; size, format and frames are checked
before a pixel is decoded.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pil
from PIL import UnidentifiedImageError
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from faceauth.errors import ImageError, ImageUnreadable, UsageError
from faceauth.imaging.budget import pixel_budget
from faceauth.imaging.formats import ALLOWED, EXPECTED, check_still, format_name, open_image
from faceauth.imaging.limits import DEFAULT_LIMITS, ImageLimits, check_size
from faceauth.imaging.pillow_switches import strict_pillow
from faceauth.imaging.pixels import check_mode, upright_bgr
from faceauth.imaging.sources import UNNAMED, in_time, read_bytes, read_file, read_path, shown
from faceauth.stages import Image

ImageSource: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Pil.Image | npt.NDArray[np.generic]
)
"""What :func:`load_image` takes."""


def load_image(
    source: ImageSource, limits: ImageLimits = DEFAULT_LIMITS, *, color: Literal["bgr", "rgb"] = "bgr"
) -> Image:
    """The image as uint8, H x W x 3, BGR, 0-255, upright.

    Args:
        source: a path; the bytes of a JPEG, PNG, WebP or BMP file, or of a HEIC with the extra ``heic``; a binary file
            object, read from where it stands; a PIL image of such a file or made in memory, whose Exif orientation is
            applied and whose bytes PIL does not tell, so that ``max_bytes`` cannot hold; or an array, uint8,
            H x W x 3 or H x W in grey, taken as upright. A contiguous BGR array is returned itself, not a copy.
        limits: largest and smallest image; see :class:`ImageLimits`. A JPEG may come out at a fraction of its size.
        color: order of an array's channels; an encoded image states its own.

    A JPEG whose middle is damaged but whose structure is whole is decoded as viewers do. One decode takes at most
    ``limits.PEAK_BYTES_PER_PIXEL``, and all threads together ``budget.MAX_PIXELS_AT_ONCE`` times as much.

    Raises:
        ImageTooLarge: more bytes or pixels than the limits allow; nothing was decoded.
        ImageUnreadable: missing, empty, truncated, damaged, animated, too small, too slow, of another format or type.
        UsageError: ``color`` is neither of the two.
    """
    if color not in ("bgr", "rgb"):
        raise UsageError(f"color is {color!r}: expected 'bgr' or 'rgb', the order of an array's channels.")
    if isinstance(source, np.ndarray):
        return _from_array(source, limits, color)
    if isinstance(source, Pil.Image):
        return _from_pil(source, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(read_bytes(source, limits), UNNAMED, limits)
    if isinstance(source, str | os.PathLike):
        return _decode(*read_path(source, limits), limits)
    if hasattr(source, "read"):
        return _decode(read_file(source, limits), UNNAMED, limits)
    raise ImageUnreadable(
        f"A {type(source).__name__} is not an image: expected a path, bytes, a binary file, a PIL image or uint8 array."
    )


def decoded_scale(path: str | os.PathLike[str], image: Image) -> float:
    """Side of ``image``, which :func:`load_image` made of the file, / side of the file's own image.

    1, or a fraction for a JPEG that was decoded smaller than it is stored.
    """
    try:
        with strict_pillow, Pil.open(path, formats=(JpegImageFile.format,)) as stored:
            return float(max(image.shape[:2]) / max(stored.size))  # the longer side: it may have been turned upright
    except UnidentifiedImageError:
        return 1.0


def _decode(data: bytes, name: str, limits: ImageLimits) -> Image:
    kind = format_name(data, name)
    with strict_pillow, _damage(f"{name} is a damaged or truncated {kind}"):
        image = open_image(data, name, limits)
        return pixel_budget.run(image.size, lambda: _pixels(image, image.format, name, limits))


def _from_pil(source: Pil.Image, limits: ImageLimits) -> Image:
    if source.format not in (None, *ALLOWED):  # None: made or copied in memory, decoded already
        raise ImageUnreadable(f"The PIL image comes from a {source.format} file: {EXPECTED}. Convert the file.")
    check_size(source.size, UNNAMED, limits)
    with strict_pillow, _damage("The PIL image cannot be decoded, its file is damaged or truncated"):
        check_still(source, "The PIL image")
        if isinstance(source, ImageFile):  # which reads as late as now, from whatever it was opened with
            pixel_budget.run(source.size, lambda: in_time(source.load))
        return pixel_budget.run(source.size, lambda: _pixels(source.copy(), source.format, UNNAMED, limits))


def _pixels(image: Pil.Image, image_format: str | None, name: str, limits: ImageLimits) -> Image:
    """``image`` is decoded, turned in place, and closed."""
    try:
        image.load()
        check_size(image.size, name, limits)  # a decoder may find another size than the header
        check_mode(image)
        # The fourth byte of a BMP is mostly unset rather than transparent.
        has_alpha = image.has_transparency_data and image_format != BmpImageFile.format
        return upright_bgr(image, has_alpha=has_alpha)
    finally:
        image.close()  # frees its pixels before the next image's are asked for


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Whatever Pillow raises about a file, and it may be anything, as one error."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        reason = "its header is not valid" if isinstance(error, UnidentifiedImageError) else shown(str(error))
        raise ImageUnreadable(
            f"{what} ({reason}): expected an intact file. Copy or upload it again, or save it once in an image editor."
        ) from error


def _from_array(array: npt.NDArray[np.generic], limits: ImageLimits, color: Literal["bgr", "rgb"]) -> Image:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ImageUnreadable(
            f"The array is {array.dtype} of shape {array.shape}: expected uint8, 0-255, H x W x 3 in the order of "
            "`color` ('bgr' or 'rgb') or H x W in grey. Scale and convert it first, for example with cv2.cvtColor."
        )
    check_size((array.shape[1], array.shape[0]), "The array", limits)
    if array.ndim == 2:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_GRAY2BGR), np.uint8)
    return np.ascontiguousarray(array if color == "bgr" else array[..., ::-1], np.uint8)

"""A path, bytes, a file, a PIL picture or an array in; an upright uint8 BGR picture within limits out.

Knows no face: what is cut out of the picture is the business of :mod:`faceauth.cropping.square`.

The limits hold before a pixel is decoded: :mod:`faceauth.imaging.headers` reads size and layout, and the result must
have the size that was checked. Orientation is applied here, once, and never by the decoder, so that the outcome does
not hang on the version of OpenCV. Transparent pixels are shown on white, as most viewers do.
"""

import os
import stat
import sys
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from faceauth.errors import ImageError, ImageTooLarge, ImageUnreadable
from faceauth.imaging.headers import read_header, read_layout
from faceauth.imaging.orientation import exif_orientation, upright
from faceauth.stages import Image

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | PilImage | npt.NDArray[np.generic]"
)
"""What :func:`load_image` takes."""

_UNNAMED = "The picture"
_READ_BYTES = 2**18
"""Asked of a file at once: Python sets the memory aside before it reads, so asking for 32 MiB each time costs time."""
_FLATTENED_ROWS = 64
_PIL_FORMATS = frozenset((None, "JPEG", "MPO", "PNG", "WEBP", "BMP"))
"""None: made or copied in memory, decoded already."""
_PIL_OPAQUE = frozenset(("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV"))
_PIL_ALPHA = frozenset(("RGBA", "LA", "PA", "RGBa", "La"))
_PIL_16_BIT = frozenset(("I;16", "I;16L", "I;16B", "I;16N"))


class ImageLimits(BaseModel):
    """Largest and smallest picture that is decoded. Chosen, not measured: a phone's photo passes, a bomb does not.

    Attributes:
        max_bytes: size of the file; a PIL picture and an array have none.
        max_pixels: width times height; each costs 3 bytes decoded, up to 11 while transparency is flattened.
        min_side_px: shorter side; no face that can be judged fits into less.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")

    max_bytes: int = Field(default=32 * 2**20, ge=1)
    max_pixels: int = Field(default=50_000_000, ge=1)
    min_side_px: int = Field(default=32, ge=1)


DEFAULT_LIMITS = ImageLimits()


def load_image(source: ImageSource, limits: ImageLimits = DEFAULT_LIMITS) -> Image:
    """The picture as uint8, H x W x 3, BGR, 0-255, upright.

    Args:
        source: a path; the bytes of a JPEG, PNG, WebP or BMP file; a binary file object, read from where it stands;
            a PIL picture of such a file or made in memory, whose Exif orientation is applied and whose bytes PIL does
            not tell, so that ``max_bytes`` cannot hold; or an array, uint8, H x W x 3 in BGR order or H x W in
            grey, taken as upright. A contiguous array is returned itself, not a copy.
        limits: largest and smallest picture; see :class:`ImageLimits`.

    Damage that only the decoder can see may make libjpeg or libpng print a line to stderr; OpenCV offers no switch for
    it. A JPEG whose middle is damaged but whose structure is whole is decoded as viewers do.

    Raises:
        ImageTooLarge: more bytes or pixels than the limits allow; nothing was decoded.
        ImageUnreadable: missing, empty, truncated, damaged, animated, too small, of another format or another type.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(_whole(source, _UNNAMED, limits), _UNNAMED, limits)
    if isinstance(source, str | os.PathLike):
        return _decode(_read_path(source, limits), os.fspath(source), limits)
    # A PIL picture can only exist where PIL was imported, so PIL stays optional and `import faceauth` light.
    pil = sys.modules.get("PIL.Image")
    if pil is not None and isinstance(source, pil.Image):
        return _from_pil(source, limits)
    if hasattr(source, "read"):
        return _decode(_read_file(cast(BinaryIO, source), _UNNAMED, limits), _UNNAMED, limits)
    raise ImageUnreadable(
        f"A {type(source).__name__} is no picture: expected a path, bytes, a binary file, a PIL picture or a uint8 "
        "array in BGR order."
    )


def _whole(data: bytes | bytearray | memoryview, name: str, limits: ImageLimits) -> bytes:
    length = data.nbytes if isinstance(data, memoryview) else len(data)
    if length > limits.max_bytes:
        raise _too_many_bytes(name, length, limits)
    return bytes(data)


def _read_path(path: str | os.PathLike[str], limits: ImageLimits) -> bytes:
    name = os.fspath(path)
    try:
        with open(name, "rb", opener=_open_without_waiting) as file:
            facts = os.fstat(file.fileno())  # of what is open, whatever lies under that name by now
            if not stat.S_ISREG(facts.st_mode):
                raise ImageUnreadable(f"{name} is no regular file: expected an image file. Give one picture's path.")
            if facts.st_size > limits.max_bytes:
                raise _too_many_bytes(name, facts.st_size, limits)
            return _read_file(file, name, limits)
    except IsADirectoryError:
        raise ImageUnreadable(f"{name} is a folder: expected an image file. Give the path of one picture.") from None
    except FileNotFoundError:
        raise ImageUnreadable(f"{name} does not exist: expected an image file. Check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL or a lone surrogate in the path
        reason = getattr(error, "strerror", None) or error
        raise ImageUnreadable(f"{name!r} cannot be opened ({reason}): expected a readable image file.") from error


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe without a writer would otherwise be waited for; a regular file is read as ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read_file(file: BinaryIO, name: str, limits: ImageLimits) -> bytes:
    """At most ``max_bytes + 1`` bytes, so that an endless stream ends here."""
    parts: list[bytes] = []
    length = 0
    while length <= limits.max_bytes:
        try:
            part = file.read(min(limits.max_bytes + 1 - length, _READ_BYTES))
        except Exception as error:  # a closed file, a broken archive or whatever the caller's own reader raises
            raise ImageUnreadable(f"{name} cannot be read ({error}): expected an open binary file.") from error
        if not isinstance(part, bytes | bytearray):
            raise ImageUnreadable(
                f"{name}: reading gave {type(part).__name__}, expected bytes. Open the file in binary mode ('rb')."
            )
        if not part:
            return b"".join(parts)
        parts.append(bytes(part))
        length += len(part)
    raise _too_many_bytes(name, length, limits)


def _decode(data: bytes, name: str, limits: ImageLimits) -> Image:
    header = read_header(data, name)
    _check_size(header.size_wh, name, limits)
    layout = read_layout(data, header, name)
    flags = cv2.IMREAD_UNCHANGED if layout.has_alpha else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(layout.essence, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape[1::-1] != header.size_wh:
        raise ImageUnreadable(
            f"{name} is a damaged {header.format}: its header is good, its pixels cannot be decoded; an intact file "
            "was expected. Copy it again, or open and save it once in a picture editor."
        )
    return upright(_opaque(pixels), layout.orientation)


def _opaque(pixels: npt.NDArray[np.generic]) -> Image:
    """BGR of 8 bits; BGRA of 8 or 16 bits is put on white, some rows at a time to save memory."""
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return np.asarray(pixels, np.uint8)
    opaque = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), _FLATTENED_ROWS):
        rows = slice(top, top + _FLATTENED_ROWS)
        opaque[rows] = _flattened(pixels[rows])
    return opaque


def _flattened(pixels: npt.NDArray[np.generic]) -> Image:
    shown = pixels.astype(np.uint16)
    if pixels.dtype == np.uint16:
        shown >>= 8
    colour, alpha = shown[..., :3], shown[..., 3:]
    if alpha.shape[2]:
        colour = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    return colour.astype(np.uint8)


def _from_array(array: npt.NDArray[np.generic], limits: ImageLimits) -> Image:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ImageUnreadable(
            f"The array is {array.dtype} of shape {array.shape}: expected uint8, 0-255, H x W x 3 in BGR order or "
            "H x W in grey. Scale and convert it first, for example with cv2.cvtColor."
        )
    _check_size((array.shape[1], array.shape[0]), "The array", limits)
    if array.ndim == 2:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_GRAY2BGR), np.uint8)
    return np.ascontiguousarray(array, np.uint8)


def _from_pil(picture: "PilImage", limits: ImageLimits) -> Image:
    if picture.format not in _PIL_FORMATS:  # PIL decodes dozens of formats, some through other programs
        raise ImageUnreadable(
            f"The PIL picture comes from a {picture.format} file: expected JPEG, PNG, WebP or BMP. Convert the file."
        )
    _check_size(picture.size, _UNNAMED, limits)  # a PIL picture of a file is not decoded before `convert`
    try:
        frames = getattr(picture, "n_frames", 1)
        if frames > 1 and picture.format != "MPO":  # MPO: a phone's JPEG with a second view behind the first
            raise ImageUnreadable(
                f"The PIL picture holds {frames} frames: expected a still picture. Pass one frame's `copy()`."
            )
        pixels = _pil_pixels(picture)
        # Not `getexif`, which takes XMP's word too, so that a file's path and its PIL picture would turn differently.
        orientation = exif_orientation((picture.info.get("exif") or b"").removeprefix(b"Exif\0\0"))
        _check_size(pixels.shape[1::-1], _UNNAMED, limits)  # PIL may find another size while it decodes
    except ImageError:
        raise
    except Exception as error:  # PIL reads as late as in `convert`, and raises whatever its plugins do
        raise ImageUnreadable(
            f"The PIL picture cannot be decoded ({error}): expected an intact picture. Check the file behind it."
        ) from error
    return upright(pixels, orientation)


def _pil_pixels(picture: "PilImage") -> Image:
    if picture.mode in _PIL_16_BIT:
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    if picture.mode in _PIL_ALPHA or (picture.mode in _PIL_OPAQUE and "transparency" in picture.info):
        return _opaque(cv2.cvtColor(np.asarray(picture.convert("RGBA")), cv2.COLOR_RGBA2BGRA))
    if picture.mode in _PIL_OPAQUE:
        return np.asarray(cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR), np.uint8)
    raise ImageUnreadable(
        f"The PIL picture has mode {picture.mode}: expected RGB, RGBA, L or another 8-bit mode, or 16-bit grey. "
        "Convert it first, for example with `picture.convert('RGB')`."
    )


def _check_size(size_wh: tuple[int, int], name: str, limits: ImageLimits) -> None:
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
            "larger picture."
        )


def _too_many_bytes(name: str, length: int, limits: ImageLimits) -> ImageTooLarge:
    return ImageTooLarge(
        f"{name} has {length:,} bytes or more: at most {limits.max_bytes:,} are allowed. Save it smaller, or raise "
        "max_bytes.",
        found=length,
        limit=limits.max_bytes,
    )

"""Multipart bodies: frames with their capture times, photos, and the fields beside them. Nothing touches the disk."""

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from faceauth.server.body_guard import UPLOAD_BYTES
from faceauth.server.problems import Cause, Problem, invalid

MOST_FRAMES = 60
"""Frames in one chunk: two seconds at 30 a second."""

MOST_PHOTOS = 20

FRAME_TYPES = ("image/jpeg",)
PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp")


@dataclass(frozen=True)
class TimedFrame:
    """One frame.

    Attributes:
        time_s: when it was captured, on the clock of its sender.
        image: JPEG.
    """

    time_s: float
    image: bytes


class _InMemory(MultiPartParser):
    """Faces do not belong into temporary files, and the file system may be read-only."""

    spool_max_size = UPLOAD_BYTES + 1


async def read_frames(request: Request) -> list[TimedFrame]:
    """The parts named ``frames``, each with its capture time in milliseconds as file name.

    Raises:
        Problem: the body is malformed, or a part is not a JPEG.
    """
    parts, fields = await _parts(request, "frames", FRAME_TYPES, most=MOST_FRAMES)
    take_fields(fields, ())
    return [TimedFrame(_milliseconds(part.filename or "") / 1000, await part.read()) for part in parts]


def digest_of(frames: Sequence[TimedFrame]) -> bytes:
    """Of times and images, whatever stood between them in the body."""
    found = hashlib.sha256()
    for frame in frames:
        found.update(f"{frame.time_s!r} {len(frame.image)} ".encode())
        found.update(frame.image)
    return found.digest()


async def read_photos(request: Request, name: str, *, most: int) -> tuple[list[bytes], dict[str, str]]:
    """The parts of that name, and the fields beside them.

    Raises:
        Problem: the body is malformed, or a part is not a photo.
    """
    parts, fields = await _parts(request, name, PHOTO_TYPES, most=most)
    return [await part.read() for part in parts], fields


def take_fields(fields: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse fields that mean nothing: a misspelt one would be left out in silence.

    Raises:
        Problem: there is one.
    """
    for key in fields:
        if key not in known:
            raise invalid(f"{key[:64]!r} is no field of this request.")


def check_media_type(request: Request, expected: str) -> None:
    """Before the body is read.

    Raises:
        Problem: 415, it is another one.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != expected:
        raise Problem(415, Cause.MEDIA_TYPE, f"Send {expected}.")


async def _parts(
    request: Request, name: str, types: Collection[str], *, most: int
) -> tuple[list[UploadFile], dict[str, str]]:
    """The images, and the fields of text."""
    check_media_type(request, "multipart/form-data")
    _, options = parse_options_header(request.headers["content-type"])
    if options.get(b"charset", b"utf-8").lower() != b"utf-8":  # decoding punycode would take minutes, on the loop
        raise Problem(415, Cause.MEDIA_TYPE, "Send text as UTF-8.")
    try:
        form = await _InMemory(request.headers, request.stream(), max_files=most, max_fields=10).parse()
    except (MultiPartException, KeyError, UnicodeDecodeError) as error:  # KeyError: a part without a disposition
        detail = error.message if isinstance(error, MultiPartException) else "It is no form."
        raise Problem(400, Cause.MALFORMED, f"The body cannot be read: {detail}") from None
    images: list[UploadFile] = []
    fields: dict[str, str] = {}
    for key, value in form.multi_items():
        if isinstance(value, UploadFile):
            _check_image(key, value, name, types)
            images.append(value)
        elif key in fields:
            raise invalid(f"{key[:64]!r} is there twice.")
        else:
            fields[key] = value
    if not images:
        raise invalid(f"There is no image: send parts called {name!r}, with a file name and a content type.")
    return images, fields


def _check_image(key: str, part: UploadFile, name: str, types: Collection[str]) -> None:
    if key != name:
        raise invalid(f"{key[:64]!r} is no part of this request: the images are called {name!r}.")
    if (part.content_type or "").partition(";")[0].strip().lower() not in types:
        raise Problem(415, Cause.MEDIA_TYPE, f"Every part {name!r} has to be one of {', '.join(types)}.")


def _milliseconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not (math.isfinite(found) and 0 <= found < 1e15):
        raise invalid("The file name of a frame is its capture time in milliseconds, such as 1234.5.")
    return found

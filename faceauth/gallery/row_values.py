"""Values on their way to a row, and back from one that somebody may have edited.

SQLite keeps a text, or infinity, in a column of numbers.
"""

import math

from faceauth.errors import GalleryTampered


def can_be_stored(text: str) -> bool:
    """Whether a database takes it: none takes a lone surrogate, and PostgreSQL no NUL."""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def count(value: object, what: str) -> int:
    """``value``, if it is a whole number from 0 on.

    Raises:
        GalleryTampered: it is something else.
    """
    if not isinstance(value, int) or value < 0:
        raise GalleryTampered(_sentence(what, value))
    return value


def seconds(value: object, what: str) -> float:
    """``value``, if it is a finite number from 0 on.

    Raises:
        GalleryTampered: it is something else.
    """
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise GalleryTampered(_sentence(what, value))
    return float(value)


def content(value: object, what: str) -> bytes:
    """``value``, if it is bytes.

    Raises:
        GalleryTampered: it is something else.
    """
    if not isinstance(value, bytes):
        raise GalleryTampered(_sentence(what, value))
    return value


def _sentence(what: str, value: object) -> str:
    return (
        f"The database holds a {type(value).__name__} for {what} that faceauth never writes: it was edited or damaged. "
        "Nobody is let in with it; restore a backup."
    )

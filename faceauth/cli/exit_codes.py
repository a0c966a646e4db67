"""The one table of exit codes, for the command line, its help and its docs."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType

from faceauth.config import PipelineConfig
from faceauth.errors import (
    AlreadyEnrolled,
    BackendNotAllowed,
    BackendNotFound,
    EnrolmentRefused,
    FaceAuthError,
    ImageError,
    KeyRefused,
    LockedOut,
    NotEnrolled,
    TemplateMismatch,
    UsageError,
)
from faceauth.results import Reason, Verdict, Verification
from faceauth.video.decision import PresentationResult


class Exit(IntEnum):
    """What the process says with its exit code."""

    ACCEPTED = 0
    REJECTED = 1
    USAGE = 2
    UNCERTAIN = 3
    BROKEN = 4
    INTERRUPTED = 130


MEANING: Mapping[Exit, str] = MappingProxyType(
    {
        Exit.ACCEPTED: "accepted: every photo; for other commands, done",
        Exit.REJECTED: "rejected: an attack, or not the person in the reference; nothing else ends with 1",
        Exit.USAGE: "usage: correct the command, a setting or the reference",
        Exit.UNCERTAIN: "uncertain: nothing to judge (no face, ...), in doubt, or too many attempts; try again",
        Exit.BROKEN: "broken: a stage, a backend, a weight file or a library failed, or results could not be written",
        Exit.INTERRUPTED: "interrupted with Ctrl-C",
    }
)

MOST_SEVERE_FIRST = (Exit.BROKEN, Exit.REJECTED, Exit.UNCERTAIN, Exit.ACCEPTED)
"""Which of several photos decides. A failed stage outranks a rejection, because it says nothing about the person."""

_USAGE_ERRORS = (
    UsageError,
    ImageError,
    BackendNotFound,
    BackendNotAllowed,
    TemplateMismatch,
    KeyRefused,
    AlreadyEnrolled,
    NotEnrolled,
)
_UNCERTAIN_ERRORS = (EnrolmentRefused, LockedOut)


def exit_table() -> str:
    """The table as a help text, marked so that click does not rewrap it."""
    rows = "\n".join(f"  {int(code):>3}  {meaning}" for code, meaning in MEANING.items())
    return f"\b\nExit codes; for several photos the most severe decides, in the order 4, 1, 3, 0:\n{rows}"


def exit_of(result: Verification | PresentationResult) -> Exit:
    """The exit code of one photo, or of one presentation."""
    if result.reason is Reason.STAGE_FAILED:
        return Exit.BROKEN
    return {Verdict.ACCEPT: Exit.ACCEPTED, Verdict.REJECT: Exit.REJECTED, Verdict.UNCERTAIN: Exit.UNCERTAIN}[
        result.verdict
    ]


def exit_of_all(codes: Iterable[Exit]) -> Exit:
    """The exit code of several photos: the most severe one.

    Raises:
        ValueError: there are none, which must not read as accepted.
    """
    return min(codes, key=MOST_SEVERE_FIRST.index)


def exit_of_error(error: FaceAuthError) -> Exit:
    """USAGE for what the caller can change in the command or the settings, UNCERTAIN for a new try, else BROKEN.

    A built-in backend that is not registered is a broken installation, not a misspelt name.
    """
    if isinstance(error, BackendNotFound) and error.name in _built_in_names():
        return Exit.BROKEN
    if isinstance(error, _UNCERTAIN_ERRORS):
        return Exit.UNCERTAIN
    return Exit.USAGE if isinstance(error, _USAGE_ERRORS) else Exit.BROKEN


def _built_in_names() -> set[str]:
    defaults = PipelineConfig()
    return {defaults.detector, *defaults.liveness, defaults.embedder}

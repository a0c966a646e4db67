"""Every exception of faceauth. What a caller may expect is a result; what is raised here is misuse or a broken set-up.

    FaceAuthError
    ├── ImageError                 the image cannot be used
    │   ├── ImageTooLarge          more bytes or pixels than the limits allow
    │   └── ImageUnreadable        empty, truncated, animated, or no image at all
    ├── CameraLost                 an open camera stopped giving frames
    ├── UsageError                 something the caller can change: a setting, an option, an argument
    ├── BackendError               a stage that cannot be used
    │   ├── BackendNotFound        that name is not registered
    │   ├── BackendConflict        two distributions register the same name
    │   ├── BackendBroken          importing or constructing it failed, or it breaks the contract
    │   └── BackendNotAllowed      the allow-list or the autoload switch forbids it
    ├── WeightsError               a weight file that cannot be trusted
    │   ├── WeightsMissing         the file does not exist
    │   └── WeightsMismatch        size, digest or signature is not the pinned one
    ├── ProviderUnavailable        the onnxruntime execution provider asked for is not installed
    ├── ScoreError                 a stage returned something that is not a score, an embedding or a face
    │   └── StageTimeout           a stage did not answer in time
    ├── TemplateMismatch           templates of two models are not comparable
    └── GalleryError               the gallery of enrolled people says no
        ├── GalleryUnavailable     its database, its audit log or its KMS cannot be reached or written
        ├── GalleryRestored        its database is older than its audit log: a backup was restored
        ├── GalleryTampered        a record was changed, moved or swapped
        ├── KeyRefused             the master key is missing, readable by others, or the wrong one
        ├── EnrolmentRefused       the images do not enrol anybody
        ├── AlreadyEnrolled        a person of that name is in the gallery
        ├── NotEnrolled            no such person, or none with templates of the embedder in use
        ├── SessionClosed          the session was used, has expired, or never existed
        └── LockedOut              too many attempts

``str(error)`` is one sentence of what was found, what was expected and what to do next; the facts are attributes.
"""

from pathlib import Path


def printable(text: str) -> str:
    """``text`` as one line that every terminal, log and JSON shows as it is."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class FaceAuthError(Exception):
    """Base of every error that this library raises on purpose."""

    def __str__(self) -> str:
        """One line: names of files and settings and the texts of plugins may hold what moves a terminal's cursor."""
        return printable(super().__str__())

    def __reduce__(self) -> tuple[object, ...]:
        """Facts included: left to itself an exception comes back from a worker by its message alone, or not at all."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[FaceAuthError], arguments: tuple[object, ...], facts: dict[str, object]) -> FaceAuthError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(facts)
    return error


class ImageError(FaceAuthError):
    """The image cannot be used."""


class ImageTooLarge(ImageError):
    """The image exceeds a limit of ``ImageLimits``; raised before any pixel is decoded."""

    def __init__(self, message: str, *, found: int, limit: int) -> None:
        super().__init__(message)
        self.found = found
        self.limit = limit


class ImageUnreadable(ImageError):
    """Empty, truncated, animated, of a format that is not allowed, or no image at all."""


class CameraLost(FaceAuthError):
    """An open camera stopped giving frames. ``faceauth.video.watch`` makes a result of it."""


class UsageError(FaceAuthError):
    """Something the caller can change: a setting that does not exist or does not fit, an option, an argument."""


class BackendError(FaceAuthError):
    """A stage that cannot be used; ``name`` is what was asked for."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class BackendNotFound(BackendError):
    """No distribution registers that name in the stage's entry-point group."""

    def __init__(self, message: str, *, name: str, installed: tuple[str, ...]) -> None:
        super().__init__(message, name=name)
        self.installed = installed


class BackendConflict(BackendError):
    """Two distributions register the same name, so neither is used."""


class BackendBroken(BackendError):
    """Importing or constructing the backend failed, or it breaks its stage's contract."""


class BackendNotAllowed(BackendError):
    """The backend is installed, but the allow-list or ``FACEAUTH_DISABLE_PLUGIN_AUTOLOAD`` forbids it."""


class WeightsError(FaceAuthError):
    """A weight file that cannot be trusted; ``path`` is where it was looked for."""

    def __init__(self, message: str, *, path: Path) -> None:
        super().__init__(message)
        self.path = path


class WeightsMissing(WeightsError):
    """The file does not exist."""


class WeightsMismatch(WeightsError):
    """Size, digest or network signature differs from the pinned one."""

    def __init__(self, message: str, *, path: Path, found: str, expected: str) -> None:
        super().__init__(message, path=path)
        self.found = found
        self.expected = expected


class ProviderUnavailable(FaceAuthError):
    """The onnxruntime execution provider that was asked for is not installed."""

    def __init__(self, message: str, *, provider: str, available: tuple[str, ...]) -> None:
        super().__init__(message)
        self.provider = provider
        self.available = available


class ScoreError(FaceAuthError):
    """A stage returned something that is not what its contract promises; ``stage`` names it."""

    def __init__(self, message: str, *, stage: str) -> None:
        super().__init__(message)
        self.stage = stage


class StageTimeout(ScoreError):
    """A stage did not answer within the configured time."""


class TemplateMismatch(FaceAuthError):
    """Two templates come from different embedding models, so their similarity means nothing."""

    def __init__(self, message: str, *, found: str, expected: str) -> None:
        super().__init__(message)
        self.found = found
        self.expected = expected


class GalleryError(FaceAuthError):
    """The gallery of enrolled people says no. Nobody was let in."""


class GalleryUnavailable(GalleryError):
    """The database, the audit log or the KMS of the master key cannot be reached, read or written."""


class GalleryRestored(GalleryError):
    """The database is older than its audit log: accepted as it is, it would bring back attempts and deleted people."""


class GalleryTampered(GalleryError):
    """A record does not open under its own name, or holds what faceauth never writes: it was changed or moved."""


class KeyRefused(GalleryError):
    """The master key is missing, readable by others, malformed, or not the gallery's."""


class EnrolmentRefused(GalleryError):
    """The images do not enrol anybody: none was accepted, or they show several people.

    ``for_anybody`` is the message without what a failed stage said.
    """

    def __init__(self, message: str, *, for_anybody: str | None = None) -> None:
        super().__init__(message)
        self.for_anybody = for_anybody or message


class AlreadyEnrolled(GalleryError):
    """A person of that name is in the gallery already."""


class NotEnrolled(GalleryError):
    """Nobody of that name is enrolled, their templates have expired, or none is of the embedder in use."""


class SessionClosed(GalleryError):
    """The session was used already, has expired, or was never opened."""


class LockedOut(GalleryError):
    """Too many attempts; ``retry_after_s`` says how long to wait, None until another factor was used.

    ``client`` is whose attempts they were; None where they were attempts to be one person.
    """

    def __init__(self, message: str, *, retry_after_s: float | None, client: str | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.client = client

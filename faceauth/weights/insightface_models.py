"""Opens models of the insightface package: a file of the user's, or a pack in insightface's own store.

Nothing is downloaded: insightface would download a missing pack, so it is only given files that are on disk. The
package is imported when the first model is opened, not before.

insightface opens a path and takes no bytes. So the bytes that were checked go into a private folder, and it is given
their path there: what happens to the user's file in the meantime does not matter.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from faceauth.errors import BackendBroken, UsageError, WeightsMismatch, WeightsMissing
from faceauth.trusted_files import open_regular
from faceauth.weights.interruptible import InterruptibleSession
from faceauth.weights.onnx_session import CPU, refuse_absent, refuse_external_data, session_options

LICENCE_NOTICE = (
    "insightface's pretrained packs (buffalo, antelope, ...) are for non-commercial research only; "
    "other use needs a licence from insightface, or a model of your own."
)

INSTALL = "pip install 'faceauth[insightface]'"
OLDEST_VERSION = (2, 1)
STORE = "~/.insightface"
"""insightface's own store; packs lie in ``models/NAME`` below it."""

LARGEST_FILE = 1 << 31
"""Bytes: protobuf allows no more."""

Task = Literal["detection", "recognition"]

logger = logging.getLogger("faceauth")


@dataclass(frozen=True)
class ModelSource:
    """Where to find a model: exactly one of ``model`` and ``pack``.

    Attributes:
        model: path of an ONNX file.
        pack: name of a pack in insightface's store, such as ``buffalo_l``, or path of a folder with its files.
        root: insightface's store.
        sha256: the digest that the file has to have; None records the digest it has.
    """

    model: str | None
    pack: str | None
    root: str
    sha256: str | None

    def files(self) -> list[Path]:
        """The ONNX files to choose from, all of them on disk.

        Raises:
            UsageError: both or neither of ``model`` and ``pack`` are given.
            WeightsMissing: the file or folder does not exist.
        """
        if (self.model is None) == (self.pack is None):
            raise UsageError("Name either model (an ONNX file) or pack (a name in insightface's store), not both.")
        if self.model is not None:
            path = Path(self.model).expanduser()
            if path.suffix != ".onnx" or not path.exists():
                raise WeightsMissing(
                    f"{path} is not an ONNX file: give an ONNX file's path as the option model.", path=path
                )
            return [path]
        return self._pack_files(str(self.pack))

    def _pack_files(self, pack: str) -> list[Path]:
        folder = Path(pack).expanduser()
        if not folder.is_dir():
            folder = Path(self.root).expanduser() / "models" / pack
        files = sorted(folder.glob("*.onnx"))
        if not files:
            raise WeightsMissing(
                f"{folder} holds no ONNX file, and faceauth downloads nothing. To fetch a pack, run insightface once: "
                f"`python -c \"import insightface; insightface.app.FaceAnalysis('{pack}')\"`. {LICENCE_NOTICE}",
                path=folder,
            )
        logger.warning("pack %s: %s", pack, LICENCE_NOTICE)
        return files


@dataclass(frozen=True)
class OpenedModel:
    """A model object of the insightface package, with the file it came from and that file's digest."""

    model: Any
    path: Path
    sha256: str


def open_model(task: Task, source: ModelSource, *, providers: Sequence[str] = CPU, threads: int = 1) -> OpenedModel:
    """Open the first model of ``source`` that insightface takes for ``task``.

    Args:
        task: insightface's word: ``"detection"`` (SCRFD) or ``"recognition"`` (ArcFace).
        source: where to look.
        providers: onnxruntime execution providers, in order of preference, all of which have to start.
        threads: threads inside an operator; with more than one, idle threads sleep instead of spinning.

    Raises:
        BackendBroken: insightface is not installed, too old, or cannot read the file; or no file is of that task.
        UsageError, WeightsMissing: as in :meth:`ModelSource.files`; a pack whose manifest sets the preprocessing.
        WeightsMismatch: the file does not have the digest asked for, or keeps tensors in other files.
        ProviderUnavailable: a provider is not installed or does not start.
    """
    zoo = _model_zoo()
    files = source.files()
    _refuse_manifest(zoo, files[0].parent, source)
    options = session_options(threads, providers)
    for path in files:
        content = _read(path)
        sha256 = hashlib.sha256(content).hexdigest()
        if source.sha256 not in (None, sha256):
            if len(files) > 1:
                continue
            raise _mismatch(path, sha256, str(source.sha256))
        refuse_external_data(content, path)
        model = _get_model(zoo, path, content, {"providers": list(providers), "sess_options": options})
        if model is not None and model.taskname == task:
            refuse_absent(providers, model.session.get_providers())
            model.session.disable_fallback()  # onnxruntime would continue with another provider after a failed run
            model.session.run = InterruptibleSession(model.session).run
            return OpenedModel(model, path, sha256)
    raise BackendBroken(
        f"insightface finds no {task} model in {', '.join(str(path) for path in files)}"
        f"{f' with sha256 {source.sha256}' if source.sha256 else ''}: name another file or pack.",
        name="insightface",
    )


def _model_zoo() -> Any:
    try:
        import insightface
    except ImportError as error:
        raise BackendBroken(f"insightface cannot be imported ({error}): {INSTALL}.", name="insightface") from error
    version = str(insightface.__version__)
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts < OLDEST_VERSION:
        raise BackendBroken(f"insightface {version} is too old, 2.1 or newer is needed: {INSTALL}.", name="insightface")
    return insightface.model_zoo


def _read(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(LARGEST_FILE)
    except OSError as error:
        raise WeightsMissing(
            f"{path} cannot be read ({error.strerror}): give the path of an ONNX file.", path=path
        ) from None


def _get_model(zoo: Any, path: Path, content: bytes, arguments: dict[str, Any]) -> Any:
    try:
        with TemporaryDirectory(prefix="faceauth-") as private:
            copied = Path(private, path.name)
            copied.write_bytes(content)
            return zoo.get_model(str(copied), **arguments)
    except Exception as error:  # a foreign package's call, ending in a refusal
        raise BackendBroken(
            f"insightface cannot open {path}: {type(error).__name__}: {error}.", name="insightface"
        ) from error


def _refuse_manifest(zoo: Any, folder: Path, source: ModelSource) -> None:
    # Loaded file by file, such a pack would run with insightface's default preprocessing instead of its own.
    if source.pack is not None and zoo.model_zoo.has_model_package_manifest(folder):
        raise UsageError(f"{folder} has an insightface package manifest, which faceauth does not read yet.")


def _mismatch(path: Path, found: str, expected: str) -> WeightsMismatch:
    return WeightsMismatch(
        f"{path} has sha256 {found}, expected {expected}. Name the right file, or its digest in the option sha256.",
        path=path,
        found=found,
        expected=expected,
    )

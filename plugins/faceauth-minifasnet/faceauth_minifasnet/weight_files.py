"""Which weight files are used: the known exports, and files that were converted here and trusted.

``pins.json`` beside the two files holds the digests of what was converted.
"""

import hashlib
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from faceauth.errors import WeightsMismatch, WeightsMissing
from faceauth.trusted_files import refuse_writable_by_others
from faceauth.weights.store import Weights

V2, V1SE = "MiniFASNetV2_2.7_80.onnx", "MiniFASNetV1SE_4.0_80.onnx"
PINS = "pins.json"
CONVERT = "python -m faceauth_minifasnet convert"
ORIGIN = "minivision-ai/Silent-Face-Anti-Spoofing"

KNOWN_SHA256 = {
    V2: "587010426893b9dab5b8016b5a588cf5b2ce4efc50e7e9aae289b0735a13d802",
    V1SE: "444c722a84d7c140263cb7cccef2c9f717333709831147e89b42ed05a8491bb8",
}
"""Exports of upstream's published checkpoints by PyTorch 2.13.0; other versions may write other bytes."""


class Pin(BaseModel, frozen=True, extra="forbid"):
    """Size in bytes and sha256 of one file."""

    size: int = Field(gt=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @classmethod
    def of(cls, content: bytes) -> "Pin":
        """The pin of a file with this content."""
        return cls(size=len(content), sha256=hashlib.sha256(content).hexdigest())


class Pins(BaseModel, frozen=True, extra="forbid"):
    """``pins.json``: what was converted, and whether the user trusts it without its being a known export."""

    trusted: bool = Field(strict=True)
    files: dict[str, Pin]


def default_folder() -> Path:
    """Where ``convert`` puts the files and the backend looks for them unless told otherwise, on every system."""
    return Path.home() / ".local" / "share" / "faceauth" / "minifasnet"


def usable_weights(folder: Path) -> list[Weights]:
    """MiniFASNetV2 and MiniFASNetV1SE in ``folder``, in this order.

    Raises:
        WeightsMissing: a file is not there.
        WeightsMismatch: a file is no known export, and not trusted or not what was converted.
        UsageError: this is root, and others may change the pins of files that are no known exports.
    """
    return [_usable(folder / name) for name in (V2, V1SE)]


def _usable(path: Path) -> Weights:
    if not path.is_file():
        raise WeightsMissing(
            f"{path} is not there. Make both files from the checkpoints of {ORIGIN} with `{CONVERT}`, or name their "
            "folder in the option weights_dir. Nothing is downloaded.",
            path=path,
        )
    found = Pin.of(path.read_bytes())
    if found.sha256 != KNOWN_SHA256[path.name]:
        _refuse_untrusted(path, found)
    return Weights(
        name=path.name,
        path=path,
        size=found.size,
        sha256=found.sha256,
        licence="Apache-2.0",
        origin=ORIGIN,
        use="liveness; trained on data that was not published",
    )


def _refuse_untrusted(path: Path, found: Pin) -> None:
    pins = _read_pins(path.with_name(PINS))
    pinned = None if pins is None else pins.files.get(path.name)
    if pins is None or pinned is None:
        reason = f"no {PINS} beside it pins it: make it with `{CONVERT}`"
    elif pinned != found:
        reason = f"{PINS} pins {pinned.sha256[:12]}: it was changed after it was converted, so convert again"
    elif not pins.trusted:
        reason = f"it is not trusted: if its checkpoint is upstream's, convert again with --trust (`{CONVERT} --help`)"
    else:
        return
    raise WeightsMismatch(
        f"{path} has sha256 {found.sha256[:12]}, which is no known export of {path.stem}, and {reason}.",
        path=path,
        found=found.sha256,
        expected=KNOWN_SHA256[path.name],
    )


def _read_pins(path: Path) -> Pins | None:
    if not path.is_file():
        return None
    refuse_writable_by_others(path, called="pins file")
    try:
        return Pins.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        problem = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise WeightsMismatch(
            f"{path} is not a valid pins file ({problem}). Convert again with `{CONVERT}`.",
            path=path,
            found=problem,
            expected="sizes and digests of the converted files",
        ) from None

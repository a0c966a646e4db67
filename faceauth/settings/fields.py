"""Every setting: its type, its default and what it means, each checked by itself."""

from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from faceauth.gate import GatePolicy
from faceauth.imaging.limits import ImageLimits
from faceauth.thresholds import LENIENT_TO_STRICT, Frozen, PointName

SHOWN_CHARACTERS = 40
"""Characters of a value that an error repeats: a value may be a template or a photo in base64."""


def shown(value: object) -> str:
    """A value in an error: short, and without the content of a list or table."""
    if isinstance(value, Mapping):
        return f"a table of {len(value)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _names(value: object) -> object:
    """A single name is a list of one."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"is {shown(value)}; expected a name or a list of names")
    if len(set(names)) < len(names):
        raise ValueError(f"names {shown(next(name for name in names if names.count(name) > 1))} twice")
    return tuple(names)


def _at_least_one(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("is empty; expected at least one name")
    return names


def _p_live(value: object) -> object:
    """Above 0, since 0 would accept everybody."""
    number = _real(value)
    if number is not None and 0 < number <= 1:
        return number
    return _point_name(value, "a number above 0, up to 1")


def _similarity(value: object) -> object:
    number = _real(value)
    if number is not None and -1 <= number <= 1:
        return number
    return _point_name(value, "a number from -1 to 1")


def _real(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None
    except OverflowError:  # a whole number beyond every float
        return None


def _point_name(value: object, else_expected: str) -> object:
    if isinstance(value, str) and value in LENIENT_TO_STRICT:
        return value
    raise ValueError(f"is {shown(value)}; expected {', '.join(LENIENT_TO_STRICT)} or {else_expected}")


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Weight = Annotated[float, Field(gt=0.0, strict=True)]


class Settings(Frozen):
    """All settings. What one layer holds, so nothing here compares two of them."""

    detector: str = Field(default="yunet", min_length=1, description="Name of the face detector.")
    liveness: Annotated[Names, AfterValidator(_at_least_one)] = Field(
        default=("spoofnet",), description="Names of the liveness backends."
    )
    embedder: str = Field(default="sface", min_length=1, description="Name of the face embedder, for the match.")
    options: dict[str, dict[str, Any]] = Field(
        default={}, description="Keyword arguments for the constructor of each chosen backend, by its name."
    )
    combine: Literal["mean", "all", "deny_only"] | None = Field(
        default=None,
        examples=["mean"],
        description="How several liveness backends decide together; needed with several, refused with one.",
    )
    combine_weights: tuple[Weight, ...] | None = Field(
        default=None,
        examples=[[1.0, 2.0]],
        description='Weight of each liveness backend in combine = "mean"; equal weights by default.',
    )
    points: Path | None = Field(
        default=None, examples=["points.json"], description="File of operating points made by `faceauth calibrate`."
    )
    camera_profile: Path | None = Field(
        default=None, examples=["camera.json"], description="Camera profile made by `faceauth calibrate --live`."
    )
    threshold: Annotated[PointName | float, BeforeValidator(_p_live)] = Field(
        default="balanced", description="Operating point of the liveness decision, or P(live) to accept from."
    )
    match_threshold: Annotated[PointName | float, BeforeValidator(_similarity)] = Field(
        default="balanced", description="Operating point of the match, or cosine similarity to accept from."
    )
    require_liveness: bool = Field(
        default=True, strict=True, description="False switches the liveness stage off; every result then says so."
    )
    require_match: bool = Field(
        default=False,
        strict=True,
        description="True refuses to verify without a reference; one given must match anyway.",
    )
    faces: Literal["exactly_one", "largest"] = Field(
        default="exactly_one",
        description="Refuse an image with several faces (except small ones in the background), or judge the largest.",
    )
    gate: GatePolicy = Field(default=GatePolicy(), description="What a face must be like to be judged at all.")
    limits: ImageLimits = Field(default=ImageLimits(), description="Largest and smallest image that is decoded.")
    stage_timeout_s: float = Field(
        default=30.0, gt=0.0, le=3600.0, strict=True, description="Seconds that one call of a stage may take."
    )
    allowed_plugins: Names | None = Field(
        default=None,
        examples=[["faceauth-minifasnet"]],
        description="Distributions whose backends may be loaded besides the built-in ones; an empty list allows none.",
    )
    weights: Path | None = Field(
        default=None, examples=["weights"], description="Folder of weight files that replace the built-in ones."
    )

"""Defaults, a TOML file, the environment and arguments in, one checked ``PipelineConfig`` out.

Later layers win: defaults < file < environment < arguments. But what a file forbids, no environment variable loosens;
arguments may, because whoever runs the program typed them.
"""

import difflib
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, model_validator

from faceauth.errors import UsageError
from faceauth.gate import GatePolicy
from faceauth.imaging.decoding import ImageLimits
from faceauth.permissions import refuse_writable_by_others
from faceauth.thresholds import Frozen, PointName

Layer = dict[str, Any]
SettingsT = TypeVar("SettingsT", bound="Settings")

SMALLEST_THRESHOLD = 1e-6
"""Of P(live): 0 would accept everybody."""

SHOWN_CHARACTERS = 40
"""Characters of a value that an error repeats: a value may be a template or a photo in base64."""


def _names(value: object) -> object:
    """A single name is a list of one."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"is {_shown(value)}; expected a name or a list of names")
    if len(set(names)) < len(names):
        raise ValueError(f"names {_shown(next(name for name in names if names.count(name) > 1))} twice")
    return tuple(names)


def _at_least_one(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("is empty; expected at least one name")
    return names


def _threshold(value: object, lowest: float) -> object:
    if isinstance(value, str) and value in get_args(PointName):
        return value
    if isinstance(value, Real) and not isinstance(value, bool) and lowest <= float(value) <= 1:  # false for NaN
        return float(value)
    named = ", ".join(get_args(PointName))
    raise ValueError(f"is {_shown(value)}; expected {named} or a number from {lowest:g} to 1")


def _numbers(value: object) -> object:
    """A table of numbers without booleans and numbers in quotes, which pydantic would take for numbers."""
    for key, number in value.items() if isinstance(value, Mapping) else ():
        if isinstance(number, bool | str):
            raise ValueError(f"holds {key} = {_shown(number)}; expected a number")
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Threshold = Annotated[PointName | float, BeforeValidator(lambda value: _threshold(value, SMALLEST_THRESHOLD))]
MatchThreshold = Annotated[PointName | float, BeforeValidator(lambda value: _threshold(value, -1.0))]
Weight = Annotated[float, Field(gt=0.0, strict=True)]


class Settings(Frozen):
    """Every setting, each checked by itself: what one layer may hold."""

    detector: str = Field(default="yunet", min_length=1, description="Name of the face detector.")
    liveness: Annotated[Names, AfterValidator(_at_least_one)] = Field(
        default=("spoofnet",), description="Names of the liveness backends."
    )
    embedder: str = Field(default="sface", min_length=1, description="Name of the face embedder, for the match.")
    options: dict[str, dict[str, Any]] = Field(
        default={}, description="Keyword arguments of each chosen backend's constructor, by the backend's name."
    )
    combine: Literal["mean", "all", "deny_only"] | None = Field(
        default=None,
        description="How several liveness backends decide together; needed with several, refused with one.",
    )
    combine_weights: tuple[Weight, ...] | None = Field(
        default=None, description='Weight of each liveness backend in combine = "mean"; equal weights by default.'
    )
    points: Path | None = Field(default=None, description="File of operating points made by `faceauth calibrate`.")
    camera_profile: Path | None = Field(default=None, description="Camera profile made by `faceauth calibrate --live`.")
    threshold: Threshold = Field(
        default="balanced", description="Operating point of the liveness decision, or P(live) to accept from."
    )
    match_threshold: MatchThreshold = Field(
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
        default="exactly_one", description="Refuse an image of several faces, or judge the largest."
    )
    gate: Annotated[GatePolicy, BeforeValidator(_numbers)] = Field(
        default=GatePolicy(), description="What a face must be like to be judged at all."
    )
    limits: Annotated[ImageLimits, BeforeValidator(_numbers)] = Field(
        default=ImageLimits(), description="Largest and smallest image that is decoded."
    )
    stage_timeout_s: float = Field(
        default=30.0, gt=0.0, le=3600.0, strict=True, description="Seconds that one call of a stage may take."
    )
    allowed_plugins: Names | None = Field(
        default=None,
        description="Distributions whose backends may be loaded beside the built-in ones; an empty list allows none.",
    )
    weights: Path | None = Field(default=None, description="Folder of weight files that go before the built-in ones.")


class PipelineConfig(Settings):
    """What a pipeline uses and requires. The defaults need no download, no file and no plugin."""

    @model_validator(mode="after")
    def _fits_together(self) -> "PipelineConfig":
        several = len(self.liveness) > 1
        if several and self.combine is None:
            raise ValueError(f"liveness names {len(self.liveness)} backends, so combine has to say how they decide")
        if not several and self.combine is not None:
            raise ValueError(f"combine is {self.combine!r}, but liveness names a single backend: leave combine out")
        if self.combine_weights is not None and self.combine != "mean":
            raise ValueError(f'combine_weights belongs to combine = "mean", but combine is {self.combine!r}')
        if self.combine_weights is not None and len(self.combine_weights) != len(self.liveness):
            raise ValueError(
                f"combine_weights holds {len(self.combine_weights)} numbers, expected one for each of the "
                f"{len(self.liveness)} liveness backends"
            )
        if self.combine == "all" and isinstance(self.threshold, float):
            raise ValueError(
                f'threshold is {self.threshold:g}, but with combine = "all" each backend has a threshold of its own: '
                "name an operating point"
            )
        unchosen = self.options.keys() - set(_backends(self.model_dump()))
        if unchosen:
            chosen = ", ".join(_backends(self.model_dump()))
            raise ValueError(f"options are for {_shown(min(unchosen))}, which is none of the chosen backends: {chosen}")
        return self


def load_config(
    path: str | os.PathLike[str] | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> PipelineConfig:
    """The configuration of a process: defaults < file < environment < arguments.

    A threshold that is a number belongs to the backend it was chosen for: a layer that swaps that backend has to bring
    a threshold of its own. Options of a backend that a later layer swaps are dropped.

    Args:
        path: TOML file; its keys and tables are the fields of ``PipelineConfig``.
        arguments: nested like the file, of mappings, not of models; None as a value means "not given".
        environ: the process environment when None.

    Raises:
        UsageError: the file cannot be read, or others may change it and this is root; a setting does not exist, does
            not fit or contradicts another; a variable would loosen what the file sets.
    """
    from faceauth.environment import (
        read_environment,
        refuse_loosening,
    )  # pydantic-settings takes as long to import as all of faceauth

    variables = os.environ if environ is None else environ
    file = {} if path is None else _checked(_read_file(Path(path)), f"{os.fspath(path)}: ")
    environment = _checked(read_environment(Settings, variables), "the environment: ")
    given = _checked(_given(arguments or {}), "")
    if path is not None:
        refuse_loosening(Settings, file, environment, path=path, environ=variables)
    merged: Layer = {}
    for origin, layer in ((f"{path}", file), ("the environment", environment), ("the arguments", given)):
        _refuse_orphaned_threshold(merged, layer, origin)
        merged = _merged(merged, layer)
    config = _validated(PipelineConfig, merged, "")
    if config.weights is not None:
        refuse_writable_by_others(config.weights / "manifest.json", called="manifest of weights")
    return config


def with_settings(config: PipelineConfig, changes: Mapping[str, Any]) -> PipelineConfig:
    """``config`` with single settings replaced, and checked: ``model_copy`` and ``model_construct`` check nothing.

    Raises:
        UsageError: a setting does not exist, does not fit or contradicts another, or a threshold was chosen for a
            backend that ``changes`` swaps.
    """
    below = dict(_validated(PipelineConfig, config, ""))
    _refuse_orphaned_threshold(below, changes, "the arguments")
    return _validated(PipelineConfig, {**below, **changes}, "")


def _read_file(path: Path) -> Layer:
    try:
        # A FIFO without a writer would wait for one.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"The configuration {path} is no regular file: name a TOML file.")
            refuse_writable_by_others(path, called="configuration")
            return tomllib.loads(file.read().decode("utf-8-sig"))  # Windows editors write a byte order mark
    except OSError as error:
        raise UsageError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # TOML and UTF-8 errors
        raise UsageError(f"The configuration {path} is no TOML file: {error}.") from error


def _given(arguments: Mapping[str, Any]) -> Layer:
    for key, value in arguments.items():
        if isinstance(value, BaseModel):  # which of its values were meant to go before the file's is not known
            raise UsageError(
                f"{key} is a {type(value).__name__}: load_config merges mappings, such as {{'{key}': {{...}}}}. Put a "
                f"finished {type(value).__name__} into a PipelineConfig."
            )
    nested = {key: _given(value) if isinstance(value, Mapping) else value for key, value in arguments.items()}
    return {key: value for key, value in nested.items() if value is not None}


def _merged(below: Layer, above: Layer) -> Layer:
    merged = _deep(below, above)
    unused = set(_backends(below)) - set(_backends(merged))
    if "options" in merged:
        merged["options"] = {name: options for name, options in merged["options"].items() if name not in unused}
    return merged


def _deep(below: Layer, above: Layer) -> Layer:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _deep(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _value(layer: Layer, key: str) -> Any:
    return layer.get(key, Settings.model_fields[key].default)


def _backends(layer: Layer) -> tuple[str, ...]:
    return (_value(layer, "detector"), *_value(layer, "liveness"), _value(layer, "embedder"))


_CHOSEN_FOR: Mapping[str, tuple[str, ...]] = {
    "threshold": ("liveness", "combine", "combine_weights"),
    "match_threshold": ("embedder",),
}
"""What a threshold was chosen for."""


def _named(value: object) -> str:
    return " and ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _refuse_orphaned_threshold(below: Layer, above: Mapping[str, Any], origin: str) -> None:
    for key, owners in _CHOSEN_FOR.items():
        if not isinstance(below.get(key), float) or key in above:
            continue
        for owner in owners:
            if owner in above and above[owner] != _value(below, owner):
                raise UsageError(
                    f"{key} = {below[key]:g} was chosen for {owner} = {_named(_value(below, owner))}, but {origin} "
                    f"set {owner} = {_named(above[owner])}: set a {key} there too."
                )


def _checked(layer: Layer, origin: str) -> Layer:
    """What ``layer`` sets, each value of its setting's type."""
    return _validated(Settings, layer, origin).model_dump(exclude_unset=True)


def _validated(kind: type[SettingsT], layer: Layer | Settings, origin: str) -> SettingsT:
    try:
        return kind.model_validate(layer)
    except ValidationError as invalid:
        raise UsageError(origin + " ".join(_sentences(invalid))) from None  # pydantic's own repeats whole values


def _sentences(invalid: ValidationError) -> Iterator[str]:
    for error in invalid.errors(include_url=False):
        *table, key = [str(part) for part in error["loc"]] or [""]
        name = ".".join((*table, key))
        if error["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, _keys(table), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(_keys(table))}."
            yield f"There is no setting {_shown(name)}; {hint}"
        elif error["type"] == "value_error":
            yield f"{name} {error['ctx']['error']}.".lstrip()
        else:
            yield f"{name} is {_shown(error['input'])}; {error['msg'][0].lower()}{error['msg'][1:]}."


def _keys(table: list[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for key in table:
        model = model.model_fields[key].annotation  # type: ignore[assignment]
    return list(model.model_fields)


def _shown(value: object) -> str:
    """A value in an error: short, and nothing of what a list or table holds."""
    if isinstance(value, Mapping):
        return f"a table of {len(value)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."

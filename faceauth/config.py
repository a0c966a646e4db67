"""Defaults, a TOML file, the environment and arguments in, one checked ``PipelineConfig`` out.

Later layers win: defaults < file < environment < arguments. Knows no backend: whether a name is installed shows when
the pipeline loads it.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from faceauth.errors import UsageError
from faceauth.imaging.decoding import ImageLimits
from faceauth.policy import Policy
from faceauth.thresholds import Frozen

PREFIX = "FACEAUTH_"
"""``FACEAUTH_LIVENESS`` sets ``liveness``; two underscores go one table deeper: ``FACEAUTH_POLICY__FACES``."""

OTHER_VARIABLES = frozenset(
    {"FACEAUTH_WEIGHTS", "FACEAUTH_MODEL_WHEEL", "FACEAUTH_DISABLE_PLUGIN_AUTOLOAD", "FACEAUTH_SHARED"}
)
"""Variables with the prefix that are read elsewhere and set nothing here."""

Layer = dict[str, Any]


class PipelineConfig(Frozen):
    """Which backends a pipeline uses, with which options, limits and policy. The defaults need no download.

    Attributes:
        detector, liveness, embedder: names of backends, as ``faceauth plugins list`` shows them.
        detector_options, liveness_options, embedder_options: keyword arguments of each backend's constructor.
        allowed_plugins: distributions whose backends may be loaded beside the built-in ones; None allows every
            installed one, an empty list none.
        limits: largest picture to decode.
        policy: what is required of a presentation.
    """

    detector: str = "yunet"
    liveness: str = "spoofnet"
    embedder: str = "sface"
    detector_options: dict[str, Any] = Field(default_factory=dict)
    liveness_options: dict[str, Any] = Field(default_factory=dict)
    embedder_options: dict[str, Any] = Field(default_factory=dict)
    allowed_plugins: tuple[str, ...] | None = None
    limits: ImageLimits = ImageLimits()
    policy: Policy = Policy()


def load_config(
    path: str | os.PathLike[str] | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> PipelineConfig:
    """The configuration of a process: defaults < file < environment < arguments.

    ``operating_point`` and ``live_threshold`` replace each other, so a layer that sets one drops the other from the
    layers below it.

    Args:
        path: TOML file; its tables and keys are the attributes of ``PipelineConfig``.
        arguments: nested like the file, of mappings, not of models; None as a value means "not given".
        environ: the process environment when None.

    Raises:
        UsageError: the file cannot be read, or a key does not exist, does not fit or contradicts another.
    """
    layers = [
        *([(f"{os.fspath(path)}: ", _file_layer(Path(path)))] if path is not None else []),
        ("the environment: ", _environment_layer(os.environ if environ is None else environ)),
        ("", _given(arguments or {})),
    ]
    merged: Layer = {}
    for origin, layer in layers:
        _validated(layer, origin)  # each on its own, so that an error names the layer at fault
        merged = _merged(merged, layer)
    return _validated(merged, "")


def checked_config(config: PipelineConfig) -> PipelineConfig:
    """``config``, checked once more: ``model_copy`` and ``model_construct`` check nothing.

    Raises:
        UsageError: a value does not fit or contradicts another.
    """
    return _validated(config, "")


def _file_layer(path: Path) -> Layer:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # TOML and UTF-8 errors
        raise UsageError(f"The configuration {path} is no TOML file: {error}.") from error


def _environment_layer(environ: Mapping[str, str]) -> Layer:
    layer: Layer = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES:
            continue
        first, *rest = variable.removeprefix(PREFIX).lower().split("__")
        if first not in PipelineConfig.model_fields:
            _refuse_near_miss(variable, first)
            continue
        value = _environment_value(environ[variable], PipelineConfig.model_fields[first].annotation is str and not rest)
        for key in reversed(rest):
            value = {key: value}
        layer = _deep(layer, {first: value})
    return layer


def _environment_value(text: str, is_name: bool) -> Any:
    """JSON where it is JSON (``true``, ``0.5``, ``["minifasnet"]``, ``null``), else the text."""
    if is_name:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _refuse_near_miss(variable: str, key: str) -> None:
    """A variable of somebody else's is left alone; one of ours that is misspelt or lacks its table is not ignored."""
    ours = {other.removeprefix(PREFIX).lower(): other for other in OTHER_VARIABLES} | _variables(PipelineConfig, PREFIX)
    near = difflib.get_close_matches(key, ours, n=1, cutoff=0.75)
    if near:
        raise UsageError(f"The variable {variable} sets nothing; did you mean {ours[near[0]]}?")
    for table in PipelineConfig.model_fields:
        if key.startswith(f"{table}_"):
            deeper = f"{table}__{key.removeprefix(f'{table}_')}".upper()
            raise UsageError(f"The variable {variable} sets nothing; did you mean {PREFIX}{deeper}?")


def _variables(settings: type[BaseModel], prefix: str) -> dict[str, str]:
    """Key of each setting, those of tables included -> its variable."""
    found: dict[str, str] = {}
    for key, field in settings.model_fields.items():
        variable = f"{prefix}{key.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found = _variables(field.annotation, f"{variable}__") | found
        found[key] = variable
    return found


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
    alternatives = {"operating_point", "live_threshold"}
    policy = above.get("policy")
    chosen = isinstance(policy, dict) and any(policy.get(key) is not None for key in alternatives)
    if chosen and "policy" in below:
        below = {**below, "policy": {k: v for k, v in below["policy"].items() if k not in alternatives}}
    return _deep(below, above)


def _deep(below: Layer, above: Layer) -> Layer:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _deep(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _validated(layer: Layer | PipelineConfig, origin: str) -> PipelineConfig:
    try:
        return PipelineConfig.model_validate(layer)
    except ValidationError as invalid:
        raise UsageError(origin + " ".join(_sentences(invalid))) from invalid


def _sentences(invalid: ValidationError) -> Iterator[str]:
    for error in invalid.errors(include_url=False):
        *table, key = [str(part) for part in error["loc"]] or [""]
        name = ".".join((*table, key))
        if error["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, _keys(table), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(_keys(table))}."
            yield f"There is no setting {name!r}; {hint}"
        elif error["type"] == "value_error":
            yield f"{name}: {error['ctx']['error']}."
        else:
            yield f"{name} is {error['input']!r}; {error['msg'][0].lower()}{error['msg'][1:]}."


def _keys(table: list[str]) -> list[str]:
    model: type[BaseModel] = PipelineConfig
    for key in table:
        model = model.model_fields[key].annotation  # type: ignore[assignment]
    return list(model.model_fields)

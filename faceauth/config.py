"""The configuration of a pipeline, from defaults, a TOML file, the environment and arguments.

Later layers override earlier ones: defaults < file < environment < arguments. But no environment variable may loosen
what a file sets; arguments may, because the person who runs the program typed them.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, model_validator

from faceauth.errors import UsageError
from faceauth.settings.config_file import read_config_file
from faceauth.settings.fields import Settings, shown

Layer = dict[str, Any]
SettingsT = TypeVar("SettingsT", bound=Settings)


_CHOSEN_FOR: Mapping[str, tuple[str, ...]] = {
    "threshold": ("liveness", "combine", "combine_weights"),
    "match_threshold": ("embedder",),
}
"""What a threshold was chosen for."""


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
        unchosen = self.options.keys() - set(_backends(dict(self)))
        if unchosen:
            chosen = ", ".join(_backends(dict(self)))
            raise ValueError(f"options are for {shown(min(unchosen))}, which is none of the chosen backends: {chosen}")
        return self


def load_config(
    path: str | os.PathLike[str] | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> PipelineConfig:
    """The configuration of a process: defaults < file < environment < arguments.

    A threshold that is a number belongs to the backend it was chosen for: a layer that swaps that backend has to bring
    its own threshold. Options of a backend that a later layer swaps are dropped.

    Args:
        path: TOML file; its keys and tables are the fields of ``PipelineConfig``.
        arguments: nested like the file, of mappings, not of models; None as a value means "not given".
        environ: the process environment when None.

    Raises:
        UsageError: the file cannot be read, or others may change it and this is root; a setting does not exist, does
            not fit or contradicts another; a variable would loosen what the file sets.
    """
    # Here, since importing pydantic-settings takes as long as importing the whole library.
    from faceauth.settings.environment import read_environment, refuse_loosening

    variables = os.environ if environ is None else environ
    file = {} if path is None else _checked(read_config_file(path), f"{os.fspath(path)}: ")
    environment = _checked(read_environment(variables), "the environment: ")
    given = _checked(_given(arguments or {}), "")
    if path is not None:
        refuse_loosening(file, environment, path=path, environ=variables)
    merged: Layer = {}
    for origin, layer in ((f"{path}", file), ("the environment", environment), ("the arguments", given)):
        _refuse_orphaned_threshold(merged, layer, origin)
        merged = _merged(merged, layer)
    return _validated(PipelineConfig, merged, "")


def with_settings(config: PipelineConfig, changes: Mapping[str, Any]) -> PipelineConfig:
    """``config`` with single settings replaced, and checked: ``model_copy`` and ``model_construct`` check nothing.

    Raises:
        UsageError: a setting does not exist, does not fit or contradicts another, or a threshold was chosen for a
            backend that ``changes`` swaps.
    """
    below = dict(_validated(PipelineConfig, config, ""))
    checked = _validated(Settings, changes, "")
    above = {key: getattr(checked, key) for key in checked.model_fields_set}
    _refuse_orphaned_threshold(below, above, "the arguments")
    return _validated(PipelineConfig, {**_without_swapped(below, above), **above}, "")


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
    return _deep(_without_swapped(below, above), above)


def _without_swapped(below: Layer, above: Layer) -> Layer:
    """``below`` without options of backends that ``above`` swaps."""
    swapped = set(_backends(below)) - set(_backends({**below, **above}))
    options = {name: given for name, given in below.get("options", {}).items() if name not in swapped}
    return {**below, "options": options} if "options" in below else below


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


def _refuse_orphaned_threshold(below: Layer, above: Layer, origin: str) -> None:
    for key, owners in _CHOSEN_FOR.items():
        if not isinstance(below.get(key), float) or key in above:
            continue
        for owner in owners:
            if owner in above and above[owner] != _value(below, owner):
                raise UsageError(
                    f"{key} = {below[key]:g} was chosen for {owner} = {_named(_value(below, owner))}, but {origin} "
                    f"set {owner} = {_named(above[owner])}: set a {key} there too."
                )


def _named(value: object) -> str:
    return " and ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _checked(layer: Layer, origin: str) -> Layer:
    """What ``layer`` sets, each value of its setting's type."""
    return _validated(Settings, layer, origin).model_dump(exclude_unset=True)


def _validated(kind: type[SettingsT], layer: Mapping[str, Any] | Settings, origin: str) -> SettingsT:
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
            yield f"There is no setting {shown(name)}; {hint}"
        elif error["type"] == "value_error":
            yield f"{name} {error['ctx']['error']}.".lstrip()
        else:
            yield f"{name} is {shown(error['input'])}; {error['msg'][0].lower()}{error['msg'][1:]}."


def _keys(table: list[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for key in table:
        model = model.model_fields[key].annotation  # type: ignore[assignment]
    return list(model.model_fields)

"""Reads settings from the process environment, and refuses those that loosen what a file sets.

``FACEAUTH_LIVENESS`` sets ``liveness``; two underscores go one table deeper: ``FACEAUTH_GATE__MIN_FACE_PX``. Lists and
tables are JSON; a single name stands for a list of one.
"""

import difflib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard, cast, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from faceauth.errors import UsageError
from faceauth.settings.fields import Settings
from faceauth.thresholds import LENIENT_TO_STRICT

PREFIX = "FACEAUTH_"

READ_ELSEWHERE = frozenset(
    {
        "FACEAUTH_API_KEYS",
        "FACEAUTH_AUDIT_LOG",
        "FACEAUTH_DISABLE_PLUGIN_AUTOLOAD",
        "FACEAUTH_GALLERY",
        "FACEAUTH_MASTER_KEY",
        "FACEAUTH_MASTER_KEY_FILE",
        "FACEAUTH_MESH_WHEEL",
        "FACEAUTH_MODEL_WHEEL",
    }
)
"""Variables with the prefix that are not settings: of gallery and service, the registry's switch, the build's."""

_SERVICE = re.compile(
    r"FACEAUTH(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes puts into every container for a service called ``faceauth`` or ``faceauth-something``."""


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that variables of ``environ`` set, nested as in a file.

    Args:
        environ: name -> text.

    Raises:
        UsageError: a variable is empty, or is near one that sets something and sets nothing.
    """
    ours = {name: text for name, text in environ.items() if name.startswith(PREFIX) and name not in READ_ELSEWHERE}
    for name, text in sorted(ours.items()):
        key = name.removeprefix(PREFIX).lower()
        if key.split("__")[0] not in Settings.model_fields:
            _refuse_near_miss(name, key)
        elif not text:
            raise UsageError(f"The variable {name} is empty: unset it, or give it a value.")
    return _Variables(ours)()


def refuse_loosening(
    file: Mapping[str, Any],
    environment: Mapping[str, Any],
    *,
    path: str | os.PathLike[str],
    environ: Mapping[str, str],
) -> None:
    """What a configuration file forbids, no variable loosens; making it stricter is allowed.

    Args:
        file: what the file sets, checked.
        environment: what the environment sets, checked.
        path: of the file.
        environ: name -> text.

    Raises:
        UsageError: a variable would loosen what the file sets, or swap what it names.
    """
    for place, settled in (*_swapped(file, environment), *_loosened(file, environment)):
        raise UsageError(
            f"The variable {_variable_of(place, environ)} may not loosen what {os.fspath(path)} sets with "
            f"{settled}: unset the variable, or change the file."
        )


_SETTLED_BY: Mapping[str, tuple[str, ...]] = {
    "detector": ("detector",),
    "liveness": ("liveness", "threshold"),
    "embedder": ("embedder", "match_threshold"),
    "combine": ("combine", "threshold"),
    "combine_weights": ("combine", "combine_weights", "threshold"),
    "points": ("points", "threshold"),
    "camera_profile": ("camera_profile", "threshold"),
    "weights": ("weights", "threshold", "match_threshold"),
}
"""What a variable may not swap -> the settings of a file that settle it: with other points or weights the file's
threshold would mean something else."""

_IS_LOOSER: Mapping[str, Callable[[Any, Any], bool]] = {
    "require_liveness": lambda there, here: there and not here,
    "require_match": lambda there, here: there and not here,
    "faces": lambda there, here: there == "exactly_one" and here != there,
    "allowed_plugins": lambda there, here: not set(here) <= set(there),
    "threshold": lambda there, here: not _as_strict(here, there),
    "match_threshold": lambda there, here: not _as_strict(here, there),
}
"""Setting -> whether the environment's value (the second) allows more than the file's."""

Place = tuple[str, ...]


def _swapped(file: Mapping[str, Any], environment: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for key, settling in _SETTLED_BY.items():
        settled = next((other for other in settling if other in file), None)
        if settled and key in environment and environment[key] != _of(file, key):
            yield (key,), settled
    there = file.get("options", {})
    settled_backends = _settled_backends(file) | there.keys()
    for name, options in environment.get("options", {}).items():
        for option, value in options.items():
            if name in settled_backends and (option, value) not in there.get(name, {}).items():
                yield ("options", name, option), f"the backend {name}"
            elif option == "weights_folder" and "weights" in file:
                yield ("options", name, option), "weights"


def _settled_backends(file: Mapping[str, Any]) -> set[str]:
    settled = [key for key in ("detector", "liveness", "embedder") if any(other in file for other in _SETTLED_BY[key])]
    chosen = [_of(file, key) for key in settled]
    return {name for names in chosen for name in ((names,) if isinstance(names, str) else names)}


def _of(file: Mapping[str, Any], key: str) -> Any:
    return file.get(key, Settings.model_fields[key].default)


def _loosened(file: Mapping[str, Any], environment: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for key, is_looser in _IS_LOOSER.items():
        if key in file and key in environment and is_looser(file[key], environment[key]):
            yield (key,), key
    for table in ("gate", "limits"):
        there, here = file.get(table, {}), environment.get(table, {})
        for key in sorted(there.keys() & here.keys()):
            if here[key] < there[key] if key.startswith("min_") else here[key] > there[key]:
                yield (table, key), f"{table}.{key}"


def _as_strict(here: str | float, there: str | float) -> bool:
    """Numbers compare with numbers and names with names; a number and a name do not compare."""
    if isinstance(there, str) and isinstance(here, str):
        order: tuple[str, ...] = LENIENT_TO_STRICT
        return order.index(here) >= order.index(there)
    return isinstance(there, float) and isinstance(here, float) and here >= there


def _variable_of(place: Place, environ: Mapping[str, str]) -> str:
    """The variable that set ``place``: its own, or that of a table around it."""
    there = {name.upper() for name in environ}
    names = [PREFIX + "__".join(place[:length]).upper() for length in range(len(place), 0, -1)]
    return next((name for name in names if name in there), names[0])


class _Variables(EnvSettingsSource):
    """pydantic-settings' reading of variables, from any mapping and with the types of a strict model."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(cast(type[BaseSettings], Settings), env_prefix=PREFIX, env_nested_delimiter="__")
        self.env_vars = {name.lower(): text for name, text in environ.items()}

    def prepare_field_value(self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool) -> Any:
        """A truth value or a number where the setting is one; ``true`` is not a number."""
        prepared = super().prepare_field_value(field_name, field, value, value_is_complex)
        if field.annotation is bool and isinstance(prepared, str):
            return _truth(prepared)
        return _number(prepared) if float in (field.annotation, *get_args(field.annotation)) else prepared

    def explode_env_vars(self, field_name: str, field: FieldInfo, env_vars: Mapping[str, str | None]) -> dict[str, Any]:
        """The variables of one table; the gate and the limits hold numbers only."""
        table = super().explode_env_vars(field_name, field, env_vars)
        return {key: _number(value) for key, value in table.items()} if _is_model(field.annotation) else table

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        """A list or table in JSON, else the text: a name, which may look like a number."""
        decoded = _json(value)
        return decoded if field is None or isinstance(decoded, list | dict) else value

    def next_field(self, field: Any, key: str, case_sensitive: bool | None = None) -> FieldInfo | None:
        """None for an option of a backend, whose type only the backend knows: JSON where it is JSON, else text."""
        found: Any = super().next_field(field, key, case_sensitive)
        return None if found is Any else cast(FieldInfo | None, found)


def _truth(text: str) -> bool | str:
    try:
        return TypeAdapter(bool).validate_python(text)
    except ValidationError:
        return text


def _number(value: Any) -> Any:
    """The number that a text spells, else the value."""
    number = _json(value) if isinstance(value, str) else value
    return number if type(number) in (int, float) else value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _refuse_near_miss(variable: str, key: str) -> None:
    """Leave other programs' variables alone; refuse a variable of faceauth that is misspelt or lacks its table."""
    if _SERVICE.fullmatch(variable):
        return
    tables = [name for name, field in Settings.model_fields.items() if name == "options" or _is_model(field.annotation)]
    ours = {name.removeprefix(PREFIX).lower(): name for name in READ_ELSEWHERE} | _settable(Settings, PREFIX)
    for table in tables:
        if key.startswith(f"{table}_"):
            deeper = f"{table}__{key.removeprefix(f'{table}_')}".upper()
            raise UsageError(f"The variable {variable} sets nothing; did you mean {PREFIX}{deeper}?")
    starts = [name for name in Settings.model_fields if key.startswith(f"{name}_")]
    for part in dict.fromkeys((key, key.split("__")[-1])):
        near = difflib.get_close_matches(part, ours, n=1, cutoff=0.75) or starts
        if near:
            raise UsageError(f"The variable {variable} sets nothing; did you mean {ours[near[0]]}?")
    if "__" in key:  # a table of faceauth's, or of no program
        tables_there = ", ".join(f"{PREFIX}{table.upper()}__" for table in tables)
        raise UsageError(f"The variable {variable} sets nothing: the tables are {tables_there}.")


def _settable(settings: type[BaseModel], prefix: str) -> dict[str, str]:
    """Key of each setting, those of tables included -> its variable."""
    found: dict[str, str] = {}
    for key, field in settings.model_fields.items():
        variable = f"{prefix}{key.upper()}"
        if _is_model(field.annotation):
            found = _settable(field.annotation, f"{variable}__") | found
        found[key] = variable
    return found

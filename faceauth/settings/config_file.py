"""Reads a configuration file, and writes a commented file with every setting, its meaning and its default."""

import json
import os
import tomllib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from faceauth.errors import UsageError
from faceauth.settings.fields import Settings
from faceauth.trusted_files import read_trusted

LARGEST_FILE = 2**20
"""Bytes; chosen: a configuration has a few thousand."""


def read_config_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The tables and keys of a TOML file, unchecked.

    Raises:
        UsageError: it cannot be read, is not a regular file or no TOML, or this is root and others may change it.
    """
    try:
        content = read_trusted(path, called="configuration", limit=LARGEST_FILE)
        return tomllib.loads(content.decode("utf-8-sig"))  # Windows editors write a byte order mark
    except OSError as error:
        raise UsageError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # TOML and UTF-8 errors
        raise UsageError(f"The configuration {path} is not a TOML file: {error}.") from error


def commented_config_file() -> str:
    """A TOML file that sets nothing: every setting is commented out, at its default or, without one, at an example.

    Nothing is set because what a file sets, no environment variable may loosen.
    """
    head = "# What is set here overrides the defaults, and no environment variable may loosen it."
    return "\n".join((head, *_lines(), ""))


def _lines() -> Iterator[str]:
    tables = {}
    for key, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            tables[key] = default
            continue
        yield f"\n# {field.description}"
        yield f"# {key} = {_toml(field.examples[0] if field.examples else default)}"
    for key, table in tables.items():
        yield f"\n# {Settings.model_fields[key].description}\n# [{key}]"
        yield from (f"# {name} = {_toml(value)}" for name, value in table.model_dump().items())


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)  # the same as TOML for text, numbers, truth values and lists of them

"""The options that choose backends and policy in, a checked ``PipelineConfig`` out.

Shared by the commands that run a pipeline. Knows no backend: whether a name is installed shows when it is loaded.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from faceauth.config import PipelineConfig, load_config
from faceauth.errors import UsageError
from faceauth.thresholds import LENIENT_TO_STRICT

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_META = "faceauth.cli.options"

INSIGHTFACE = "insightface's pretrained packs are for non-commercial research use only."


def pipeline_options(command: CommandT) -> CommandT:
    """Adds the options; the command reads them with :func:`chosen_config`, so that they are not named in each."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen_config() -> PipelineConfig:
    """The configuration of the running command: defaults < file < environment < ``--set`` < the named options.

    Raises:
        UsageError: a setting that does not exist, does not fit, or contradicts another.
    """
    given = _given()
    if given.get("threshold") is not None and given.get("operating_point") is not None:
        raise UsageError("--threshold and --operating-point exclude each other.")
    texts: Sequence[str] = given.get("settings", ())
    nulls = [text for text in texts if _value(text.partition("=")[2]) is None]
    if nulls:  # load_config takes None for not given: what the file or the environment says would stay in force
        raise UsageError(f"--set {nulls[0]} sets nothing: take the setting out of the file or the environment.")
    arguments = settings(texts)
    for name in ("detector", "liveness", "embedder"):
        if given.get(name) is not None:
            arguments[name] = given[name]
    for name, key in (("threshold", "live_threshold"), ("operating_point", "operating_point")):
        if given.get(name) is not None:
            _put(arguments, ("policy", key), given[name])
    return load_config(given.get("config"), arguments=arguments)


def refuse_given(*names: str, why: str) -> None:
    """Options that the running command could only leave unused.

    Raises:
        UsageError: one of ``names`` was given.
    """
    given = _given()
    for name in names:
        if given.get(name) is not None:
            raise UsageError(f"--{name} changes nothing here: {why}.")


def settings(texts: Sequence[str]) -> dict[str, Any]:
    """``("policy.faces=largest",)`` as ``{"policy": {"faces": "largest"}}``.

    A value is JSON where it is JSON (``true``, ``0.5``, ``["a"]``), else text.

    Raises:
        UsageError: a text is no ``KEY=VALUE``.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageError(f"{text!r} sets nothing: write KEY=VALUE, such as policy.faces=largest.")
        _put(found, tuple(key.split(".")), _value(value))
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *tables, key = path
    for table in tables:
        inner = tree.setdefault(table, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{'.'.join(path)} cannot be set beside {table} = {inner!r}.")
        tree = inner
    tree[key] = value


def _given() -> dict[str, Any]:
    """The options of the running command, by name."""
    given: dict[str, Any] = click.get_current_context().meta.get(_META, {})
    return given


def _note(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(_META, {})[option.name] = value


def _option(*names: str, **facts: Any) -> Callable[[CommandT], CommandT]:
    return click.option(*names, expose_value=False, callback=_note, **facts)


_OPTIONS = (
    _option(
        "--liveness",
        metavar="NAME",
        help="Liveness backend, as `faceauth plugins list` shows it. [default: spoofnet]",
    ),
    _option("--detector", metavar="NAME", help=f"Face detector. [default: yunet] {INSIGHTFACE}"),
    _option("--embedder", metavar="NAME", help=f"Face embedder, for a match. [default: sface] {INSIGHTFACE}"),
    _option(
        "--threshold",
        metavar="THRESHOLD",
        type=click.FloatRange(0, 1),
        help="Accept as live when P(live) >= THRESHOLD, in place of an operating point.",
    ),
    _option(
        "--operating-point",
        type=click.Choice(LENIENT_TO_STRICT),
        help="Which of the liveness backend's measured thresholds to use. [default: balanced]",
    ),
    _option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="TOML file with settings; the environment (FACEAUTH_...) and these options go before it.",
    ),
    _option(
        "--set",
        "settings",
        metavar="KEY=VALUE",
        multiple=True,
        help="Any other setting, such as policy.faces=largest or detector_options.pack=buffalo_l; may be repeated.",
    ),
)

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
    texts: Sequence[str] = given.get("settings", ())
    nulls = [text for text in texts if _value(text.partition("=")[2]) is None]
    if nulls:  # load_config takes None for not given: what the file or the environment says would stay in force
        raise UsageError(f"--set {nulls[0]} sets nothing: take the setting out of the file or the environment.")
    arguments = settings(texts)
    for name in ("detector", "embedder", "combine", "points", "camera_profile", "threshold", "match_threshold"):
        if given.get(name) is not None:
            arguments[name] = given[name]
    if given.get("liveness"):
        arguments["liveness"] = list(given["liveness"])
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
    """``("gate.min_face_px=80",)`` as ``{"gate": {"min_face_px": 80}}``.

    A value is JSON where it is JSON (``true``, ``0.5``, ``["a"]``), else text.

    Raises:
        UsageError: a text is no ``KEY=VALUE``.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageError(f"{text!r} sets nothing: write KEY=VALUE, such as faces=largest.")
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


class _Threshold(click.ParamType[str | float]):
    """The name of a point, or a number."""

    name = "threshold"

    def __init__(self, lowest: float) -> None:
        self._number = click.FloatRange(lowest, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | float:
        """Names as they are, everything else as a number within the range."""
        if value in LENIENT_TO_STRICT:
            return str(value)
        return self._number.convert(value, param, ctx)


def _option(*names: str, **facts: Any) -> Callable[[CommandT], CommandT]:
    return click.option(*names, expose_value=False, callback=_note, **facts)


_OPTIONS = (
    _option(
        "--liveness",
        metavar="NAME",
        multiple=True,
        help="Liveness backend, as `faceauth plugins list` shows it; may be repeated. [default: spoofnet]",
    ),
    _option(
        "--combine",
        type=click.Choice(("mean", "all", "deny_only")),
        help="How several liveness backends decide: the mean of their logits, each of them, or the first while the "
        "others may only refuse.",
    ),
    _option(
        "--points",
        type=click.Path(exists=True, dir_okay=False),
        help="Operating points made by `faceauth calibrate`.",
    ),
    _option(
        "--camera-profile",
        type=click.Path(exists=True, dir_okay=False),
        help="Camera profile made by `faceauth calibrate --live`.",
    ),
    _option("--detector", metavar="NAME", help=f"Face detector. [default: yunet] {INSIGHTFACE}"),
    _option("--embedder", metavar="NAME", help=f"Face embedder, for a match. [default: sface] {INSIGHTFACE}"),
    _option(
        "--threshold",
        metavar="POINT|P",
        type=_Threshold(0),
        help="Accept as live from this operating point on (convenience, balanced, strict) or from this P(live) on. "
        "[default: balanced]",
    ),
    _option(
        "--match-threshold",
        metavar="POINT|S",
        type=_Threshold(-1),
        help="The same person from this point on, or from this cosine similarity on. [default: balanced]",
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
        help="Any other setting, such as faces=largest or options.scrfd.pack=buffalo_l; may be repeated.",
    ),
)

"""The options that choose backends, thresholds and settings, shared by the commands that run a pipeline.

Whether a backend is installed shows when it is loaded, not here.
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


reference_option = click.option(
    "--reference",
    metavar="PHOTO",
    type=click.Path(exists=True, dir_okay=False),
    help="Photo of the expected person. A face that is not accepted as live is never matched.",
)


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
        raise UsageError(f"--set {nulls[0]} sets nothing: remove the setting from the file or the environment.")
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
        UsageError: a text is not ``KEY=VALUE``.
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
    """The name of an operating point, or a number."""

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
        help="Liveness backend, as `faceauth plugins list` names it; repeat it for several, with --combine. "
        "[default: spoofnet]",
    ),
    _option(
        "--combine",
        type=click.Choice(("mean", "all", "deny_only")),
        help="How several liveness backends decide together: by the mean of their calibrated scores, only if all "
        "accept, or by the first while the others can only refuse.",
    ),
    _option(
        "--points",
        type=click.Path(exists=True, dir_okay=False),
        help="Operating points to use in place of the backend's own: a file that `faceauth calibrate` wrote.",
    ),
    _option(
        "--camera-profile",
        type=click.Path(exists=True, dir_okay=False),
        help="Thresholds fitted to your camera: a file that `faceauth calibrate --live` wrote.",
    ),
    _option("--detector", metavar="NAME", help=f"Face detector. [default: yunet] {INSIGHTFACE}"),
    _option("--embedder", metavar="NAME", help=f"Face embedder, for the match. [default: sface] {INSIGHTFACE}"),
    _option(
        "--threshold",
        metavar="POINT|P",
        type=_Threshold(0),
        help="Accept as live from this operating point (convenience, balanced or strict) or from this P(live). "
        "[default: balanced]",
    ),
    _option(
        "--match-threshold",
        metavar="POINT|S",
        type=_Threshold(-1),
        help="Accept as the same person from this operating point or from this cosine similarity. [default: balanced]",
    ),
    _option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Settings in a TOML file. Environment variables (FACEAUTH_...) override it unless they would loosen it; "
        "these options override both.",
    ),
    _option(
        "--set",
        "settings",
        metavar="KEY=VALUE",
        multiple=True,
        help="Any other setting, such as faces=largest or gate.min_face_px=96; may be repeated.",
    ),
)

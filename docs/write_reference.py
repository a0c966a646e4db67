"""Writes the reference pages that come from the code: ``python -m docs.write_reference``.

``docs/reference/settings.md`` lists every setting of ``PipelineConfig`` and every option of the built-in backends,
``docs/reference/reasons.md`` every reason of a result, ``docs/reference/problems.md`` every reason for which the HTTP
service does not answer a request. A reason or an option without words is an error.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import griffe
from pydantic import BaseModel

from docs.draw_pictures import ANYWHERE, STEPS
from faceauth.backends.registry import BUILT_IN
from faceauth.config import PipelineConfig
from faceauth.presentation import MESSAGES
from faceauth.results import VERDICT_OF, Reason
from faceauth.server.problems import Cause

FOLDER = Path(__file__).parent / "reference"
NOTICE = "<!-- Written by `python -m docs.write_reference`; edit that script or the code instead. -->"

# Settings.


def settings_page() -> str:
    """Every setting with its type, its default and its meaning."""
    fields = PipelineConfig.model_fields
    tables = {key: field.default for key, field in fields.items() if isinstance(field.default, BaseModel)}
    properties = PipelineConfig.model_json_schema()["properties"]
    rows = [
        (f"`{key}`", _type(properties[key]), _value(field.default), str(field.description))
        for key, field in fields.items()
        if key not in tables
    ]
    lines = [*_head("Settings", SETTINGS_INTRODUCTION), *_table(("setting", "type", "default", "meaning"), rows)]
    for key, table in tables.items():
        lines += ["", f"## {key}", "", str(fields[key].description), "", *_nested(key, type(table))]
    lines += ["", "## Options of the built-in backends", "", OPTIONS_INTRODUCTION]
    for stage, backends in BUILT_IN.items():
        if stage != "challenge":  # one with other arguments is constructed by the program itself
            for name, value in backends.items():
                lines += ["", f"### {name}", "", *_options(value)]
    return "\n".join([*lines, ""])


SETTINGS_INTRODUCTION = """A setting can come from three places. Each takes precedence over those before it:

1. a TOML file: `Pipeline.from_env(path)`, `--config FILE`;
2. the environment, `FACEAUTH_` and the name in capitals: read by `Pipeline.from_env()` and the command line, never by
   `Pipeline()`;
3. keywords of `Pipeline(...)`, options of the command line.

Two underscores lead one table deeper: `FACEAUTH_GATE__MIN_FACE_PX=96` sets `gate.min_face_px`. In the environment,
lists and tables are JSON. No environment variable may loosen what the file sets.

`FACEAUTH_DISABLE_PLUGIN_AUTOLOAD=1` is not a setting: whatever the settings say, it allows only the
built-in backends."""

OPTIONS_INTRODUCTION = """Each backend has its own keyword arguments, given under its name:
`Pipeline(options={"spoofnet": {"threads": 2}})`, `--set options.spoofnet.threads=2`, or a table `[options.spoofnet]` in
the file."""


def _nested(key: str, model: type[BaseModel]) -> Iterator[str]:
    meanings = _documented(model, griffe.DocstringSectionKind.attributes)
    properties = model.model_json_schema()["properties"]
    rows = [
        (f"`{key}.{name}`", _type(properties[name]), _value(field.default), meanings[name])
        for name, field in model.model_fields.items()
    ]
    yield from _table(("setting", "type", "default", "meaning"), rows)


def _options(value: str) -> Iterator[str]:
    module, name = value.split(":")
    kind = getattr(import_module(module), name)
    meanings = _documented(kind, griffe.DocstringSectionKind.parameters)
    parameters = [one for one in inspect.signature(kind).parameters.values() if one.kind is one.KEYWORD_ONLY]
    yield from _table(
        ("option", "default", "meaning"),
        [(f"`{one.name}`", _value(one.default), meanings[one.name]) for one in parameters],
    )


def _documented(kind: type, section: griffe.DocstringSectionKind) -> dict[str, str]:
    """Name -> meaning, of a section of the class's docstring."""
    docstring = griffe.Docstring(inspect.getdoc(kind) or "", parser="google")
    parts = docstring.parse(warnings=False)
    return {one.name: _sentence(one.description) for part in parts if part.kind is section for one in part.value}


def _sentence(text: str) -> str:
    """One line, with a capital letter and a full stop."""
    line = re.sub(r":\w+:(?=`)", "", " ".join(text.split()).replace("``", "`")).rstrip(".;")
    return f"{line if line.startswith(LOWER_CASE_NAMES) else line[:1].upper() + line[1:]}."


LOWER_CASE_NAMES = ("onnxruntime", "insightface")


def _type(schema: dict[str, Any]) -> str:
    """The type in words, with its bounds."""
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f'`"{value}"`' for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_PLURALS[schema['items']['type']]}"
    words = {"string": "path" if schema.get("format") == "path" else "text", "object": "table"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in _BOUNDS.items() if key in schema]
    return ", ".join([words.get(kind, kind), *bounds])


_PLURALS = {"string": "names", "number": "numbers"}
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def _value(default: object) -> str:
    if default is None:
        return "none"
    return f"`{json.dumps(default)}`"


# Reasons.


def reasons_page() -> str:
    """Every reason: its verdict, where it arises, what is said and what to do."""
    stages = {reason: step.name for step in STEPS for reason in step.reasons} | {ANYWHERE: "any"}
    rows = [
        (
            f"`{reason}`",
            str(VERDICT_OF[reason]),
            stages[reason],
            MESSAGES.get(reason, "Says what was found and what is needed."),
            NEXT_STEP[reason],
        )
        for reason in Reason
    ]
    names = ("reason", "verdict", "stage", "message", "what to do")
    return "\n".join([*_head("Reasons", REASONS_INTRODUCTION), *_table(names, rows), ""])


REASONS_INTRODUCTION = """`Verification.reason` says why, for programs; `Verification.message` says it for people.

Each reason has exactly one verdict. `reject` means judged and refused. `uncertain` means that there was nothing to
judge, or that the score lies between two thresholds: it lets nobody in, but another photo may help. The command line
ends with 0 for accept, 1 for reject, 3 for uncertain, and 4 for `stage_failed`."""

NEXT_STEP = {
    Reason.LIVE: "Let in, if liveness is all you ask for.",
    Reason.LIVE_AND_MATCHED: "Let in.",
    Reason.MATCHED: "Occurs only with `require_liveness = false`. A photo of the person is accepted too.",
    Reason.ATTACK_SUSPECTED: "Refuse, and count the attempt.",
    Reason.LIVENESS_UNCERTAIN: "Ask for another photo, and count the attempt: convincing attacks end here.",
    Reason.NOT_MATCHED: "Refuse, and count the attempt.",
    Reason.NO_FACE: "Ask for another photo. The attempt need not be counted.",
    Reason.SEVERAL_FACES: 'Ask the others to step back, or set `faces = "largest"`.',
    Reason.FACE_TOO_SMALL: "Show the message. The limit is `gate.min_face_px`.",
    Reason.FACE_OUTSIDE_FRAME: "Show the message. The limit is `gate.max_outside`.",
    Reason.FACE_TURNED_AWAY: "Show the message: the head is turned, or the image lies on its side. The limits are "
    "`gate.max_yaw_deg`, `max_pitch_deg` and `max_roll_deg`.",
    Reason.TOO_DARK: "Show the message. The limit is `gate.min_luma_p95`.",
    Reason.TOO_BRIGHT: "Show the message. The limit is `gate.max_luma_p5`.",
    Reason.TOO_BLURRED: "Show the message. The limit is `gate.min_sharpness`.",
    Reason.NO_COLOR: "Take the photo in colour and in visible light. The limit is `gate.min_color_spread`.",
    Reason.REFERENCE_UNUSABLE: "Enrol again with a better photo: the reference shows no usable face.",
    Reason.IMAGE_UNUSABLE: "Only from `verify_many` and the command line: `verify` raises `ImageError` instead.",
    Reason.TRACK_BROKEN: "Video: the face was lost, jumped or changed. Start a new session, and count the attempt.",
    Reason.FROZEN_STREAM: "Video: refuse, and count the attempt. A live camera never repeats a frame.",
    Reason.LOOPED_STREAM: "Video: refuse, and count the attempt. A live camera never repeats frames.",
    Reason.FRAMES_OUT_OF_ORDER: "Video: start a new session. Look at the clock that stamps the frames.",
    Reason.STREAM_ENDED: "Video: start a new session, with a longer recording.",
    Reason.CAMERA_LOST: "Video: connect the camera, and start a new session.",
    Reason.TIMED_OUT: "Video: start a new session, and ask the person to move a little.",
    Reason.CHALLENGE_FAILED: "Challenge: refuse, and count the attempt.",
    Reason.CHALLENGE_UNCLEAR: "Challenge: show the message, start a new session, and count the attempt.",
    Reason.CHALLENGE_EXPIRED: "Challenge: start a new session.",
    Reason.STAGE_FAILED: "Refuse. `failed` names the stage; the cause is in the log of the logger `faceauth`.",
}


# Problems.


def problems_page() -> str:
    """Every reason for which the service does not answer: its status, what it means and what to do."""
    meanings = _documented(Cause, griffe.DocstringSectionKind.attributes)
    rows = [(f"`{cause}`", *_status_and_meaning(meanings[cause.name])) for cause in Cause]
    names = ("reason", "status", "what it means, and what to do")
    return "\n".join([*_head("Problems", PROBLEMS_INTRODUCTION), *_table(names, rows), ""])


PROBLEMS_INTRODUCTION = """What the [HTTP service](../server.md) cannot do it answers by a problem document (RFC 9457,
`application/problem+json`): `type` is always `about:blank`, `title` is the name of the `status`, `detail` is a sentence
for people, and `reason`, for programs, is one of these. A photo that is refused is no problem but a result, with one of
the [reasons](reasons.md) of a result."""


def _status_and_meaning(text: str) -> tuple[str, str]:
    status, _, meaning = text.partition(": ")
    return status, _sentence(meaning)


# Tables.


def _head(title: str, introduction: str) -> list[str]:
    return [NOTICE, "", f"# {title}", "", introduction, ""]


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "reasons.md": reasons_page,
    "problems.md": problems_page,
}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

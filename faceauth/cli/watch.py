"""``faceauth watch``: one verdict on one presentation, from a camera, a video file or a folder of images."""

import os
import sys
from collections.abc import Callable, Iterator

import click
import cv2

from faceauth.challenge.answering import follow_challenge
from faceauth.challenge.challenge_session import ChallengeResult, ChallengeSession, ChallengeStatus
from faceauth.cli import drawing, output
from faceauth.cli.exit_codes import exit_of, exit_table
from faceauth.cli.options import chosen_config, pipeline_options, reference_option
from faceauth.errors import UsageError
from faceauth.pipeline import Pipeline
from faceauth.stages import Image
from faceauth.video.decision import MIN_KEPT, PresentationResult
from faceauth.video.session import PresentationSession, State
from faceauth.video.watching import follow, open_stream

TITLE = "faceauth watch"
ESCAPE = 27
RESULT_SHOWN_MS = 2000
"""Milliseconds for which a window shows the verdict: chosen, not measured."""


@click.command("watch", short_help="Is the person at the camera live, and the right person?", epilog=exit_table())
@click.argument("source", default="0")
@reference_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object per change, each on its own line; the last has the result.",
)
@click.option(
    "--challenge",
    metavar="NAME",
    help="Also ask for something random: turn, closer, sequence, light (which fills the screen), or a plugin's.",
)
@click.option("--window", is_flag=True, help="Show the frames in a window, with what to do next.")
@pipeline_options
def command(source: str, *, reference: str | None, as_json: bool, challenge: str | None, window: bool) -> None:
    """Watch a camera until there is one verdict: live or not and, with --reference, the right person or not.

    SOURCE is a camera by number or name [default: 0], a video file, or a folder of images. `faceauth cameras` lists the
    cameras. Sit in front of the camera, and turn your head a little.
    """
    if window:
        _check_display()
    pipeline = Pipeline(chosen_config())
    show = _as_json() if as_json else _as_lines()
    with open_stream(source) as stream:
        given = () if reference is None else (reference,)
        session: PresentationSession | ChallengeSession
        states: Iterator[State | ChallengeStatus]
        if challenge is None:
            session = PresentationSession(pipeline, *given, source=stream.name)
            states = follow(session, stream)
        else:
            session = ChallengeSession(pipeline, challenge, *given, source=stream.name)
            states = follow_challenge(session, stream)
            if session.status.prompt.screen is not None:
                _check_display()
                cv2.setWindowProperty(TITLE, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)
                window = True
        for state in states:
            show(state)
            if window:
                _show_window(session.image, state)
    result = session.result
    presentation = result.presentation if isinstance(result, ChallengeResult) else result
    if not as_json:
        _show_result(presentation)
    click.get_current_context().exit(exit_of(presentation))


def _as_json() -> Callable[[State | ChallengeStatus], None]:
    # a challenge's own result holds that of the presentation
    twice = {"presentation": {"result"}}
    return _on_change(lambda state: output.json_line(state.model_dump(exclude=twice)))


def _as_lines() -> Callable[[State | ChallengeStatus], None]:
    first_s: float | None = None

    def show(state: State | ChallengeStatus) -> None:
        nonlocal first_s
        if state.result is None and state.time_s is not None:
            first_s = state.time_s if first_s is None else first_s  # a camera's clock starts with the machine
            output.line(f"{state.time_s - first_s:7.1f} s  {state.kept} of {MIN_KEPT} frames  {state.message}")

    return _on_change(show)


def _on_change(show: Callable[[State | ChallengeStatus], None]) -> Callable[[State | ChallengeStatus], None]:
    """Shows a state only when it says something new, not thirty times a second."""
    last: list[object] = []

    def show_new(state: State | ChallengeStatus) -> None:
        said = [state.message, state.obstacle, state.kept, state.result]
        if said != last:
            last[:] = said
            show(state)

    return show_new


def _show_result(result: PresentationResult) -> None:
    from faceauth.cli import summary

    output.show(summary.headline(result))
    output.show(summary.scores(result))
    output.show(summary.frames(result))
    for sentence in summary.expected_errors(result.thresholds):
        output.show(sentence)
    if result.liveness is not None:
        output.line("Error rates are those of single images: none were measured for video.")


def _check_display() -> None:
    """Qt ends the process where there is no display, so it is asked for before a window is."""
    if sys.platform.startswith("linux") and "DISPLAY" not in os.environ:
        raise UsageError("There is no display to show a window on: leave out --window, or choose another --challenge.")
    try:
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL)
    except cv2.error as error:
        raise UsageError("This OpenCV cannot show windows: install opencv-python, or leave out --window.") from error


def _show_window(image: Image | None, state: State | ChallengeStatus) -> None:
    """Draw the frame; Escape, q and closing the window interrupt."""
    if image is None:
        return
    screen = state.prompt.screen if isinstance(state, ChallengeStatus) and state.result is None else None
    cv2.imshow(TITLE, drawing.mirror(image, state) if screen is None else drawing.lit(screen, state.message))
    key = cv2.waitKey(1 if state.result is None else RESULT_SHOWN_MS) & 0xFF
    closed = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
    if state.result is None and (key in (ESCAPE, ord("q")) or closed):
        raise KeyboardInterrupt

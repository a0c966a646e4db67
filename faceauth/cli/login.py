"""``faceauth login``: is this the enrolled person, live? Counts attempts; prints verdict and reason, never scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceauth.cli import output
from faceauth.cli.enroll import profile_path
from faceauth.cli.exit_codes import exit_of, exit_table
from faceauth.cli.gallery_options import folder_of, gallery_options, open_gallery
from faceauth.cli.options import chosen_config, pipeline_options
from faceauth.config import with_settings
from faceauth.errors import UsageError
from faceauth.metrics.formatting import readable
from faceauth.pipeline import Pipeline
from faceauth.results import Template
from faceauth.video.camera import is_camera
from faceauth.video.decision import PresentationResult
from faceauth.video.session import PresentationSession
from faceauth.video.watching import follow, open_stream

if TYPE_CHECKING:
    from faceauth.gallery import Gallery
    from faceauth.gallery.attempts import Judged


@click.command("login", short_help="Log an enrolled person in.", epilog=exit_table())
@click.argument("subject")
@click.argument("source", metavar="PHOTO|CAMERA")
@click.option(
    "--client",
    metavar="NAME",
    default="command line",
    show_default=True,
    help="Where the attempt comes from; attempts are counted for each client too.",
)
@click.option(
    "--camera", metavar="NAME", help="Where the image comes from: that camera's profile makes the check stricter."
)
@click.option("--json", "as_json", is_flag=True, help="Print verdict and reason as one JSON object, and nothing else.")
@gallery_options
@pipeline_options
def command(subject: str, source: str, *, client: str, camera: str | None, as_json: bool, **places: Any) -> None:
    """Say whether PHOTO, or CAMERA, shows SUBJECT, live. After five failed attempts there is a wait.

    A CAMERA is one of `faceauth cameras`, by number or name. Exit code 0 lets SUBJECT in, and nothing else does.
    """
    gallery = open_gallery(**places)
    config = chosen_config()
    if camera is not None:
        if config.camera_profile is not None:
            raise UsageError("--camera and --camera-profile both name a profile: leave one out.")
        config = with_settings(config, {"camera_profile": _profile_of(folder_of(gallery), camera)})
    result = _judged(gallery, Pipeline(config), subject, source, client)
    if as_json:
        output.json_line({"accepted": result.accepted, "verdict": result.verdict, "reason": result.reason})
    else:
        output.line(f"{result.verdict.upper()}  {readable(subject)}: {readable(result.message)}")
    click.get_current_context().exit(exit_of(result))


def _judged(gallery: "Gallery", pipeline: Pipeline, subject: str, source: str, client: str) -> "Judged":
    from faceauth.gallery import answer, login, open_session

    if not is_camera(source) and Path(source).is_file():
        return login(gallery, pipeline, subject, source, client=client)
    with open_stream(source) as stream:

        def watched(templates: Sequence[Template]) -> PresentationResult:
            session, said = PresentationSession(pipeline, templates, source=stream.name), ""
            for state in follow(session, stream):
                if state.result is None and state.message != said:
                    said = state.message
                    output.note(said)
            return session.result

        return answer(gallery, open_session(gallery, subject, client), pipeline.model_id, watched)


def _profile_of(folder: Path, camera: str) -> Path:
    path = profile_path(folder, camera)
    if not path.exists():
        raise UsageError(
            f"The camera {camera!r} has no profile yet: enrol people with `faceauth enroll --camera {camera}`, or "
            "leave --camera out."
        )
    return path

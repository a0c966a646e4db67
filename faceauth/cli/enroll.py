"""``faceauth enroll``: photos of one live person, kept as templates under a name."""

import sys
from pathlib import Path
from typing import Any

import click

from faceauth.cli import output
from faceauth.cli.exit_codes import exit_table
from faceauth.cli.gallery_options import folder_of, gallery_options, open_gallery
from faceauth.cli.options import chosen_config, pipeline_options
from faceauth.cli.photos import find_photos
from faceauth.errors import UsageError
from faceauth.metrics.formatting import readable
from faceauth.pipeline import Pipeline

ENOUGH_PHOTOS = 3
"""Fewer templates refuse the person more often, in other light or with glasses. Chosen, not measured."""


@click.command("enroll", short_help="Enrol a person from photos.", epilog=exit_table())
@click.argument("subject")
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@click.option("--consent", metavar="TEXT", help="What the person agreed to, such as a form and its date.")
@click.option("--keep-days", type=click.FloatRange(0, min_open=True), help="Use the templates for this many days only.")
@click.option("--replace", is_flag=True, help="Renew the enrolment of a SUBJECT who is already enrolled.")
@click.option(
    "--camera",
    metavar="NAME",
    help="The photos come from this camera and you watched them being taken: they also feed its profile.",
)
@gallery_options
@pipeline_options
def command(
    subject: str,
    photos: tuple[str, ...],
    *,
    consent: str | None,
    keep_days: float | None,
    replace: bool,
    camera: str | None,
    **places: Any,
) -> None:
    """Keep SUBJECT's face, from each PHOTO that is accepted as live, for `faceauth login`.

    A PHOTO is a file, a folder or a glob. All have to show the same person; up to five templates are kept, encrypted.
    """
    found = find_photos(photos).paths
    pipeline = Pipeline(chosen_config())
    gallery = open_gallery(**places, create=True)
    from faceauth.gallery import add_subject, enroll
    from faceauth.gallery.subjects import checked_name

    for name in (subject, camera):
        if name is not None:
            checked_name(name)
    agreed = consent or _asked_for_consent(subject)
    enrolment = enroll(pipeline, found)
    add_subject(gallery, subject, enrolment, consent=agreed, keep_days=keep_days, replace=replace)
    for one in enrolment.refused:
        output.note(f"{readable(one.source or '')}: not used. {readable(one.message)}")
    output.line(f"{readable(subject)}: enrolled with {len(enrolment.templates)} of {len(found)} photos")
    if len(enrolment.templates) < ENOUGH_PHOTOS:
        output.note(f"Few photos: {ENOUGH_PHOTOS} or more, in different light, let {readable(subject)} in more easily.")
    if camera is not None:
        from faceauth.gallery.cameras import add_levels, write_profile

        noted = add_levels(gallery, camera, enrolment.verifications)
        output.note(f"{noted} images were recorded for the camera {readable(camera)}.")
        try:
            write_profile(gallery, camera, profile_path(folder_of(gallery), camera))
        except UsageError as too_few:
            output.note(str(too_few))


def profile_path(folder: Path, camera: str) -> Path:
    """The profile of ``camera``."""
    return folder / f"camera-{camera.encode().hex()}.json"


def _asked_for_consent(subject: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError("Nobody is enrolled without their consent: say with --consent what the person agreed to.")
    return str(click.prompt(f"What did {readable(subject)} agree to (form, date)?", err=True))

"""``faceauth subjects``: who is enrolled, what is kept about them, and how it is deleted."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceauth.cli import output
from faceauth.cli.exit_codes import Exit
from faceauth.cli.gallery_options import gallery_options, open_gallery
from faceauth.metrics.formatting import readable

if TYPE_CHECKING:
    from faceauth.gallery import Subject


@click.group("subjects", short_help="List, show, export and delete enrolled people.")
def group() -> None:
    """See who is enrolled, and what is kept about them."""


@group.command("list", short_help="List everybody who is enrolled.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per person, each on its own line.")
@gallery_options
def list_all(*, as_json: bool, **places: Any) -> None:
    """List everybody who is enrolled, and the embedders that made their templates."""
    gallery = open_gallery(**places)
    from faceauth.gallery import list_subjects

    for subject in list_subjects(gallery):
        if as_json:
            output.json_line(subject.model_dump(mode="json"))
        else:
            models = ", ".join(f"{count} of {model_id}" for model_id, count in subject.templates.items())
            output.line(f"{readable(subject.name)}  {models or 'no template: has to enrol again'}")


@group.command(short_help="Show what is kept about a person.")
@click.argument("subject")
@gallery_options
def show(subject: str, **places: Any) -> None:
    """Show what is kept about SUBJECT: consent, times, how many templates, failed attempts."""
    gallery = open_gallery(**places)
    from faceauth.cli.summary import facts
    from faceauth.gallery import find_subject

    output.show(facts(_rows(find_subject(gallery, subject))))


@group.command(short_help="Write everything that is kept about a person.")
@click.argument("subject")
@click.option(
    "--out",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The new file to write, for its owner alone.",
)
@gallery_options
def export(subject: str, *, out: Path, **places: Any) -> None:
    """Write everything that is kept about SUBJECT as JSON, for SUBJECT: the templates are unencrypted."""
    gallery = open_gallery(**places)
    from faceauth.gallery import export_subject, find_subject

    find_subject(gallery, subject)
    with output.writing(out):
        descriptor = os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with open(descriptor, "w") as file:
                json.dump(export_subject(gallery, subject), file, indent=1)
        except BaseException:
            out.unlink()  # half an export is of no use, and holds templates
            raise
    output.note(f"{out} holds biometric data: hand it over, then delete it.")


@group.command(short_help="Delete a person for good.")
@click.argument("subject")
@click.option("--yes", is_flag=True, help="Do not ask.")
@gallery_options
def delete(subject: str, *, yes: bool, **places: Any) -> None:
    """Delete SUBJECT and all templates for good. Backups keep them until they are deleted too."""
    gallery = open_gallery(**places)
    from faceauth.gallery import delete_subject, find_subject

    find_subject(gallery, subject)
    if not yes and not click.confirm(f"Delete {readable(subject)} for good?", err=True):
        output.note("Nothing was deleted.")
        click.get_current_context().exit(Exit.USAGE)
    delete_subject(gallery, subject)
    output.line(f"{readable(subject)}: deleted")


@group.command(short_help="Delete everybody whose retention time is over.")
@gallery_options
def purge(**places: Any) -> None:
    """Delete everybody whose templates may no longer be used."""
    gallery = open_gallery(**places)
    from faceauth.gallery import purge_expired

    for name in purge_expired(gallery):
        output.line(f"{readable(name)}: deleted")


@group.command(short_help="Clear a person's failed attempts.")
@click.argument("subject")
@gallery_options
def unlock(subject: str, **places: Any) -> None:
    """Clear the failed attempts of SUBJECT, who has just proved their identity with another factor."""
    gallery = open_gallery(**places)
    from faceauth.gallery import reset_attempts

    reset_attempts(gallery, subject)
    output.line(f"{readable(subject)}: unlocked")


@group.command("accept-restored", short_help="Bring a restored backup up to date.")
@gallery_options
def accept_backup(**places: Any) -> None:
    """Repeat what the audit log says happened after a backup that was restored.

    Failed attempts count again, deleted people are deleted again, and replaced templates are deleted.
    """
    gallery = open_gallery(**places)
    from faceauth.gallery import accept_restored

    done = accept_restored(gallery)
    for name in done.deleted:
        output.line(f"{readable(name)}: deleted again")
    for name in done.enrol_again:
        output.line(f"{readable(name)}: has to enrol again")
    if not done.log_is_whole:
        output.note(
            "The audit log does not reach back to the backup: everybody needs another factor and `faceauth subjects "
            "unlock` first. People who were deleted may be back: look through `faceauth subjects list`."
        )


def _rows(subject: "Subject") -> list[tuple[str, str]]:
    models = ", ".join(f"{count} of {model_id}" for model_id, count in subject.templates.items())
    return [
        ("name", readable(subject.name)),
        ("enrolled", f"{subject.enrolled:%Y-%m-%d %H:%M} UTC"),
        ("consent", f"{readable(subject.consent)} ({subject.consented:%Y-%m-%d})"),
        ("kept until", "no end" if subject.keep_until is None else f"{subject.keep_until:%Y-%m-%d %H:%M} UTC"),
        ("templates", models or "none: has to enrol again"),
        ("failed attempts", str(subject.failures)),
    ]

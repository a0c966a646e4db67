"""Photos in, a verdict on each out: for people, or as JSON lines; the exit code says the same.

Judges nothing itself: that is :meth:`faceauth.Pipeline.verify_many`.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from faceauth.cli import drawing, output
from faceauth.cli.exit_codes import exit_of, exit_of_all, exit_table
from faceauth.cli.options import chosen_config, pipeline_options
from faceauth.cli.photos import drawn_paths, find_photos
from faceauth.errors import ImageError
from faceauth.imaging.decoding import load_image
from faceauth.imaging.limits import ImageLimits
from faceauth.pipeline import Pipeline
from faceauth.results import Verification

DRAWN = b"drawn by faceauth verify"
"""Stands behind the image in every file that is drawn: decoders read no further than the image."""


@click.command(short_help="Is this a live person, and the right one?", epilog=exit_table())
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@click.option(
    "--reference",
    metavar="PHOTO",
    type=click.Path(exists=True, dir_okay=False),
    help="Picture of the person it has to be; a face that is not accepted as live is never matched.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a photo and line on stdout, nothing else.")
@click.option(
    "--draw",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Write the photo with face box, landmarks and verdict: a file for one photo, a folder for several.",
)
@pipeline_options
def verify(photos: tuple[str, ...], *, reference: str | None, as_json: bool, draw: Path | None) -> None:
    """Say whether each PHOTO shows a live person and, with --reference, the right one.

    A PHOTO is a file, a folder (the pictures in it and in its subfolders), or a glob such as 'in/**/*.jpg'.
    """
    config = chosen_config()
    found = find_photos(photos)
    kept = [] if reference is None else [Path(reference)]
    drawn = {} if draw is None else drawn_paths(found, draw, keep=kept)
    for target in drawn.values():
        output.check_writable(target, DRAWN)
    pipeline = Pipeline(config)
    results = pipeline.verify_many(found) if reference is None else pipeline.verify_many(found, reference)
    codes = []
    with output.progress("Verifying", len(found)) as advance:
        for photo, result in zip(found, _shown(results, as_json=as_json, single=len(found) == 1), strict=True):
            if photo in drawn:
                _draw(photo, drawn[photo], result, config.limits)
            codes.append(exit_of(result))
            advance(len(codes))
    click.get_current_context().exit(exit_of_all(codes))


def _shown(results: Iterator[Verification], *, as_json: bool, single: bool) -> Iterator[Verification]:
    """The results as they come, each after it was shown; at the end the summary of several."""
    if as_json:
        for result in results:
            output.line(_json(result))
            yield result
        return
    from faceauth.cli import summary

    tally = summary.Tally()
    for result in results:
        if single:
            output.show(summary.headline(result))
            output.show(summary.details(result))
        else:
            output.show_line(summary.one_line(result))
            if result.liveness is None or result.failed is not None:
                output.show(summary.explanation(result))
        tally.add(result)
        yield result
    if not single:
        output.line("")
        output.show(summary.totals(tally))


def _json(result: Verification) -> str:
    """One line of JSON. It is UTF-8, which a file name need not be: other bytes of a name are written as escapes."""
    if result.source is not None:
        source = result.source.encode("utf-8", "backslashreplace").decode("utf-8")
        result = result.model_copy(update={"source": source})
    return result.model_dump_json()


def _draw(photo: Path, target: Path, result: Verification, limits: ImageLimits) -> None:
    import cv2

    try:
        image = load_image(photo, limits)
    except ImageError:  # the result says so already, and there is nothing to draw on
        return
    _, content = cv2.imencode(target.suffix, drawing.draw(image, result))
    output.write(target, content.tobytes() + DRAWN, mark=DRAWN)

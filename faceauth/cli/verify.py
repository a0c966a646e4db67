"""``faceauth verify``: a verdict on each photo, for people or as JSON lines; the exit code says the same."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from faceauth.cli import drawing, output
from faceauth.cli.exit_codes import exit_of, exit_of_all, exit_table
from faceauth.cli.options import chosen_config, pipeline_options, reference_option
from faceauth.cli.photos import STDIN, Photos, drawn_paths, find_photos
from faceauth.errors import UsageError
from faceauth.imaging.decoding import ImageSource
from faceauth.metrics.formatting import readable
from faceauth.pipeline import Pipeline
from faceauth.results import Verification
from faceauth.stages import Image

DRAWN = b"drawn by faceauth verify"
"""Stands behind the image in every file that is drawn: decoders read no further than the image."""

NAMED_SKIPPED = 3
"""Skipped files that are named without --verbose."""


@click.command("verify", short_help="Is this a live person, and the right person?", epilog=exit_table())
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@reference_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per photo, each on its own line, and nothing else."
)
@click.option(
    "--draw",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Write the photo with all faces and the verdict drawn on it: a file for one photo, a folder for several.",
)
@click.option(
    "--explain", is_flag=True, help="Add the measurements behind the thresholds, the face, the backends and the time."
)
@click.option("-q", "--quiet", is_flag=True, help="Print no results; only the exit code tells the verdict.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Name every file that is skipped, and show the traceback of a failed stage."
)
@pipeline_options
def command(
    photos: tuple[str, ...],
    *,
    reference: str | None,
    as_json: bool,
    draw: Path | None,
    explain: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Say whether each PHOTO shows a live person and, with --reference, the right person.

    A PHOTO is a file, a folder (the images in it and in its subfolders), a glob such as 'in/**/*.jpg', or - for one
    photo from standard input.
    """
    if quiet and (as_json or explain):
        raise UsageError("--quiet prints no results: leave out --json and --explain, or --quiet.")
    if as_json and explain:
        raise UsageError("--json always holds everything: leave out --explain.")
    config = chosen_config()
    found = _photos(photos)
    targets = {} if draw is None else drawn_paths(found.paths, draw, keep=[Path(reference)] if reference else [])
    for target in targets.values():
        output.check_writable(target, DRAWN)
    if verbose:
        output.show_library_errors()
    if found.skipped and (verbose or not quiet):
        output.note(_skipped(found.skipped, every=verbose))

    pipeline = Pipeline(config)
    judged: list[Image] = []
    on_judged = (lambda image, _: judged.append(image)) if targets else None
    images = _images(found, photos, max_bytes=config.limits.max_bytes)
    if reference is None:
        results = pipeline.verify_many(images, on_judged=on_judged)
    else:
        results = pipeline.verify_many(images, reference, on_judged=on_judged)
    if as_json:
        results = _as_json(results)
    elif not quiet and len(images) == 1:
        results = _in_full(results, explain=explain)
    elif not quiet:
        results = _as_list(results, matching=reference is not None, explain=explain)
    codes = []
    with output.progress("Verifying", len(images)) as advance:
        for photo, result in zip(found.paths, results, strict=True):
            if judged:
                drawn = drawing.encoded(drawing.draw(judged.pop(), result), targets[photo].suffix)
                output.write(targets[photo], drawn + DRAWN, mark=DRAWN)
            codes.append(exit_of(result))
            advance(len(codes))
    click.get_current_context().exit(exit_of_all(codes))


def _photos(arguments: tuple[str, ...]) -> Photos:
    if STDIN not in arguments:
        return find_photos(arguments)
    if len(arguments) > 1:
        raise UsageError("- is one photo from standard input: verify it alone. For a file named -, write ./-")
    return Photos((Path(STDIN),))


def _images(found: Photos, arguments: tuple[str, ...], *, max_bytes: int) -> Sequence[ImageSource]:
    """The paths, or what comes in on stdin, however slowly: one byte too many is enough to refuse it."""
    return [sys.stdin.buffer.read(max_bytes + 1)] if arguments == (STDIN,) else found.paths


def _skipped(paths: Sequence[Path], *, every: bool) -> str:
    shown = paths if every else paths[:NAMED_SKIPPED]
    names = ", ".join(readable(str(path)) for path in shown)
    more = "" if len(shown) == len(paths) else f" and {len(paths) - len(shown)} more (--verbose lists them all)"
    return f"Skipped files without an image suffix: {names}{more}"


def _as_json(results: Iterator[Verification]) -> Iterator[Verification]:
    """The results as they come, like those below: each is handed on after it was shown."""
    for result in results:
        output.json_line(result.model_dump())
        yield result


def _in_full(results: Iterator[Verification], *, explain: bool) -> Iterator[Verification]:
    from faceauth.cli import summary

    for result in results:
        output.show(summary.headline(result))
        output.show(summary.scores(result))
        for sentence in summary.expected_errors(result.thresholds):
            output.show(sentence)
        if explain:
            output.show(summary.explanation(result))
        yield result


def _as_list(results: Iterator[Verification], *, matching: bool, explain: bool) -> Iterator[Verification]:
    from faceauth.cli import summary

    tally = summary.Tally()
    for result in results:
        if not tally.verdicts:
            output.show_line(summary.list_header(matching=matching))
        output.show_line(summary.list_line(result, matching=matching))
        if result.liveness is None or result.failed is not None:
            output.show(summary.list_message(result))
        tally.add(result)
        yield result
    output.line("")
    output.show(summary.totals(tally))
    for sentence in summary.expected_errors(tally.thresholds):
        output.show(sentence)
    if explain:
        output.show(summary.totals_explanation(tally))

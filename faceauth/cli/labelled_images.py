"""The labelled images that ``evaluate`` and ``calibrate`` take: a manifest, or two folders."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from faceauth.backends.loading import options_of
from faceauth.backends.registry import load_backend
from faceauth.cli import output
from faceauth.cli.options import refuse_given
from faceauth.config import PipelineConfig
from faceauth.errors import UsageError

if TYPE_CHECKING:
    from faceauth.evaluation.records import Record

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_FOLDER = click.Path(file_okay=False, path_type=Path)


@dataclass(frozen=True)
class LabelledImages:
    """Where the labelled images are: ``manifest``, or ``live`` and ``attacks``."""

    manifest: Path | None
    live: Path | None
    attacks: Path | None
    splits: tuple[str, ...]

    def records(self) -> "list[Record]":
        """The records of the manifest, or one for each image of the folders.

        Raises:
            UsageError: both or neither are named, or they cannot be read.
        """
        from faceauth.evaluation.records import read_manifest, records_of_folders

        if (self.manifest is None) == (self.live is None and self.attacks is None):
            raise UsageError("Name either a manifest, or a folder with --live, with --attacks or with both.")
        if self.manifest is not None:
            return read_manifest(self.manifest, splits=self.splits or None)
        if self.splits:
            raise UsageError("--split chooses from a manifest: folders have no splits.")
        return records_of_folders(self.live, self.attacks)

    def name(self) -> str:
        """What a report calls them."""
        if self.manifest is not None:
            return " ".join((self.manifest.name, *self.splits))
        return " and ".join(folder.resolve().name for folder in (self.live, self.attacks) if folder is not None)


def labelled_images_options(command: CommandT) -> CommandT:
    """Adds the argument ``manifest`` and the options ``live``, ``attacks`` and ``splits``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.argument("manifest", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option("--live", metavar="DIR", type=_FOLDER, help="Folder of images of live people, instead of MANIFEST."),
    click.option(
        "--attacks",
        metavar="DIR",
        type=_FOLDER,
        help="Folder of attacks, instead of MANIFEST; its subfolders are named after species (print, replay, ...).",
    ),
    click.option(
        "--split",
        "splits",
        metavar="NAME",
        multiple=True,
        help="Only this split of MANIFEST, such as test; may be repeated. [default: all]",
    ),
)


def boxed_records(records: "list[Record]", config: PipelineConfig) -> "list[Record]":
    """The records with the boxes that the detector finds where they bring none; None stays where no face is found.

    Raises:
        UsageError: a detector is named although every record brings its box, or no face is found in any image.
        FaceAuthError: the detector or an image cannot be used.
    """
    from faceauth.evaluation.scoring import with_detected_boxes

    if all(record.box_xyxy is not None for record in records):
        refuse_given("detector", why="every record brings its face box")
        return records
    options = options_of(config, config.detector)
    detector = load_backend("detection", config.detector, allowed=config.allowed_plugins, options=options).backend
    with output.progress("Finding faces", len(records)) as advance:
        boxed = with_detected_boxes(records, detector, config=config, progress=lambda done, _: advance(done))
    if all(record.box_xyxy is None for record in boxed):
        raise UsageError(f"{config.detector} found no face in any of {len(boxed)} images: nothing can be measured.")
    return boxed

"""What several commands share: kinds of paths, the options that name collections, and a progress bar."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from training.train.recipe import Precision

if TYPE_CHECKING:
    from training.data.manifests import Record

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)

TERMS_HELP = (
    "TOML: version, licence, origin, use, method, findings and, as training, the data of the weights; "
    "training/release/terms.toml is an example."
)


class Bar:
    """A progress bar a stage on stderr, with the time left; for a ``with`` block."""

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._stages: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show ``done`` of ``total``."""
        if stage not in self._stages:
            self._stages[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._stages[stage], completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


with_precision = click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    help="Of the arithmetic: 32-true where the processor has no bfloat16 (no avx512_bf16 among the flags of Linux), as "
    "mixed bfloat16 takes four times as long there. [default: the recipe's, bf16-mixed unless it says another]",
)

with_scale = click.option(
    "--scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Multiply the number of views by this: 0.01 tries every step in minutes.",
)


def with_sources(command: Callable[..., None]) -> Callable[..., None]:
    """The options that name labelled collections."""
    for option in (
        click.option(
            "--layout",
            "layouts",
            multiple=True,
            metavar="NAME=DIR",
            help="A standard collection as published, named by its layout: casia-fasd, celeba-spoof, folders "
            "(real/ and spoof/), lcc-fasd, msu-mfsd, nuaa, oulu-npu or replay-attack. May be repeated.",
        ),
        click.option("--manifest", "manifests", multiple=True, type=FILE, help="A manifest.csv. May be repeated."),
    ):
        command = option(command)
    return command


def records_of(manifests: Sequence[Path], layouts: Sequence[str], splits: Sequence[str]) -> "list[Record]":
    """Records of all collections named, of ``splits``."""
    from training.data.manifests import records_of_splits
    from training.data.readers import read_layout

    if not manifests and not layouts:
        raise click.UsageError("Name data with --manifest or --layout.")
    records = [record for manifest in manifests for record in records_of_splits(manifest, splits)]
    for layout in layouts:
        name, _, folder = layout.partition("=")
        records += [record for record in read_layout(name, Path(folder)) if record.split in splits]
    return records

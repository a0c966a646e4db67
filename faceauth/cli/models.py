"""The weight store in, one entry a file out: what it is, what its terms allow, and whether it is the pinned file."""

import os

import click

from faceauth.cli import output
from faceauth.errors import UsageError, WeightsError
from faceauth.metrics.formatting import readable
from faceauth.weights.store import Weights, pinned_weights

FOLDER_VARIABLE = "FACEAUTH_WEIGHTS"
"""Names a folder of weights of one's own."""


@click.group(short_help="List the weight files, check their digests.")
def models() -> None:
    """See which weight files faceauth uses, under which terms, and check their digests."""


@models.command("list", short_help="List every weight file and its terms.")
def list_models() -> None:
    """List every weight file in use with its size, digest, licence, and what it may be used for."""
    from rich.text import Text

    from faceauth.cli.summary import facts

    weights, trouble = every_file()
    for file in weights:
        output.show_line(Text(readable(file.name), style="bold"))
        rows = [
            ("  size", f"{file.size:,} bytes"),
            ("  sha256", file.sha256),
            ("  licence", file.licence),
            ("  use", file.use),
            ("  origin", file.origin),
            ("  path", str(file.path)),
        ]
        output.show(facts([(name, readable(value)) for name, value in rows]))
    output.note(
        f"Files of your own: name a folder with a manifest in {FOLDER_VARIABLE}. Models that a plugin or insightface "
        "reads are not listed here; `faceauth plugins check NAME` shows their digests and terms."
    )
    if trouble is not None:
        raise trouble


@models.command("verify", short_help="Compare weight files with their digests.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def verify_models(names: tuple[str, ...]) -> None:
    """Read every weight file, or those with a NAME, and compare it with its pinned size and digest."""
    weights, trouble = every_file()
    if names and set(names) <= {file.name for file in weights}:
        trouble = None  # what stopped the listing concerns other files
    unknown = set(names) - {file.name for file in weights}
    if unknown and trouble is None:
        known = ", ".join(file.name for file in weights)
        raise UsageError(f"There is no weight file {', '.join(sorted(unknown))}; there are: {known}.")
    for file in weights:
        if not names or file.name in names:
            trouble = _verify(file) or trouble
    if trouble is not None:
        raise trouble


def every_file() -> tuple[list[Weights], WeightsError | None]:
    """Every weight file that can be listed, and what stopped the listing."""
    found: list[Weights] = []
    try:
        for file in pinned_weights(os.environ.get(FOLDER_VARIABLE) or None):
            found.append(file)
    except WeightsError as error:
        return found, error
    return found, None


def _verify(file: Weights) -> WeightsError | None:
    from rich.text import Text

    try:
        file.read()
    except WeightsError as error:
        output.show_line(Text.assemble(("broken  ", "bold red"), readable(file.name)))
        return error
    facts = f"{readable(file.name)}  {file.size:,} bytes  sha256 {file.sha256}"
    output.show_line(Text.assemble(("ok      ", "green"), facts))
    return None

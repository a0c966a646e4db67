"""``faceauth models``: every weight file, what its terms allow, and whether it is the pinned file."""

from dataclasses import asdict

import click

from faceauth.cli import output
from faceauth.config import load_config
from faceauth.errors import UsageError, WeightsError
from faceauth.metrics.formatting import readable
from faceauth.weights.store import Weights, pinned_weights


@click.group("models", short_help="List weight files and check their digests.")
def group() -> None:
    """See which weight files faceauth uses, under which terms, and check their digests."""


@group.command("list", short_help="List every weight file and its terms.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per file, each on its own line, and nothing else."
)
def list_files(*, as_json: bool) -> None:
    """List every weight file in use with its size, digest, licence, and what it may be used for."""
    files, trouble = every_file()
    for file in files:
        if as_json:
            output.json_line(_facts(file))
        else:
            _show(file)
    if not as_json:
        output.note(
            "For files of your own, name a folder with a manifest in FACEAUTH_WEIGHTS or in the setting `weights`. "
            "Models of plugins and of insightface are not listed: see `faceauth plugins check NAME`."
        )
    if trouble is not None:
        raise trouble


@group.command("verify", short_help="Compare weight files with their digests.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per file, each on its own line, and nothing else."
)
def verify_files(names: tuple[str, ...], *, as_json: bool) -> None:
    """Read every weight file, or only those named, and compare it with its pinned size and digest."""
    files, trouble = every_file()
    known = {file.name for file in files}
    if names and set(names) <= known:
        trouble = None  # what stopped the listing concerns other files
    unknown = set(names) - known
    if unknown and trouble is None:
        raise UsageError(
            f"There is no weight file {', '.join(sorted(unknown))}; there are: {', '.join(sorted(known))}."
        )
    for file in files:
        if not names or file.name in names:
            broken = _broken(file)
            if as_json:
                output.json_line(_facts(file) | {"works": broken is None, "message": str(broken or "")})
            else:
                _show_check(file, works=broken is None)
            trouble = broken or trouble
    if trouble is not None:
        raise trouble


def every_file() -> tuple[list[Weights], WeightsError | None]:
    """Every weight file of the configuration in force that can be listed, and what stopped the listing."""
    found: list[Weights] = []
    try:
        for file in pinned_weights(load_config().weights):
            found.append(file)
    except WeightsError as error:
        return found, error
    return found, None


def _facts(file: Weights) -> dict[str, object]:
    return asdict(file) | {"path": str(file.path)}


def _show(file: Weights) -> None:
    from rich.text import Text

    from faceauth.cli.summary import facts

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


def _broken(file: Weights) -> WeightsError | None:
    try:
        file.read()
    except WeightsError as error:
        return error
    return None


def _show_check(file: Weights, *, works: bool) -> None:
    from rich.text import Text

    if works:
        facts = f"{readable(file.name)}  {file.size:,} bytes  sha256 {file.sha256}"
        output.show_line(Text.assemble(("ok      ", "green"), facts))
    else:
        output.show_line(Text.assemble(("broken  ", "bold red"), readable(file.name)))

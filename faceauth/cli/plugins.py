"""The names of installed backends in, what is known of each out: by metadata alone, or after trying it out."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from faceauth.backends.attributes import STAGES, BackendStage
from faceauth.backends.registry import AUTOLOAD_SWITCH, LoadedBackend, list_backends, load_backend
from faceauth.cli import output
from faceauth.cli.exit_codes import Exit
from faceauth.cli.options import INSIGHTFACE, settings
from faceauth.config import load_config
from faceauth.errors import BackendNotFound
from faceauth.metrics.formatting import readable

if TYPE_CHECKING:
    from faceauth.backends.conformance import Finding


@click.group(short_help="List the installed backends, try one out.")
def plugins() -> None:
    """See which backends are installed, and try one out."""


@plugins.command("list", short_help="List every installed backend.")
def list_plugins() -> None:
    """List every backend from the metadata of what is installed; no code of a plugin is run."""
    from rich.table import Table

    entries = list_backends()
    times = Counter((entry.stage, entry.name) for entry in entries)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("stage", "name", "distribution", "class"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        name = entry.name + (" (registered twice)" if times[entry.stage, entry.name] > 1 else "")
        origin = f"{entry.distribution} {entry.version}"
        table.add_row(entry.stage, *map(readable, (name, origin, entry.value)))
    output.show(table)
    output.note(f"scrfd and arcface: {INSIGHTFACE} A model of your own has your own terms.")
    if not all(entry.builtin for entry in entries):
        output.note(f"A plugin's code has all rights of the process that loads it; {AUTOLOAD_SWITCH}=1 keeps it out.")


@plugins.command(short_help="Load a backend and check its contract.")
@click.argument("name")
@click.option("--stage", type=click.Choice(STAGES), help="Only the backend of this stage. [default: all of that NAME]")
@click.option(
    "--option",
    "options",
    metavar="KEY=VALUE",
    multiple=True,
    help="Argument of the backend's constructor, such as weights_dir=models; may be repeated.",
)
def check(name: str, *, stage: str | None, options: tuple[str, ...]) -> None:
    """Load the backend NAME and run the conformance checks of its stage; exit code 4 where it breaks one.

    This runs the plugin's code. Whether its answers are right is another question: see `faceauth evaluate`.
    """
    chosen = [entry for entry in list_backends() if entry.name == name and stage in (None, entry.stage)]
    if not chosen:
        installed = tuple(sorted({entry.name for entry in list_backends()}))
        message = f"No backend {name!r}. Installed: {', '.join(installed) or 'none'}."
        raise BackendNotFound(message, name=name, installed=installed)
    stages = dict.fromkeys(entry.stage for entry in chosen)
    findings = [finding for one in stages for finding in _check(one, name, settings(options))]
    if not all(finding.passed for finding in findings):
        click.get_current_context().exit(Exit.BROKEN)


def _check(stage: BackendStage, name: str, options: dict[str, Any]) -> "list[Finding]":
    """What the rules of the stage found, already shown."""
    from faceauth.backends import conformance
    from faceauth.cli.selftest import portrait

    allowed = load_config().allowed_plugins
    if stage == "detection":
        detector = load_backend("detection", name, allowed=allowed, options=options)
        findings = conformance.check_detector(detector.backend, portrait=portrait())
        _show(detector, findings)
    elif stage == "liveness":
        liveness = load_backend("liveness", name, allowed=allowed, options=options)
        findings = conformance.check_liveness_backend(liveness.backend)
        _show(liveness, findings)
    else:
        embedder = load_backend("embedding", name, allowed=allowed, options=options)
        findings = conformance.check_embedder(embedder.backend)
        _show(embedder, findings)
    return findings


def _show(loaded: LoadedBackend[Any], findings: "list[Finding]") -> None:
    from rich.text import Text

    origin = loaded.provenance
    title = f"{origin.stage} backend {origin.name} of {origin.distribution} {origin.version}"
    output.show_line(Text(readable(title), style="bold"))
    for file, digest in origin.weights_sha256.items():
        output.show_line(Text(f"  {readable(file)}  sha256 {digest}", style="dim"))
    for finding in findings:
        mark = ("  ok      ", "green") if finding.passed else ("  broken  ", "bold red")
        detail = f": {readable(finding.detail)}" if finding.detail else ""
        output.show_line(Text.assemble(mark, finding.rule, detail))
    notice = getattr(loaded.backend, "licence_notice", None)
    if isinstance(notice, str):
        output.note(readable(notice))

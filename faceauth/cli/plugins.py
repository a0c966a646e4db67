"""``faceauth plugins``: which backends are installed, from metadata alone, and whether one keeps its contract."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from faceauth.backends.attributes import STAGES, BackendStage
from faceauth.backends.loading import options_of
from faceauth.backends.registry import AUTOLOAD_SWITCH, BackendEntry, LoadedBackend, list_backends, load_backend
from faceauth.cli import output
from faceauth.cli.exit_codes import Exit
from faceauth.cli.options import INSIGHTFACE, settings
from faceauth.config import load_config
from faceauth.errors import BackendNotFound
from faceauth.metrics.formatting import readable

if TYPE_CHECKING:
    from faceauth.backends.conformance import Finding
    from faceauth.stages import Challenge


@click.group("plugins", short_help="List the installed backends, or check one.")
def group() -> None:
    """See which backends are installed, and try one out."""


@group.command("list", short_help="List every installed backend.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per backend, each on its own line, and nothing else."
)
def list_installed(*, as_json: bool) -> None:
    """List every backend, from installed metadata alone; no plugin code is run."""
    entries = list_backends()
    if as_json:
        for entry in entries:
            output.json_line(asdict(entry))
        return
    _show_entries(entries)
    output.note(f"scrfd and arcface: {INSIGHTFACE} A model of your own has your own terms.")
    if not all(entry.builtin for entry in entries):
        output.note(f"A plugin's code has all the rights of the process; {AUTOLOAD_SWITCH}=1 keeps plugins out.")


@group.command(short_help="Load a backend and check its contract.")
@click.argument("name")
@click.option("--stage", type=click.Choice(STAGES), help="Only the backend of this stage. [default: all of that NAME]")
@click.option(
    "--option",
    "options",
    metavar="KEY=VALUE",
    multiple=True,
    help="Argument of the backend's constructor, such as weights_dir=models; may be repeated.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per stage, each on its own line, and nothing else."
)
def check(name: str, *, stage: str | None, options: tuple[str, ...], as_json: bool) -> None:
    """Load the backend NAME and run the conformance checks of its stage; exit code 4 if it breaks one.

    The configuration in force, which the environment's FACEAUTH_... variables set, gives it options and weights. This
    runs the plugin's code. Whether its answers are right is another question: see `faceauth evaluate`.
    """
    entries = list_backends()
    chosen = [entry for entry in entries if entry.name == name and stage in (None, entry.stage)]
    if not chosen:
        installed = tuple(sorted({entry.name for entry in entries}))
        raise BackendNotFound(
            f"No backend {name!r}. Installed: {', '.join(installed)}.", name=name, installed=installed
        )
    config, works = load_config(), True
    for one in dict.fromkeys(entry.stage for entry in chosen):
        given = {**options_of(config, name), **settings(options)}
        loaded, findings = _check(one, name, config.allowed_plugins, given)
        works = works and all(finding.passed for finding in findings)
        if as_json:
            facts = loaded.provenance.model_dump()
            output.json_line(facts | {"findings": [asdict(finding) for finding in findings]})
        else:
            _show(loaded, findings)
    if not works:
        click.get_current_context().exit(Exit.BROKEN)


def _check(
    stage: BackendStage, name: str, allowed: Collection[str] | None, options: dict[str, Any]
) -> "tuple[LoadedBackend[Any], list[Finding]]":
    from faceauth.backends import conformance
    from faceauth.cli.selftest import portrait

    if stage == "detection":
        detector = load_backend("detection", name, allowed=allowed, options=options)
        return detector, conformance.check_detector(detector.backend, portrait=portrait())
    if stage == "liveness":
        liveness = load_backend("liveness", name, allowed=allowed, options=options)
        return liveness, conformance.check_liveness_backend(liveness.backend)
    if stage == "challenge":
        from faceauth.challenge.challenge_testing import check_challenge

        challenge = load_backend("challenge", name, allowed=allowed, options=options)

        def make() -> "Challenge":
            return load_backend("challenge", name, allowed=allowed, options=options).backend

        return challenge, check_challenge(make)
    embedder = load_backend("embedding", name, allowed=allowed, options=options)
    return embedder, conformance.check_embedder(embedder.backend)


def _show_entries(entries: list[BackendEntry]) -> None:
    from rich.table import Table

    times = Counter((entry.stage, entry.name) for entry in entries)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("stage", "name", "distribution", "class"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        name = entry.name + (" (registered twice)" if times[entry.stage, entry.name] > 1 else "")
        origin = f"{entry.distribution} {entry.version}"
        table.add_row(entry.stage, *map(readable, (name, origin, entry.value)))
    output.show(table)


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

"""``faceauth doctor``: what of this installation works. Needs no photo and no network connection."""

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import click

from faceauth.backends.registry import AUTOLOAD_SWITCH
from faceauth.cli import output
from faceauth.cli.exit_codes import Exit
from faceauth.config import load_config
from faceauth.errors import CameraLost, UsageError
from faceauth.metrics.formatting import readable
from faceauth.settings.environment import PREFIX
from faceauth.settings.fields import Settings

PACKAGES = ("faceauth", "numpy", "opencv-python", "onnxruntime", "pydantic", "pydantic-settings", "click", "rich")
OPTIONAL_PACKAGES = ("insightface", "jinja2", "matplotlib", "scipy")
OTHER_OPENCVS = ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
"""They write into the same folder as opencv-python: what the last one installed wins, and removing one breaks both."""

NOT_SHOWN = "set; not shown, since it may be a secret"


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``works`` is None for a plain fact."""

    section: str
    name: str
    found: str
    works: bool | None = None


@click.command("doctor", short_help="Check this installation.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per finding, each on its own line, and nothing else."
)
@click.option("--camera", metavar="DEVICE", help="Open this camera as well, and measure what it delivers.")
def command(*, as_json: bool, camera: str | None) -> None:
    """Check this installation: versions, providers, weight files, and a run of every network on a drawn face.

    Checks the backends of the configuration in force, which the environment's FACEAUTH_... variables set; exit code 4
    if something does not work.
    """
    section, works = "", True
    for finding in _findings(camera):
        works = works and finding.works is not False
        if as_json:
            output.json_line(asdict(finding))
            continue
        if finding.section != section:
            _show_title(finding.section)
            section = finding.section
        _show(finding)
    if not works:
        output.error("Something does not work: see the lines marked broken.")
        click.get_current_context().exit(Exit.BROKEN)
    if not as_json:
        output.line("Everything works.")


def _findings(camera: str | None) -> Iterator[Finding]:
    yield from _versions()
    yield from _environment()
    yield from _providers()
    yield from _weights()
    yield from _self_test()
    if camera is not None:
        yield _camera(camera)


def _versions() -> Iterator[Finding]:
    section = "Versions"
    system = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    yield Finding(section, "python", system)
    for name in PACKAGES:
        found = _version(name)
        yield Finding(section, name, found or "not installed", works=found is not None)
    for name in OPTIONAL_PACKAGES:
        yield Finding(section, name, _version(name) or "not installed; optional")
    for name in OTHER_OPENCVS:
        if _version(name) is not None:
            cure = "uninstall it, then run `pip install --force-reinstall opencv-python`"
            yield Finding(section, name, f"clashes with opencv-python: {cure}", works=False)


def _environment() -> Iterator[Finding]:
    for name in sorted(os.environ):
        if name.startswith(PREFIX):
            yield Finding("Environment", name, os.environ[name] if _may_be_shown(name) else NOT_SHOWN)


def _may_be_shown(variable: str) -> bool:
    """Settings are no secrets, except perhaps the options of a plugin; the master key and a database's URL are."""
    setting = variable.removeprefix(PREFIX).lower().split("__")[0]
    return variable == AUTOLOAD_SWITCH or (setting in Settings.model_fields and setting != "options")


def _providers() -> Iterator[Finding]:
    section = "onnxruntime providers"
    try:
        import onnxruntime
    except ImportError as error:
        yield Finding(section, "onnxruntime", f"cannot be imported: {error}", works=False)
        return
    for name in onnxruntime.get_available_providers():
        yield Finding(section, "", name)


def _weights() -> Iterator[Finding]:
    from faceauth.cli.models import every_file
    from faceauth.errors import WeightsError

    section = "Weight files"
    files, trouble = every_file()
    for file in files:
        try:
            file.read()
        except WeightsError as error:
            yield Finding(section, file.name, str(error), works=False)
        else:
            facts = f"{file.size:,} bytes, sha256 {file.sha256[:12]}..., {file.licence}, as pinned"
            yield Finding(section, file.name, facts, works=True)
    if trouble is not None:
        yield Finding(section, trouble.path.name, str(trouble), works=False)


def _self_test() -> Iterator[Finding]:
    from faceauth.cli import selftest

    for outcome in selftest.run(load_config()):
        yield Finding("Self-test on a drawn face", outcome.stage, outcome.said, works=outcome.error is None)


def _camera(device: str) -> Finding:
    from faceauth.video.camera import deliver, open_camera

    section, name = "Camera", f"camera {device}"
    try:
        with open_camera(device) as camera:
            found = deliver(camera)
    except (CameraLost, UsageError) as error:
        return Finding(section, name, str(error), works=False)
    width, height = found.size_wh
    facts = f"{width} x {height} px, {found.frames_per_s:.1f} frames a second, longest gap {found.longest_gap_s:.3f} s"
    if found.repeated:
        return Finding(section, name, f"{facts}; {found.repeated} were repeated, which `faceauth watch` refuses", False)
    return Finding(section, name, facts, works=True)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _show_title(text: str) -> None:
    from rich.text import Text

    output.show(Text(text, style="bold"))


def _show(finding: Finding) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    mark, style = {None: ("", ""), True: ("ok", "green"), False: ("broken", "bold red")}[finding.works]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=6)
    table.add_column(min_width=18)
    table.add_column(overflow="fold")
    table.add_row(Text(mark, style=style), Text(readable(finding.name), style="dim"), readable(finding.found))
    output.show(Padding(table, (0, 0, 0, 1)))

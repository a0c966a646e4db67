"""This installation in, what of it works out: versions, providers, weights, and every network run once.

Needs no photo and no network connection.
"""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import click

from faceauth.cli import output
from faceauth.cli.exit_codes import Exit
from faceauth.config import load_config
from faceauth.metrics.formatting import readable
from faceauth.settings.environment import PREFIX

PACKAGES = ("faceauth", "numpy", "opencv-python", "onnxruntime", "pydantic", "click", "rich")
OPTIONAL_PACKAGES = ("insightface", "jinja2", "matplotlib", "scipy")
OTHER_OPENCVS = ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
"""They write into the same folder as opencv-python: what the last one installed wins, and removing one breaks both."""


@click.command(short_help="Check this installation.")
def doctor() -> None:
    """Check this installation: versions, providers, weight files, and a run of every network on a drawn face.

    Checks the backends of the configuration in force (the environment's FACEAUTH_... settings included); exit code 4
    where something does not work.
    """
    works = [_versions(), _providers(), _weights(), _self_test()]
    if not all(works):
        output.error("Something does not work: see the lines marked broken.")
        click.get_current_context().exit(Exit.BROKEN)
    output.line("Everything works.")


def _versions() -> bool:
    _title("Versions")
    _report("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}")
    found = {name: _version(name) for name in (*PACKAGES, *OPTIONAL_PACKAGES, *OTHER_OPENCVS)}
    for name in PACKAGES:
        _report(name, found[name] or "not installed", works=found[name] is not None)
    for name in OPTIONAL_PACKAGES:
        _report(name, found[name] or "not installed; optional")
    others = [name for name in OTHER_OPENCVS if found[name] is not None]
    for name in others:
        _report(
            name,
            "clashes with opencv-python: uninstall it, then `pip install --force-reinstall opencv-python`",
            works=False,
        )
    variables = [name for name in sorted(os.environ) if name.startswith(PREFIX)]
    if variables:
        _report("environment", ", ".join(f"{name}={os.environ[name]}" for name in variables))
    return not others and all(found[name] is not None for name in PACKAGES)


def _providers() -> bool:
    _title("onnxruntime providers")
    try:
        import onnxruntime
    except ImportError as error:
        _report("onnxruntime", f"cannot be imported: {error}", works=False)
        return False
    for name in onnxruntime.get_available_providers():
        _report("", name)
    return True


def _weights() -> bool:
    from faceauth.cli.models import every_file
    from faceauth.errors import WeightsError

    _title("Weight files")
    files, trouble = every_file()
    works = trouble is None
    for file in files:
        try:
            file.read()
            _report(
                file.name, f"{file.size:,} bytes, sha256 {file.sha256[:12]}..., {file.licence}, as pinned", works=True
            )
        except WeightsError as error:
            _report(file.name, str(error), works=False)
            works = False
    if trouble is not None:
        _report(trouble.path.name, str(trouble), works=False)
    return works


def _self_test() -> bool:
    from faceauth.cli import selftest

    _title("Self-test on a drawn face")
    outcomes = selftest.run(load_config())
    for outcome in outcomes:
        _report(outcome.stage, outcome.said, works=outcome.error is None)
    return all(outcome.error is None for outcome in outcomes)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _title(text: str) -> None:
    from rich.text import Text

    output.show(Text(text, style="bold"))


def _report(name: str, value: str, *, works: bool | None = None) -> None:
    """One line of the report; ``works`` is None for a plain fact."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    mark, style = {None: ("", ""), True: ("ok", "green"), False: ("broken", "bold red")}[works]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=6)
    table.add_column(min_width=14)
    table.add_column(overflow="fold")
    table.add_row(Text(mark, style=style), Text(readable(name), style="dim"), readable(value))
    output.show(Padding(table, (0, 0, 0, 1)))

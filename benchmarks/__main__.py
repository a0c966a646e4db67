"""Runs the benchmarks, prints one table, keeps the figures: ``python -m benchmarks``.

Ends with status 1 where ``verify`` spends more than its budget outside the networks. Run it on a quiet machine: the
result file says how busy it was.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from benchmarks.results import SUITES, rows_of, write
from benchmarks.table import over_budget, table

HERE = Path(__file__).parent


@click.command(help=__doc__)
@click.option("--suite", "suites", type=click.Choice(SUITES), multiple=True, help="Only this suite; may be repeated.")
@click.option("--seconds", default=2.0, show_default=True, help="Time for each benchmark.")
@click.option("--out", type=click.Path(path_type=Path), default=HERE / "results", help="Folder of the result files.")
def main(suites: tuple[str, ...], seconds: float, out: Path) -> None:
    """Parse, run, print."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    with console.status("Measuring ..."):
        report, skipped = _measure(suites or SUITES, seconds)
    rows = rows_of(report)
    console.print(table(rows))
    for line in skipped:
        console.print(line, highlight=False, soft_wrap=True)
    for path in write(rows, out, seconds=seconds):
        console.print(f"Written: {path}", highlight=False, soft_wrap=True)
    if over_budget(rows):
        sys.exit(1)


def _measure(suites: tuple[str, ...], seconds: float) -> tuple[dict[str, object], list[str]]:
    """pytest-benchmark's report, and why something was left out.

    Raises:
        ClickException: a benchmark failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-q", "-rs", "--dist=no", "--benchmark-only"]
        command += [
            f"--benchmark-json={report}",
            f"--benchmark-max-time={seconds}",
            "--benchmark-warmup=on",
            "--benchmark-min-rounds=5",
        ]
        command += [str(HERE / f"test_{suite}.py") for suite in suites]
        done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True)
        if done.returncode != 0:
            raise click.ClickException(f"a benchmark failed\n{done.stdout}{done.stderr}")
        skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
        return json.loads(report.read_text(encoding="utf-8")), skipped


if __name__ == "__main__":
    main()

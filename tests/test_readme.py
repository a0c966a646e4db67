"""The README is one screen, and every figure in it is the figure that a command printed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs.write_output import blocks

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "README.md"
README = PAGE.read_text(encoding="utf-8")
WITHOUT_CODE = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
TABLE_ROWS = [line for line in WITHOUT_CODE.splitlines() if line.startswith("|")]
PROSE = re.sub(r"\]\([^)]*\)", "]", "\n".join(line for line in WITHOUT_CODE.splitlines() if not line.startswith("|")))

COMBINATION = json.loads((ROOT / "benchmarks" / "results" / "combination.test.json").read_text(encoding="utf-8"))
ROWS = {row["backend"]: row for row in COMBINATION["rows"]}
SHOWN = {"spoofnet": "**SpoofNet**", "minifasnet": "MiniFASNet, ", "mean(spoofnet, minifasnet)": "mean of both"}


def test_the_readme_shows_output_code_and_pictures() -> None:
    assert list(blocks(PAGE)) and "```python" in README and README.count("![") == 2


def test_the_readme_has_at_most_350_words_and_30_numbers_outside_tables_and_code() -> None:
    words = re.findall(r"[\w'-]*[A-Za-z][\w'-]*", PROSE)
    numbers = re.findall(r"(?<![\w.])[-+]?\d[\d.,]*", PROSE)
    assert len(words) <= 350 and len(numbers) <= 30, (len(words), len(numbers))


@pytest.mark.parametrize("backend", SHOWN)
def test_a_row_of_the_table_is_what_the_comparison_measured(backend: str) -> None:
    (row,) = (line for line in TABLE_ROWS if line.startswith(f"| {SHOWN[backend]}"))
    found = ROWS[backend]
    attacks = [sum(counts) for counts in zip(*found["apcer"].values(), strict=True)]
    assert [cell.strip() for cell in row.strip("|").split("|")][1:] == [
        _interval(found["macro_auc"], 1, 3, ""),
        _interval(found["macro_hter"], 100, 1, " %"),
        _share(attacks),
        _share(found["bpcer"]),
    ]


def test_the_difference_in_hter_is_what_the_comparison_measured() -> None:
    difference = ROWS["mean(spoofnet, minifasnet)"]["hter_minus_first"]
    low, high = (f"{100 * difference[end]:+.1f}" for end in ("low", "high"))
    assert f"{100 * difference['value']:+.1f} points [{low}, {high}]" in " ".join(README.split())


def test_the_number_of_images_and_cameras_is_that_of_the_comparison() -> None:
    assert len(ROWS["spoofnet"]["domains"]) == 8
    assert f"Eight cameras, {COMBINATION['images']:,} images" in README


def _interval(rate: dict[str, Any], factor: int, digits: int, unit: str) -> str:
    value, low, high = (f"{factor * rate[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value}{unit} [{low}, {high}]"


def _share(counts: list[int]) -> str:
    errors, n = counts
    return f"{100 * errors / n:.1f} %"

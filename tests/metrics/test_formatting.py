"""A figure reads the same wherever it stands, and what the data cannot give is never a number."""

from dataclasses import dataclass

import pytest

from faceauth.metrics import formatting
from faceauth.thresholds import MeasuredRate

RATE = MeasuredRate(errors=1018, n=50_900, value=0.02, low=0.0127, high=0.0314, interval="wilson 95 %")


@dataclass(frozen=True)
class Figure:
    value: float
    low: float | None = None
    high: float | None = None


def test_a_rate_carries_its_interval_and_its_counts() -> None:
    assert formatting.rate(RATE) == "2.0 % [1.3, 3.1], 1,018 of 50,900"
    assert formatting.percent_interval(RATE) == "2.0 % [1.3, 3.1]"
    assert formatting.bare_percent_interval(RATE) == "2.0 [1.3, 3.1]"


def test_what_is_not_none_or_all_is_not_rounded_to_it() -> None:
    shares = (0.0, 1 / 5000, 0.0005, 0.9994, 4999 / 5000, 1.0, 1.5)
    assert [formatting.percent(share) for share in shares] == [
        "0.0 %", "< 0.1 %", "0.1 %", "99.9 %", "> 99.9 %", "100.0 %", "150.0 %"
    ]  # fmt: skip
    assert formatting.bare_percent_interval(Figure(1 / 5000, 0.0, 0.001)) == "< 0.1 [0.0, 0.1]"
    assert formatting.percent_interval(Figure(4999 / 5000)) == "> 99.9 %"


def test_an_interval_that_is_not_there_is_not_shown() -> None:
    assert formatting.percent_interval(Figure(0.5)) == "50.0 %"
    assert formatting.bare_percent_interval(Figure(0.5)) == "50.0"
    assert formatting.number_interval(Figure(0.98765)) == "0.988"
    assert formatting.number_interval(Figure(0.98765, 0.97, 1.0)) == "0.988 [0.970, 1.000]"


def test_numbers_have_the_places_of_their_kind() -> None:
    assert (formatting.percent(0.1234), formatting.number(0.12345), formatting.score(0.5)) == (
        "12.3 %",
        "0.123",
        "0.5000",
    )
    assert formatting.count(1800) == "1,800"


@pytest.mark.parametrize(
    "written",
    [
        formatting.rate,
        formatting.percent,
        formatting.number,
        formatting.score,
        formatting.percent_interval,
        formatting.bare_percent_interval,
        formatting.number_interval,
    ],
)
def test_what_is_not_known_is_no_zero(written: object) -> None:
    assert callable(written) and written(None) == formatting.ABSENT == "-"


def test_a_readable_text_steers_no_terminal_and_stays_in_its_line() -> None:
    assert (
        formatting.readable("a\x1b[2J\n\x9b\u202eb caf\u00e9 \u4e2d") == r"a\x1b[2J\n\x9b\u202eb caf" + "\u00e9 \u4e2d"
    )

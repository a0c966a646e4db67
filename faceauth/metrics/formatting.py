"""How rates, figures and names are written, the same in tables, pages and model cards."""

from typing import Protocol

from faceauth.thresholds import MeasuredRate

ABSENT = "-"
"""Of a figure that the data cannot give."""


class Figure(Protocol):
    """A value with the ends of its interval, which are None where there is no interval."""

    @property
    def value(self) -> float:
        """The figure itself."""
        ...

    @property
    def low(self) -> float | None:
        """Lower end."""
        ...

    @property
    def high(self) -> float | None:
        """Upper end."""
        ...


def percent(share: float | None) -> str:
    """``2.0 %``."""
    return ABSENT if share is None else f"{_bare_percent(share)} %"


def number(value: float | None) -> str:
    """``0.982``."""
    return ABSENT if value is None else f"{value:.3f}"


def score(value: float | None) -> str:
    """P(live), a similarity or a threshold on one of them: ``0.5000``."""
    return ABSENT if value is None else f"{value:.4f}"


def count(n: int) -> str:
    """``1,800``."""
    return f"{n:,}"


def rate(measured: MeasuredRate | None) -> str:
    """``2.0 % [1.3, 3.1], 18 of 900``: value, 95 % interval, counts."""
    if measured is None:
        return ABSENT
    return f"{percent_interval(measured)}, {count(measured.errors)} of {count(measured.n)}"


def percent_interval(figure: Figure | None) -> str:
    """``2.0 % [1.3, 3.1]``."""
    return ABSENT if figure is None else percent(figure.value) + _percent_ends(figure)


def bare_percent_interval(figure: Figure | None) -> str:
    """``2.0 [1.3, 3.1]``, for a column whose head says %."""
    return ABSENT if figure is None else _bare_percent(figure.value) + _percent_ends(figure)


def number_interval(figure: Figure | None) -> str:
    """``0.982 [0.970, 0.990]``."""
    if figure is None:
        return ABSENT
    ends = "" if figure.low is None or figure.high is None else f" [{number(figure.low)}, {number(figure.high)}]"
    return number(figure.value) + ends


def readable(text: str) -> str:
    """``text`` without what could steer a terminal or turn a line around: names of data may hold anything."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _bare_percent(share: float) -> str:
    """``2.0``; what is not 0 or 1 is not rounded to it: one attack accepted of 5,000 is ``< 0.1``."""
    if 0 < share < 0.0005:
        return "< 0.1"
    return "> 99.9" if 0.9995 <= share < 1 else f"{100 * share:.1f}"


def _percent_ends(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"

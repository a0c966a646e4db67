"""An evaluation's report as one self-contained HTML page: tables, curves and the worst errors.

The page embeds images of people, so it is for the local disk only, and says so. Its text is ``page.html``, a Jinja2
template beside this file.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2

from faceauth.errors import UsageError
from faceauth.evaluation import plots
from faceauth.evaluation.report import EvaluationReport
from faceauth.evaluation.scoring import Scored
from faceauth.imaging.decoding import load_image
from faceauth.imaging.limits import DEFAULT_LIMITS, ImageLimits
from faceauth.metrics import formatting
from faceauth.metrics.error_rates import LIVE, SPOOF, accepted

if TYPE_CHECKING:
    from jinja2 import Environment

THUMBNAIL_PX = 160
IMAGES = 12
"""Images of each kind of error."""
IMAGES_OF_A_DOMAIN = 4
"""At most so many of them from one domain: the worst domain would fill the page."""


@dataclass(frozen=True)
class _Thumbnail:
    """One misjudged image; ``kind`` is live or the species of the attack."""

    jpeg_base64: str
    domain: str
    kind: str
    p_live: float
    file_name: str


@dataclass(frozen=True)
class _Errors:
    """The misjudged images of one class, of which the worst are shown."""

    shown: tuple[_Thumbnail, ...]
    n: int
    of_a_domain: int = IMAGES_OF_A_DOMAIN


def html_page(report: EvaluationReport, scored: Sequence[Scored], *, limits: ImageLimits = DEFAULT_LIMITS) -> str:
    """The page.

    Args:
        report: what ``measure`` made of ``scored``.
        scored: the presentations; the images of the worst errors are read from their paths.
        limits: of the images that are read.

    Raises:
        UsageError: jinja2 or matplotlib is not installed.
        ImageError: an image can no longer be read.
    """
    environment = _environment()
    from markupsafe import Markup

    robustness = plots.robustness_figure(report.robustness) if report.robustness else None
    return environment.get_template("page.html").render(
        report=report,
        plots=[Markup(plots.svg(figure)) for figure in plots.report_figures(report, scored).values()],
        robustness_plot=None if robustness is None else Markup(plots.svg(robustness)),
        accepted=_errors(_misjudged(report, scored, SPOOF), limits),
        refused=_errors(_misjudged(report, scored, LIVE), limits),
    )


def check_installed() -> None:
    """Raise ``UsageError`` where a page or a plot could not be made, before work of hours starts."""
    _environment()
    with plots.default_style():
        pass


def _environment() -> "Environment":
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise UsageError("The page needs jinja2: `pip install 'faceauth[evaluation]'`.") from error
    environment = Environment(
        loader=PackageLoader("faceauth.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_readable,
    )
    for written in ("count", "number", "number_interval", "percent", "percent_interval", "rate", "score"):
        environment.filters[written] = getattr(formatting, written)
    return environment


def _readable(value: Any) -> Any:
    """Text without control characters; everything else, including our own markup, stays as it is."""
    return formatting.readable(value) if type(value) is str else value


def _misjudged(report: EvaluationReport, scored: Sequence[Scored], label: int) -> list[tuple[float, Scored]]:
    """P(live) and presentation of each attack that was accepted, or live person who was refused, the worst first."""
    judged = [(one.p_live, one) for one in scored if one.p_live is not None and one.record.label == label]
    as_live = accepted([p_live for p_live, _ in judged], report.threshold)
    wrong = [error for error, live in zip(judged, as_live, strict=True) if live != (label == LIVE)]
    return sorted(wrong, key=lambda error: error[0], reverse=label == SPOOF)


def _errors(errors: Sequence[tuple[float, Scored]], limits: ImageLimits) -> _Errors:
    of_domain: Counter[str] = Counter()
    shown: list[_Thumbnail] = []
    for p_live, one in errors:
        if len(shown) < IMAGES and of_domain[one.record.domain] < IMAGES_OF_A_DOMAIN:
            of_domain[one.record.domain] += 1
            shown.append(_thumbnail(p_live, one, limits))
    return _Errors(tuple(shown), len(errors))


def _thumbnail(p_live: float, one: Scored, limits: ImageLimits) -> _Thumbnail:
    image = load_image(one.record.path, limits)
    scale = min(1.0, THUMBNAIL_PX / max(image.shape[:2]))
    size_wh = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    _, jpeg = cv2.imencode(".jpg", cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA))
    return _Thumbnail(
        jpeg_base64=b64encode(jpeg.tobytes()).decode("ascii"),
        domain=one.record.domain,
        kind="live" if one.record.is_live else one.record.species,
        p_live=p_live,
        file_name=one.record.path.name,
    )

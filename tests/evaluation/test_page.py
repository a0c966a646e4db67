"""The page holds what the report says, shows the worst errors, and lets nothing of the data run in it."""

import base64
import html
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth.errors import ImageTooLarge, UsageError
from faceauth.evaluation.measuring import measure
from faceauth.evaluation.report import RobustnessPoint
from faceauth.evaluation.scoring import Scored, Threshold
from faceauth.imaging.limits import ImageLimits
from faceauth.metrics.formatting import readable
from tests.evaluation.test_scoring import grey_records

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from faceauth.evaluation.page import IMAGES, IMAGES_OF_A_DOMAIN, html_page
from tests.evaluation.test_plots import point

VOID = {"meta", "img", "br"}


class Balanced(HTMLParser):
    """Fails on a tag that closes what is not open; collects what could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def scored_records(folder: Path, scores: list[float | None], **fields: object) -> list[Scored]:
    """Even ones live, odd ones prints, as the records are."""
    records = grey_records(folder, [20 * i % 250 for i in range(len(scores))], **fields)
    return [
        Scored(record, p_live, "no_face" if p_live is None else None, 3.0)
        for record, p_live in zip(records, scores, strict=True)
    ]


def page_of(
    scored: list[Scored],
    *,
    backend: str = "fake",
    data: str = "toy",
    robustness: dict[str, tuple[RobustnessPoint, ...]] | None = None,
    **options: object,
) -> str:
    """The page of a report at 0.5."""
    half = Threshold(0.5, "explicit", match=0.4)
    report = measure(scored, half, backend=backend, data=data, mode="network", robustness=robustness, draws=1000)
    return html_page(report, scored, **options)


def captions(page: str, heading: str) -> list[str]:
    """File names below the pictures of one section."""
    section = page[page.index(f"<h2>{heading}") :]
    section = section[: section.index("</section>")]
    return re.findall(r"<br>([^<>]+)</figcaption>", section)


def test_the_page_is_well_formed_and_loads_nothing(tmp_path: Path) -> None:
    page = page_of(
        scored_records(tmp_path, [0.9, 0.8, 0.2, 0.1, None]), robustness={"blur": (point(1, 2), point(2, 3))}
    )
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert not parser.seen & {"script", "link", "iframe", "object"}
    assert all(source.startswith(("data:image/jpeg;base64,", "#")) for source in parser.sources)
    assert page.count("<svg") == 4, "DET, ROC, histogram and robustness"
    assert "publish or commit" in page


def test_figures_carry_counts_and_intervals(tmp_path: Path) -> None:
    page = page_of(scored_records(tmp_path, [0.9, 0.8, 0.2, 0.1]))
    assert "<td>BPCER</td><td>50.0 % [9.5, 90.5], 1 of 2</td>" in page
    assert "<td>print</td><td>50.0 % [9.5, 90.5], 1 of 2</td>" in page
    assert "Every presentation drew a response" in page


def test_no_response_is_shown_with_its_reasons(tmp_path: Path) -> None:
    page = page_of(scored_records(tmp_path, [0.9, 0.8, 0.2, 0.1, None]))
    assert "<td>BPNRR</td><td>33.3 %" in page
    assert "<td>no_face</td><td>1</td>" in page


def test_liveness_and_match_together_are_shown_where_something_was_matched(tmp_path: Path) -> None:
    scored = scored_records(tmp_path, [0.9, 0.8, 0.2, 0.1])
    assert "IAPAR" not in page_of(scored)
    page = page_of([replace(one, accepted=(one.p_live or 0) > 0.5) for one in scored])
    assert "<td>IAPAR print</td><td>50.0 % [9.5, 90.5], 1 of 2</td>" in page
    assert "<td>RIAPAR</td><td>100.0 %</td>" in page and "<td>similarity</td><td>0.4000</td>" in page


def test_worst_errors_come_first_and_only_errors_come(tmp_path: Path) -> None:
    page = page_of(scored_records(tmp_path, [0.4, 0.6, 0.1, 0.9, 0.8, 0.2]))
    assert captions(page, "Attacks accepted") == ["3.png", "1.png"]
    assert captions(page, "Live people refused") == ["2.png", "0.png"]


@pytest.mark.slow
def test_one_domain_does_not_fill_the_page(tmp_path: Path) -> None:
    scored = scored_records(tmp_path, [0.9] * 80)
    scored = [replace(one, record=replace(one.record, domain=f"cam{i // 8 % 2}")) for i, one in enumerate(scored)]
    shown = captions(page_of(scored), "Attacks accepted")
    assert len(shown) == min(IMAGES, 2 * IMAGES_OF_A_DOMAIN)
    assert captions(page_of(scored), "Live people refused") == []


def test_thumbnails_are_the_pictures_and_small(tmp_path: Path) -> None:
    scored = scored_records(tmp_path, [0.9, 0.8])
    cv2.imwrite(str(scored[1].record.path), np.full((400, 800, 3), 77, np.uint8))
    (source,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", page_of(scored))
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(source), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (80, 160, 3)
    assert picture.mean() == pytest.approx(77, abs=1)


HOSTILE = (
    "<script>alert(1)</script>&",
    "<img src=x onerror=alert(2)>",
    "\x1b[2J\x1b]0;owned\x07",
    "--><script>",
    "a\u202eb\u2028c\x9b2J",
    r"$\bad{$",
    "_hidden",
    "x" * 5000,
    "{{ report.__class__ }}{% raw %}",
)


@pytest.mark.slow
@pytest.mark.parametrize("evil", HOSTILE)
def test_a_name_of_the_data_is_shown_and_does_nothing_else(tmp_path: Path, evil: str) -> None:
    scored = [
        replace(one, record=replace(one.record, domain=f"{evil}d", species=f"{evil}s" if i % 2 else "none"))
        for i, one in enumerate(scored_records(tmp_path, [0.9, 0.8, 0.2, 0.1]))
    ]
    attacks = [one for one in scored if not one.record.is_live]
    scored += [replace(one, record=replace(one.record, species="replay")) for one in attacks]
    parser = Balanced()
    page = page_of(scored, backend=f"{evil}b", data=f"{evil}t")
    parser.feed(page)
    assert parser.open == [] and not parser.seen & {"script", "link", "iframe", "object"}
    assert len(parser.sources) == page.count("data:image/jpeg;base64,") + page.count('href="#')
    assert "onerror" not in re.sub(r">[^<]*<", "><", page)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", page)
    shown = {html.unescape(text) for text in re.findall(r"<td>([^<]*)</td>", page)}
    assert {readable(f"{evil}d"), readable(f"{evil}s")} <= shown


def test_the_page_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    page = page_of(scored_records(tmp_path, [0.4, 0.8, 0.2, 0.1]))
    assert "1.png" in page and str(tmp_path) not in page and tmp_path.name not in page


def test_attacks_alone_still_make_a_page(tmp_path: Path) -> None:
    scored = [one for one in scored_records(tmp_path, [0.9, 0.8, 0.2, 0.1]) if not one.record.is_live]
    page = page_of(scored)
    assert "<td>BPCER</td><td>-</td>" in page
    assert page.count("<svg") == 1, "no curve without live people"


def test_the_limits_of_a_picture_hold_for_the_page(tmp_path: Path) -> None:
    with pytest.raises(ImageTooLarge):
        page_of(scored_records(tmp_path, [0.1, 0.9]), limits=ImageLimits(max_pixels=2000))


def test_without_jinja_the_message_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UsageError, match=r"pip install 'faceauth\[evaluation\]'"):
        page_of(scored_records(tmp_path, [0.9, 0.1]))

"""Draws what the library decides and how often it errs: ``python -m docs.draw_results``.

``docs/images/verdicts.jpg`` is what ``faceauth verify --draw`` makes of three example photos, side by side.
``docs/images/cameras.svg`` shows the error rates of ``training/reports/test.int8.json``, camera by camera.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from docs.draw_pictures import GREY, Drawing
from faceauth import Pipeline
from faceauth.cli.drawing import draw
from faceauth.imaging.decoding import load_image
from faceauth.stages import Image

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "images"
REPORT = ROOT / "training" / "reports" / "test.int8.json"

# The drawn verdicts.

PHOTOS = ("collins.jpg", "hopper.jpg", "collins_on_paper.jpg")
REFERENCE = "collins_enrolled.jpg"
PANEL_WH, GAP = (360, 396), 10
JPEG_QUALITY = 85


def verdicts_picture() -> Image:
    """A match, another person, and an attack: uint8, H x W x 3, BGR."""
    pipeline, examples = Pipeline(), ROOT / "examples"
    panels = []
    for photo in PHOTOS:
        result = pipeline.verify(examples / photo, reference=examples / REFERENCE)
        panels.append(_resized(draw(_square(load_image(examples / photo)), result)))
    gap = np.full((PANEL_WH[1], GAP, 3), 255, np.uint8)
    return np.hstack([panels[0], gap, panels[1], gap, panels[2]])


def _square(image: Image) -> Image:
    """The top of the image, where the face is, as high as it is wide."""
    side = min(image.shape[:2])
    return np.ascontiguousarray(image[:side, :side])


def _resized(drawn: Image) -> Image:
    return np.asarray(cv2.resize(drawn, PANEL_WH, interpolation=cv2.INTER_AREA), np.uint8)


# Error rates by camera.

WIDTH, TOP, ROW, LABELS, PERCENT = 800, 66, 27, 290, 80
RED, BLUE = "#d0453a", "#3b86c8"
ELSEWHERE = {"print": 0.76, "replay": 0.18, "live": 0.019}
"""The weights before, 2026.11.4, on 12 more collections (6,799 images): measured outside this project."""


def cameras_picture() -> str:
    """Attacks accepted and live people refused, with 95 % intervals where the report has them."""
    domains = json.loads(REPORT.read_text(encoding="utf-8"))["domains"]
    rows = sorted(domains, key=lambda domain: float(domain["hter"]["value"]))
    drawing = Drawing(WIDTH, TOP + ROW * (len(rows) + 2) + 12)
    _legend(drawing)
    for number, domain in enumerate(rows):
        y = TOP + ROW * number
        ((species, apcer),) = domain["apcer"].items()
        drawing.text(LABELS - 12, y + 5, f"{domain['domain']}, {_attack(species)}", ink=GREY, anchor="end")
        _interval(drawing, y - 4, apcer, RED)
        _interval(drawing, y + 4, domain["bpcer"], BLUE)
    y = TOP + ROW * len(rows) + 12
    for species, word in (("print", "2026.11.4 elsewhere, printed photos"), ("replay", "2026.11.4 elsewhere, screens")):
        drawing.text(LABELS - 12, y + 5, word, ink=GREY, anchor="end", bold=True)
        _dot(drawing, ELSEWHERE[species], y - 4, RED)
        _dot(drawing, ELSEWHERE["live"], y + 4, BLUE)
        y += ROW
    return drawing.svg("Attacks accepted and live people refused on eight cameras, and by 2026.11.4 on 12 more")


def _attack(species: str) -> str:
    return {"print": "printed photos", "replay": "screens"}[species]


def _legend(drawing: Drawing) -> None:
    for x, ink, words in ((LABELS, RED, "attacks accepted"), (LABELS + 150, BLUE, "live people refused")):
        drawing.circle(x + 6, 18, ink=ink)
        drawing.text(x + 18, 23, words, ink=GREY, anchor="start")
    for percent in range(0, PERCENT + 1, 20):
        drawing.text(_x(percent / 100), 46, f"{percent} %", size=12, ink=GREY)
        drawing.line(_x(percent / 100), 52, _x(percent / 100), drawing.height - 12, ink=GREY, width=0.4)


def _x(share: float) -> float:
    return LABELS + share * 100 / PERCENT * (WIDTH - LABELS - 24)


def _interval(drawing: Drawing, y: float, rate: dict[str, Any], ink: str) -> None:
    drawing.line(_x(rate["low"]), y, _x(rate["high"]), y, ink=ink, width=2)
    _dot(drawing, rate["value"], y, ink)


def _dot(drawing: Drawing, share: float, y: float, ink: str) -> None:
    drawing.circle(_x(share), y, ink=ink)


PICTURES: dict[str, Callable[[], str]] = {"cameras.svg": cameras_picture}


def main() -> None:
    """Write both pictures."""
    for name, draw_svg in PICTURES.items():
        (FOLDER / name).write_text(draw_svg(), encoding="utf-8")
    if not cv2.imwrite(str(FOLDER / "verdicts.jpg"), verdicts_picture(), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise OSError(f"{FOLDER / 'verdicts.jpg'} cannot be written: check that the folder is writable.")


if __name__ == "__main__":
    main()

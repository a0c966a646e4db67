"""The pictures in the docs are those that their script draws from the code of today."""

from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest

from docs import draw_pictures, draw_results
from faceauth.imaging.decoding import load_image
from faceauth.results import Reason

PICTURES = draw_pictures.PICTURES | draw_results.PICTURES


@pytest.mark.parametrize(("name", "draw"), PICTURES.items())
def test_a_picture_is_what_the_script_draws(name: str, draw: Callable[[], str]) -> None:
    stored = (draw_results.FOLDER / name).read_text(encoding="utf-8")
    assert stored == draw(), "run `python -m docs.draw_pictures` and `python -m docs.draw_results`"
    assert ElementTree.fromstring(stored).tag.endswith("svg")


def test_the_drawn_verdicts_are_those_of_today() -> None:
    stored, drawn = load_image(draw_results.FOLDER / "verdicts.jpg"), draw_results.verdicts_picture()
    assert stored.shape == drawn.shape
    difference = np.abs(stored.astype(np.int16) - drawn)
    assert difference.mean() < 6 and difference[-24:].mean() < 12, "run `python -m docs.draw_results`"


def test_the_steps_to_the_verdict_show_every_reason() -> None:
    assert [reason for reason in Reason if f">{reason}" not in draw_pictures.pipeline_picture()] == []


def test_a_reason_without_a_place_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw_pictures, "STEPS", draw_pictures.STEPS[1:])
    with pytest.raises(ValueError, match="image_unusable"):
        draw_pictures.pipeline_picture()


def test_the_layers_drawn_are_those_of_the_network() -> None:
    network = pytest.importorskip("training.train.network", reason="needs torch")
    assert (draw_pictures.CHANNELS, draw_pictures.HIDDEN, draw_pictures.SIDE) == (
        network.CHANNELS,
        network.HIDDEN,
        network.INPUT_SIZE,
    )
    assert sum(p.numel() for p in network.SpoofNet().parameters()) == draw_pictures.PARAMETERS

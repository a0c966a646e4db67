"""The pictures in the docs are those that their script draws from the code of today."""

import importlib.util
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from faceauth.results import Reason

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_pictures", DOCS / "draw_pictures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["pipeline.svg", "spoofnet.svg"])
def test_a_picture_is_the_one_that_the_script_draws(script: ModuleType, name: str) -> None:
    stored = (DOCS / "images" / name).read_text(encoding="utf-8")
    assert stored == script.PICTURES[name](), "run `python docs/draw_pictures.py`"
    assert ElementTree.fromstring(stored).tag.endswith("svg")


def test_the_way_to_the_verdict_shows_every_reason(script: ModuleType) -> None:
    assert [reason for reason in Reason if f">{reason}" not in script.pipeline_picture()] == []


def test_a_reason_without_a_place_is_an_error(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "STEPS", script.STEPS[1:])
    with pytest.raises(ValueError, match="image_unusable"):
        script.pipeline_picture()


def test_the_layers_drawn_are_those_of_the_network(script: ModuleType) -> None:
    network = pytest.importorskip("training.train.network", reason="needs torch")
    assert (script.CHANNELS, script.HIDDEN, script.SIDE) == (network.CHANNELS, network.HIDDEN, network.INPUT_SIZE)
    assert sum(p.numel() for p in network.SpoofNet().parameters()) == script.PARAMETERS

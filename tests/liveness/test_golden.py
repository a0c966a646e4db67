"""The same crops have the same P(live) as when the weights were released, on any machine and without other data."""

import json
from typing import Any

import cv2
import numpy as np
import pytest

from faceauth.cropping.crops import crop_box
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.stages import Crops
from faceauth.weights.cards import SpoofNetCard
from faceauth.weights.store import PinnedModel
from tests.golden.make_golden import GOLDEN, VARIANTS, photo

STORED: dict[str, Any] = json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"))
FACES: dict[str, Any] = STORED["faces"]
TOLERANCE = {"fp32": 1e-4, "int8": 1e-3}
"""Chosen: a hundredth of what int8 differs from fp32, and room for processors that round sums of int8 otherwise."""


def golden_crops(face: str) -> list[Crops]:
    paths = sorted(GOLDEN.glob(f"{face}.*.png"))
    return [np.ascontiguousarray(cv2.imread(str(path))[None, ..., ::-1]) for path in paths]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("face", FACES)
def test_a_golden_crop_has_its_p_live(face: str, variant: Any) -> None:
    (p_live,) = SpoofNet(variant=variant).score(golden_crops(face))
    assert p_live == pytest.approx(FACES[face]["p_live"][variant], abs=TOLERANCE[variant])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_golden_values_are_those_of_the_weights_in_use(variant: Any) -> None:
    """New weights need new values: ``python -m tests.golden.make_golden``."""
    assert SpoofNet(variant=variant).weights_sha256 == STORED["weights_sha256"][variant]


@pytest.mark.parametrize("face", FACES)
def test_a_photo_is_cropped_as_when_the_weights_were_released(face: str) -> None:
    image, box = photo(face), tuple(FACES[face]["box_xyxy"])
    for spec, golden in zip(SpoofNet().crops, golden_crops(face), strict=True):
        difference = crop_box(image, box, spec).pixels.astype(int) - golden[0]
        assert np.abs(difference).mean() < 0.5  # decoders of JPEG differ by single levels


def test_the_golden_faces_span_the_range_where_changes_show() -> None:
    p_live = [face["p_live"]["int8"] for face in FACES.values()]
    assert min(p_live) < 0.1 and max(p_live) > 0.9 and any(0.15 < p < 0.85 for p in p_live)


def test_torch_computes_the_golden_p_live_with_the_released_weights() -> None:
    torch = pytest.importorskip("torch")
    from training.release.onnx_export import Exported
    from training.train.checkpoint import load_network

    network = Exported(load_network(PinnedModel("spoofnet", SpoofNetCard).weights("fp32").path))
    card = SpoofNet(variant="fp32").card
    for face in FACES:
        with torch.inference_mode():
            logits = network(torch.from_numpy(np.concatenate(golden_crops(face)))).numpy()
        p_live = card.calibration["fp32"].p_live(logits).mean()
        assert p_live == pytest.approx(FACES[face]["p_live"]["fp32"], abs=1e-4)

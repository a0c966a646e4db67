"""The pipeline of the library and the scoring of training give the same P(live) on the same photo."""

from pathlib import Path

import numpy as np
import torch

from faceauth import Pipeline, PipelineConfig
from faceauth.crop import context_crop
from faceauth.evaluation.manifest import read_manifest
from faceauth.imaging import load_image
from faceauth.liveness.card import CARD_NAME, SpoofNetCard
from faceauth.results import Verification
from faceauth.weights import WeightStore
from training.export import Exported, load_network

PHOTOS = 200
ENOUGH = 170  # the gate and the detector leave some of the photos without a score


def test_verify_gives_the_score_of_training_on_200_photos(shared: Path) -> None:
    rows = read_manifest(shared / "data" / "pad" / "manifest.csv", splits=("val", "test"))
    photos = [row.path for row in rows[:: len(rows) // PHOTOS][:PHOTOS]]
    pipeline = Pipeline(PipelineConfig(liveness_options={"variant": "fp32"}))
    results = [result for result in pipeline.verify_many(photos) if result.liveness is not None]
    assert len(results) >= ENOUGH
    p_live = np.array([result.liveness.p_live for result in results if result.liveness is not None])
    assert np.ptp(p_live) > 0.5  # live and spoof are among them
    np.testing.assert_allclose(p_live, _in_torch(results), atol=1e-4)


def _in_torch(results: list[Verification]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """P(live) by training's own network on the crops of the faces that the pipeline found."""
    placed = WeightStore().card(SpoofNetCard, CARD_NAME)
    network, spec = Exported(load_network(placed.weights("fp32").path)), placed.facts.crop.spec()
    logits = []
    for result in results:
        assert result.face is not None and result.source is not None
        crop = context_crop(load_image(result.source), result.face.box_xyxy, spec)
        with torch.inference_mode():
            logits.append(network(torch.from_numpy(crop.pixels[None])).numpy())
    return placed.facts.calibration["fp32"].p_live(np.concatenate(logits))

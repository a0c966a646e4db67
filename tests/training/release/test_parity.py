"""An image has one P(live): in training, in the library's pipeline, and in every file that weights are exported to."""

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
import torch

from faceauth import Pipeline
from faceauth.cropping.crops import crop_box
from faceauth.evaluation.records import Record, read_manifest
from faceauth.evaluation.report import EvaluationReport
from faceauth.imaging.decoding import load_image
from faceauth.liveness.spoofnet import SpoofNet
from faceauth.metrics import error_rates
from faceauth.results import Verification
from faceauth.stages import Crops, Scores
from faceauth.weights.cards import SpoofNetCard, Variant
from faceauth.weights.onnx_session import exact_options
from faceauth.weights.store import PinnedModel
from training.data.face_boxes import crops_of
from training.data.manifests import records_of_splits
from training.release.choosing import INT8_MAX_ACER_LOSS, INT8_MAX_AUC_LOSS
from training.release.onnx_export import Exported, calibration_records
from training.train.checkpoint import load_network

PHOTOS = 200
ENOUGH = 170  # the gate and the detector leave some of the photos without a score
REPORTS = Path(__file__).parents[3] / "training" / "reports"
BATCH = 32
EVERY = 40  # image of the choice where each file runs on the same few crops

Logits = npt.NDArray[np.float32]
Run = Callable[[Path, Crops], Logits]


@pytest.fixture(scope="module")
def shipped() -> PinnedModel[SpoofNetCard]:
    return PinnedModel("spoofnet", SpoofNetCard)


@pytest.fixture(scope="module")
def choice(shared: Path) -> list[Record]:
    """The rows that the release chose everything on: val, and the domains of train that its report names."""
    report = EvaluationReport.model_validate_json((REPORTS / "choice.fp32.json").read_text())
    rows = records_of_splits(shared / "data" / "pad" / "manifest.csv", ("train", "val"))
    return [row for row in rows if row.domain in {result.domain for result in report.domains}]


@pytest.fixture(scope="module")
def crops(choice: list[Record], shipped: PinnedModel[SpoofNetCard]) -> Crops:
    """Crops of all of its domains, live and spoof."""
    return np.concatenate([crops_of(choice[::EVERY], spec) for spec in shipped.card.crops])


@pytest.fixture(scope="module")
def onnx_fp32(shipped: PinnedModel[SpoofNetCard]) -> Path:
    return shipped.weights("fp32").path


@pytest.fixture(scope="module")
def onnx_int8(shipped: PinnedModel[SpoofNetCard]) -> Path:
    return shipped.weights("int8").path


@pytest.fixture(scope="module")
def litert_fp32(onnx_fp32: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights as LiteRT."""
    needs_litert("litert_torch")
    from training.release.litert_export import export_litert_fp32

    path = tmp_path_factory.mktemp("litert") / "spoofnet.tflite"
    export_litert_fp32(load_network(onnx_fp32), path)
    return path


@pytest.fixture(scope="module")
def litert_int8(litert_fp32: Path, shared: Path, shipped: PinnedModel[SpoofNetCard]) -> Path:
    """The same in int8, calibrated as the command does it."""
    from training.release.litert_export import export_litert_int8

    rows = calibration_records(records_of_splits(shared / "data" / "pad" / "manifest.csv"))
    path = litert_fp32.with_name("spoofnet.int8.tflite")
    export_litert_int8(litert_fp32, path, crops_of(rows, shipped.card.crops[0]))
    return path


def needs_litert(module: str) -> ModuleType:
    """A module of the extra, without which the test is skipped."""
    return pytest.importorskip(module, reason="needs the extra litert")


def torch_logits(path: Path, crops: Crops) -> Logits:
    """Logits of training's own network with the weights of an ONNX file."""
    with torch.inference_mode():
        return np.asarray(Exported(load_network(path))(torch.from_numpy(crops)).numpy())


def onnx_logits(path: Path, crops: Crops) -> Logits:
    """Logits of an ONNX file."""
    session = ort.InferenceSession(path, exact_options())
    batches = np.array_split(crops, math.ceil(len(crops) / BATCH))
    return np.concatenate([session.run(None, {"crops": batch})[0] for batch in batches])


def litert_logits(path: Path, crops: Crops) -> Logits:
    """Logits of a LiteRT file, which takes one crop a call."""
    run = needs_litert("ai_edge_litert.interpreter").Interpreter(str(path), num_threads=1).get_signature_runner()
    return np.concatenate([run(crops=crop[None])["logits"] for crop in crops])


def macro_auc_and_acer(p_live: Scores, rows: list[Record], threshold: float) -> tuple[float, float]:
    """The two figures by which int8 is judged."""
    labels, domains = np.array([row.label for row in rows]), np.array([row.domain for row in rows])
    spoof, species = labels == error_rates.SPOOF, np.array([row.species for row in rows])
    _, apcer = error_rates.worst(error_rates.apcer_by_species(p_live[spoof], species[spoof], threshold))
    bpcer = error_rates.bpcer(p_live[~spoof], threshold)
    macro_auc = error_rates.macro(error_rates.auc_by_domain(p_live, labels, domains))
    return macro_auc, error_rates.acer(apcer.value, bpcer.value)


@pytest.mark.slow
def test_verify_gives_the_score_of_training_on_200_photos(shared: Path, shipped: PinnedModel[SpoofNetCard]) -> None:
    rows = read_manifest(shared / "data" / "pad" / "manifest.csv", splits=("val", "test"))
    photos = [row.path for row in rows[:: len(rows) // PHOTOS][:PHOTOS]]
    pipeline = Pipeline(liveness=SpoofNet(variant="fp32"))
    results = [result for result in pipeline.verify_many(photos) if result.liveness is not None]
    assert len(results) >= ENOUGH
    p_live = np.array([result.liveness.p_live for result in results if result.liveness is not None])
    assert np.ptp(p_live) > 0.5  # live and spoof are among them
    np.testing.assert_allclose(p_live, _in_torch(results, shipped), atol=1e-4)


def _in_torch(results: list[Verification], shipped: PinnedModel[SpoofNetCard]) -> Scores:
    """P(live) by training's own network on the crops of the faces that the pipeline found."""
    network = Exported(load_network(shipped.weights("fp32").path))
    p_live = []
    for result in results:
        assert result.face is not None and result.source is not None
        image, box = load_image(result.source), result.face.box_xyxy
        crops = np.stack([crop_box(image, box, spec).pixels for spec in shipped.card.crops])
        with torch.inference_mode():
            logits = network(torch.from_numpy(crops)).numpy()
        p_live.append(shipped.card.calibration["fp32"].p_live(logits).mean())
    return np.array(p_live)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "run"), [("onnx_fp32", onnx_logits), ("litert_fp32", litert_logits)])
def test_fp32_files_give_the_score_of_torch(
    file: str,
    run: Run,
    onnx_fp32: Path,
    crops: Crops,
    shipped: PinnedModel[SpoofNetCard],
    request: pytest.FixtureRequest,
) -> None:
    p_live = shipped.card.calibration["fp32"].p_live
    found, expected = run(request.getfixturevalue(file), crops), torch_logits(onnx_fp32, crops)
    assert np.ptp(p_live(expected)) > 0.5  # live and spoof are among them
    np.testing.assert_allclose(p_live(found), p_live(expected), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "run"), [("onnx_int8", onnx_logits), ("litert_int8", litert_logits)])
def test_int8_files_give_nearly_the_score_of_fp32(
    file: str,
    run: Run,
    onnx_fp32: Path,
    crops: Crops,
    shipped: PinnedModel[SpoofNetCard],
    request: pytest.FixtureRequest,
) -> None:
    path = request.getfixturevalue(file)
    assert path.stat().st_size < onnx_fp32.stat().st_size / 3
    p_live = shipped.card.calibration["fp32"].p_live
    apart = np.abs(p_live(run(path, crops)) - p_live(onnx_logits(onnx_fp32, crops)))
    assert apart.mean() < 0.02 and apart.max() < 0.15


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "run", "variant"), [("onnx_int8", onnx_logits, "int8"), ("litert_int8", litert_logits, "fp32")]
)
def test_int8_loses_little(
    file: str,
    run: Run,
    variant: Variant,
    choice: list[Record],
    shipped: PinnedModel[SpoofNetCard],
    request: pytest.FixtureRequest,
) -> None:
    """On all of the choice: fewer pictures cannot show so little. LiteRT has the calibration and the point of fp32."""
    card, path = shipped.card, request.getfixturevalue(file)
    of_crops = [card.calibration[variant].p_live(run(path, crops_of(choice, spec))) for spec in card.crops]
    p_live = np.mean(of_crops, axis=0)
    macro_auc, acer = macro_auc_and_acer(p_live, choice, card.operating_points[variant].balanced.threshold)
    fp32 = card.metrics["fp32/choice"]
    assert float(fp32["macro_auc"]) - macro_auc <= INT8_MAX_AUC_LOSS  # type: ignore[arg-type]
    assert acer - float(fp32["acer"]) <= INT8_MAX_ACER_LOSS  # type: ignore[arg-type]

"""What is loaded when, and that what cannot be used is an error and never another backend."""

import math
import re
import threading
import time

import pytest

from faceauth.backends import attributes
from faceauth.backends.loading import Backends, Instances
from faceauth.config import PipelineConfig
from faceauth.errors import BackendBroken, BackendNotFound
from faceauth.stages import CropSpec
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness
from tests.pipelines import operating_points

LIVENESS_ONLY = PipelineConfig(
    detector="FakeDetector", liveness=("FakeLiveness",), embedder="FakeEmbedder", threshold=0.5
)
MATCH = LIVENESS_ONLY.model_copy(update={"require_match": True})


NAMES = {"detection": "FakeDetector", "liveness": "FakeLiveness", "embedding": "FakeEmbedder"}


def given(**changes: object) -> Instances:
    stages = {"detection": FakeDetector(), "liveness": FakeLiveness(), "embedding": FakeEmbedder(), **changes}
    named = {stage: {} if backend is None else {NAMES[stage]: backend} for stage, backend in stages.items()}
    return Instances(**named)  # type: ignore[arg-type]


@pytest.mark.parametrize(("stage", "name"), [("detection", "FakeDetector"), ("liveness", "FakeLiveness")])
def test_a_missing_backend_is_an_error_at_construction(stage: str, name: str) -> None:
    with pytest.raises(BackendNotFound, match=name):
        Backends(LIVENESS_ONLY, given(**{stage: None}))


def test_a_missing_embedder_is_an_error_at_construction_when_a_match_is_required() -> None:
    with pytest.raises(BackendNotFound, match="FakeEmbedder"):
        Backends(MATCH, given(embedding=None))


def test_an_embedder_that_nobody_needs_is_not_loaded() -> None:
    backends = Backends(LIVENESS_ONLY, given(embedding=None))
    with pytest.raises(BackendNotFound, match="FakeEmbedder"):
        backends.embedding()


def test_liveness_that_is_switched_off_is_not_loaded() -> None:
    config = LIVENESS_ONLY.model_copy(update={"require_liveness": False})
    assert Backends(config, given(liveness=None)).liveness is None


def test_an_instance_whose_attribute_hangs_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(FakeLiveness):
        def __getattribute__(self, name: str) -> object:
            return time.sleep(30) if name == "operating_points" else super().__getattribute__(name)

    assert attributes.ATTRIBUTES_TIMEOUT_S <= 5
    monkeypatch.setattr(attributes, "ATTRIBUTES_TIMEOUT_S", 0.1)
    with pytest.raises(BackendBroken, match=r"raised TimeoutError: it gave no answer within 0\.1 s"):
        Backends(LIVENESS_ONLY, given(liveness=Hanging()))


def test_the_embedder_is_loaded_once_for_all_threads() -> None:
    backends, seen = Backends(LIVENESS_ONLY, given()), []
    threads = [threading.Thread(target=lambda: seen.append(backends.embedding())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(stage) for stage in seen}) == 1


@pytest.mark.parametrize("stage", ["detection", "liveness", "embedding"])
def test_an_instance_that_breaks_its_contract_is_refused(stage: str) -> None:
    stages = given()
    (backend,) = getattr(stages, stage).values()
    backend.api_version = 1
    with pytest.raises(BackendBroken, match=r"breaks its contract: .*api_version 1"):
        Backends(MATCH, stages)


def test_an_instance_is_named_as_injected_with_its_weights() -> None:
    backend = FakeLiveness()
    backend.weights_sha256 = {"fake.onnx": "a" * 64}
    liveness = Backends(LIVENESS_ONLY, given(liveness=backend)).liveness
    assert liveness is not None
    (stage,) = liveness.members
    assert stage.backend is backend
    assert stage.provenance.model_dump() == {
        "stage": "liveness",
        "name": "FakeLiveness",
        "distribution": "injected",
        "version": "injected",
        "weights_sha256": {"fake.onnx": "a" * 64},
    }


@pytest.mark.parametrize(
    ("crops", "said"),
    [
        ((), "crops is ()"),
        ([], "crops is []"),
        ((CropSpec((0, 8), 1.0, "square", "bgr"),), "crops[0].size_wh"),
        ((CropSpec((8, 8), 0.0, "box", "bgr"),), "crops[0].scale"),
        ((CropSpec((8, 8), 1.0, "context", "bgr"),), "crops[0].kind"),  # type: ignore[arg-type]
        ((CropSpec((8, 8), 1.0, "arcface", "bgr"),), "an arcface crop is (112, 112)"),
        ((CropSpec((8, 8), 1.0, "square", "grey"),), "crops[0].color"),  # type: ignore[arg-type]
        ((CropSpec((8, 8), 1.0, "square", "bgr", 1),), "crops[0].mirrored"),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_crops_that_cannot_be_made_are_refused(crops: object, said: str) -> None:
    with pytest.raises(BackendBroken, match=re.escape(said)):
        Backends(LIVENESS_ONLY, given(liveness=FakeLiveness(crops=crops)))  # type: ignore[arg-type]


@pytest.mark.parametrize("balanced", [math.nan, -1.0, 0.0, 0.1, 2.0, "text"])
def test_operating_points_that_bypassed_their_checks_are_refused(balanced: object) -> None:
    good = operating_points(0.3, 0.5, 0.8)
    bad = good.model_copy(update={"balanced": good.balanced.model_copy(update={"threshold": balanced})})
    with pytest.raises(BackendBroken, match="operating_points is not valid"):
        Backends(LIVENESS_ONLY, given(liveness=FakeLiveness(operating_points=bad)))


class Changeable(FakeEmbedder):
    """An embedder one of whose attributes is code."""

    answers: list[object]

    @property  # type: ignore[override]
    def model_id(self) -> object:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @model_id.setter
    def model_id(self, _: str) -> None: ...


def test_an_instance_whose_attribute_raises_is_refused_at_load() -> None:
    embedder = Changeable()
    embedder.answers = [RuntimeError("no device")]
    with pytest.raises(BackendBroken, match=r"embedding backend FakeEmbedder .* RuntimeError: no device"):
        Backends(MATCH, given(embedding=embedder))


def test_attributes_are_read_once_so_that_a_backend_cannot_change_its_mind() -> None:
    embedder = Changeable()
    embedder.answers = ["first"]
    assert Backends(MATCH, given(embedding=embedder)).embedding().facts.model_id == "first"
    assert embedder.answers == []

"""What is loaded when, and that what cannot be used is an error and never another backend."""

import threading

import pytest

from faceauth.backends.loading import Backends, Given
from faceauth.config import PipelineConfig
from faceauth.cropping.five_point import FivePointAligner
from faceauth.errors import BackendBroken, BackendNotFound
from faceauth.policy import Policy
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness

LIVENESS_ONLY = PipelineConfig(
    detector="nonesuch", liveness="nonesuch", embedder="nonesuch", policy=Policy(live_threshold=0.5)
)


def given(**changes: object) -> Given:
    stages = {"detector": FakeDetector(), "liveness": FakeLiveness(), "embedder": FakeEmbedder()}
    return Given(**{**stages, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", ["detector", "liveness"])
def test_a_missing_backend_is_an_error_at_construction(missing: str) -> None:
    with pytest.raises(BackendNotFound, match="nonesuch"):
        Backends(LIVENESS_ONLY, given(**{missing: None}))


def test_a_missing_embedder_is_an_error_at_construction_when_the_policy_requires_a_match() -> None:
    config = PipelineConfig(embedder="nonesuch", policy=Policy(require_match=True, live_threshold=0.5))
    with pytest.raises(BackendNotFound, match="nonesuch"):
        Backends(config, given(embedder=None))


def test_an_embedder_that_nobody_needs_is_not_loaded() -> None:
    backends = Backends(LIVENESS_ONLY, given(embedder=None))
    with pytest.raises(BackendNotFound, match="nonesuch"):
        backends.embedding()


def test_liveness_that_the_policy_switches_off_is_not_loaded() -> None:
    config = PipelineConfig(liveness="nonesuch", policy=Policy(require_liveness=False))
    assert Backends(config, given(liveness=None)).liveness is None


def test_the_embedder_is_loaded_once_for_all_threads() -> None:
    backends, seen = Backends(LIVENESS_ONLY, given()), []
    threads = [threading.Thread(target=lambda: seen.append(backends.embedding())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(stage) for stage in seen}) == 1


@pytest.mark.parametrize("stage", ["detector", "liveness", "embedder"])
def test_an_instance_that_breaks_its_contract_is_refused(stage: str) -> None:
    stages = given()
    getattr(stages, stage).api_version = 2
    with pytest.raises(BackendBroken, match=r"breaks its contract: .*api_version 2"):
        Backends(PipelineConfig(policy=Policy(live_threshold=0.5, require_match=True)), stages)


def test_an_instance_is_named_as_injected_with_its_weights() -> None:
    liveness = FakeLiveness()
    liveness.weights_sha256 = {"fake.onnx": "a" * 64}
    stage = Backends(LIVENESS_ONLY, given(liveness=liveness)).liveness
    assert stage is not None and stage.backend is liveness
    assert stage.provenance.model_dump() == {
        "stage": "liveness",
        "name": "FakeLiveness",
        "distribution": "injected",
        "version": "injected",
        "weights_sha256": {"fake.onnx": "a" * 64},
    }


def test_the_built_in_aligner_cuts_unless_another_is_given() -> None:
    assert isinstance(Backends(LIVENESS_ONLY, given()).aligner, FivePointAligner)
    other = FivePointAligner()
    assert Backends(LIVENESS_ONLY, given(aligner=other)).aligner is other


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


MATCH = PipelineConfig(policy=Policy(require_match=True, live_threshold=0.5))


def test_an_instance_whose_attribute_raises_is_refused_at_load() -> None:
    embedder = Changeable()
    embedder.answers = [RuntimeError("no device")]
    with pytest.raises(BackendBroken, match=r"embedding backend Changeable .* RuntimeError: no device"):
        Backends(MATCH, given(embedder=embedder))


def test_attributes_are_read_once_so_that_a_backend_cannot_change_its_mind() -> None:
    embedder = Changeable()
    embedder.answers = ["first"]
    assert Backends(MATCH, given(embedder=embedder)).embedding().facts.model_id == "first"
    assert embedder.answers == []

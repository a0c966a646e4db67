"""A configuration in, the backend of every stage out: loaded by name or given as an instance, each behind its guard.

Knows no picture and no verdict. What the policy requires is loaded at once, so that a broken installation fails at
start; the embedder otherwise with the first reference.
"""

import threading
from dataclasses import dataclass
from typing import Generic, TypeVar

from faceauth.backends.attributes import BackendStage, Facts, checked_facts
from faceauth.backends.guard import Guard
from faceauth.backends.registry import LoadedBackend, load_backend
from faceauth.config import PipelineConfig
from faceauth.cropping.five_point import FivePointAligner
from faceauth.results import Provenance
from faceauth.stages import Aligner, Detector, Embedder, LivenessBackend

BackendT = TypeVar("BackendT", Detector, LivenessBackend, Embedder)


@dataclass(frozen=True)
class Stage(Generic[BackendT]):
    """A backend, what it says of itself, where it comes from, and the guard that all its calls go through."""

    backend: BackendT
    facts: Facts
    provenance: Provenance
    guard: Guard


@dataclass(frozen=True)
class Given:
    """Instances to use in place of what the configuration names."""

    detector: Detector | None = None
    liveness: LivenessBackend | None = None
    embedder: Embedder | None = None
    aligner: Aligner | None = None


class Backends:
    """The stages of one pipeline.

    Attributes:
        detection: always loaded.
        liveness: None where the policy switches liveness off.
        aligner, align_guard: cut the crops of both backends.
    """

    def __init__(self, config: PipelineConfig, given: Given) -> None:
        self._config = config
        self._given = given
        self._loading = threading.Lock()
        self._embedding: Stage[Embedder] | None = None
        self.aligner: Aligner = FivePointAligner() if given.aligner is None else given.aligner
        self.align_guard = Guard("alignment", type(self.aligner).__name__, timeout_s=config.policy.stage_timeout_s)
        self.detection = self._detection()
        self.liveness = self._liveness() if config.policy.require_liveness else None
        if config.policy.require_match:
            self.embedding()

    def embedding(self) -> Stage[Embedder]:
        """The embedder, loaded by the first call.

        Raises:
            FaceAuthError: it is not usable.
        """
        with self._loading:
            if self._embedding is None:
                self._embedding = self._embedder()
            return self._embedding

    def _detection(self) -> Stage[Detector]:
        if self._given.detector is not None:
            return self._stage(_given("detection", self._given.detector))
        name, options, allowed = self._config.detector, self._config.detector_options, self._config.allowed_plugins
        return self._stage(load_backend("detection", name, allowed=allowed, options=options))

    def _liveness(self) -> Stage[LivenessBackend]:
        if self._given.liveness is not None:
            return self._stage(_given("liveness", self._given.liveness))
        name, options, allowed = self._config.liveness, self._config.liveness_options, self._config.allowed_plugins
        return self._stage(load_backend("liveness", name, allowed=allowed, options=options))

    def _embedder(self) -> Stage[Embedder]:
        if self._given.embedder is not None:
            return self._stage(_given("embedding", self._given.embedder))
        name, options, allowed = self._config.embedder, self._config.embedder_options, self._config.allowed_plugins
        return self._stage(load_backend("embedding", name, allowed=allowed, options=options))

    def _stage(self, loaded: LoadedBackend[BackendT]) -> Stage[BackendT]:
        origin = loaded.provenance
        guard = Guard(origin.stage, origin.name, timeout_s=self._config.policy.stage_timeout_s)
        return Stage(loaded.backend, loaded.facts, origin, guard)


def _given(stage: BackendStage, backend: BackendT) -> LoadedBackend[BackendT]:
    name = type(backend).__name__
    facts = checked_facts(stage, backend, called=f"The {stage} backend {name}", name=name)
    weights = dict(facts.weights_sha256)
    provenance = Provenance(stage=stage, name=name, distribution="injected", version="injected", weights_sha256=weights)
    return LoadedBackend(backend, facts, provenance)

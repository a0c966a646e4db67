"""The backends of one pipeline: loaded by name or given as instances, each behind its guard.

What the configuration requires is loaded at once, so that a broken installation fails at start; the embedder otherwise
with the first reference.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from faceauth.backends.answers import check_p_live
from faceauth.backends.attributes import BackendStage, Facts, checked_facts
from faceauth.backends.combination import Combination, combine
from faceauth.backends.registry import LoadedBackend, load_backend
from faceauth.backends.time_limit import Guard
from faceauth.calibration.camera_profile import LoadedProfile, read_profile
from faceauth.calibration.points_file import LoadedPoints, find_points
from faceauth.config import PipelineConfig
from faceauth.errors import UsageError
from faceauth.results import Provenance
from faceauth.stages import Challenge, Detector, Embedder, LivenessBackend

HAVE_WEIGHTS = frozenset({"yunet", "spoofnet", "sface"})

BackendT = TypeVar("BackendT", Detector, LivenessBackend, Embedder, Challenge)


@dataclass(frozen=True)
class Stage(Generic[BackendT]):
    """A backend, what it says about itself, where it comes from, and the guard that all its calls go through."""

    backend: BackendT
    facts: Facts
    provenance: Provenance
    guard: Guard


@dataclass(frozen=True)
class Instances:
    """Backends given as objects, by the name that stands for them in the configuration."""

    detection: Mapping[str, Detector] = field(default_factory=dict)
    liveness: Mapping[str, LivenessBackend] = field(default_factory=dict)
    embedding: Mapping[str, Embedder] = field(default_factory=dict)


@dataclass(frozen=True)
class Liveness:
    """The liveness stage.

    Attributes:
        members: in the order in which they run.
        combination: how they decide together.
        points: measured for this combination; None where none are named or shipped.
        profile: of the camera, where one is named.
    """

    members: tuple[Stage[LivenessBackend], ...]
    combination: Combination
    points: LoadedPoints | None
    profile: LoadedProfile | None


class Backends:
    """The stages of one pipeline.

    Attributes:
        detection: always loaded.
        liveness: None where the configuration switches liveness off.
    """

    def __init__(self, config: PipelineConfig, given: Instances) -> None:
        self._config = config
        self._given = given
        self._loading = threading.Lock()
        self._embedding: Stage[Embedder] | None = None
        self.detection: Stage[Detector] = self._load("detection", config.detector, given.detection)
        self.liveness = self._load_liveness() if config.require_liveness else None
        if config.require_match:
            self.embedding()

    def embedding(self) -> Stage[Embedder]:
        """The embedder, loaded by the first call.

        Raises:
            FaceAuthError: it is not usable.
        """
        with self._loading:
            if self._embedding is None:
                self._embedding = self._load("embedding", self._config.embedder, self._given.embedding)
            return self._embedding

    def _load_liveness(self) -> Liveness:
        config = self._config
        stages = {name: self._load("liveness", name, self._given.liveness) for name in config.liveness}
        weights = {name: stage.facts.weights_sha256 for name, stage in stages.items()}
        one_score = config.combine in (None, "mean")
        if config.points is not None and not one_score:
            raise UsageError(
                f"A points file holds for one score, but combine = {config.combine!r} has a threshold for each "
                "backend. Remove the setting points, or combine by mean."
            )
        points = find_points(config.points, weights) if one_score else None
        combination = combine(config.combine, weights, points, config.combine_weights)
        members = list(stages.values())
        if combination.stops_early:
            members.sort(key=_seconds)
        profile = None if config.camera_profile is None else read_profile(config.camera_profile, weights)
        return Liveness(tuple(members), combination, points, profile)

    def _load(self, stage: BackendStage, name: str, given: Mapping[str, BackendT]) -> Stage[BackendT]:
        if name in given:
            loaded = injected(stage, name, given[name])
        else:
            options = options_of(self._config, name)
            loaded = load_backend(  # type: ignore[assignment]  # the stage ties to its protocol
                stage, name, allowed=self._config.allowed_plugins, options=options
            )
        guard = Guard(loaded.provenance.stage, name, timeout_s=self._config.stage_timeout_s)
        return Stage(loaded.backend, loaded.facts, loaded.provenance, guard)


def options_of(config: PipelineConfig, name: str) -> dict[str, Any]:
    """The keyword arguments of a backend's constructor; those with built-in weights get the configured folder."""
    folder = {"weights_folder": config.weights} if config.weights is not None and name in HAVE_WEIGHTS else {}
    return {**folder, **config.options.get(name, {})}


def injected(stage: BackendStage, name: str, backend: BackendT) -> LoadedBackend[BackendT]:
    """An instance of the caller's own, checked like any other.

    Raises:
        BackendBroken: it breaks the contract of its stage.
    """
    facts = checked_facts(stage, backend, called=f"The {stage} backend {name}", name=name)
    weights = dict(facts.weights_sha256)
    provenance = Provenance(stage=stage, name=name, distribution="injected", version="injected", weights_sha256=weights)
    return LoadedBackend(backend, facts, provenance)


def _seconds(stage: Stage[LivenessBackend]) -> float:
    """Wall time of one blank face, after a first call that only warms up.

    Raises:
        ScoreError: the backend does not answer as its contract says.
    """
    blank = [np.zeros((1, spec.size_wh[1], spec.size_wh[0], 3), np.uint8) for spec in stage.facts.crops]
    seconds = 0.0
    for _ in range(2):
        start = time.perf_counter()
        stage.guard.call(lambda: check_p_live(stage.backend.score(blank), 1))
        seconds = time.perf_counter() - start
    return seconds

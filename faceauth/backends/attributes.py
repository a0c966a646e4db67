"""What a constructed backend says about itself, checked against the contract of its stage.

Looks at attributes only, each once: it never calls a backend. What a backend answers is checked by the pipeline on
every call, and by :mod:`faceauth.testing` beforehand.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeGuard, get_args

from pydantic import ValidationError

from faceauth.backends.time_limit import ATTRIBUTES_TIMEOUT_S, in_time
from faceauth.errors import BackendBroken
from faceauth.stages import API_VERSION, ChallengeState, CropKind, CropSpec
from faceauth.thresholds import MatchPoints, OperatingPoints

BackendStage = Literal["detection", "liveness", "embedding", "challenge"]
"""The stages that an entry point can fill."""

STAGES: tuple[BackendStage, ...] = get_args(BackendStage)

METHODS: Mapping[BackendStage, tuple[str, ...]] = {
    "detection": ("detect",),
    "liveness": ("score",),
    "embedding": ("embed",),
    "challenge": ("prompt", "feed"),
}
"""The methods of each stage."""

LARGEST_CROP_PX = 4096
"""Longest side of a crop that a backend may ask for: chosen, not measured; it bounds what a plugin can allocate."""

ARCFACE_SIZE_WH = (112, 112)
"""The only size of an ``arcface`` crop: that of its template."""


class _Absent:
    def __repr__(self) -> str:
        return "absent"


@dataclass(frozen=True)
class Facts:
    """What a backend said about itself when it was loaded; its attributes are not read a second time.

    An attribute may be code of a plugin, which answers differently or raises later. Those that the protocol of its
    stage does not have are not to be used.
    """

    weights_sha256: Mapping[str, str]
    crops: tuple[CropSpec, ...]
    operating_points: OperatingPoints | None
    crop: CropSpec
    model_id: str
    match_points: MatchPoints | None


def checked_facts(stage: BackendStage, backend: object, *, called: str, name: str) -> Facts:
    """What ``backend`` says about itself, if it keeps its contract.

    Args:
        stage: which one it fills.
        backend: constructed.
        called: what an error calls it, such as "The liveness backend 'mine'".
        name: for the error.

    Raises:
        BackendBroken: it breaks its contract, or reading an attribute raises or hangs.
    """
    try:
        facts, violations = in_time(lambda: _facts_and_violations(stage, backend), timeout_s=ATTRIBUTES_TIMEOUT_S)
    except (Exception, SystemExit) as error:  # an attribute of a foreign class can be a property that raises
        raise BackendBroken(
            f"{called} breaks its contract: reading its attributes raised {type(error).__name__}: {error}.", name=name
        ) from error
    if violations:
        raise BackendBroken(f"{called} breaks its contract: {'; '.join(violations)}.", name=name)
    return facts


def _facts_and_violations(stage: BackendStage, backend: object) -> tuple[Facts, list[str]]:
    facts = _read(backend)
    return facts, _violations(stage, backend, facts)


def contract_violations(stage: BackendStage, backend: object) -> list[str]:
    """What is wrong with the attributes of ``backend``, one sentence each; empty when it keeps its contract."""
    return _facts_and_violations(stage, backend)[1]


def _read(backend: object) -> Facts:
    said: dict[str, Any] = {field.name: getattr(backend, field.name, _Absent()) for field in fields(Facts)}
    if isinstance(said["weights_sha256"], Mapping):
        said["weights_sha256"] = dict(said["weights_sha256"])
    return Facts(**said)


def _violations(stage: BackendStage, backend: object, facts: Facts) -> list[str]:
    found = api_version_violations(backend)
    missing = [name for name in METHODS[stage] if not callable(getattr(backend, name, None))]
    found += [f"it has no method {name}()" for name in missing]
    found += _weights_violations(facts.weights_sha256)
    if stage == "liveness":
        found += _crops_violations(facts.crops)
        found += _points_violations("operating_points", facts.operating_points, OperatingPoints)
    if stage == "embedding":
        found += crop_violations("crop", facts.crop)
        found += _points_violations("match_points", facts.match_points, MatchPoints)
        if not isinstance(facts.model_id, str) or not facts.model_id:
            found.append(f"model_id is {facts.model_id!r}, not a text that identifies the embedding space")
    if stage == "challenge" and not isinstance(state := getattr(backend, "state", None), ChallengeState):
        found.append(f"state is {state!r}, not a faceauth.stages.ChallengeState")
    return found


def api_version_violations(backend: object) -> list[str]:
    """Whether ``backend`` (an instance, or its class) was written for this version of the contract."""
    found = getattr(backend, "api_version", None)
    if type(found) is int and found == API_VERSION:
        return []
    return [f"it is written for api_version {found!r}, this faceauth has api_version {API_VERSION}"]


def _crops_violations(crops: object) -> list[str]:
    if not isinstance(crops, tuple) or not crops:
        return [f"crops is {crops!r}, not a tuple of at least one faceauth.stages.CropSpec"]
    return [violation for i, crop in enumerate(crops) for violation in crop_violations(f"crops[{i}]", crop)]


def crop_violations(name: str, crop: object) -> list[str]:
    """Whether the attribute ``name`` is a ``CropSpec`` that :mod:`faceauth.cropping` can serve."""
    if not isinstance(crop, CropSpec):
        return [f"{name} is {crop!r}, not a faceauth.stages.CropSpec"]
    found = []
    size_fits = isinstance(crop.size_wh, tuple) and len(crop.size_wh) == 2
    if not size_fits or not all(type(side) is int and 1 <= side <= LARGEST_CROP_PX for side in crop.size_wh):
        found.append(f"{name}.size_wh is {crop.size_wh!r}, not two whole numbers from 1 to {LARGEST_CROP_PX}")
    if crop.kind not in get_args(CropKind):
        found.append(f"{name}.kind is {crop.kind!r}, not {' or '.join(map(repr, get_args(CropKind)))}")
    if crop.color not in ("bgr", "rgb"):
        found.append(f"{name}.color is {crop.color!r}, not 'bgr' or 'rgb'")
    if type(crop.mirrored) is not bool:
        found.append(f"{name}.mirrored is {crop.mirrored!r}, not True or False")
    if crop.kind == "arcface" and crop.size_wh != ARCFACE_SIZE_WH:
        found.append(f"{name}.size_wh is {crop.size_wh!r}, an arcface crop is {ARCFACE_SIZE_WH}")
    if crop.kind != "arcface" and not (_is_real(crop.scale) and crop.scale > 0):
        found.append(f"{name}.scale is {crop.scale!r}, not a number above 0")
    return found


def _points_violations(name: str, points: object, kind: type[OperatingPoints] | type[MatchPoints]) -> list[str]:
    """Whether ``points`` is None or valid: `model_construct` builds a model past its own checks."""
    if points is None:
        return []
    if not isinstance(points, kind):
        return [f"{name} is {points!r}, not None or a faceauth.thresholds.{kind.__name__}"]
    try:
        kind.model_validate(points.model_dump(warnings=False))
    except (ValidationError, AttributeError, TypeError) as error:
        first = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else None
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        return [f"{name} is not valid: {said}"]
    return []


def _weights_violations(digests: object) -> list[str]:
    if not isinstance(digests, Mapping):
        return [f"weights_sha256 is {digests!r}, not a mapping of file names to digests (empty without weights)"]
    wrong = [name for name, digest in digests.items() if not _is_sha256(digest) or not isinstance(name, str)]
    return [f"weights_sha256[{name!r}] is {digests[name]!r}, not 64 hexadecimal digits" for name in wrong]


def _is_real(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_sha256(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None

"""Finds a backend by stage and name: faceauth's own, or one that an installed distribution registers.

What is asked for is loaded or refused, never replaced. Listing reads the metadata of installed distributions and
imports nothing. faceauth's own backends are listed in :data:`BUILT_IN` and need no metadata; others are a line in
their distribution's ``pyproject.toml``::

    [project.entry-points."faceauth.liveness"]
    minifasnet = "faceauth_minifasnet:MiniFASNet"

A name that two distributions register raises, and so does one of faceauth's own. A plugin is code with all rights of
the process; ``FACEAUTH_DISABLE_PLUGIN_AUTOLOAD=1`` leaves the built-in backends only, ``allowed`` names the
distributions that may take part beside them. What these two keep out takes no part, so it makes no name raise either.
"""

import inspect
import logging
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from types import MappingProxyType
from typing import Generic, Literal, TypeVar, cast, overload

from faceauth.backends.attributes import STAGES, BackendStage, Facts, api_version_violations, checked_facts
from faceauth.backends.time_limit import LOAD_TIMEOUT_S, in_time
from faceauth.errors import (
    BackendBroken,
    BackendConflict,
    BackendNotAllowed,
    BackendNotFound,
    FaceAuthError,
    UsageError,
)
from faceauth.results import Provenance
from faceauth.stages import Challenge, Detector, Embedder, LivenessBackend
from faceauth.version import __version__

AUTOLOAD_SWITCH = "FACEAUTH_DISABLE_PLUGIN_AUTOLOAD"
"""Environment variable: anything but empty or ``0`` leaves the built-in backends only."""

OWN_DISTRIBUTION = "faceauth"

BUILT_IN: Mapping[BackendStage, Mapping[str, str]] = MappingProxyType(
    {
        "detection": {"yunet": "faceauth.detection.yunet:YuNet", "scrfd": "faceauth.detection.scrfd:Scrfd"},
        "liveness": {"spoofnet": "faceauth.liveness.spoofnet:SpoofNet"},
        "embedding": {"sface": "faceauth.embedding.sface:SFace", "arcface": "faceauth.embedding.arcface:ArcFace"},
        "challenge": {
            "turn": "faceauth.challenge.turn:Turn",
            "closer": "faceauth.challenge.closer:Closer",
            "sequence": "faceauth.challenge.sequence:Sequence",
            "light": "faceauth.challenge.light:Light",
        },
    }
)
"""faceauth's own backends, ``module:class``. In the code, since anybody's metadata can call itself faceauth."""

_UNKNOWN = "unknown"

NO_OPTIONS: Mapping[str, object] = MappingProxyType({})

BackendT = TypeVar("BackendT")

logger = logging.getLogger("faceauth")


@dataclass(frozen=True)
class BackendEntry:
    """A registered backend, not imported yet.

    Attributes:
        value: where the class is, ``module:attribute``.
        builtin: it is faceauth's own.
    """

    stage: BackendStage
    name: str
    value: str
    distribution: str
    version: str
    builtin: bool


@dataclass(frozen=True)
class LoadedBackend(Generic[BackendT]):
    """A constructed backend that keeps its stage's contract, what it says about itself, and where it comes from."""

    backend: BackendT
    facts: Facts
    provenance: Provenance


def list_backends(stage: BackendStage | None = None) -> list[BackendEntry]:
    """Every backend there is, of one stage or of all, by stage, name and distribution. Imports nothing.

    A name that two distributions register is listed twice.
    """
    found = [entry for one in STAGES if stage in (None, one) for entry in _entries(one)]
    return sorted(found, key=lambda entry: (STAGES.index(entry.stage), entry.name, entry.distribution))


@overload
def load_backend(
    stage: Literal["detection"],
    name: str,
    *,
    allowed: Collection[str] | None = None,
    options: Mapping[str, object] = NO_OPTIONS,
) -> LoadedBackend[Detector]: ...
@overload
def load_backend(
    stage: Literal["liveness"],
    name: str,
    *,
    allowed: Collection[str] | None = None,
    options: Mapping[str, object] = NO_OPTIONS,
) -> LoadedBackend[LivenessBackend]: ...
@overload
def load_backend(
    stage: Literal["embedding"],
    name: str,
    *,
    allowed: Collection[str] | None = None,
    options: Mapping[str, object] = NO_OPTIONS,
) -> LoadedBackend[Embedder]: ...
@overload
def load_backend(
    stage: Literal["challenge"],
    name: str,
    *,
    allowed: Collection[str] | None = None,
    options: Mapping[str, object] = NO_OPTIONS,
) -> LoadedBackend[Challenge]: ...
def load_backend(
    stage: BackendStage,
    name: str,
    *,
    allowed: Collection[str] | None = None,
    options: Mapping[str, object] = NO_OPTIONS,
) -> LoadedBackend[Detector] | LoadedBackend[LivenessBackend] | LoadedBackend[Embedder] | LoadedBackend[Challenge]:
    """Import, construct and check the backend that is registered as ``name``.

    Args:
        stage: ``"detection"``, ``"liveness"``, ``"embedding"`` or ``"challenge"``.
        name: the name in the entry point.
        allowed: distributions that may provide it, beside faceauth itself; None allows every installed one.
        options: keyword arguments of the backend's constructor.

    Raises:
        BackendNotFound: that name is not registered.
        BackendNotAllowed: ``allowed`` or the switch ``FACEAUTH_DISABLE_PLUGIN_AUTOLOAD`` forbids it.
        BackendConflict: two distributions that may take part register it; neither is used, not even a built-in one.
        BackendBroken: it cannot be imported or constructed, or breaks the contract of its stage.
        UsageError: an option that its constructor does not know, or one that is missing.
        FaceAuthError: whatever the constructor raises on purpose, such as ``WeightsMissing``.
    """
    entry = _select(stage, name, allowed)
    try:
        backend = in_time(lambda: _construct(entry, _import(entry), options), timeout_s=LOAD_TIMEOUT_S)
    except TimeoutError as error:
        raise BackendBroken(f"{_named(entry)} cannot be loaded: {error}.", name=name) from None
    facts = checked_facts(stage, backend, called=_named(entry), name=name)
    provenance = Provenance(
        stage=stage,
        name=name,
        distribution=entry.distribution,
        version=entry.version,
        weights_sha256=dict(facts.weights_sha256),
    )
    # The overloads tie the stage to its protocol, and the contract has just been checked.
    return LoadedBackend(cast(LivenessBackend, backend), facts, provenance)


def _select(stage: BackendStage, name: str, allowed: Collection[str] | None) -> BackendEntry:
    entries = list(_entries(stage))
    named = [entry for entry in entries if entry.name == name]
    if not named:
        raise _not_found(stage, name, tuple(sorted({entry.name for entry in entries})))
    usable = [entry for entry in named if _may_load(entry, allowed)]
    if not usable:
        raise _not_allowed(named[0], allowed)
    if len(usable) > 1:
        raise _conflict(usable)
    return usable[0]


def _import(entry: BackendEntry) -> Callable[..., object]:
    try:
        factory = EntryPoint(entry.name, entry.value, f"faceauth.{entry.stage}").load()
    # SystemExit as well: a plugin that is a script must not end the program, least of all with status 0, "accepted".
    except (Exception, SystemExit) as error:
        raise BackendBroken(
            f"{_named(entry)} cannot be imported: {type(error).__name__}: {error}. "
            f"Reinstall {entry.distribution}, or ask its author.",
            name=entry.name,
        ) from error
    if not callable(factory):
        raise BackendBroken(f"{_named(entry)} is {factory!r}, not a class that can be called.", name=entry.name)
    # Before the constructor runs: one written for another contract may fail in ways that do not say so.
    on_class = isinstance(getattr(factory, "api_version", None), int)
    if on_class and (violations := api_version_violations(factory)):
        raise BackendBroken(f"{_named(entry)} does not fit: {violations[0]}.", name=entry.name)
    return cast(Callable[..., object], factory)


def _construct(entry: BackendEntry, factory: Callable[..., object], options: Mapping[str, object]) -> object:
    try:
        signature = inspect.signature(factory)
        signature.bind(**options)
    except TypeError as error:
        raise UsageError(f"{_named(entry)}: {error}. It takes: {_accepted(signature)}.") from error
    except ValueError:
        pass  # a constructor in C without a signature: it judges its arguments itself
    try:
        return factory(**options)
    except FaceAuthError:
        raise
    except (Exception, SystemExit) as error:
        raise BackendBroken(
            f"{_named(entry)} cannot be constructed: {type(error).__name__}: {error}.", name=entry.name
        ) from error


def _accepted(signature: inspect.Signature) -> str:
    return ", ".join(str(parameter) for parameter in signature.parameters.values()) or "no options"


def _may_load(entry: BackendEntry, allowed: Collection[str] | None) -> bool:
    if entry.builtin:
        return True
    if _autoload_disabled():
        return False
    return allowed is None or _canonical(entry.distribution) in {_canonical(one) for one in allowed}


def _autoload_disabled() -> bool:
    return os.environ.get(AUTOLOAD_SWITCH, "") not in ("", "0")


def _not_found(stage: BackendStage, name: str, installed: tuple[str, ...]) -> BackendNotFound:
    return BackendNotFound(
        f"No {stage} backend {name!r}. Installed: {', '.join(installed)}. Install the distribution that registers it, "
        "or choose one of these.",
        name=name,
        installed=installed,
    )


def _not_allowed(entry: BackendEntry, allowed: Collection[str] | None) -> BackendNotAllowed:
    if _autoload_disabled():
        cause = f"{AUTOLOAD_SWITCH} allows faceauth's own backends only: unset it, or choose one of those"
    else:
        listed = ", ".join(sorted(allowed or ())) or "none"
        cause = f"the allow-list holds {listed}: add {entry.distribution} if you trust its code"
    return BackendNotAllowed(f"{_named(entry)} is installed, but {cause}.", name=entry.name)


def _conflict(entries: list[BackendEntry]) -> BackendConflict:
    stage, name = entries[0].stage, entries[0].name
    intruders = sorted(f"{entry.distribution} {entry.version}" for entry in entries if not entry.builtin)
    if len(intruders) < len(entries):
        message = (
            f"The {stage} backend {name!r} is reserved for faceauth, but {' and '.join(intruders)} registers it too, "
            "so it is not used. Uninstall the other distribution, or keep it out with the allow-list."
        )
    else:
        message = (
            f"Two distributions register the {stage} backend {name!r}: {' and '.join(intruders)}. "
            "Uninstall one, or name the one you trust in the allow-list."
        )
    return BackendConflict(message, name=name)


def _entries(stage: BackendStage) -> Iterator[BackendEntry]:
    for name, value in BUILT_IN[stage].items():
        yield BackendEntry(stage, name, value, OWN_DISTRIBUTION, __version__, builtin=True)
    seen: set[str] = set()
    for dist in distributions():
        lines = _lines(dist, f"faceauth.{stage}")
        if not lines:
            continue
        name, version_ = _identity(dist)
        if name != _UNKNOWN and _canonical(name) in seen:  # found twice on sys.path; Python imports the first
            continue
        seen.add(_canonical(name))
        for line in lines:
            # Another copy of faceauth, such as an older one, that lists the same backend hides nothing.
            if _canonical(name) != OWN_DISTRIBUTION or BUILT_IN[stage].get(line.name) != line.value:
                yield BackendEntry(stage, line.name, line.value, name, version_, builtin=False)


def _lines(dist: Distribution, group: str) -> list[EntryPoint]:
    try:
        return list(dist.entry_points.select(group=group))
    except Exception:  # whatever somebody else's broken metadata raises is no reason to lose everybody's backends
        logger.debug("The entry points of an installed distribution cannot be read.", exc_info=True)
        return []


def _identity(dist: Distribution) -> tuple[str, str]:
    try:
        if dist.read_text("METADATA") is None:
            return _UNKNOWN, _UNKNOWN
        return dist.metadata["Name"] or _UNKNOWN, dist.metadata["Version"] or _UNKNOWN
    except Exception:  # not UTF-8, for example
        return _UNKNOWN, _UNKNOWN


def _canonical(distribution_name: str) -> str:
    """The comparable form of a distribution's name (PyPA specification "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", distribution_name).lower()


def _named(entry: BackendEntry) -> str:
    return f"The {entry.stage} backend {entry.name!r} of {entry.distribution} {entry.version} ({entry.value})"

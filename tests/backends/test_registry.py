"""The rules of the registry, kept on real throw-away distributions: a folder with a .dist-info and a module each."""

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import faceauth
from faceauth.backends import attributes, registry
from faceauth.backends.attributes import STAGES, BackendStage
from faceauth.backends.registry import AUTOLOAD_SWITCH, BackendEntry, list_backends, load_backend
from faceauth.errors import (
    BackendBroken,
    BackendConflict,
    BackendNotAllowed,
    BackendNotFound,
    UsageError,
    WeightsMissing,
)
from faceauth.testing import FakeLiveness

GOOD = """
import numpy as np
from faceauth.stages import CropSpec

class Backend:
    api_version = 2
    crops = (CropSpec(size_wh=(32, 32), scale=2.0, kind="square", color="bgr"),)
    weights_sha256 = {"net.onnx": "0" * 64}
    operating_points = None
    def __init__(self, *, p_live: float = 0.5, required: int = 0) -> None:
        self.p_live = p_live
    def score(self, crops):
        return np.full(len(crops[0]), self.p_live, np.float32)
"""

Install = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one module and one liveness entry point; returns the module's name."""
    numbers = itertools.count()
    modules: list[str] = []

    def install(distribution: str, name: str, source: str = GOOD, *, value: str = "", stage: str = "liveness") -> str:
        module = f"throwaway_{tmp_path.name}_{next(numbers)}"
        modules.append(module)
        folder = tmp_path / module
        info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[faceauth.{stage}]\n{name} = {value or module + ':Backend'}\n")
        (folder / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder))
        importlib.invalidate_caches()
        return module

    monkeypatch.delenv(AUTOLOAD_SWITCH, raising=False)
    yield install
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def own_liveness(monkeypatch: pytest.MonkeyPatch) -> str:
    """A built-in backend that needs no weights."""
    own = {**registry.BUILT_IN, "liveness": {"own": "faceauth.testing:FakeLiveness"}}
    monkeypatch.setattr(registry, "BUILT_IN", own)
    return "own"


def only(name: str) -> BackendEntry:
    (entry,) = [entry for entry in list_backends("liveness") if entry.name == name]
    return entry


def test_listing_tells_name_value_distribution_and_version(install: Install) -> None:
    module = install("faceauth-extra", "extra")
    assert only("extra") == BackendEntry("liveness", "extra", f"{module}:Backend", "faceauth-extra", "1.2", False)


def test_listing_imports_nothing(install: Install) -> None:
    module = install("faceauth-bomb", "bomb", "raise RuntimeError('imported')")
    assert only("bomb").distribution == "faceauth-bomb"
    assert module not in sys.modules


def test_listing_without_a_stage_lists_all_stages_in_pipeline_order(install: Install) -> None:
    install("faceauth-a", "a", stage="embedding")
    install("faceauth-b", "b", stage="detection")
    install("faceauth-c", "c", stage="liveness")
    stages = [entry.stage for entry in list_backends()]
    assert stages == sorted(stages, key=STAGES.index)
    assert set(stages) == set(STAGES)


def test_distribution_without_metadata_is_listed_as_unknown(install: Install, tmp_path: Path) -> None:
    install("faceauth-bare", "bare")
    next(tmp_path.rglob("METADATA")).unlink()
    assert (only("bare").distribution, only("bare").version) == ("unknown", "unknown")


def test_backend_is_loaded_with_its_options_and_its_origin(install: Install) -> None:
    install("faceauth-extra", "extra")
    loaded = load_backend("liveness", "extra", options={"p_live": 0.25})
    provenance = loaded.provenance
    assert loaded.backend.p_live == 0.25  # type: ignore[attr-defined]
    assert (provenance.stage, provenance.name, provenance.distribution) == ("liveness", "extra", "faceauth-extra")
    assert (provenance.version, provenance.weights_sha256) == ("1.2", {"net.onnx": "0" * 64})


def test_unknown_name_is_an_error_that_lists_the_installed_ones(install: Install) -> None:
    install("faceauth-extra", "extra")
    with pytest.raises(BackendNotFound, match="extra") as caught:
        load_backend("liveness", "nobody")
    assert caught.value.name == "nobody"
    assert "extra" in caught.value.installed


def test_name_of_another_stage_is_not_found(install: Install) -> None:
    install("faceauth-extra", "extra")
    with pytest.raises(BackendNotFound):
        load_backend("embedding", "extra")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_module_that_nobody_has", "a_module_that_nobody_has"),
        ("raise RuntimeError('half an install')", "half an install"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("Other = 1", "Backend"),
        ("Backend = 7", "7"),
        ("def Backend(): raise OSError('no such device')", "no such device"),
        ("import sys\ndef Backend(): sys.exit(0)", "SystemExit"),
        (GOOD.replace("api_version = 2", "api_version = 1"), "api_version 1.*api_version 2"),
        (GOOD.replace("api_version = 2", ""), "api_version None"),
        (GOOD.replace("def score", "def predict"), r"no method score\(\)"),
        (GOOD.replace('{"net.onnx": "0" * 64}', "None"), "weights_sha256"),
        (GOOD.replace('"0" * 64', '"short"'), "weights_sha256"),
        (GOOD.replace("operating_points = None", ""), "operating_points"),
        (GOOD.replace("operating_points = None", "operating_points = 0.5"), "operating_points"),
        (GOOD.replace("(32, 32)", "(32, 0)"), "size_wh"),
        (GOOD.replace("(32, 32)", "(32, 100_000)"), "size_wh"),
        (GOOD.replace("scale=2.0", "scale=float('nan')"), "scale"),
        (GOOD.replace('color="bgr"', 'color="grey"'), "color"),
        (GOOD.replace('kind="square"', 'kind="arcface"'), "112"),
        (GOOD.replace("(CropSpec(", "(dict("), "CropSpec"),
        (GOOD.replace("operating_points = None", "@property\n    def operating_points(self): 1 / 0"), "ZeroDivision"),
    ],
)
def test_broken_backend_is_listed_and_raises_its_reason_when_selected(
    install: Install, source: str, reason: str
) -> None:
    install("faceauth-broken", "broken", source)
    assert only("broken").name == "broken"
    with pytest.raises(BackendBroken, match=reason) as caught:
        load_backend("liveness", "broken")
    assert caught.value.name == "broken"
    assert "faceauth-broken 1.2" in str(caught.value)


def test_backend_for_another_api_is_refused_before_its_constructor_runs(install: Install) -> None:
    source = "class Backend:\n    api_version = 3\n    def __init__(self):\n        raise RuntimeError('ran')"
    install("faceauth-next", "next", source)
    with pytest.raises(BackendBroken, match="api_version 3"):
        load_backend("liveness", "next")


def test_broken_backend_does_not_hinder_another(install: Install) -> None:
    install("faceauth-broken", "broken", "raise RuntimeError")
    install("faceauth-extra", "extra")
    assert load_backend("liveness", "extra").provenance.name == "extra"


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ("model_id=''", "model_id"),
        ("match_threshold=2.0", "match_threshold"),
        ("match_threshold=float('nan')", "match_threshold"),
        ("match_threshold=True", "match_threshold"),
    ],
)
def test_embedder_without_a_usable_identity_or_threshold_is_broken(install: Install, flaw: str, reason: str) -> None:
    source = f"from faceauth.testing import FakeEmbedder\ndef Backend():\n    return FakeEmbedder({flaw})"
    install("faceauth-broken", "broken", source, stage="embedding")
    with pytest.raises(BackendBroken, match=reason):
        load_backend("embedding", "broken")


def test_operating_points_that_do_not_grow_are_broken(install: Install) -> None:
    source = """
from faceauth.thresholds import MeasuredRate, OperatingPoint, OperatingPoints
from faceauth.testing import FakeLiveness

def point(threshold):
    rate = MeasuredRate(errors=0, n=10, value=0.0, low=0.0, high=0.28, interval="wilson 95 %")
    return OperatingPoint(threshold=threshold, apcer={"print": rate}, bpcer=rate, measured_on="nothing")

def Backend(strict: float = 0.9):
    points = OperatingPoints(convenience=point(0.2), balanced=point(0.5), strict=point(strict))
    return FakeLiveness(operating_points=points)
"""
    install("faceauth-points", "points", source)
    assert load_backend("liveness", "points").backend.operating_points is not None
    with pytest.raises(BackendBroken, match="must ascend"):
        load_backend("liveness", "points", options={"strict": 0.4})


def test_unknown_option_is_an_error_that_names_the_accepted_ones(install: Install) -> None:
    install("faceauth-extra", "extra")
    with pytest.raises(UsageError, match=r"p_life.*p_live: float = 0\.5.*required"):
        load_backend("liveness", "extra", options={"p_life": 1})


def test_missing_option_is_an_error_that_names_it(install: Install) -> None:
    install("faceauth-extra", "extra", GOOD.replace("required: int = 0", "required: int"))
    with pytest.raises(UsageError, match="required"):
        load_backend("liveness", "extra")


def test_error_that_a_backend_raises_on_purpose_passes_through(install: Install) -> None:
    source = "from pathlib import Path\nfrom faceauth.errors import WeightsMissing\n"
    source += "def Backend():\n    raise WeightsMissing('set weights_dir', path=Path('x'))"
    install("faceauth-extra", "extra", source)
    with pytest.raises(WeightsMissing, match="weights_dir"):
        load_backend("liveness", "extra")


def test_cause_of_a_broken_backend_is_kept(install: Install) -> None:
    install("faceauth-broken", "broken", "raise RuntimeError('deep')")
    with pytest.raises(BackendBroken) as caught:
        load_backend("liveness", "broken")
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_name_of_two_distributions_is_an_error_that_names_both(install: Install) -> None:
    install("faceauth-one", "same")
    install("faceauth-two", "same")
    assert len([entry for entry in list_backends("liveness") if entry.name == "same"]) == 2
    with pytest.raises(BackendConflict, match=r"faceauth-one 1\.2 and faceauth-two 1\.2"):
        load_backend("liveness", "same")


def test_allow_list_resolves_a_conflict(install: Install) -> None:
    install("faceauth-one", "same")
    install("faceauth-two", "same")
    assert load_backend("liveness", "same", allowed=["faceauth-two"]).provenance.distribution == "faceauth-two"


def test_same_name_in_two_stages_is_no_conflict(install: Install) -> None:
    install("faceauth-one", "same")
    install("faceauth-two", "same", "from faceauth.testing import FakeEmbedder as Backend", stage="embedding")
    assert load_backend("liveness", "same").provenance.distribution == "faceauth-one"
    assert load_backend("embedding", "same").provenance.distribution == "faceauth-two"


def test_built_in_backend_loads_by_name(own_liveness: str) -> None:
    assert only(own_liveness).builtin
    assert load_backend("liveness", own_liveness).provenance.distribution == "faceauth"


def test_reserved_name_of_an_intruder_raises_and_never_loads_the_intruder(own_liveness: str, install: Install) -> None:
    module = install("faceauth-evil", own_liveness)
    with pytest.raises(BackendConflict, match=r"reserved for faceauth.*faceauth-evil 1\.2"):
        load_backend("liveness", own_liveness)
    assert module not in sys.modules


@pytest.mark.parametrize("way", ["allow-list", "switch"])
def test_shutting_the_intruder_out_brings_the_built_in_back(
    own_liveness: str, install: Install, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    install("faceauth-evil", own_liveness)
    if way == "switch":
        monkeypatch.setenv(AUTOLOAD_SWITCH, "1")
    loaded = load_backend("liveness", own_liveness, allowed=[] if way == "allow-list" else None)
    assert loaded.provenance.distribution == "faceauth"


def test_distribution_that_calls_itself_faceauth_is_an_intruder_like_any_other(
    own_liveness: str, install: Install
) -> None:
    install("faceauth", own_liveness, value="faceauth.testing:FakeDetector")
    assert [entry.builtin for entry in list_backends("liveness") if entry.name == own_liveness] == [True, False]
    with pytest.raises(BackendConflict, match=r"reserved for faceauth, but faceauth 1\.2 registers it too"):
        load_backend("liveness", own_liveness)
    assert type(load_backend("liveness", own_liveness, allowed=[]).backend) is FakeLiveness


def test_name_that_a_distribution_called_faceauth_adds_is_not_built_in(install: Install) -> None:
    module = install("faceauth", "added")
    assert not only("added").builtin
    with pytest.raises(BackendNotAllowed):
        load_backend("liveness", "added", allowed=[])
    assert module not in sys.modules


def test_another_faceauth_that_registers_the_same_class_is_no_conflict(own_liveness: str, install: Install) -> None:
    install("faceauth", own_liveness, value="faceauth.testing:FakeLiveness")
    assert only(own_liveness).builtin
    assert load_backend("liveness", own_liveness).provenance.name == own_liveness


@pytest.mark.parametrize("stage", STAGES)
def test_built_in_backends_need_no_metadata(monkeypatch: pytest.MonkeyPatch, stage: BackendStage) -> None:
    monkeypatch.setattr(registry, "distributions", lambda: iter(()))
    names = {entry.name: entry for entry in list_backends(stage)}
    assert names.keys() == registry.BUILT_IN[stage].keys()
    assert all(entry.builtin and entry.version == faceauth.__version__ for entry in names.values())


def test_damaged_metadata_of_faceauth_does_not_matter_for_its_backends(
    own_liveness: str, install: Install, tmp_path: Path
) -> None:
    install("faceauth", "broken")
    damage(tmp_path, "METADATA")
    damage(tmp_path, "entry_points.txt")
    assert load_backend("liveness", own_liveness).provenance.distribution == "faceauth"


def damage(folder: Path, file: str) -> None:
    (path,) = folder.rglob(file)
    path.write_bytes(b"Author: Andr\xe9\n")


@pytest.mark.parametrize("file", ["METADATA", "entry_points.txt"])
def test_broken_metadata_of_others_hides_no_backend_but_theirs(
    own_liveness: str, install: Install, tmp_path: Path, file: str
) -> None:
    install("plug", "plug")
    damage(tmp_path, file)
    install("faceauth-extra", "extra")
    assert {own_liveness, "extra"} <= {entry.name for entry in list_backends("liveness")}
    assert load_backend("liveness", own_liveness).provenance.distribution == "faceauth"
    assert load_backend("liveness", "extra").provenance.distribution == "faceauth-extra"


def test_a_distribution_found_twice_is_no_conflict_with_itself(install: Install) -> None:
    install("faceauth-extra", "extra")
    first = install("faceauth-extra", "extra")
    assert only("extra").value == f"{first}:Backend"


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(30)",
        "import time\ndef Backend(): time.sleep(30)",
        f"import time\n{GOOD}    @property\n    def model_id(self): time.sleep(30)",
    ],
    ids=["import", "constructor", "attribute"],
)
def test_a_backend_that_hangs_while_it_is_loaded_is_broken(
    install: Install, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setattr(registry, "LOAD_TIMEOUT_S", 0.3)
    monkeypatch.setattr(attributes, "ATTRIBUTES_TIMEOUT_S", 0.3)
    install("faceauth-slow", "slow", source)
    with pytest.raises(BackendBroken, match=r"faceauth-slow 1\.2 .* gave no answer within 0\.3 s"):
        load_backend("liveness", "slow")


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_switch_leaves_built_in_backends_only(
    own_liveness: str, install: Install, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    module = install("faceauth-extra", "extra")
    monkeypatch.setenv(AUTOLOAD_SWITCH, value)
    with pytest.raises(BackendNotAllowed, match=AUTOLOAD_SWITCH):
        load_backend("liveness", "extra", allowed=["faceauth-extra"])
    assert module not in sys.modules
    assert load_backend("liveness", own_liveness).provenance.name == own_liveness


@pytest.mark.parametrize("value", ["", "0"])
def test_switch_that_is_off_allows_plugins(install: Install, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    install("faceauth-extra", "extra")
    monkeypatch.setenv(AUTOLOAD_SWITCH, value)
    assert load_backend("liveness", "extra").provenance.name == "extra"


def test_distribution_off_the_allow_list_is_refused_and_not_imported(install: Install) -> None:
    module = install("faceauth-extra", "extra")
    with pytest.raises(BackendNotAllowed, match="allow-list holds faceauth-other: add faceauth-extra"):
        load_backend("liveness", "extra", allowed=["faceauth-other"])
    assert module not in sys.modules


def test_allow_list_compares_normalised_distribution_names(install: Install) -> None:
    install("FaceAuth.Extra", "extra")
    assert load_backend("liveness", "extra", allowed=["faceauth_extra"]).provenance.name == "extra"


def test_allow_list_holds_distributions_and_not_the_names_they_choose(install: Install) -> None:
    install("faceauth-extra", "extra")
    with pytest.raises(BackendNotAllowed):
        load_backend("liveness", "extra", allowed=["extra"])


@pytest.mark.parametrize(("stage", "name"), [(stage, name) for stage, own in registry.BUILT_IN.items() for name in own])
def test_every_built_in_backend_is_there(stage: BackendStage, name: str) -> None:
    module, _, attribute = registry.BUILT_IN[stage][name].partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))

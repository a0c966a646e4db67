"""What the teachers say of a whole domain is not learnt: its labels say where its boundary is."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from training.data.shards import Shards  # noqa: E402
from training.train import domain_levels as module  # noqa: E402
from training.train.dataset import Views  # noqa: E402
from training.train.distillation import TEMPERATURE  # noqa: E402
from training.train.domain_levels import levels_of_domains, teacher_levels  # noqa: E402
from training.train.recipe import AugmentationSettings, Recipe  # noqa: E402
from training.train.sampling import Draw  # noqa: E402
from training.train.teachers import Teachers  # noqa: E402

MEANS = {("bright", 0): 5.0, ("bright", 1): -1.0, ("dark", 0): 1.0, ("dark", 1): -5.0, ("live-only", 0): 6.0}


class Answers(Teachers):
    """Say of each view how bright it is."""

    def __init__(self, folder: Path) -> None: ...

    def live_logits(self, views: object) -> np.ndarray:
        return np.array([[view.mean()] * 3 for view in views], np.float32)  # type: ignore[attr-defined]


def test_a_level_is_the_mean_distance_of_the_classes_from_those_of_all_domains() -> None:
    levels = levels_of_domains(MEANS)
    assert levels == pytest.approx({"bright": (1 + 2) / 2, "dark": (-3 - 2) / 2, "live-only": 2.0})


def test_levels_taken_away_leave_no_level() -> None:
    means = {cell: mean for cell, mean in MEANS.items() if cell[0] != "live-only"}
    levels = levels_of_domains(means)
    assert levels_of_domains({cell: mean - levels[cell[0]] for cell, mean in means.items()}) == pytest.approx(
        {"bright": 0.0, "dark": 0.0}
    )


def test_only_what_teachers_are_asked_about_has_a_level(
    tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Teachers", Answers)
    levels = teacher_levels(tiny_shards, smoke, Path("teachers"))
    learnt = (tiny_shards.split == "train") & (tiny_shards.origin == "real")
    assert not levels[~learnt].any()
    large, live_only = (levels[learnt & (tiny_shards.domain == name)] for name in ("large", "live-only"))
    assert len(set(large)) == 1 and len(set(live_only)) == 1 and large[0] != live_only[0]
    assert not levels[learnt & (tiny_shards.domain == "small")].any()  # four of a class say too little


def test_a_domain_left_out_is_not_looked_at(
    tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Teachers", Answers)
    recipe = smoke.model_copy(update={"hold_out": ("live-only",)})
    levels = teacher_levels(tiny_shards, recipe, Path("teachers"))
    assert not levels[tiny_shards.domain == "live-only"].any()


def test_the_level_is_taken_from_the_answer(
    tiny_shards: Shards, smoke: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = smoke.model_copy(update={"teacher_share": 1.0, "augmentation": AugmentationSettings()})
    monkeypatch.setattr("training.train.dataset.Teachers", Answers)
    monkeypatch.setattr("training.train.dataset.refuse_missing_files", lambda folder: None)
    monkeypatch.setattr(Answers, "live_logits", lambda self, views: np.full((len(views), 3), 4.0, np.float32))
    levels = np.full(len(tiny_shards.label), 3.0, np.float32)
    draws = [Draw(0, 1, 5), Draw(2, 3, 6)]
    target = Views(tiny_shards, recipe, 32, Path("teachers"), levels)[draws].target.numpy()
    np.testing.assert_allclose(target, 1 / (1 + np.exp((4.0 - 3.0) / TEMPERATURE)), rtol=1e-5)

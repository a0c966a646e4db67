"""Folds part domains and never people, and each is measured by weights that did not see it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from training.config import TrainConfig  # noqa: E402
from training.crossval import cross_validate, folds  # noqa: E402
from training.packs import Pack  # noqa: E402


def with_domains(content: Pack, count: int) -> Pack:
    """The tiny pack with the frames of its large domain dealt to ``count`` domains."""
    domain = content.domain.astype("U16").copy()
    for label in (0, 1):
        frames = np.flatnonzero((content.domain == "large") & (content.label == label) & (content.origin == "real"))
        domain[frames] = [f"d{place % count}" for place in range(len(frames))]
    return replace(content, domain=domain)


def test_every_domain_of_two_classes_is_left_out_once_and_no_other_is(tiny_pack: Pack) -> None:
    groups = folds(with_domains(tiny_pack, 6), 3)
    assert sorted(domain for group in groups for domain in group) == ["d0", "d1", "d2", "d3", "d4", "d5", "small"]
    assert {len(group) for group in groups} <= {2, 3}


def test_domains_of_the_same_people_stay_together(tiny_pack: Pack) -> None:
    groups = folds(with_domains(tiny_pack, 6), 3, [["d0", "d3", "d4"]])
    assert any({"d0", "d3", "d4"} <= set(group) for group in groups)
    with pytest.raises(ValueError, match="nowhere"):
        folds(tiny_pack, 2, [["nowhere"]])
    with pytest.raises(ValueError, match="folds"):
        folds(tiny_pack, 3)


def test_a_fold_is_measured_on_what_it_left_out_and_on_val(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    short = smoke.model_copy(update={"epochs": 1})
    results = list(cross_validate(short, tiny_pack, [("large",), ("small",)], tmp_path))
    assert [set(result.left_out) for result in results] == [{"large"}, {"small"}]
    assert all(set(result.val) == {"v"} and 0 <= result.macro_left_out <= 1 for result in results)
    before = (tmp_path / "fold1" / "last.safetensors").read_bytes()
    assert list(cross_validate(short, tiny_pack, [("large",), ("small",)], tmp_path)) == results
    assert (tmp_path / "fold1" / "last.safetensors").read_bytes() == before

"""Folds part domains and never people, and each is measured by weights that did not see it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from faceauth.errors import UsageError  # noqa: E402
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
    # small has both classes, live-only has not: it must not stay behind in training all the same
    assert any({"small", "live-only"} <= set(group) for group in folds(tiny_pack, 2, [["live-only", "small"]]))
    for groups, count, said in (
        ([["nowhere"]], 2, "nowhere"),
        ([["large", "small"], ["small"]], 2, "two"),
        ([], 3, "folds"),
    ):
        with pytest.raises(UsageError, match=said):
            folds(tiny_pack, count, groups)


def test_a_fold_is_measured_on_what_it_left_out_and_on_val(tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig) -> None:
    short = smoke.model_copy(update={"epochs": 1})
    results = list(cross_validate(short, tiny_pack, [("large",), ("small",)], tmp_path))
    assert [set(result.left_out) for result in results] == [{"large"}, {"small"}]
    assert all(set(result.val) == {"v"} and 0 <= result.macro_left_out <= 1 for result in results)
    assert list(cross_validate(short, tiny_pack, [("large",), ("small",)], tmp_path)) == results
    assert len((tmp_path / "fold1" / "epochs.jsonl").read_text().splitlines()) == 1
    with pytest.raises(UsageError, match="another recipe"):
        list(cross_validate(short, tiny_pack, [("small",), ("large",)], tmp_path))


def test_a_later_stage_goes_on_from_the_folds_of_the_one_before(
    tmp_path: Path, tiny_pack: Pack, smoke: TrainConfig
) -> None:
    short, groups = smoke.model_copy(update={"epochs": 1}), [("large",), ("small",)]
    first, second = tmp_path / "first", tmp_path / "second"
    list(cross_validate(short, tiny_pack, groups, first))
    frozen = short.model_copy(update={"optimiser": short.optimiser.model_copy(update={"frozen_blocks": 1})})
    assert len(list(cross_validate(frozen, tiny_pack, groups, second, init=first))) == 2
    with pytest.raises(UsageError, match="may have seen small"):
        list(cross_validate(frozen, tiny_pack, groups[::-1], tmp_path / "other", init=second))
    with pytest.raises(UsageError, match="as many folds"):
        list(cross_validate(frozen, tiny_pack, groups, tmp_path / "third", init=tmp_path))

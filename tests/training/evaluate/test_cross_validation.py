"""Folds part domains and never people, and each is measured by weights that did not see it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from faceauth.errors import UsageError  # noqa: E402
from training.data.shards import Shards  # noqa: E402
from training.evaluate.cross_validation import FoldResult, cross_validate, folds  # noqa: E402
from training.train.recipe import Recipe  # noqa: E402


def with_domains(content: Shards, count: int) -> Shards:
    """The tiny shards with the frames of its large domain dealt to ``count`` domains."""
    domain = content.domain.astype("U16").copy()
    for label in (0, 1):
        frames = np.flatnonzero((content.domain == "large") & (content.label == label) & (content.origin == "real"))
        domain[frames] = [f"d{place % count}" for place in range(len(frames))]
    return replace(content, domain=domain)


def test_every_domain_of_two_classes_is_left_out_once_and_no_other_is(tiny_shards: Shards) -> None:
    groups = folds(with_domains(tiny_shards, 6), 3)
    assert sorted(domain for group in groups for domain in group) == ["d0", "d1", "d2", "d3", "d4", "d5", "small"]
    assert {len(group) for group in groups} <= {2, 3}


def test_domains_of_the_same_people_stay_together(tiny_shards: Shards) -> None:
    groups = folds(with_domains(tiny_shards, 6), 3, [["d0", "d3", "d4"]])
    assert any({"d0", "d3", "d4"} <= set(group) for group in groups)
    # small has both classes, live-only has not: it must not stay behind in training all the same
    assert any({"small", "live-only"} <= set(group) for group in folds(tiny_shards, 2, [["live-only", "small"]]))
    for groups, count, said in (
        ([["nowhere"]], 2, "nowhere"),
        ([["large", "small"], ["small"]], 2, "two"),
        ([], 3, "folds"),
    ):
        with pytest.raises(UsageError, match=said):
            folds(tiny_shards, count, groups)


@pytest.fixture
def short(smoke: Recipe) -> Recipe:
    """One phase."""
    return smoke.model_copy(update={"phases": smoke.phases[:1]})


@pytest.mark.slow
def test_a_fold_is_measured_on_what_it_left_out_and_on_val(tmp_path: Path, tiny_shards: Shards, short: Recipe) -> None:
    results = list(cross_validate(short, tiny_shards, [("large",), ("small",)], tmp_path))
    assert [set(result.auc_left_out) for result in results] == [{"large"}, {"small"}]
    assert all(set(result.hter_val) == {"v"} and 0 <= result.error_left_out <= 1 for result in results)
    assert list(cross_validate(short, tiny_shards, [("large",), ("small",)], tmp_path)) == results
    assert len((tmp_path / "fold1" / "validations.jsonl").read_text().splitlines()) == 1
    with pytest.raises(UsageError, match="another recipe"):
        list(cross_validate(short, tiny_shards, [("small",), ("large",)], tmp_path))


def test_an_error_is_the_mean_of_hter_and_of_what_auc_lacks() -> None:
    result = FoldResult({"a": 0.9, "b": 0.7}, {"a": 0.1, "b": 0.3}, {}, {})
    assert result.error_left_out == pytest.approx((0.2 + 1 - 0.8) / 2)
    assert np.isnan(result.error_val)


@pytest.mark.slow
def test_a_later_recipe_goes_on_from_the_folds_of_the_one_before(
    tmp_path: Path, tiny_shards: Shards, short: Recipe
) -> None:
    groups = [("large",), ("small",)]
    first, second = tmp_path / "first", tmp_path / "second"
    list(cross_validate(short, tiny_shards, groups, first))
    frozen = short.model_copy(update={"frozen_blocks": 1})
    assert len(list(cross_validate(frozen, tiny_shards, groups, second, init=first))) == 2
    with pytest.raises(UsageError, match="may have seen small"):
        list(cross_validate(frozen, tiny_shards, groups[::-1], tmp_path / "other", init=second))
    with pytest.raises(UsageError, match="as many folds"):
        list(cross_validate(frozen, tiny_shards, groups, tmp_path / "third", init=tmp_path))

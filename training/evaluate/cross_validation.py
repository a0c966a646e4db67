"""Cross-validation over domains: a recipe trained once for each fold, and its figures on the domains left out.

``val`` has few domains, and a network that is right on them may be wrong on the next camera.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceauth.errors import UsageError
from training.data.manifests import LIVE, SPOOF
from training.data.shards import Shards
from training.train.loop import train
from training.train.recipe import Recipe
from training.train.sampling import refuse_unknown_domains

Figures = dict[str, float]


@dataclass(frozen=True)
class FoldResult:
    """AUC and HTER at the boundary of a fold's weights by domain, left-out domains and ``val`` apart."""

    auc_left_out: Figures
    hter_left_out: Figures
    auc_val: Figures
    hter_val: Figures

    @property
    def error_left_out(self) -> float:
        """Mean of the macro HTER and of 1 - macro AUC over the left-out domains."""
        return _error(self.auc_left_out, self.hter_left_out)

    @property
    def error_val(self) -> float:
        """The same over the domains of ``val``; NaN where it has none."""
        return _error(self.auc_val, self.hter_val)


def folds(content: Shards, count: int, together: Sequence[Sequence[str]] = ()) -> list[tuple[str, ...]]:
    """Groups of training domains to leave out in turn; sizes are spread evenly.

    Domains of one class stay in training: left out, nothing could be measured on them.

    Args:
        content: the images.
        count: of folds, at least 2.
        together: groups of domains that must not be parted, such as those that show the same people; those of one
            class are left out with the others of their group.

    Raises:
        UsageError: a domain of ``together`` is not in ``train`` or stands in two groups, or there are fewer groups
            than folds.
    """
    real = (content.origin == "real") & (content.split == "train")
    domains = [
        str(d) for d in np.unique(content.domain[real]) if len(set(content.label[real & (content.domain == d)])) == 2
    ]
    named = [domain for group in together for domain in group]
    refuse_unknown_domains(content, named)
    if len(set(named)) < len(named):
        raise UsageError("A domain stands in two groups of domains to keep together: make one group of them.")
    bound = {domain: tuple(group) for group in together for domain in group}
    groups = sorted({bound.get(domain, (domain,)) for domain in domains}, key=lambda group: _size(content, real, group))
    if len(groups) < count:
        raise UsageError(f"{len(groups)} groups of domains of two classes cannot make {count} folds: ask for fewer.")
    return [tuple(d for group in groups[place::count] for d in group) for place in range(count)]


def cross_validate(
    recipe: Recipe,
    content: Shards,
    groups: Sequence[tuple[str, ...]],
    out: Path,
    teachers: Path | None = None,
    init: Path | None = None,
) -> Iterator[FoldResult]:
    """Train once for each group without it, below ``out``; a fold that is finished is not trained again.

    Args:
        recipe: of every fold.
        content: the images.
        groups: domains to leave out, a group a fold.
        out: folder of the folds.
        teachers: as for :func:`training.train.loop.train`.
        init: ``out`` of an earlier cross-validation over the same groups: each fold continues from its own fold there.

    Raises:
        UsageError: the recipe leaves domains out itself, a fold's folder holds the run of another group, or the fold
            of ``init`` is missing or left out other domains.
    """
    if recipe.hold_out:
        raise UsageError(f"{recipe.name} leaves domains out itself: remove hold_out; the folds say what to leave out.")
    for number, group in enumerate(groups, start=1):
        folder = out / f"fold{number}"
        folder.mkdir(parents=True, exist_ok=True)
        start = None if init is None else _last_weights(init / folder.name)
        train(recipe.model_copy(update={"hold_out": group}), content, folder, init=start, teachers=teachers)
        last = json.loads((folder / "validations.jsonl").read_text().splitlines()[-1])
        auc, hter = _figures(last, "auc/"), _figures(last, "hter/")
        yield FoldResult(
            *({d: v for d, v in figures.items() if d in group} for figures in (auc, hter)),
            *({d: v for d, v in figures.items() if d not in group} for figures in (auc, hter)),
        )


def _last_weights(folder: Path) -> Path:
    weights = sorted(folder.glob("phase*.safetensors"))
    if not weights:
        raise UsageError(f"{folder} holds no weights: give the folder of a cross-validation with as many folds.")
    return weights[-1]


def _figures(row: Figures, prefix: str) -> Figures:
    return {key.removeprefix(prefix): float(value) for key, value in row.items() if key.startswith(prefix)}


def _error(auc: Figures, hter: Figures) -> float:
    if not auc:
        return float("nan")
    return float((np.mean(list(hter.values())) + 1 - np.mean(list(auc.values()))) / 2)


def _size(
    content: Shards, real: np.ndarray[tuple[int], np.dtype[np.bool_]], group: tuple[str, ...]
) -> tuple[int, tuple[str, ...]]:
    """The rarer class's images, then names: neighbours go to different folds."""
    mine = np.flatnonzero(real & np.isin(content.domain, group))
    return int(min((content.label[mine] == label).sum() for label in (LIVE, SPOOF))), group

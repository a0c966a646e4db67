"""Cross-validation over domains: a recipe and packs in, macro AUC on domains that each short run left out.

``val`` has few domains, and a network that is right on them may be wrong on the next camera.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceauth.errors import UsageError
from training.config import TrainConfig
from training.packs import WIDE, Pack
from training.records import LIVE, SPOOF
from training.sampling import refuse_unknown_domains
from training.train import train


@dataclass(frozen=True)
class FoldResult:
    """What the averaged weights of a fold's last epoch reach: domain -> AUC, left-out domains and ``val`` apart."""

    left_out: dict[str, float]
    val: dict[str, float]

    @property
    def macro_left_out(self) -> float:
        """Plain mean over the left-out domains."""
        return float(np.mean(list(self.left_out.values())))

    @property
    def macro_val(self) -> float:
        """Plain mean over the domains of ``val``; NaN where it has none."""
        return float(np.mean(list(self.val.values()))) if self.val else float("nan")


def folds(content: Pack, count: int, together: Sequence[Sequence[str]] = ()) -> list[tuple[str, ...]]:
    """Groups of training domains to leave out in turn; whole frames, tight crops and sizes are spread evenly.

    Domains of one class stay in training: left out, nothing could be measured on them.

    Args:
        content: the pictures.
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
    groups = sorted({bound.get(domain, (domain,)) for domain in domains}, key=lambda group: _kind(content, real, group))
    if len(groups) < count:
        raise UsageError(f"{len(groups)} groups of domains of two classes cannot make {count} folds: ask for fewer.")
    return [tuple(d for group in groups[place::count] for d in group) for place in range(count)]


def cross_validate(
    config: TrainConfig,
    content: Pack,
    groups: Sequence[tuple[str, ...]],
    out: Path,
    teachers: Path | None = None,
    init: Path | None = None,
) -> Iterator[FoldResult]:
    """Train once for each group without it, below ``out``; a fold that is finished is not trained again.

    Args:
        config: the recipe of every fold.
        content: the pictures.
        groups: domains to leave out, a group a fold.
        out: folder of the folds.
        teachers: as for :func:`training.train.train`.
        init: ``out`` of the cross-validation of an earlier stage over the same groups: each fold goes on from the last
            weights of its own fold there.

    Raises:
        UsageError: the recipe leaves domains out itself, a fold's folder holds the run of another group, or the fold
            of ``init`` is missing or left out other domains.
    """
    if config.data.hold_out:
        raise UsageError(
            f"{config.name} leaves domains out itself: take hold_out away, the folds say what to leave out."
        )
    for number, group in enumerate(groups, start=1):
        without = config.model_copy(update={"data": config.data.model_copy(update={"hold_out": group})})
        folder = out / f"fold{number}"
        folder.mkdir(parents=True, exist_ok=True)
        start = None if init is None else init / folder.name / "last.safetensors"
        if start is not None and not start.exists():
            raise UsageError(f"There is no {start}: give the folder of a cross-validation with as many folds.")
        train(without, content, folder, init=start, teachers=teachers)
        last = json.loads((folder / "epochs.jsonl").read_text().splitlines()[-1])
        auc = {key.removeprefix("auc/"): float(value) for key, value in last.items() if key.startswith("auc/")}
        yield FoldResult(
            left_out={domain: value for domain, value in auc.items() if domain in group},
            val={domain: value for domain, value in auc.items() if domain not in group},
        )


def _kind(
    content: Pack, real: np.ndarray[tuple[int], np.dtype[np.bool_]], group: tuple[str, ...]
) -> tuple[bool, int, tuple[str, ...]]:
    """Whole frames or tight crops, then the rarer class's pictures, then names: neighbours go to different folds."""
    mine = np.flatnonzero(real & np.isin(content.domain, group))
    wide = np.median([content.context(int(i)) for i in mine]) >= WIDE
    return bool(wide), int(min((content.label[mine] == label).sum() for label in (LIVE, SPOOF))), group

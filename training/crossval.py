"""Cross-validation over domains: a recipe and packs in, macro AUC on domains that each short run left out.

``val`` has few domains, and a network that is right on them may be wrong on the next camera.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.config import TrainConfig
from training.packs import WIDE, Pack
from training.records import LIVE, SPOOF
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
        together: groups of domains that must not be parted, such as those that show the same people.

    Raises:
        ValueError: a domain of ``together`` is not in ``train``, or there are fewer groups than folds.
    """
    real = (content.origin == "real") & (content.split == "train")
    domains = [
        str(d) for d in np.unique(content.domain[real]) if len(set(content.label[real & (content.domain == d)])) == 2
    ]
    absent = sorted({d for group in together for d in group} - set(content.domain[real]))
    if absent:
        raise ValueError(f"There is no domain {', '.join(absent)} in train.")
    bound = {domain: tuple(group) for group in together for domain in group}
    groups = sorted({bound.get(domain, (domain,)) for domain in domains}, key=lambda group: _kind(content, real, group))
    if len(groups) < count:
        raise ValueError(f"{len(groups)} groups of domains of two classes cannot make {count} folds.")
    return [tuple(d for group in groups[place::count] for d in group if d in domains) for place in range(count)]


def cross_validate(
    config: TrainConfig, content: Pack, groups: Sequence[tuple[str, ...]], out: Path, teachers: Path | None = None
) -> Iterator[FoldResult]:
    """Train once for each group without it, below ``out``; a fold that is finished is not trained again."""
    for number, group in enumerate(groups, start=1):
        without = config.model_copy(update={"data": config.data.model_copy(update={"hold_out": group})})
        folder = out / f"fold{number}"
        folder.mkdir(parents=True, exist_ok=True)
        train(without, content, folder, teachers=teachers)
        last = json.loads((folder / "epochs.jsonl").read_text().splitlines()[-1])
        auc = {key.removeprefix("auc/"): float(value) for key, value in last.items() if key.startswith("auc/")}
        yield FoldResult(
            left_out={domain: value for domain, value in auc.items() if domain in group},
            val={domain: value for domain, value in auc.items() if domain not in group},
        )


def _kind(content: Pack, real: np.ndarray[tuple[int], np.dtype[np.bool_]], group: tuple[str, ...]) -> tuple[bool, int]:
    """Whole frames or tight crops, then the rarer class's pictures: neighbours go to different folds."""
    mine = np.flatnonzero(real & np.isin(content.domain, group))
    wide = np.median([content.context(int(i)) for i in mine]) >= WIDE
    return bool(wide), int(min((content.label[mine] == label).sum() for label in (LIVE, SPOOF)))

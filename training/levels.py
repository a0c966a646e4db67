"""Levels: labelled frames and the teachers in, how far off their common boundary is for each domain out.

Teachers rank the pictures of one camera well and cut them badly: of 33 domains of ``train`` they pass more than three
attacks in ten in eleven, and refuse more than three live people in ten in five (their mean logit, on 40 frames of a
class cut at 2.2). Learnt from them as it is, that becomes the network's own error. So the labels say where to cut, a
few numbers a domain, and the teachers how to rank.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from training.augment import Framing, frame
from training.packs import Pack
from training.records import LIVE, SPOOF
from training.sampling import trained_on
from training.teachers import Panel

SCALES = (1.0, 1.4, 2.0, 2.7)  # contexts at which a level is measured; between them it is interpolated
FRAMES = 40  # of a class and domain, at most
FEWEST = 8  # of a class: a domain with fewer has no level of its own, and keeps the teachers' boundary

Levels = Mapping[str, Sequence[float]]
"""Domain -> the teachers' mean live logit half-way between its classes, at each of ``SCALES``."""


def measure_levels(content: Pack, hold_out: Sequence[str], panel: Panel, size: int) -> Levels:
    """Levels of the domains that are trained on and have enough frames of both classes.

    Args:
        content: the pictures.
        hold_out: domains of ``train`` that are left out, whose labels nobody may look at.
        panel: the teachers.
        size: side of the views in pixels.
    """
    usable = trained_on(content, hold_out) & (content.origin == "real")
    levels = {
        str(domain): _of_domain(content, usable & (content.domain == domain), panel, size)
        for domain in np.unique(content.domain[usable])
    }
    return {domain: level for domain, level in levels.items() if level}


def level_at(levels: Levels, domain: str, scale: float) -> float:
    """The level of ``domain`` at a context ``scale``; 0 where it has none."""
    if domain not in levels:
        return 0.0
    return float(np.interp(np.log(scale), np.log(SCALES), levels[domain]))


def _of_domain(content: Pack, mine: npt.NDArray[np.bool_], panel: Panel, size: int) -> list[float]:
    classes = [np.flatnonzero(mine & (content.label == label)) for label in (LIVE, SPOOF)]
    if min(map(len, classes)) < FEWEST:
        return []
    rng = np.random.default_rng(0)
    chosen = [rng.permutation(frames)[:FRAMES] for frames in classes]
    means = [[_mean_logit(content, frames, scale, panel, size) for frames in chosen] for scale in SCALES]
    return [round(float(np.mean(of_classes)), 3) for of_classes in means]


def _mean_logit(content: Pack, frames: npt.NDArray[np.int64], scale: float, panel: Panel, size: int) -> float:
    framing = Framing(scale, shift=(0.0, 0.0), flip=False)
    views = [frame(content.image(int(i)), content.box(int(i)), framing, size) for i in frames]
    return float(panel.ask(views).logits.mean())

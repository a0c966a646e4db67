"""Focus: a network and labelled frames in, how often it is wrong on each class of each training domain out.

A network that imitates its teachers takes over their errors on the domains it trains on. Sampling that asks more often
where it is wrong makes one boundary fit all of them, without loss weights that run away (``ABLATIONS.md``, group DRO).
"""

from collections.abc import Mapping

import numpy as np
from torch import nn

from training.config import TrainConfig
from training.packs import Pack
from training.records import LIVE, SPOOF
from training.sampling import trained_on
from training.validate import p_live, score_pack

FRAMES = 24  # of a class and domain, at most: a share of wrong ones to within 0.1
FEWEST = 8  # a class with fewer is taken to be right

Errors = Mapping[tuple[str, int], float]
"""(Domain, label) -> share of its frames on the wrong side of equal logits, 0 to 1."""


def measure_errors(network: nn.Module, content: Pack, config: TrainConfig) -> Errors:
    """Errors of a network in evaluation mode, at the scales of a release, in domains of ``train`` with both classes."""
    usable = trained_on(content, config.data.hold_out) & (content.origin == "real")
    rng = np.random.default_rng(config.seed)
    frames: dict[tuple[str, int], np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
    for domain in np.unique(content.domain[usable]):
        classes = [np.flatnonzero(usable & (content.domain == domain) & (content.label == k)) for k in (LIVE, SPOOF)]
        if min(map(len, classes)) >= FEWEST:
            frames |= {
                (str(domain), k): rng.permutation(c)[:FRAMES] for k, c in zip((LIVE, SPOOF), classes, strict=True)
            }
    if not frames:
        return {}
    chosen = np.concatenate(list(frames.values()))
    scales = (config.scales[0], *([config.mirrored_scale] if config.mirrored_scale else []))
    live = np.mean([p_live(score_pack(network, content, chosen, s, config.view.size)) for s in scales], axis=0)
    wrong = np.split((live < 0.5) == (content.label[chosen] == LIVE), np.cumsum([len(f) for f in frames.values()])[:-1])
    return {group: float(of_group.mean()) for group, of_group in zip(frames, wrong, strict=True)}

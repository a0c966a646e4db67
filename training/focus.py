"""Focus: a network and labelled frames in, how often it is wrong on each training domain out.

A network that imitates its teachers takes over their errors on the domains it trains on. Sampling that asks more often
where it is wrong makes one boundary fit all of them, without loss weights that run away (``ABLATIONS.md``, group DRO).
A domain has one number, that of its worse class, so that both are drawn evenly all the same.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from torch import nn

from training.config import TrainConfig
from training.packs import Pack
from training.records import LIVE, SPOOF
from training.sampling import trained_on
from training.validate import p_live, score_pack

FRAMES = 24  # of a class and domain, at most: a share of wrong ones to within 0.1
FEWEST = 8  # a domain with fewer of a class is drawn as ever

Errors = Mapping[str, float]
"""Domain -> share of the frames of its worse class on the wrong side of equal logits, 0 to 1."""


def measure_errors(network: nn.Module, content: Pack, config: TrainConfig) -> Errors:
    """Errors of a network in evaluation mode, at the scales of a release, in domains of ``train`` with both classes."""
    usable = trained_on(content, config.data.hold_out) & (content.origin == "real")
    rng = np.random.default_rng(config.seed)
    errors: dict[str, float] = {}
    for domain in np.unique(content.domain[usable]):
        classes = [np.flatnonzero(usable & (content.domain == domain) & (content.label == k)) for k in (LIVE, SPOOF)]
        if min(map(len, classes)) >= FEWEST:
            live, spoof = (_p_live(network, content, rng.permutation(frames)[:FRAMES], config) for frames in classes)
            errors[str(domain)] = float(max((live < 0.5).mean(), (spoof >= 0.5).mean()))
    return errors


def _p_live(
    network: nn.Module, content: Pack, chosen: npt.NDArray[np.int64], config: TrainConfig
) -> npt.NDArray[np.float64]:
    scales = (config.scales[0], *([config.mirrored_scale] if config.mirrored_scale else []))
    views = [p_live(score_pack(network, content, chosen, scale, config)) for scale in scales]
    return np.asarray(np.mean(views, axis=0))

"""The asymmetric triplet loss over domains: pooled features and their groups in, one number out.

Live people of all cameras are one group, attacks of each domain are one of their own: what live faces have in common is
to be learnt, while nothing says that a print on one camera resembles a replay on another (SSDG, Jia et al. 2020).
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from training.packs import Pack
from training.records import LIVE

LIVE_GROUP = 0
NO_GROUP = -1  # a view that belongs to none
MARGIN = 0.1  # SSDG's


def groups_of(content: Pack) -> npt.NDArray[np.int64]:
    """The group of each picture: ``LIVE_GROUP``, or one for the attacks of each domain."""
    domains = np.unique(content.domain, return_inverse=True)[1]
    return np.where(content.label == LIVE, LIVE_GROUP, domains + 1).astype(np.int64)


def triplet_loss(features: Tensor, groups: Tensor) -> Tensor:
    """Mean over anchors of ``max(0, farthest of its group - nearest of another + MARGIN)``, on the unit sphere.

    Args:
        features: float, (B, D).
        groups: int64, (B,); rows of ``NO_GROUP`` are left out, and anchors that are alone in their group.

    Returns:
        A scalar; 0 where no anchor is left.
    """
    features, groups = features[groups != NO_GROUP], groups[groups != NO_GROUP]
    features = nn.functional.normalize(features, dim=1)
    distances = torch.cdist(features, features)
    same = groups[:, None] == groups[None, :]
    others = same & ~torch.eye(len(groups), dtype=torch.bool, device=same.device)
    anchors = others.any(dim=1) & ~same.all(dim=1)
    if not anchors.any():
        return features.sum() * 0
    farthest = distances.masked_fill(~others, -torch.inf).amax(dim=1)
    nearest = distances.masked_fill(same, torch.inf).amin(dim=1)
    return nn.functional.relu(farthest - nearest + MARGIN)[anchors].mean()

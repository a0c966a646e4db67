"""Scoring with the network in training: uint8 crops in, the difference of its two logits out."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.network import MEAN, STD


def normalise(crops: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) RGB to the network's input, float32 (B, 3, H, W) in channels-last memory."""
    mean = torch.tensor(MEAN, device=crops.device) * 255
    std = torch.tensor(STD, device=crops.device) * 255
    return ((crops.float() - mean) / std).permute(0, 3, 1, 2)


def score(network: nn.Module, crops: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Logit of live minus logit of spoof, float32 (N,), of RGB crops uint8 (N, H, W, 3)."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits = network(normalise(torch.from_numpy(crops).to(device)))
    return np.asarray((logits[:, 0] - logits[:, 1]).float().cpu().numpy(), np.float32)

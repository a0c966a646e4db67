"""Batch normalisations, folded into the layer before them for a release and put back to train on.

A released ONNX file holds convolutions with their batch normalisation folded in. It cannot be trained on as it is:
without normalisation a step that suits a training is far too long.
"""

from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from training.train.network import SpoofNet


def fold(network: SpoofNet) -> SpoofNet:
    """The same function in evaluation mode, with each batch normalisation folded into the layer before it."""
    network = deepcopy(network).eval()
    for stack in (*network.features, network.head):
        for place, (layer, norm) in enumerate(pairwise(list(stack))):
            if isinstance(norm, nn.BatchNorm2d):
                stack[place] = fuse_conv_bn_eval(layer, norm)
            elif isinstance(norm, nn.BatchNorm1d):
                stack[place] = fuse_linear_bn_eval(layer, norm)
            else:
                continue
            stack[place + 1] = nn.Identity()
    return network


@torch.no_grad()
def unfold(folded: SpoofNet, crops: Tensor) -> SpoofNet:
    """The function of ``folded`` in evaluation mode, and all but the same in training mode on images like ``crops``.

    What the views pass on to a layer gives the mean and spread to normalise by. Each filter is brought to length 1,
    which its normalisation undoes, so that learning rates mean what they mean from scratch.

    Args:
        folded: as :func:`training.train.checkpoint.load_network` returns it from ``.onnx``.
        crops: normalised for SpoofNet, float32, (N, 3, H, W); a hundred or more.
    """
    network = SpoofNet().eval()
    last = len(network.head) - 1
    network.head[last].load_state_dict(folded.head[last].state_dict())
    for stack, source in zip((*network.features, network.head), (*folded.features, folded.head), strict=True):
        if stack is network.head:
            crops = crops.mean(dim=(2, 3))
        for place, (layer, norm) in enumerate(pairwise(stack)):
            if isinstance(norm, nn.BatchNorm2d | nn.BatchNorm1d):
                _set(layer, norm, source[place], source[place](crops))
            crops = layer(crops)
        crops = stack[-1](crops)
    return network


def _set(
    layer: nn.Conv2d | nn.Linear, norm: nn.BatchNorm2d | nn.BatchNorm1d, source: nn.Conv2d | nn.Linear, outputs: Tensor
) -> None:
    """Set layer and normalisation so that together they compute what ``source`` does, whose ``outputs`` are given."""
    assert layer.bias is not None and source.bias is not None
    assert norm.running_mean is not None and norm.running_var is not None
    others = [dim for dim in range(outputs.dim()) if dim != 1]
    variance, mean = torch.var_mean(outputs, dim=others)
    length = source.weight.flatten(1).norm(dim=1).clamp_min(1e-12)
    layer.weight.copy_(source.weight / length.view(-1, *[1] * (source.weight.dim() - 1)))
    layer.bias.zero_()
    norm.running_mean.copy_((mean - source.bias) / length)
    norm.running_var.copy_(variance / length**2)
    norm.weight.copy_((variance / length**2 + norm.eps).sqrt() * length)
    norm.bias.copy_(mean)

"""MiniFASNetV2 and MiniFASNetV1SE as PyTorch modules, to read upstream's published checkpoints.

Written from the structure of the exported graphs; the attributes are named as the keys of the checkpoints.
"""

from collections.abc import Sequence

from torch import Tensor, nn

STEM, EMBEDDING, CLASSES = 32, 128, 3


class ConvNorm(nn.Module):
    """Convolution and batch normalisation, without an activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        padding = 1 if kernel == 3 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        return self.bn(self.conv(x))


class ConvNormAct(ConvNorm):
    """The same with a PReLU behind it."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups)
        self.prelu = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """As :class:`ConvNorm`."""
        return self.prelu(super().forward(x))


class SqueezeExcitation(nn.Module):
    """Weighs each channel by what its mean says (Hu et al. 2018), with batch normalisation in between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // 4, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels // 4)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(channels // 4, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W), weighed."""
        hidden = self.relu(self.bn1(self.fc1(self.avg_pool(x))))
        return x * self.sigmoid(self.bn2(self.fc2(hidden)))


class Bottleneck(nn.Module):
    """Expands by 1 x 1, filters each channel by 3 x 3, projects by 1 x 1 (Sandler et al. 2018)."""

    def __init__(self, inputs: int, hidden: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv = ConvNormAct(inputs, hidden)
        self.conv_dw = ConvNormAct(hidden, hidden, 3, stride=stride, groups=hidden)
        self.project = ConvNorm(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        return self.project(self.conv_dw(self.conv(x)))


class Residual(Bottleneck):
    """A bottleneck added to its input, with ``excited`` after squeeze and excitation."""

    def __init__(self, channels: int, hidden: int, *, excited: bool) -> None:
        super().__init__(channels, hidden, channels, stride=1)
        if excited:
            self.se_module = SqueezeExcitation(channels)
        self.excited = excited

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W), the same size."""
        change = super().forward(x)
        return x + (self.se_module(change) if self.excited else change)


class Stage(nn.Module):
    """Residual blocks in a row, of which the last is ``excited``."""

    def __init__(self, channels: int, hidden: Sequence[int], *, excited: bool) -> None:
        super().__init__()
        last = len(hidden) - 1
        blocks = (Residual(channels, width, excited=excited and place == last) for place, width in enumerate(hidden))
        self.model = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W), the same size."""
        return self.model(x)


class Flatten(nn.Module):
    """A row for each face."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, 1, 1) as (N, channels)."""
        return x.view(x.size(0), -1)


class Network(nn.Module):
    """Logits of 80 x 80 crops: 0 = spoof (flat), 1 = live, 2 = spoof (other).

    Args:
        third, fourth, fifth: hidden channels of each residual block of the three stages, pruned by upstream one by one.
        excited: whether the last block of each stage has squeeze and excitation.
    """

    def __init__(self, third: Sequence[int], fourth: Sequence[int], fifth: Sequence[int], *, excited: bool) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(3, STEM, 3, stride=2)
        self.conv2_dw = ConvNormAct(STEM, STEM, 3, groups=STEM)
        self.conv_23 = Bottleneck(STEM, 103, 64, stride=2)
        self.conv_3 = Stage(64, third, excited=excited)
        self.conv_34 = Bottleneck(64, 231, 128, stride=2)
        self.conv_4 = Stage(128, fourth, excited=excited)
        self.conv_45 = Bottleneck(128, 308, 128, stride=2)
        self.conv_5 = Stage(128, fifth, excited=excited)
        self.conv_6_sep = ConvNormAct(128, 512)
        self.conv_6_dw = ConvNorm(512, 512, 5, groups=512)
        self.conv_6_flatten = Flatten()
        self.linear = nn.Linear(512, EMBEDDING, bias=False)
        self.bn = nn.BatchNorm1d(EMBEDDING)
        self.prob = nn.Linear(EMBEDDING, CLASSES, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 3) of (N, 3, 80, 80), BGR, 0-255."""
        x = self.conv_23(self.conv2_dw(self.conv1(x)))  # (N, 64, 20, 20)
        x = self.conv_34(self.conv_3(x))  # (N, 128, 10, 10)
        x = self.conv_45(self.conv_4(x))  # (N, 128, 5, 5)
        x = self.conv_6_dw(self.conv_6_sep(self.conv_5(x)))  # (N, 512, 1, 1)
        return self.prob(self.bn(self.linear(self.conv_6_flatten(x))))


def mini_fasnet_v2() -> Network:
    """MiniFASNetV2, for crops of 2.7 face boxes."""
    return Network((13, 13, 13, 13), (231, 52, 26, 77, 26, 26), (26, 26), excited=False)


def mini_fasnet_v1se() -> Network:
    """MiniFASNetV1SE, for crops of 4.0 face boxes."""
    return Network((13, 26, 13, 52), (154, 52, 26, 52, 26, 26), (26, 26), excited=True)

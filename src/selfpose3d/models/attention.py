"""attn_net_2d: how far the pseudo labels are to be trusted, per joint and pixel (section 3.5)."""

import torch
from torch import Tensor, nn

from selfpose3d.config import Networks
from selfpose3d.models.resnet import PoseResNet
from selfpose3d.skeletons import N_JOINTS

SMALL_CHANNELS = (16, 24, 32)


def build_attention(networks: Networks) -> nn.Module:
    """(N, 3, H, W) normalised images to (N, 15, H / 4, W / 4) maps in (0, 1), fresh weights."""
    if networks.attention == "pose_resnet18":
        return PoseResNet(18, N_JOINTS, sigmoid=True)
    return SmallAttention()


class SmallAttention(nn.Module):
    """A few strided convolutions: cheap enough for every view of every step on a CPU."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = SMALL_CHANNELS
        self.down = nn.Sequential(
            *_convolution(3, first, stride=2),
            *_convolution(first, second, stride=2),
            *_convolution(second, third, stride=2),
            *_convolution(third, third, stride=1),
        )
        self.head = nn.ConvTranspose2d(third, N_JOINTS, 4, stride=2, padding=1)
        nn.init.normal_(self.head.weight, std=1e-3)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias, 2.0)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 15, H / 4, W / 4); starts near sigmoid(2), trusting everything."""
        maps: Tensor = self.head(self.down(images.contiguous(memory_format=torch.channels_last)))
        return maps.sigmoid()


def _convolution(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]

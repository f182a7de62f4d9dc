"""attn_net_2d: how far each view's pseudo heatmaps are to be trusted (paper section 3.5)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfpose3d.errors import InputError
from selfpose3d.methods.voxels.backbone import Backbone
from selfpose3d.networks.layout import channels_last
from selfpose3d.networks.resnet import Depth, PoseResNet
from selfpose3d.parameters import Networks

START_LOGIT = 2.0
"""The small network's first output: attention near 1, where its regulariser (eq. 8) wants it."""


class SmallAttention(nn.Module):
    """A few convolutions down to stride 16 and back: cheap on a CPU, 0.13 M parameters.

    Args:
        out_channels: maps.
    """

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.at_4 = nn.Sequential(_block(3, 16, stride=2), _block(16, 32, stride=2))
        self.at_8 = _block(32, 48, stride=2)
        self.at_16 = nn.Sequential(_block(48, 64, stride=2), _block(64, 64), _block(64, 64))
        self.up_8 = nn.Conv2d(64, 48, 1)
        self.up_4 = nn.Conv2d(48, 32, 1)
        self.head = nn.Conv2d(32, out_channels, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.bias, START_LOGIT)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised images to (N, out_channels, H/4, W/4) in (0, 1)."""
        of_4 = self.at_4(images)
        of_8 = self.at_8(of_4)
        of_8 = of_8 + F.interpolate(self.up_8(self.at_16(of_8)), size=of_8.shape[2:])
        of_4 = of_4 + F.interpolate(self.up_4(of_8), size=of_4.shape[2:])
        return torch.sigmoid(self.head(of_4))


def _block(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class SharedAttention(nn.Module):
    """A head of its own on the trunk of heatmap_net_2d (paper table 13, "shared").

    Args:
        backbone: whose trunk it looks through.
        out_channels: maps.
    """

    def __init__(self, backbone: Backbone, out_channels: int) -> None:
        super().__init__()
        self.head = backbone.network.new_head(out_channels)
        # In a tuple, as the trunk's weights are the backbone's: to train, to freeze and to keep.
        self._trunk = (backbone.trunk,)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised images to (N, out_channels, H/4, W/4) in (0, 1)."""
        (trunk,) = self._trunk
        return torch.sigmoid(self.head(trunk(images)))


_DEPTHS: dict[str, Depth] = {"pose_resnet18": 18, "pose_resnet34": 34, "pose_resnet50": 50}


def build_attention(networks: Networks, backbone: Backbone | None, n_joints: int) -> nn.Module:
    """attn_net_2d as the parameters describe it, with random weights.

    It takes (N, 3, H, W) normalised images to (N, J, H/4, W/4) attention in (0, 1).

    Args:
        networks: the parameters.
        backbone: heatmap_net_2d, where there is one.
        n_joints: J.
    """
    if networks.attention == "small":
        return channels_last(SmallAttention(n_joints))
    if networks.attention != "shared":
        return channels_last(PoseResNet(_DEPTHS[networks.attention], n_joints, sigmoid=True))
    if backbone is None:
        raise InputError("networks.attention: shared needs heatmaps.source: backbone")
    return channels_last(SharedAttention(backbone, n_joints))

"""heatmap_net_2d: from images to one heatmap a joint.

Two heads. *Plain*: 15 heatmaps (the paper's). *Side-aware*: 9 heatmaps in which left and right are
merged (neck, nose, mid-hip, shoulder, elbow, wrist, hip, knee, ankle) and 6 logits that tell left
from right, because plain heatmaps learn where joints are long before they learn the sides.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfpose3d.networks.layout import channels_last
from selfpose3d.networks.mobilenet import MobileNetV2
from selfpose3d.networks.resnet import PoseResNet
from selfpose3d.parameters import Networks
from selfpose3d.skeletons import LEFT, N_JOINTS, RIGHT
from selfpose3d.training.devices import made_once

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of ImageNet's RGB pixels in [0, 1]."""

SIDE_WEIGHT = 3.0
"""Of the side logits' cross-entropy, against the heatmaps' squared error."""

_CENTRAL = N_JOINTS - len(LEFT) - len(RIGHT)
_MERGED = _CENTRAL + len(LEFT)


def normalise(images: Tensor) -> Tensor:
    """uint8 RGB (..., H, W, 3) to float32 (..., 3, H, W) with ImageNet's mean and spread."""
    scale, shift = _of_rows(images.shape[-2], images.device)
    rows = images.flatten(-2).to(torch.float32)  # whole rows at a time, not three numbers
    return rows.mul_(scale).sub_(shift).view(images.shape).movedim(-1, -3)


@made_once
def _of_rows(width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """What a row of so many pixels is multiplied by, and what is then subtracted."""
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    scale, shift = 1 / (255 * std), mean / std
    return scale.repeat(width).to(device), shift.repeat(width).to(device)


class Backbone(nn.Module):
    """An image network and the meaning of its output.

    Args:
        network: (N, 3, H, W) to (N, 15, H/4, W/4), with a ``trunk`` and a ``load_start``.
        side_aware: what the 15 channels are.
    """

    def __init__(self, network: MobileNetV2 | PoseResNet, side_aware: bool) -> None:
        super().__init__()
        self.network = network
        self.side_aware = side_aware

    @property
    def trunk(self) -> nn.Module:
        """The part whose start may be given weights."""
        return self.network.trunk

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised images to the raw output (N, 15, h, w)."""
        raw: Tensor = self.network(images)
        return raw

    def heatmaps(self, raw: Tensor) -> Tensor:
        """The raw output as 15 heatmaps (N, 15, h, w) in [0, 1]."""
        if not self.side_aware:
            return raw.clamp(0, 1)
        merged = raw[:, :_MERGED].clamp(0, 1)
        left = F.avg_pool2d(raw[:, _MERGED:], 3, stride=1, padding=1).sigmoid()
        paired = merged[:, _CENTRAL:]
        return torch.cat([merged[:, :_CENTRAL], paired * left, paired * (1 - left)], dim=1)

    def loss(self, raw: Tensor, targets: Tensor, positive_weight: float) -> Tensor:
        """Squared error to target heatmaps, and the cross-entropy of the sides.

        Args:
            raw: (N, 15, h, w).
            targets: (N, 15, h, w) in [0, 1].
            positive_weight: extra weight of a pixel, times its target.

        Returns:
            a scalar: the squared error summed over joints, mean over pixels, plus, for a
            side-aware head, ``SIDE_WEIGHT`` times the cross-entropy where one side outweighs the
            other.
        """
        if not self.side_aware:
            return _squared_error(raw, targets, positive_weight)
        central, left, right = targets.split([_CENTRAL, len(LEFT), len(RIGHT)], dim=1)
        merged = torch.cat([central, torch.maximum(left, right)], dim=1)
        sides = F.binary_cross_entropy_with_logits(
            raw[:, _MERGED:], (left > right).to(raw.dtype), reduction="none"
        )
        decided = (left - right).abs()
        side_loss = (sides * decided).sum() / decided.sum().clamp(min=1e-6)
        return _squared_error(raw[:, :_MERGED], merged, positive_weight) + SIDE_WEIGHT * side_loss

    def load_imagenet(self, path: Path) -> None:
        """Start from given weights.

        For ``mobilenet_v2`` the file that ``selfpose3d fetch-weights imagenet`` fetches, or its
        folder; for a PoseResNet, a ResNet or a Simple-Baseline pose network.

        Raises:
            InputError: no such file, or the weights do not fit.
        """
        self.network.load_start(path)


def _squared_error(raw: Tensor, targets: Tensor, positive_weight: float) -> Tensor:
    weighted = (raw - targets).square() * (1 + positive_weight * targets)
    return weighted.mean() * N_JOINTS


def build_backbone(networks: Networks) -> Backbone:
    """heatmap_net_2d as the parameters describe it, with random weights."""
    network: MobileNetV2 | PoseResNet
    if networks.backbone == "mobilenet_v2":
        network = MobileNetV2(N_JOINTS)
    else:
        network = PoseResNet(50 if networks.backbone == "pose_resnet50" else 18, N_JOINTS)
    channels_last(network)
    return Backbone(network, networks.side_aware)

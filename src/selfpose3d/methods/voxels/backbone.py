"""heatmap_net_2d: from images to one heatmap per joint.

Two heads. *Plain*: a heatmap of each joint (the paper's 15). *Side-aware*: heatmaps in which left
and right are merged (of Panoptic-15: neck, nose, mid-hip, shoulder, elbow, wrist, hip, knee, ankle)
and a logit of each pair that tells left from right, because plain heatmaps learn where joints are
long before they learn the sides.

Letters: N images, J joints, C joints of neither side, S pairs, h x w heatmap px.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfpose3d.networks.layout import channels_last
from selfpose3d.networks.mobilenet import MobileNetV2
from selfpose3d.networks.resnet import PoseResNet
from selfpose3d.parameters import Networks
from selfpose3d.skeletons import Skeleton
from selfpose3d.training.devices import constant, made_once

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's RGB pixels in [0, 1]."""

SIDE_WEIGHT = 3.0
"""Weight of the side logits' cross-entropy against the heatmaps' squared error."""


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
        network: (N, 3, H, W) to (N, J, H/4, W/4), with a ``trunk`` and a ``load_start``.
        side_aware: what the J channels are.
        skeleton: the J joints.
    """

    def __init__(
        self, network: MobileNetV2 | PoseResNet, side_aware: bool, skeleton: Skeleton
    ) -> None:
        super().__init__()
        self.network = network
        self.side_aware = side_aware
        self.sides = _Sides(skeleton)

    @property
    def trunk(self) -> nn.Module:
        """The part whose start may be given weights."""
        return self.network.trunk

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised images to the raw output (N, J, h, w)."""
        raw: Tensor = self.network(images)
        return raw

    def heatmaps(self, raw: Tensor) -> Tensor:
        """The raw output as heatmaps (N, J, h, w) in [0, 1]."""
        if not self.side_aware:
            return raw.clamp(0, 1)
        n_central, n_pairs, _ = self.sides.counts
        merged, logits = raw.split([n_central + n_pairs, n_pairs], dim=1)
        merged = merged.clamp(0, 1)
        left = F.avg_pool2d(logits, 3, stride=1, padding=1).sigmoid()
        paired = merged[:, n_central:]
        return self.sides.joined(merged[:, :n_central], paired * left, paired * (1 - left))

    def loss(self, raw: Tensor, targets: Tensor, positive_weight: float) -> Tensor:
        """Squared error to target heatmaps, and the cross-entropy of the sides.

        Args:
            raw: (N, J, h, w).
            targets: (N, J, h, w) in [0, 1].
            positive_weight: extra weight of a pixel, times its target.

        Returns:
            a scalar: the squared error summed over joints, mean over pixels, plus, for a
            side-aware head, ``SIDE_WEIGHT`` times the cross-entropy where one side outweighs the
            other.
        """
        if not self.side_aware:
            return _squared_error(raw, targets, positive_weight, targets.shape[1])
        central, left, right = self.sides.split(targets)
        merged = torch.cat([central, torch.maximum(left, right)], dim=1)
        found, logits = raw.split([merged.shape[1], left.shape[1]], dim=1)
        sides = F.binary_cross_entropy_with_logits(
            logits, (left > right).to(raw.dtype), reduction="none"
        )
        decided = (left - right).abs()
        side_loss = (sides * decided).sum() / decided.sum().clamp(min=1e-6)
        # The sum over joints is that of as many channels as there are joints, in both heads.
        n_joints = targets.shape[1]
        heatmaps = _squared_error(found, merged, positive_weight, n_joints)
        return heatmaps + SIDE_WEIGHT * side_loss

    def load_imagenet(self, path: Path) -> None:
        """Start from given weights.

        For ``mobilenet_v2`` the file that ``selfpose3d fetch-weights imagenet`` fetches, or its
        folder; for a PoseResNet, a ResNet or a Simple-Baseline pose network.

        Raises:
            InputError: no such file, or the weights do not fit.
        """
        self.network.load_start(path)


class _Sides:
    """Channels of joints apart by side, and together again."""

    def __init__(self, skeleton: Skeleton) -> None:
        order = (*skeleton.central, *skeleton.left, *skeleton.right)
        self.counts = (len(skeleton.central), len(skeleton.left), len(skeleton.right))
        in_order = order == tuple(range(len(skeleton)))
        self._order = None if in_order else order
        self._back = None if in_order else tuple(map(order.index, range(len(skeleton))))

    def split(self, channels: Tensor) -> tuple[Tensor, ...]:
        """(N, J, h, w) to (N, C, h, w) of neither side, (N, S, h, w) of the left and the right."""
        if self._order is not None:
            channels = channels[:, constant(self._order, channels.device, torch.long)]
        return channels.split(self.counts, dim=1)

    def joined(self, *parts: Tensor) -> Tensor:
        """What ``split`` gives, to (N, J, h, w)."""
        channels = torch.cat(parts, dim=1)
        if self._back is None:
            return channels
        return channels[:, constant(self._back, channels.device, torch.long)]


def _squared_error(raw: Tensor, targets: Tensor, positive_weight: float, n_joints: int) -> Tensor:
    weighted = (raw - targets).square() * (1 + positive_weight * targets)
    return weighted.mean() * n_joints


def build_backbone(networks: Networks, skeleton: Skeleton) -> Backbone:
    """heatmap_net_2d of a skeleton as the parameters describe it, with random weights."""
    network: MobileNetV2 | PoseResNet
    if networks.backbone == "mobilenet_v2":
        network = MobileNetV2(len(skeleton))
    else:
        network = PoseResNet(50 if networks.backbone == "pose_resnet50" else 18, len(skeleton))
    channels_last(network)
    return Backbone(network, networks.side_aware, skeleton)

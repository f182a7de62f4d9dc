"""heatmap_net_2d: images to the joints' heatmaps.

Two heads. The paper's gives 15 heatmaps. The side-aware one gives 9, with left and right merged,
and 6 side logits that part the merged ones: a network that is unsure of the side says so instead
of smearing both.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selfpose3d.config import Networks
from selfpose3d.models.mobilenet import MobileHeatmaps
from selfpose3d.models.resnet import PoseResNet
from selfpose3d.skeletons import LEFT, N_JOINTS, RIGHT

MIDDLE = tuple(joint for joint in range(N_JOINTS) if joint not in (*LEFT, *RIGHT))
N_MERGED = len(MIDDLE) + len(LEFT)
SIDE_WEIGHT = 0.5
"""Weight of the side logits' cross-entropy beside the merged heatmaps' squared error."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def build_backbone(networks: Networks) -> "Backbone":
    """The network that the parameters name, with fresh weights."""
    if networks.backbone == "mobilenet_v2":
        network: nn.Module = MobileHeatmaps(N_JOINTS)
    else:
        depth = 50 if networks.backbone == "pose_resnet50" else 18
        network = PoseResNet(depth, N_JOINTS, sigmoid=False)
    return Backbone(network, networks.side_aware)


class Backbone(nn.Module):
    """heatmap_net_2d.

    Args:
        network: (N, 3, H, W) to (N, 15, H / 4, W / 4).
        side_aware: how the 15 maps are read: 9 merged heatmaps and 6 side logits, or heatmaps.
    """

    def __init__(self, network: nn.Module, side_aware: bool) -> None:
        super().__init__()
        self.network = network
        self.side_aware = side_aware
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def trunk(self) -> nn.Module:
        """The part that given weights start; the whole network where it has none apart."""
        trunk = getattr(self.network, "trunk", self.network)
        assert isinstance(trunk, nn.Module)
        return trunk

    def load_imagenet(self, path: Path) -> None:
        """Start the trunk from ImageNet weights; see ``mobilenet.Trunk.load``."""
        if not isinstance(self.network, MobileHeatmaps):
            raise ValueError("ImageNet weights are there for networks.backbone mobilenet_v2 only")
        self.network.trunk.load(path)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised images to (N, 15, H / 4, W / 4) raw maps."""
        raw: Tensor = self.network(images.contiguous(memory_format=torch.channels_last))
        return raw.contiguous()

    def heatmaps(self, raw: Tensor) -> Tensor:
        """(N, 15, h, w) heatmaps in [0, 1] from raw maps."""
        if not self.side_aware:
            return raw.clamp(0, 1)
        merged = raw[:, :N_MERGED].clamp(0, 1)
        left = F.avg_pool2d(raw[:, N_MERGED:], 3, stride=1, padding=1).sigmoid()
        sides = merged[:, len(MIDDLE) :]
        return torch.cat([merged[:, : len(MIDDLE)], sides * left, sides * (1 - left)], dim=1)

    def loss(self, raw: Tensor, targets: Tensor, positive_weight: float) -> Tensor:
        """Squared error to (N, 15, h, w) targets, weighted 1 + positive_weight * target.

        The side-aware head adds the cross-entropy of its side logits where the targets of the
        two sides differ.
        """
        if not self.side_aware:
            return weighted_error(raw, targets, positive_weight)
        left, right = targets[:, list(LEFT)], targets[:, list(RIGHT)]
        merged = torch.cat([targets[:, list(MIDDLE)], torch.maximum(left, right)], dim=1)
        error = weighted_error(raw[:, :N_MERGED], merged, positive_weight)
        weight = (left - right).abs()
        entropy = F.binary_cross_entropy_with_logits(
            raw[:, N_MERGED:], (left > right).to(raw.dtype), reduction="none"
        )
        scale = N_JOINTS if positive_weight > 0 else 1
        return scale * error + SIDE_WEIGHT * (entropy * weight).sum() / weight.sum().clamp(min=1e-6)


def weighted_error(values: Tensor, targets: Tensor, positive_weight: float) -> Tensor:
    """Mean squared error, weighted ``1 + positive_weight * target``."""
    return ((values - targets) ** 2 * (1 + positive_weight * targets)).mean()


def normalise(images_NHW3: Tensor) -> Tensor:
    """(..., H, W, 3) uint8 RGB to (..., 3, H, W) float, by ImageNet's mean and deviation."""
    mean = torch.tensor(IMAGENET_MEAN, device=images_NHW3.device)
    std = torch.tensor(IMAGENET_STD, device=images_NHW3.device)
    return ((images_NHW3.float() / 255 - mean) / std).movedim(-1, -3)

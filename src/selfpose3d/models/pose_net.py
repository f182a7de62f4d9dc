"""pose_net_3d: the joints of one person, by soft-argmax over a cuboid (paper section 3.4)."""

import torch
from torch import Tensor, nn

from selfpose3d.geometry.voxels import grid_points
from selfpose3d.models.v2v import V2V
from selfpose3d.skeletons import N_JOINTS

BETA = 100.0
"""Sharpness of the published soft-argmax: softmax(100 y)."""
RESIDUAL_GAIN = 10.0
EVIDENCE_GAIN = 20.0
"""Residual start: softmax(10 y + k e), with k learnt from 20 and e the evidence itself."""


class PoseNet(nn.Module):
    """A person's unprojected heatmaps to 3D joints.

    Args:
        width: of the V2V.
        bins: voxels a side of the cuboid.
        size: side of the cuboid, mm.
        shift: of the cuboid's centre above the given centre, mm.
        residual_start: add the network's output to the scaled evidence, so that an untrained
            network already gives the evidence's soft maximum; else the published soft-argmax of
            the network's output alone.
    """

    offsets: Tensor

    def __init__(
        self, width: int, bins: int, size: float, shift: float, residual_start: bool
    ) -> None:
        super().__init__()
        self.v2v = V2V(N_JOINTS, N_JOINTS, width)
        self.bins = (bins, bins, bins)
        self.residual_start = residual_start
        self.evidence_gain = nn.Parameter(torch.tensor(EVIDENCE_GAIN), residual_start)
        offsets = grid_points((size, size, size), self.bins, (0.0, 0.0, shift))
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, volumes_PJnnn: Tensor, centres_P3: Tensor) -> Tensor:
        """Evidence (P, J, n, n, n) and cuboid centres (P, 3) mm to joints (P, J, 3) mm."""
        output = self.v2v(volumes_PJnnn)
        if self.residual_start:
            logits = RESIDUAL_GAIN * output + self.evidence_gain * volumes_PJnnn
        else:
            logits = BETA * output
        probability = logits.flatten(2).float().softmax(-1)
        return probability @ self.offsets + centres_P3[:, None]

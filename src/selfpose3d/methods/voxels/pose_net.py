"""pose_net_3d: a person's joints from the evidence in a cuboid about them (paper section 3.3)."""

import torch
from torch import Tensor, nn

from selfpose3d.geometry.voxels import grid_points
from selfpose3d.networks.layout import channels_last_3d
from selfpose3d.networks.v2v import V2V

BETA = 100.0
"""The paper's soft-argmax: ``softmax(BETA * output)`` over the voxels, then the mean of their
coordinates in mm. It scales the network's output, not the coordinates."""

RESIDUAL_BETA = 10.0
"""Factor of the network's output in the soft-argmax with the residual start."""

EVIDENCE_BETA = 20.0
"""First factor of the evidence in the soft-argmax with the residual start; it is learnt."""


class PoseNet(nn.Module):
    """V2V on each person's cuboid, then a soft-argmax per joint.

    Args:
        n_joints: J.
        width: of the V2V; paper 16.
        grid: voxels per side; paper 64.
        size: side of the cuboid, mm; paper 2000.
        shift: of the cuboid's centre above the person's, mm; paper 0.
        residual_start: soft-argmax over ``RESIDUAL_BETA * output + k * evidence`` with ``k``
            learnt, instead of ``BETA * output``. As the head's weights start near zero, training
            starts from the centre of mass of the evidence instead of that of the cuboid.
    """

    offsets: Tensor
    """(N, 3) voxel centres about a person's centre, mm."""
    reach: Tensor
    """(J,) how far from the person's centre a joint can be, mm; unlimited until it is learnt. A
    neighbour's joints lie in the cuboid too, and beyond it they are left out."""

    def __init__(
        self,
        n_joints: int,
        width: int = 16,
        grid: int = 64,
        size: float = 2000.0,
        shift: float = 0.0,
        residual_start: bool = False,
    ) -> None:
        super().__init__()
        self.bins = (grid, grid, grid)
        self.v2v = channels_last_3d(V2V(n_joints, n_joints, width))
        self.evidence_beta = nn.Parameter(torch.tensor(EVIDENCE_BETA)) if residual_start else None
        offsets = grid_points((size,) * 3, self.bins, (0.0, 0.0, shift))
        self.register_buffer("offsets", offsets, persistent=False)
        self.register_buffer("reach", torch.full((n_joints,), torch.inf))

    def limit_reach(self, reach_J: Tensor) -> None:
        """Leave out what is farther from the person's centre than (J,) mm, but never the voxels
        about the centre."""
        spacing = (self.offsets[-1] - self.offsets[0]).norm() / (self.bins[0] - 1)
        self.reach.copy_(reach_J.clamp(min=2 * float(spacing)))

    def forward(self, volumes_PJnnn: Tensor, centres_P3: Tensor) -> Tensor:
        """Evidence about people at ``centres_P3`` mm to their joints (P, J, 3) in mm."""
        if len(volumes_PJnnn) == 0:
            return centres_P3.new_zeros(0, len(self.reach), 3)
        output = self.v2v(volumes_PJnnn)
        if self.evidence_beta is None:
            logits = BETA * output
        else:
            logits = RESIDUAL_BETA * output + self.evidence_beta * volumes_PJnnn
        beyond = self.offsets.norm(dim=-1) > self.reach[:, None]
        logits = logits.flatten(2).masked_fill(beyond, -torch.inf)
        return soft_argmax(logits, self.offsets) + centres_P3[:, None]


def soft_argmax(logits_PJN: Tensor, points_N3: Tensor) -> Tensor:
    """Mean of the points, weighted with the softmax of the logits: (P, J, 3); float32 at least."""
    shares = logits_PJN.to(torch.promote_types(logits_PJN.dtype, torch.float32)).softmax(-1)
    return shares @ points_N3.to(shares)

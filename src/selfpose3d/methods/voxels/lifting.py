"""The way from heatmaps to 3D: the evidence volumes, root_net and its proposals, pose_net.

Shapes: B samples, V views, P people, J joints, h x w heatmap px, X x Y x Z voxels of the space,
n voxels per side of a person's cuboid.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from selfpose3d.geometry.rigs import Rig
from selfpose3d.geometry.voxels import RootGrid, unproject_cuboids
from selfpose3d.methods.voxels.pose_net import PoseNet
from selfpose3d.methods.voxels.root_net import RootNet, proposals
from selfpose3d.networks.folding import folded
from selfpose3d.parameters import Parameters
from selfpose3d.skeletons import Skeleton
from selfpose3d.training.devices import Runner, plain_run


class Proposals(NamedTuple):
    """The places at which root_net sees people.

    Args:
        centres: (P, 3) mm.
        scores: (P,).
        counts: how many each of the B samples has; theirs come one after the other.
    """

    centres: Tensor
    scores: Tensor
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Lifting:
    """The 3D half of the method; a network that a stage does not use is not there.

    Args:
        skeleton: the joints of heatmaps and people.
        grid: of the space; None without root_net.
        stride: input px per heatmap px.
        threshold: least value of a proposal.
        max_people: proposals per sample.
    """

    skeleton: Skeleton
    stride: int
    grid: RootGrid | None = None
    threshold: float = 0.0
    max_people: int = 0
    _root_net: RootNet | None = None
    _pose_net: PoseNet | None = None

    @property
    def root_net(self) -> RootNet:
        """root_net."""
        assert self._root_net is not None
        return self._root_net

    @property
    def pose_net(self) -> PoseNet:
        """pose_net_3d."""
        assert self._pose_net is not None
        return self._pose_net

    def root_heatmaps(self, heatmaps: Tensor) -> Tensor:
        """The heatmaps that root_net sees, out of (..., J, h, w): all or the root's (..., 1, h, w).
        The root's is the mean of several joints' where the root is their mean."""
        if self.root_net.in_channels > 1:
            return heatmaps
        roots = [heatmaps[..., joint : joint + 1, :, :] for joint in self.skeleton.root]
        return roots[0] if len(roots) == 1 else torch.stack(roots).mean(0)

    def to_evaluation(self, device: torch.device) -> "Lifting":
        """The lifting with both networks folded, on a device; they can't learn any more."""
        return replace(
            self,
            _root_net=folded(self.root_net).to(device),
            _pose_net=folded(self.pose_net).to(device),
        )

    def root_evidence(self, heatmaps: Tensor, rig: Rig, affines: Tensor) -> Tensor:
        """(B, V, C, h, w) heatmaps for root_net unprojected (eq. 1): (B, C, X, Y, Z)."""
        assert self.grid is not None
        return self.grid.volume(heatmaps, rig, affines)

    def root_target(self, roots: Tensor, sigma: float) -> Tensor:
        """Volumes with a 3D Gaussian of ``sigma`` mm at each root: (B, P, 3) to (B, X, Y, Z)."""
        assert self.grid is not None
        points, _ = self.grid.on(roots.device)
        squared = torch.cdist(roots, points.expand(len(roots), -1, -1)) ** 2
        return torch.exp(-squared / (2 * sigma**2)).amax(1).unflatten(1, self.grid.bins)

    def find_roots(
        self, heatmaps: Tensor, rig: Rig, affines: Tensor, run: Runner = plain_run
    ) -> Proposals:
        """Proposals from (B, V, J, h, w) heatmaps."""
        assert self.grid is not None
        evidence = self.root_evidence(self.root_heatmaps(heatmaps), rig, affines)
        volume = run(self.root_net, evidence)[:, 0]
        return Proposals(*proposals(volume, self.grid, self.threshold, self.max_people))

    def body_evidence(
        self, heatmaps: Tensor, rig: Rig, affines: Tensor, counts: Sequence[int], centres: Tensor
    ) -> Tensor:
        """Heatmaps (B, V, J, h, w) unprojected into cuboids about (P, 3), so many of each sample:
        (P, J, n, n, n)."""
        return unproject_cuboids(
            heatmaps, rig, affines, counts, centres, self.pose_net.offsets, self.stride
        ).unflatten(-1, self.pose_net.bins)


def build_lifting(parameters: Parameters, networks: Collection[str], skeleton: Skeleton) -> Lifting:
    """The 3D half of a skeleton with fresh networks, those of "root" and "pose" that are named."""
    sizes, stride = parameters.networks, parameters.heatmaps.stride
    has_root, has_pose = "root" in networks, "pose" in networks
    both = has_root and has_pose
    grid = root_net = pose_net = None
    if has_root:
        space = parameters.space
        grid = RootGrid(
            *(space.size, sizes.root_grid, space.centre, stride),
            *(sizes.root_views, sizes.root_sampling),
        )
        root_net = RootNet(sizes.v2v_width, len(skeleton) if sizes.root_input == "all" else 1)
    if has_pose:
        pose_net = PoseNet(
            len(skeleton),
            sizes.pose_v2v_width,
            sizes.cuboid_grid,
            sizes.cuboid_size,
            sizes.cuboid_shift,
            sizes.residual_start,
        )
    return Lifting(
        skeleton,
        stride,
        grid,
        sizes.root_threshold if both else 0.0,
        sizes.max_people if both else 0,
        root_net,
        pose_net,
    )

"""trust_net: how far to trust each view on each joint, feeding a weighted triangulation.

Detections of several views that belong to one person go in as rays. A network over the set of
views and joints says, for each ray, what weight it has and by how much it misses its joint on
average (an estimator errs alike on people who face alike); the joints follow in closed form. Any
number of views in any order; turned or shifted worlds give turned or shifted people.

Shapes: P people, V views, J joints.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfpose3d.skeletons import Skeleton
from selfpose3d.training.devices import constant

ROUNDS = 2
"""The second round starts from the joints of the first."""
STAY = 0.02
"""Weight of the joint that a round starts from, against rays of weight around 1."""
LARGEST_SHIFT = 0.1
"""Unit of a ray's mean error, m."""

_EMBEDDING = 16
_FEATURES = _EMBEDDING + 3 + 3 + 1 + 1 + 3 + 2
_MIRROR = (-1.0, 1.0, 1.0)


class Sightings(NamedTuple):
    """People as rays from the views.

    Args:
        centres: (P, V, 3) of the cameras.
        directions: (P, V, J, 3) unit vectors.
        confidences: (P, V, J) in [0, 1]; 0 where there is no ray.
        joints: (P, J, 3) first estimate.
    """

    centres: Tensor
    directions: Tensor
    confidences: Tensor
    joints: Tensor


class TrustNet(nn.Module):
    """Sightings to joints.

    Args:
        skeleton: the J joints.
        width: of its layers.
        layers: exchanges between a ray, its view's, its joint's and all of its person's rays.
    """

    def __init__(self, skeleton: Skeleton, width: int = 48, layers: int = 2) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.joint = nn.Embedding(len(skeleton), _EMBEDDING)
        self.of_ray = nn.Linear(_FEATURES, width)
        self.of_body = nn.Linear(3 * len(skeleton), width)
        self.layers = nn.ModuleList(_Exchange(width) for _ in range(layers))
        self.head = nn.Linear(width, 4)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, sightings: Sightings) -> Tensor:
        """Joints (P, J, 3) in the sightings' frame and unit (mm)."""
        joints = sightings.joints
        for _ in range(ROUNDS):
            joints = self._round(sightings._replace(joints=joints))
        return joints

    def _round(self, sightings: Sightings) -> Tensor:
        axes, root = body_frame(sightings.joints, self.skeleton)
        local = _to_body(sightings, axes, root)
        joints = self._weighted(local)
        return torch.einsum("pab,pja->pjb", axes, joints * 1000.0) + root[:, None]

    def _weighted(self, local: Sightings) -> Tensor:
        """(P, J, 3) m in the body's frame."""
        present = (local.confidences > 0).float()
        hidden = F.relu(
            self.of_ray(self._features(local, present))
            + self.of_body(local.joints.flatten(1))[:, None, None]
        )
        for layer in self.layers:
            hidden = layer(hidden, present[..., None])
        output = self.head(F.relu(hidden))
        weights = output[..., 0].clamp(-8, 4).exp() * present * (local.confidences + 0.05)
        shifts = LARGEST_SHIFT * output[..., 1:]
        return _intersect(local, weights, shifts)

    def _features(self, local: Sightings, present: Tensor) -> Tensor:
        """(P, V, J, features) of each ray."""
        off = _from_joint_to_ray(local) * present[..., None]
        sight = F.normalize(-local.centres, dim=-1)[:, :, None].expand_as(off)
        confidence = local.confidences[..., None]
        parts = [
            self.joint.weight.expand(*off.shape[:3], -1),
            (off / LARGEST_SHIFT).clamp(-4, 4),
            sight,
            (off.norm(dim=-1, keepdim=True) * 1000 + 5).log() - 3.5,
            present[..., None],
            local.joints[:, None].expand_as(off),
            (confidence - 0.7) * 2,
            confidence**8,
        ]
        return torch.cat(parts, dim=-1)


class _Exchange(nn.Module):
    """A residual layer: a ray hears the means over its joint, its view and its person."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.own, self.joint, self.view, self.person = (nn.Linear(width, width) for _ in range(4))
        self.out = nn.Linear(width, width)

    def forward(self, hidden: Tensor, present: Tensor) -> Tensor:
        """(P, V, J, width) to the same; ``present`` (P, V, J, 1)."""
        means = [
            (hidden * present).sum(over, keepdim=True)
            / present.sum(over, keepdim=True).clamp(min=1)
            for over in ((1,), (2,), (1, 2))
        ]
        heard = self.own(hidden) + self.joint(means[0]) + self.view(means[1])
        changed: Tensor = self.out(F.relu(heard + self.person(means[2])))
        return hidden + changed


def body_frame(joints: Tensor, skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """Rows left, front, up (z) of a person's frame (P, 3, 3); its origin, the mid-hip (P, 3)."""
    left_shoulder, right_shoulder, right_hip, left_hip = (joints[:, j] for j in skeleton.trunk)
    left = (left_shoulder - right_shoulder) + (left_hip - right_hip)
    up = torch.zeros_like(left)
    up[:, 2] = 1.0
    level = left * (1 - up)
    fallback = torch.zeros_like(left)
    fallback[:, 0] = 1.0
    length = level.norm(dim=-1, keepdim=True)
    root = torch.stack([joints[:, j] for j in skeleton.root]).mean(0)
    left = torch.where(length > 1e-6, level / length.clamp(min=1e-6), fallback)
    return torch.stack([left, torch.linalg.cross(up, left), up], dim=1), root


def mirrored(sightings: Sightings, skeleton: Skeleton) -> Sightings:
    """The mirror image at the world's x = 0, sides exchanged."""
    sign, sides = _mirror(sightings.joints, skeleton)
    return Sightings(
        sightings.centres * sign,
        sightings.directions[:, :, sides] * sign,
        sightings.confidences[:, :, sides],
        mirrored_joints(sightings.joints, skeleton),
    )


def mirrored_joints(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """(P, J, 3) joints as ``mirrored`` has them."""
    sign, sides = _mirror(joints, skeleton)
    return joints[:, sides] * sign


def _mirror(like: Tensor, skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """Signs of the coordinates, and which joint takes the place of each."""
    return (
        constant(_MIRROR, like.device, like.dtype),
        constant(tuple(skeleton.swapped), like.device, torch.long),
    )


def _to_body(sightings: Sightings, axes: Tensor, root: Tensor) -> Sightings:
    """The sightings in the body's frame, m."""
    return Sightings(
        torch.einsum("pab,pvb->pva", axes, sightings.centres - root[:, None]) / 1000.0,
        torch.einsum("pab,pvjb->pvja", axes, sightings.directions),
        sightings.confidences,
        torch.einsum("pab,pjb->pja", axes, sightings.joints - root[:, None]) / 1000.0,
    )


def _from_joint_to_ray(local: Sightings) -> Tensor:
    """(P, V, J, 3) from each joint at a right angle to the ray."""
    sight = local.joints[:, None] - local.centres[:, :, None]
    depth = (sight * local.directions).sum(-1, keepdim=True)
    return depth * local.directions - sight


def _intersect(local: Sightings, weights: Tensor, shifts: Tensor) -> Tensor:
    """The points (P, J, 3) nearest to the shifted rays, weighted (P, V, J)."""
    directions = local.directions
    across = torch.eye(3, device=weights.device) - directions[..., None] * directions[..., None, :]
    origins = local.centres[:, :, None] + shifts
    normal = torch.einsum("pvj,pvjab->pjab", weights, across)
    normal = normal + STAY * torch.eye(3, device=weights.device)
    right = torch.einsum("pvj,pvjab,pvjb->pja", weights, across, origins) + STAY * local.joints
    solved: Tensor = torch.linalg.solve(normal, right)
    return solved

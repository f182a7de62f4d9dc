"""The losses of the paper, as pure functions.

Shapes: B samples, V views, P people, L labelled people, J joints, H x W heatmap px,
X x Y x Z voxels. Equation numbers are those of the paper.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

from selfpose3d.training.devices import to_device

NEVER = 1e4
"""Matching cost of a label that has no visible joint."""


def root_synthetic_loss(volume: Tensor, target: Tensor, positive_weight: float = 0.0) -> Tensor:
    """l_root_syn (eq. 2): squared error of (B, X, Y, Z) volumes to the volumes of known roots.

    ``positive_weight`` w weighs each voxel by ``1 + w * target``; the paper's is 0.
    """
    return ((volume - target) ** 2 * (1 + positive_weight * target)).mean()


def root_consistency_loss(plain: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """l_root_C (eq. 3): MSE of the volumes of two augmentations to the un-augmented one.

    No gradient flows into ``plain``.
    """
    fixed = plain.detach()
    return ((first - fixed) ** 2).mean() + ((second - fixed) ** 2).mean()


def pose_heatmap_loss(rendered: Tensor, target: Tensor, attention: Tensor | None = None) -> Tensor:
    """One term of l_pose_H (eq. 4), with soft attention eq. 7: mean of A * (H - H*)^2.

    Args:
        rendered: (..., J, H, W) projected poses, rendered.
        target: (..., J, H, W) pseudo heatmaps.
        attention: (..., J, H, W) in [0, 1]; None is eq. 4 without attention.
    """
    if attention is None:
        return F.mse_loss(rendered, target)
    difference = rendered - target
    weighted = (attention * difference).flatten()
    return torch.dot(weighted, difference.flatten()) / len(weighted)


def attention_loss(attention: Tensor) -> Tensor:
    """l_attn (eq. 8): MSE of the attention to ones."""
    return F.mse_loss(attention, attention.new_ones(()).expand_as(attention))


class Matches(NamedTuple):
    """Pairs of a projected person and a label, over all views of one sample; on the host.

    Args:
        view: (M,) view index, ascending.
        person: (M,) index of the projected person.
        label: (M,) index of the label in that view.
    """

    view: NDArray[np.int64]
    person: NDArray[np.int64]
    label: NDArray[np.int64]


def joint_errors(projected: Tensor, labels: Tensor, visible: Tensor) -> Tensor:
    """Mean absolute coordinate error over a label's visible joints.

    Args:
        projected: (..., J, 2).
        labels: (..., J, 2), broadcast against ``projected``.
        visible: (..., J) weights, 0 for a joint that is not there.

    Returns:
        (...): normalised by the number of visible joints, so that a label with few of them does
        not attract every prediction; 0 where no joint is visible.
    """
    absolute = (projected - labels).abs().mean(-1)
    return (absolute * visible).sum(-1) / visible.sum(-1).clamp(min=1e-6)


@torch.no_grad()
def match_people(
    projected: Sequence[Tensor], labels: Tensor, visible: Tensor, largest: float = float("inf")
) -> list[Matches]:
    """Optimal assignment of projected people to labels in each view (Hungarian algorithm).

    The costs of all samples come to the host at once: one wait for the device.

    Args:
        projected: for each of B samples (V, P, J, 2) normalised image coordinates.
        labels: (B, V, L, J, 2) likewise.
        visible: (B, V, L, J) visibility; a label without any visible joint is never matched.
        largest: pairs with a larger cost are no matches.
    """
    if not projected:
        return []
    costs = [_matching_costs(*sample) for sample in zip(projected, labels, visible, strict=True)]
    flat = torch.cat([cost.flatten() for cost in costs]).cpu().numpy()
    parts = np.split(flat, np.cumsum([cost.numel() for cost in costs])[:-1])
    limit = min(largest, NEVER / 2)
    return [
        _matched(part.reshape(cost.shape), limit) for part, cost in zip(parts, costs, strict=True)
    ]


def _matching_costs(projected: Tensor, labels: Tensor, visible: Tensor) -> Tensor:
    """(V, P, L)."""
    errors = joint_errors(projected[:, :, None], labels[:, None], visible[:, None])
    usable = visible.sum(-1) > 0
    return torch.where(usable[:, None], errors, NEVER).nan_to_num(NEVER)


def _matched(cost: NDArray[np.floating], limit: float) -> Matches:
    pairs = [
        (view, person, label)
        for view in range(len(cost))
        for person, label in zip(*linear_sum_assignment(cost[view]), strict=True)
        if cost[view, person, label] < limit
    ]
    return Matches(*np.array(pairs, dtype=np.int64).reshape(-1, 3).T)


def pose_joint_loss(
    projected: Sequence[Tensor],
    labels: Tensor,
    visible: Tensor,
    hard_attention: bool = True,
    largest: float = float("inf"),
) -> Tensor:
    """One term of l_pose_J (eq. 5), with hard attention eq. 9 and 10.

    In each view people are matched to labels; a view's loss is the mean over its matched people.
    Hard attention leaves out the sample's view with the largest loss, if others remain.

    Args:
        projected: for each of B samples (V, P, J, 2), coordinates divided by the image size.
        labels: (B, V, L, J, 2) likewise.
        visible: (B, V, L, J).
        hard_attention: drop the worst view.
        largest: pairs farther apart than this are no matches.

    Returns:
        Mean over the samples; 0 where nothing is matched.
    """
    matches = match_people(projected, labels, visible, largest)
    losses = [
        _sample_joint_loss(points, labels[b], visible[b], matches[b], hard_attention)
        for b, points in enumerate(projected)
    ]
    return torch.stack(losses).mean() if losses else labels.new_zeros(())


def _sample_joint_loss(
    projected: Tensor, labels: Tensor, visible: Tensor, matches: Matches, hard_attention: bool
) -> Tensor:
    if len(matches.view) == 0:
        return projected.sum() * 0
    view, person, label = to_device(torch.from_numpy(np.stack(matches)), projected.device)
    errors = joint_errors(projected[view, person], labels[view, label], visible[view, label])
    views = errors.split(np.unique(matches.view, return_counts=True)[1].tolist())
    per_view = torch.stack([of_view.mean() for of_view in views])
    if hard_attention and len(per_view) > 1:
        per_view = per_view.topk(len(per_view) - 1, largest=False).values
    return per_view.mean()


def body_loss(joints: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Direct 3D error of known bodies: the mean distance of their known joints, mm.

    Args:
        joints: (P, J, 3) mm.
        target: (P, J, 3) mm.
        known: (P, J) bool; 0 where no joint is.
    """
    distance = (joints - target).norm(dim=-1)
    return (distance * known).sum() / known.sum().clamp(min=1)

"""The losses of the paper, as pure functions.

Shapes: B samples, V views, P people, L labelled people, J joints, H x W heatmap px,
X x Y x Z voxels. Equation numbers are those of the paper.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

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
    """Pairs of a projected person and a label, over all views of one sample.

    Args:
        view: (M,) view index.
        person: (M,) index of the projected person.
        label: (M,) index of the label in that view.
    """

    view: Tensor
    person: Tensor
    label: Tensor


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


def match_people(
    projected: Tensor, labels: Tensor, visible: Tensor, largest: float = float("inf")
) -> Matches:
    """Optimal assignment of projected people to labels in each view (Hungarian algorithm).

    Args:
        projected: (V, P, J, 2) normalised image coordinates.
        labels: (V, L, J, 2) likewise.
        visible: (V, L, J) visibility; a label without any visible joint is never matched.
        largest: pairs with a larger cost are no matches.
    """
    with torch.no_grad():
        errors = joint_errors(projected[:, :, None], labels[:, None], visible[:, None])
        usable = visible.sum(-1) > 0
        cost = torch.where(usable[:, None], errors, NEVER).nan_to_num(NEVER).cpu().numpy()
    limit = min(largest, NEVER / 2)
    pairs = [
        (view, person, label)
        for view in range(len(cost))
        for person, label in zip(*linear_sum_assignment(cost[view]), strict=True)
        if cost[view, person, label] < limit
    ]
    table = np.array(pairs, dtype=np.int64).reshape(-1, 3)
    view, person, label = torch.from_numpy(table).to(projected.device).unbind(1)
    return Matches(view, person, label)


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
    losses = [
        _sample_joint_loss(points, labels[b], visible[b], hard_attention, largest)
        for b, points in enumerate(projected)
    ]
    return torch.stack(losses).mean() if losses else labels.new_zeros(())


def _sample_joint_loss(
    projected: Tensor, labels: Tensor, visible: Tensor, hard_attention: bool, largest: float
) -> Tensor:
    matches = match_people(projected, labels, visible, largest)
    if len(matches.view) == 0:
        return projected.sum() * 0
    errors = joint_errors(
        projected[matches.view, matches.person],
        labels[matches.view, matches.label],
        visible[matches.view, matches.label],
    )
    n_views = len(projected)
    counts = torch.bincount(matches.view, minlength=n_views)
    sums = errors.new_zeros(n_views).index_add(0, matches.view, errors)
    per_view = (sums / counts.clamp(min=1))[counts > 0]
    if hard_attention and len(per_view) > 1:
        keep = torch.ones_like(per_view, dtype=torch.bool)
        keep[per_view.detach().argmax()] = False
        per_view = per_view[keep]
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

import itertools

import numpy as np
import pytest
import torch

from selfpose3d.methods.voxels import losses


def test_root_synthetic_loss_is_the_mean_square_weighted_by_the_target():
    volume = torch.tensor([[[[0.0, 1.0]]]])
    target = torch.tensor([[[[0.0, 0.5]]]])
    assert losses.root_synthetic_loss(volume, target) == pytest.approx(0.25 / 2)
    assert losses.root_synthetic_loss(volume, target, 10.0) == pytest.approx(0.25 * 6 / 2)


def test_root_consistency_moves_only_the_augmented_volumes():
    plain, first, second = (
        torch.full((1, 2, 2, 2), v, requires_grad=True) for v in (0.5, 0.7, 0.1)
    )
    loss = losses.root_consistency_loss(plain, first, second)
    loss.backward()
    assert loss.item() == pytest.approx(0.2**2 + 0.4**2)
    assert plain.grad is None
    assert (first.grad > 0).all() and (second.grad < 0).all()


def test_soft_attention_multiplies_the_square_before_the_mean():
    rendered, target = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.5])
    attention = torch.tensor([0.25, 1.0])
    assert losses.pose_heatmap_loss(rendered, target).item() == pytest.approx((1 + 0.25) / 2)
    assert losses.pose_heatmap_loss(rendered, target, attention).item() == pytest.approx(0.25)
    assert losses.attention_loss(attention).item() == pytest.approx(0.75**2 / 2)


def people(*places):
    """People of two joints, one at the place and one 0.1 below it."""
    return torch.tensor([[[x, y], [x, y + 0.1]] for x, y in places])


def test_people_are_matched_to_the_nearest_labels_one_to_one():
    projected = torch.stack([people((0.1, 0.1), (0.5, 0.5)), people((0.1, 0.1), (0.5, 0.5))])
    labels = torch.stack([people((0.52, 0.5), (0.1, 0.12)), people((0.1, 0.1), (9.0, 9.0))])
    visible = torch.ones(2, 2, 2)
    visible[1, 1] = 0
    [matches] = losses.match_people([projected], labels[None], visible[None])
    pairs = set(zip(*(part.tolist() for part in matches), strict=True))
    assert pairs == {(0, 0, 1), (0, 1, 0), (1, 0, 0)}


def test_matching_is_optimal():
    rng = np.random.default_rng(0)
    projected = torch.tensor(rng.random((1, 4, 3, 2)))
    labels = torch.tensor(rng.random((1, 4, 3, 2)))
    cost = (projected[0][:, None] - labels[0][None]).abs().mean((-1, -2))
    [matches] = losses.match_people([projected], labels[None], torch.ones(1, 1, 4, 3))
    best = min(sum(cost[i, p[i]] for i in range(4)) for p in itertools.permutations(range(4)))
    assert cost[matches.person, matches.label].sum().item() == pytest.approx(best.item())


def test_a_label_with_few_joints_does_not_attract_everybody():
    projected = people((0.5, 0.5))[None]
    labels = torch.stack([people((0.45, 0.5), (0.7, 0.5))])
    visible = torch.tensor([[[1.0, 1.0], [0.1, 0.0]]])
    [matches] = losses.match_people([projected], labels[None], visible[None])
    assert matches.label.tolist() == [0]


def test_hard_attention_drops_the_worst_view():
    projected = people((0.5, 0.5))[None].repeat(3, 1, 1, 1)
    shifts = torch.tensor([0.02, 0.04, 0.3])
    labels = projected + shifts[:, None, None, None]
    visible = torch.ones(1, 3, 1, 2)
    hard = losses.pose_joint_loss([projected], labels[None], visible)
    plain = losses.pose_joint_loss([projected], labels[None], visible, hard_attention=False)
    assert hard.item() == pytest.approx(0.03)
    assert plain.item() == pytest.approx(0.12)


def test_far_pairs_are_no_matches_and_nobody_costs_nothing():
    projected = people((0.5, 0.5))[None].requires_grad_()
    labels = projected.detach() + 0.4
    loss = losses.pose_joint_loss([projected], labels[None], torch.ones(1, 1, 1, 2), largest=0.1)
    loss.backward()
    assert loss.item() == 0 and not projected.grad.any()


def test_joint_loss_has_the_right_gradient():
    torch.manual_seed(0)
    projected = torch.rand(2, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    labels = torch.rand(1, 2, 2, 3, 2, dtype=torch.float64)
    visible = (torch.rand(1, 2, 2, 3) > 0.3).double()
    assert torch.autograd.gradcheck(
        lambda x: losses.pose_joint_loss([x], labels, visible), (projected,)
    )


def test_body_loss_is_the_mean_distance():
    joints = torch.zeros(1, 2, 3)
    target = torch.tensor([[[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]]])
    known = torch.ones(1, 2, dtype=torch.bool)
    assert losses.body_loss(joints, target, known).item() == pytest.approx(3.0)
    assert losses.body_loss(joints, target, known & torch.tensor([True, False])).item() == 5.0
    assert losses.body_loss(joints, target, ~known).item() == 0.0

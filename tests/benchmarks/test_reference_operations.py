"""The fast operations against their plain versions."""

import numpy as np
import pytest
import torch

import reference_operations as plain
from selfpose3d.evaluation import evaluate
from selfpose3d.files.poses3d import People3D
from selfpose3d.geometry.affines import random_affine
from selfpose3d.geometry.heatmaps import render_heatmaps
from selfpose3d.geometry.rigs import Rig
from selfpose3d.geometry.triangulation import intersect_rays
from selfpose3d.geometry.voxels import RootGrid, grid_points, unproject_cuboids
from selfpose3d.methods.voxels.lifting import build_lifting
from selfpose3d.methods.voxels.losses import pose_joint_loss
from selfpose3d.methods.voxels.pose_net import PoseNet
from selfpose3d.parameters import Parameters
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.synthetic.scenes import ring

WIDTH, HEIGHT, STRIDE = 224, 160, 4
MAPS = (HEIGHT // STRIDE, WIDTH // STRIDE)


@pytest.fixture
def rig() -> Rig:
    return Rig.from_cameras([ring(3), ring(3, turn=0.5)])


@pytest.fixture
def affines() -> torch.Tensor:
    rng = np.random.default_rng(0)
    drawn = [random_affine(rng, WIDTH, HEIGHT, 45, 0.35) for _ in range(2)]
    return torch.from_numpy(np.stack(drawn))


@pytest.mark.parametrize("channels", [1, 15])
def test_the_grid_of_the_space(rig: Rig, affines: torch.Tensor, channels: int) -> None:
    grid = RootGrid((5600.0, 5600.0, 2000.0), (12, 12, 8), (0.0, 0.0, 900.0), STRIDE)
    heatmaps = torch.rand(2, 3, channels, *MAPS)
    volumes = grid.volume(heatmaps, rig, affines).flatten(2)
    for sample in range(2):
        expected = plain.unproject(
            heatmaps[sample], rig.sample(sample), affines[sample], grid.points, STRIDE
        )
        torch.testing.assert_close(volumes[sample], expected, atol=2e-4, rtol=0)


def test_cuboids_and_their_gradient(rig: Rig, affines: torch.Tensor) -> None:
    offsets = grid_points((2200.0,) * 3, (8,) * 3)
    centres = torch.tensor([[300.0, -200, 900], [-900, 800, 950], [4000, 100, 900]])
    fast = torch.rand(2, 3, 15, *MAPS).requires_grad_()
    slow = fast.detach().clone().requires_grad_()
    weight = torch.rand(3, 15, len(offsets))
    volumes = unproject_cuboids(fast, rig, affines, (1, 2), centres, offsets, STRIDE)
    expected = torch.stack(
        [
            plain.unproject(slow[b], rig.sample(b), affines[b], centres[p] + offsets, STRIDE)
            for p, b in enumerate((0, 1, 1))
        ]
    )
    torch.testing.assert_close(volumes, expected, atol=2e-4, rtol=0)
    (volumes * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(fast.grad, slow.grad, atol=5e-3, rtol=1e-3)


def test_rendering_and_its_gradient() -> None:
    torch.manual_seed(0)
    fast = (torch.rand(2, 3, 4, 15, 2) * 50 - 3).requires_grad_()
    slow = fast.detach().clone().requires_grad_()
    amplitudes = torch.rand(2, 3, 4, 15) * (torch.rand(2, 3, 4, 15) > 0.3)
    rendered = render_heatmaps(fast, amplitudes, MAPS, 1.3)
    expected = torch.stack(
        [
            torch.stack([plain.render(slow[b, v], amplitudes[b, v], MAPS, 1.3) for v in range(3)])
            for b in range(2)
        ]
    )
    torch.testing.assert_close(rendered, expected)
    rendered.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(fast.grad, slow.grad, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("hard_attention", [False, True])
@pytest.mark.parametrize("people", [1, 6])
def test_matching_and_its_gradient(hard_attention: bool, people: int) -> None:
    torch.manual_seed(people)
    fast = torch.rand(4, people, 15, 2).requires_grad_()
    slow = fast.detach().clone().requires_grad_()
    labels = torch.rand(4, 3, 15, 2)
    visible = (torch.rand(4, 3, 15) > 0.4).float()
    visible[1, 2] = 0
    loss = pose_joint_loss([fast], labels[None], visible[None], hard_attention, 0.33)
    expected = plain.joint_loss(slow, labels, visible, hard_attention, 0.33)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(fast.grad, slow.grad)


def test_targets_of_roots() -> None:
    torch.manual_seed(0)
    lifting = build_lifting(Parameters(), ("root",), PANOPTIC_15)
    assert lifting.grid is not None
    roots = torch.rand(2, 3, 3) * 2000 - 1000
    targets = lifting.root_target(roots, 200.0)
    for sample in range(2):
        expected = plain.root_target(lifting.grid.points, roots[sample], 200.0)
        torch.testing.assert_close(targets[sample].flatten(), expected, atol=1e-4, rtol=0)


def test_pose_volumes_in_another_memory_order() -> None:
    torch.manual_seed(0)
    network, volumes = PoseNet(15, 4, 8).v2v, torch.rand(2, 15, 8, 8, 8)
    fast = network(volumes)
    network.to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(fast, plain.v2v(network, volumes), atol=1e-5, rtol=1e-4)


def test_evaluation() -> None:
    rng = np.random.default_rng(0)
    truth, predictions = {}, {}
    for frame in range(40):
        bodies = rng.uniform(-2500, 2500, (3, 1, 3)) + rng.normal(0, 300, (3, 15, 3))
        found = rng.integers(0, 3, 4)
        valid = rng.random((3, 15)) > 0.1
        truth["a", frame] = People3D(bodies, np.ones(3), valid, np.arange(3), PANOPTIC_15)
        joints = bodies[found] + rng.normal(0, 40, (4, 15, 3))
        predictions["a", frame] = People3D.predicted(joints, rng.random(4), PANOPTIC_15)
    metrics = evaluate(predictions, truth)
    for name, value in plain.evaluate(predictions, truth).items():
        assert metrics[name] == pytest.approx(value, abs=1e-9), name


def test_triangulation() -> None:
    rng = np.random.default_rng(0)
    centres = np.stack([camera.centre for camera in ring(5)])
    joints = rng.uniform(-1000, 1000, (2, 15, 3))
    directions = joints - centres[:, None, None] + rng.normal(0, 30, (5, 2, 15, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    weights = rng.random((5, 2, 15))
    points, _, _ = intersect_rays(centres, directions, weights)
    expected = plain.intersect_rays(centres, directions, weights)
    np.testing.assert_allclose(points, expected, atol=1e-3)

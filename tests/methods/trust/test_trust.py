"""trust_net: what users rely on of the learnt weighting of views."""

from pathlib import Path

import numpy as np
import pytest
import torch

from selfpose3d.evaluation.metrics import evaluate
from selfpose3d.geometry.cameras import project
from selfpose3d.methods import METHODS
from selfpose3d.methods.entry import PredictionInputs
from selfpose3d.methods.trust.predict import sightings_of
from selfpose3d.methods.trust.trust_net import Sightings, TrustNet, mirrored, mirrored_joints
from selfpose3d.parameters import Parameters, TrainingFree, with_settings
from selfpose3d.reconstruction.training_free import associate, detections_of, reconstruct_scene
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.synthetic.scenes import Synthetic, make_scene, random_people, ring
from stage_runs import of_prediction, run_stage, write_labels
from tiny_stages import networks_of

TINY = {
    "data.network_size": [224, 160],
    "train.trust.iterations": 12,
    "train.trust.frames": 12,
    "train.trust.batch_size": 16,
    "networks.trust_width": 16,
    "compute.checkpoint_every": 5,
    "compute.accelerator": "cpu",
}


def parameters(**settings: object) -> Parameters:
    return with_settings(Parameters(), {**TINY, **settings}, "test")


def some_sightings(n_views: int = 4, noise: float = 0.01) -> tuple[Sightings, torch.Tensor]:
    """Three people seen by a ring; noise in image widths."""
    rng = np.random.default_rng(0)
    cameras, people = ring(n_views), random_people(rng, 3)
    points = np.stack([project(camera, people)[0] for camera in cameras])
    points = points + rng.normal(0, noise * cameras[0].width, points.shape)
    scores = rng.uniform(0.6, 1.0, points.shape[:-1])
    found = associate(detections_of(cameras, points, scores, PANOPTIC_15), TrainingFree())
    return sightings_of(found), torch.from_numpy(people)


def a_net() -> TrustNet:
    """Weights that do something, as after training."""
    torch.manual_seed(0)
    net = TrustNet(PANOPTIC_15, width=16).eval()
    torch.nn.init.normal_(net.head.weight, std=0.2)
    return net


@torch.no_grad()
def test_exact_rays_meet_in_the_joints_whatever_their_weights() -> None:
    sightings, people = some_sightings(noise=0.0)
    net = a_net()
    net.head.weight[1:] = 0.0
    assert len(sightings.joints) == len(people)
    assert (net(sightings) - sightings.joints).norm(dim=-1).max() < 1.0


@torch.no_grad()
def test_a_turned_and_shifted_world_gives_turned_and_shifted_people() -> None:
    sightings, _ = some_sightings()
    turn = torch.tensor([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    shift = torch.tensor([300.0, -200.0, 50.0])
    moved = Sightings(
        sightings.centres @ turn.T + shift,
        sightings.directions @ turn.T,
        sightings.confidences,
        sightings.joints @ turn.T + shift,
    )
    net = a_net()
    expected = net(sightings) @ turn.T + shift
    torch.testing.assert_close(net(moved), expected, atol=0.05, rtol=0)
    assert (net(sightings) - sightings.joints).norm(dim=-1).max() > 1.0


@torch.no_grad()
def test_mirrored_twice_is_the_same() -> None:
    sightings, _ = some_sightings()
    twice = mirrored(mirrored(sightings, PANOPTIC_15), PANOPTIC_15)
    for once, again in zip(sightings, twice, strict=True):
        torch.testing.assert_close(once, again)
    joints = mirrored_joints(mirrored_joints(sightings.joints, PANOPTIC_15), PANOPTIC_15)
    torch.testing.assert_close(joints, sightings.joints)


@torch.no_grad()
def test_the_order_of_views_and_views_without_rays_change_nothing() -> None:
    sightings, _ = some_sightings()
    net = a_net()
    order = [2, 0, 3, 1]
    shuffled = Sightings(*(part[:, order] for part in sightings[:3]), sightings.joints)
    torch.testing.assert_close(net(shuffled), net(sightings), atol=0.05, rtol=0)
    blind = Sightings(
        torch.cat([sightings.centres, sightings.centres[:, :1] + 500.0], 1),
        torch.cat([sightings.directions, sightings.directions[:, :1]], 1),
        torch.cat([sightings.confidences, torch.zeros_like(sightings.confidences[:, :1])], 1),
        sightings.joints,
    )
    torch.testing.assert_close(net(blind), net(sightings), atol=0.05, rtol=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Synthetic]:
    folder = tmp_path_factory.mktemp("scenes")
    return [
        make_scene(folder / "a", "a", 1, ring(4), frames=4),
        make_scene(folder / "b", "b", 2, ring(3, turn=0.4), frames=3),
    ]


def trained(made: list[Synthetic], out: Path, **settings: object) -> Path:
    return run_stage(parameters(**settings), "trust", made, [], out)


def test_it_trains_repeats_to_the_bit_and_predicts_any_rig(
    made: list[Synthetic], tmp_path: Path
) -> None:
    first = networks_of(trained(made, tmp_path / "first"))["trust"]
    again = networks_of(trained(made, tmp_path / "again"))["trust"]
    assert all(torch.equal(first[key], again[key]) for key in first)
    other = networks_of(trained(made, tmp_path / "other", seed=1))["trust"]
    assert any(not torch.equal(first[key], other[key]) for key in first)
    labels = write_labels(tmp_path / "labels", made)
    checkpoints = [tmp_path / "first/checkpoint.pt"]
    for scene in made:
        inputs = PredictionInputs(
            of_prediction(parameters(), "trust"), [scene.scene.folder], checkpoints, labels
        )
        found = METHODS["trust"].predict.load()(inputs)
        plain = reconstruct_scene(scene.scene, scene.views, TrainingFree())
        assert found.keys() == plain.keys()
        assert [len(p) for p in found.values()] == [len(p) for p in plain.values()]
        assert evaluate(found, scene.truth)["Recall@500"] == 100.0

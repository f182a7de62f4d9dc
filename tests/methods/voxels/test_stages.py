"""The stages of the networks of voxels: what each learns, from what, and what stops it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from selfpose3d.errors import InputError, TrainingDivergedError
from selfpose3d.methods.voxels import frames, steps
from selfpose3d.methods.voxels.batches import RootBatches
from selfpose3d.methods.voxels.lifting import build_lifting
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.training import body_pool, loop
from selfpose3d.training.data import training_data
from stage_runs import of_stage, reconstructions, run_stage
from tiny_stages import networks_of, same, tiny, two_scenes

MID_HIP = PANOPTIC_15.index("mid_hip")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return two_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def rebuilt(scenes):
    return reconstructions(scenes)


@pytest.fixture(scope="module")
def trained(scenes, tmp_path_factory):
    """A whole chain on estimator heatmaps, as checkpoints by stage."""
    out = tmp_path_factory.mktemp("chain")
    first = [run_stage(tiny(), stage, scenes, [], out / stage) for stage in ("root", "bodies")]
    l2 = run_stage(tiny(), "pose_l2", scenes, first, out / "pose_l2")
    run_stage(tiny(), "pose_l1", scenes, [l2], out / "pose_l1")
    return out


@pytest.fixture(scope="module")
def backbone(scenes, tmp_path_factory):
    return run_stage(tiny(), "backbone", scenes, [], tmp_path_factory.mktemp("backbone"))


def first_two(trained):
    """The checkpoints that pose_l2 starts from."""
    return [trained / name / "checkpoint.pt" for name in ("root", "bodies")]


def test_the_last_checkpoint_holds_every_network_and_the_curves_every_term(trained):
    assert set(networks_of(trained / "pose_l1" / "checkpoint.pt")) == {
        "root",
        "pose",
        "attention",
    }
    curves = pd.read_csv(trained / "pose_l1" / "curves.csv")
    assert list(curves) == [
        "iteration", "seconds", "pose_heatmaps", "pose_joints", "attention",
    ]  # fmt: skip
    assert len(curves) == 3 and np.isfinite(curves.to_numpy()).all()
    assert not list(trained.glob("*/resume.pt"))


def test_stages_change_the_network_they_train_and_no_other(trained):
    before = networks_of(trained / "bodies" / "checkpoint.pt")["pose"]
    root = networks_of(trained / "root" / "checkpoint.pt")["root"]
    after = networks_of(trained / "pose_l2" / "checkpoint.pt")
    assert any(not torch.equal(before[key], after["pose"][key]) for key in before)
    assert all(torch.equal(root[key], after["root"][key]) for key in root)


@pytest.mark.parametrize("train_all", [False, True])
def test_image_heatmaps_frozen_or_learnt(scenes, backbone, trained, tmp_path, train_all):
    root = run_stage(tiny("backbone"), "root", scenes, [backbone], tmp_path / "root")
    start = [root, trained / "bodies" / "checkpoint.pt"]
    chosen = tiny(
        "backbone",
        train__pose_l2__train_backbone=train_all,
        train__pose_l2__train_root=train_all,
        train__pose_l2__proposals="augmented" if train_all else "plain",
    )
    pose = run_stage(chosen, "pose_l2", scenes, start, tmp_path / "pose")
    before, after = networks_of(backbone), networks_of(pose)
    changed = any(
        not torch.equal(before["backbone"][key], after["backbone"][key])
        for key in before["backbone"]
    )
    assert changed == train_all


@pytest.mark.parametrize("source", ["estimator", "backbone"])
def test_all_heatmaps_into_root_net(scenes, backbone, trained, tmp_path, source):
    first = [backbone] if source == "backbone" else []
    chosen = tiny(source, networks__root_input="all", train__pose_l2__train_root=True)
    root = run_stage(chosen, "root", scenes, first, tmp_path / "root")
    weights = networks_of(root)["root"]
    assert {value.shape[1] for key, value in weights.items() if value.ndim == 5} >= {15}
    start = [root, trained / "bodies" / "checkpoint.pt"]
    run_stage(chosen, "pose_l2", scenes, start, tmp_path / "pose")
    curves = pd.read_csv(tmp_path / "pose" / "curves.csv")
    assert (curves["root_synthetic"] > 0).all()
    with pytest.raises(InputError, match=r"root_input: all.*--reconstructions"):
        run_stage(chosen, "root", scenes, first, tmp_path / "none", people=[])


def test_synthetic_bodies_stand_at_the_roots_that_root_net_is_to_find(scenes, rebuilt):
    chosen = of_stage(tiny(networks__root_input="all", train__root__missing=0.0), "root")
    data = training_data([s.scene for s in scenes], [s.views for s in scenes])
    lifting = build_lifting(chosen, ("root",), PANOPTIC_15)
    pool = body_pool.body_pool(data, rebuilt)
    batches = RootBatches(chosen, chosen.train.root, data, lifting, torch.device("cpu"), pool)
    drawn = batches.draw(data.frames[:1], np.random.default_rng(0))
    assert drawn.heatmaps.shape[2] == 15
    evidence = lifting.root_evidence(drawn.heatmaps, drawn.rig, drawn.affines)
    at_roots = drawn.target > 0.5
    of_root, of_ankle = (float(evidence[:, joint][at_roots].mean()) for joint in (MID_HIP, 8))
    assert of_root > 2 * of_ankle


class StoppedError(Exception):
    """The step was seen."""


def recorded_step(monkeypatch, scenes, trained, tmp_path, **settings):
    """The affines of the three variants and the pairs (lifted from, compared in) of one step."""
    pairs, affines, lifted = [], [], []
    real = steps.PoseStep._lift

    def lift(self, batch, heatmaps, variant, proposals):
        affines[:] = batch.frames.affines
        lifted.append(variant)
        return real(self, batch, heatmaps, variant, proposals)

    def compare(self, frames, joints, proposals, target, attention):
        pairs.append((lifted[-1], target))
        if len(pairs) == 2:
            raise StoppedError
        return joints.sum() * 0, joints.sum() * 0

    monkeypatch.setattr(steps.PoseStep, "_lift", lift)
    monkeypatch.setattr(steps.PoseStep, "_projection_losses", compare)
    chosen = {f"train__pose_l2__{key}": value for key, value in settings.items()}
    with pytest.raises(StoppedError):
        run_stage(tiny(**chosen), "pose_l2", scenes, first_two(trained), tmp_path)
    return affines, pairs


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("cross", [True, False])
def test_affine_variants_and_whose_image_poses_learn_in(
    scenes, trained, tmp_path, monkeypatch, affine, cross
):
    (plain, *variants), pairs = recorded_step(
        monkeypatch, scenes, trained, tmp_path, affine=affine, cross_affine=cross
    )
    assert pairs == ([(1, 2), (2, 1)] if cross else [(1, 1), (2, 2)])
    for variant in variants:
        assert torch.allclose(variant, plain, atol=1e-4) != affine


def test_shared_attention_learns_its_head_and_leaves_the_trunk(scenes, backbone, trained, tmp_path):
    start = [backbone, *first_two(trained)]
    chosen = tiny("backbone", networks__attention="shared")
    l2 = run_stage(chosen, "pose_l2", scenes, start, tmp_path / "pose_l2")
    after = networks_of(l2)
    before = networks_of(backbone)["backbone"]
    assert all(torch.equal(before[key], after["backbone"][key]) for key in before)
    assert after["attention"] and all(key.startswith("head.") for key in after["attention"])
    run_stage(chosen, "pose_l1", scenes, [l2], tmp_path / "pose_l1")
    assert len(pd.read_csv(tmp_path / "pose_l1/curves.csv")) == 3


def test_whole_frames_and_epochs(scenes, tmp_path):
    chosen = tiny(
        train__backbone__crop=0,
        train__backbone__iterations=None,
        train__backbone__epochs=0.5,
        train__backbone__amplitudes="one",
        train__backbone__schedule="step",
    )
    run_stage(chosen, "backbone", scenes, [], tmp_path)
    n_images = 3 * 3 + 2 * 4
    assert len(pd.read_csv(tmp_path / "curves.csv")) == int(np.ceil(0.5 * np.ceil(n_images / 2)))


@pytest.mark.parametrize("stage", ["backbone", "root", "bodies", "pose_l2", "pose_l1"])
def test_mixed_precision_trains_every_stage_to_nearly_the_same(
    stage, scenes, backbone, trained, tmp_path
):
    start = {
        "backbone": [],
        "root": [backbone],
        "bodies": [backbone],
        "pose_l2": [backbone, *first_two(trained)],
        "pose_l1": [backbone, trained / "pose_l2/checkpoint.pt"],
    }
    for precision in ("32-true", "bf16-mixed"):
        chosen = tiny("backbone", compute__precision=precision)
        run_stage(chosen, stage, scenes, start[stage], tmp_path / precision)
    full, mixed = (pd.read_csv(tmp_path / p / "curves.csv") for p in ("32-true", "bf16-mixed"))
    assert not full.drop(columns="seconds").equals(mixed.drop(columns="seconds"))
    np.testing.assert_allclose(mixed.iloc[0, 2:], full.iloc[0, 2:], rtol=0.1, atol=1e-3)


def test_a_frozen_network_may_run_ahead_in_mixed_precision(
    scenes, backbone, trained, tmp_path, monkeypatch
):
    chosen = tiny("backbone", compute__precision="bf16-mixed")
    root = run_stage(tiny("backbone"), "root", scenes, [backbone], tmp_path / "root")
    start = [root, trained / "bodies" / "checkpoint.pt"]
    for ahead in (False, True):
        monkeypatch.setattr(loop, "_ahead", lambda device, ahead=ahead: ahead)
        run_stage(chosen, "pose_l2", scenes, start, tmp_path / f"{ahead}")
    assert same(tmp_path / "False" / "checkpoint.pt", tmp_path / "True" / "checkpoint.pt")


def test_bodies_may_be_those_of_the_training_frames(
    scenes, rebuilt, trained, tmp_path, monkeypatch
):
    seen, real = [], steps.BodiesStep.losses

    def watched(self, batch):
        seen.append(batch)
        return real(self, batch)

    monkeypatch.setattr(steps.BodiesStep, "losses", watched)
    chosen = tiny(train__bodies__synthetic=0.0)
    checkpoint = run_stage(chosen, "bodies", scenes, [], tmp_path)
    assert not same(checkpoint, trained / "bodies" / "checkpoint.pt")
    known = np.concatenate([p.joints for frames in rebuilt for p in frames.values()])
    for batch in seen:
        assert sum(batch.counts) == len(batch.bodies) > 0
        for body, centre in zip(batch.bodies.numpy(), batch.centres.numpy(), strict=True):
            nearest = known[np.abs(known - body).mean((1, 2)).argmin()]
            np.testing.assert_allclose(body, nearest, atol=0.01)
            assert 0 < np.linalg.norm(centre - body[MID_HIP]) < 500


def test_frames_with_nobody_to_learn_take_no_steps(scenes, rebuilt, tmp_path):
    (name, frame), people = next((at, p) for at, p in rebuilt[0].items() if len(p))
    alone = [{(name, frame): people}, {}]
    chosen = tiny(train__bodies__synthetic=0.0, train__bodies__iterations=6)
    run_stage(chosen, "bodies", scenes, [], tmp_path, people=alone)
    assert (pd.read_csv(tmp_path / "curves.csv")["bodies"] > 0).all()


def test_pose_net_knows_a_persons_reach_wherever_it_starts(scenes, trained, tmp_path):
    start = [trained / "root" / "checkpoint.pt"]
    with pytest.raises(InputError, match=r"limit_reach: true.*--reconstructions.*false"):
        run_stage(tiny(), "pose_l2", scenes, start, tmp_path / "none", people=[])
    checkpoint = run_stage(tiny(), "pose_l2", scenes, start, tmp_path / "limited")
    limited = networks_of(checkpoint)["pose"]["reach"]
    assert torch.equal(limited, networks_of(trained / "bodies/checkpoint.pt")["pose"]["reach"])
    assert torch.isfinite(limited).all()
    chosen = tiny(networks__limit_reach=False)
    free = run_stage(chosen, "pose_l2", scenes, start, tmp_path / "free", people=[])
    assert torch.isinf(networks_of(free)["pose"]["reach"]).all()


def test_no_proposals_and_collapsed_attention_stop(scenes, trained, tmp_path, monkeypatch):
    start = first_two(trained)
    monkeypatch.setattr(steps, "FRAMES_WITHOUT_PROPOSALS", 2)
    blind = tiny(networks__root_threshold=1.0)
    with pytest.raises(TrainingDivergedError, match=r"no person was proposed.*root_threshold"):
        run_stage(blind, "pose_l2", scenes, start, tmp_path / "blind")
    monkeypatch.setattr(steps, "LEAST_ATTENTION", 1.1)
    with pytest.raises(TrainingDivergedError, match=r"attention collapsed.*attention_weight"):
        run_stage(tiny(), "pose_l2", scenes, start, tmp_path / "dark")


def test_a_stage_that_diverges_may_keep_what_it_had(scenes, trained, tmp_path, monkeypatch):
    start = first_two(trained)
    kept = tiny(train__pose_l2__on_divergence="keep")
    with monkeypatch.context() as patched:
        patched.setattr(steps, "LEAST_ATTENTION", 1.1)
        run_stage(kept, "pose_l2", scenes, start, tmp_path / "dark")
    assert set(networks_of(tmp_path / "dark/checkpoint.pt")) == {"root", "pose", "attention"}
    said = json.loads((tmp_path / "dark/diverged.json").read_text())
    assert said["iteration"] == 0 and "attention collapsed" in said["seen"]
    run_stage(kept, "pose_l2", scenes, start, tmp_path / "dark")
    assert not (tmp_path / "dark/diverged.json").exists()


def test_stages_without_the_weights_they_start_from_are_refused(scenes, trained, tmp_path):
    with pytest.raises(InputError, match="no weights of root"):
        start = [trained / "bodies" / "checkpoint.pt"]
        run_stage(tiny(), "pose_l2", scenes, start, tmp_path)
    with pytest.raises(InputError, match="no file was given"):
        chosen = tiny(train__backbone__weights="imagenet")
        run_stage(chosen, "backbone", scenes, [], tmp_path)


def test_a_stage_has_its_threads_repeats_with_them_and_gives_them_back(
    scenes, tmp_path, monkeypatch
):
    threads, real = [], loop.iterate

    def watched(*args):
        threads.append(torch.get_num_threads())
        return real(*args)

    monkeypatch.setattr(loop, "iterate", watched)
    before = torch.get_num_threads()
    for name in ("once", "again"):
        run_stage(tiny(compute__threads=2), "root", scenes, [], tmp_path / name)
    assert threads == [2, 2] and torch.get_num_threads() == before
    assert same(tmp_path / "once" / "checkpoint.pt", tmp_path / "again" / "checkpoint.pt")


def test_known_bodies_are_seen_in_one_variant_and_only_that_is_computed(
    scenes, backbone, tmp_path, monkeypatch
):
    computed, real = [], frames.FrameInputs._computed

    def watched(self, frame, variant):
        computed.append(variant.number)
        return real(self, frame, variant)

    monkeypatch.setattr(frames.FrameInputs, "_computed", watched)
    chosen = tiny(
        "backbone", train__bodies__synthetic=0.0, train__bodies__augmented=0.5,
        train__bodies__iterations=8, train__bodies__batch_size=1,
    )  # fmt: skip
    run_stage(chosen, "bodies", scenes, [backbone], tmp_path)
    assert len(computed) == 8
    assert {0} < set(computed) <= {0, 1, 2}


def test_the_memory_of_heatmaps_is_bounded_and_changes_no_result(
    scenes, backbone, tmp_path, monkeypatch
):
    kept, real = [], frames.FrameInputs._computed

    def watched(self, *args):
        result = real(self, *args)
        kept.append(len(self._memory))
        return result

    monkeypatch.setattr(frames.FrameInputs, "_computed", watched)
    start = [backbone]
    for size in ("plenty", "none"):
        room = {"compute__heatmap_memory": 1e-9} if size == "none" else {}
        run_stage(tiny("backbone", **room), "root", scenes, start, tmp_path / size)
        assert (max(kept) == 0) == (size == "none")
        kept.clear()
    assert same(tmp_path / "plenty" / "checkpoint.pt", tmp_path / "none" / "checkpoint.pt")

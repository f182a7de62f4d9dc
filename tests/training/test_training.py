import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from selfpose3d.training.reads import READS
from torch.utils._python_dispatch import TorchDispatchMode

from selfpose3d import seeds
from selfpose3d.errors import InputError, TrainingDivergedError
from selfpose3d.files.checkpoints import read_checkpoint, write_checkpoint
from selfpose3d.files.poses2d import People2D
from selfpose3d.methods.voxels import stages, steps
from selfpose3d.methods.voxels.batches import RootBatches
from selfpose3d.methods.voxels.lifting import build_lifting
from selfpose3d.parameters import Parameters, partial, select, with_settings
from selfpose3d.skeletons import ROOT
from selfpose3d.synthetic.scenes import make_scene, reconstruction, ring
from selfpose3d.training import augmentation, body_pool, label_errors, loop, runs, seen_bodies
from selfpose3d.training import step as training_step
from selfpose3d.training.data import training_data

TINY = {
    "data.network_size": [224, 160],
    "networks.root_grid": [12, 12, 12],
    "networks.v2v_width": 4,
    "networks.pose_v2v_width": 4,
    "networks.cuboid_grid": 12,
    "networks.root_threshold": 0.0,
    "networks.max_people": 2,
    "train.backbone.weights": "none",
    "train.backbone.crop": 64,
    "compute.checkpoint_every": 2,
    "compute.accelerator": "cpu",
}
for _stage in ("backbone", "root", "bodies", "pose_l2", "pose_l1", "finetune"):
    TINY |= {f"train.{_stage}.iterations": 3, f"train.{_stage}.batch_size": 2}


def parameters(stage: str, source: str = "estimator", **settings) -> Parameters:
    """What the stage is given, and no more."""
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    whole = with_settings(Parameters(), {**TINY, "heatmaps.source": source, **dotted}, "test")
    return partial(select(whole, READS[stage]))


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    return [
        make_scene(folder / "a", "a", 1, ring(3), frames=3),
        make_scene(folder / "b", "b", 2, ring(4, turn=0.4), frames=2),
    ]


@pytest.fixture(scope="session")
def given(scenes):
    return [s.scene for s in scenes], [s.views for s in scenes]


@pytest.fixture(scope="session")
def rebuilt(scenes):
    return [reconstruction(s.truth, seed) for seed, s in enumerate(scenes)]


@pytest.fixture(scope="session")
def trained(given, rebuilt, tmp_path_factory):
    """A whole chain on estimator heatmaps, as checkpoints by stage."""
    out = tmp_path_factory.mktemp("chain")
    stages.train_root(parameters("root"), *given, [], out / "root")
    stages.train_bodies(parameters("bodies"), *given, rebuilt, [], out / "bodies")
    start = [out / name / "checkpoint.pt" for name in ("root", "bodies")]
    stages.train_pose(parameters("pose_l2"), "pose_l2", *given, start, out / "pose_l2")
    start = [out / "pose_l2" / "checkpoint.pt"]
    stages.train_pose(parameters("pose_l1"), "pose_l1", *given, start, out / "pose_l1")
    return out


@pytest.fixture(scope="session")
def backbone(given, tmp_path_factory):
    out = tmp_path_factory.mktemp("backbone")
    stages.train_backbone(parameters("backbone"), *given, None, out)
    return out / "checkpoint.pt"


def same(first: Path, second: Path) -> bool:
    a, b = read_checkpoint(first), read_checkpoint(second)
    return a.keys() == b.keys() and all(
        torch.equal(a[name][key], b[name][key]) for name in a for key in a[name]
    )


def test_the_last_checkpoint_holds_every_network_and_the_curves_every_term(trained):
    assert set(read_checkpoint(trained / "pose_l1" / "checkpoint.pt")) == {
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
    before = read_checkpoint(trained / "bodies" / "checkpoint.pt")["pose"]
    root = read_checkpoint(trained / "root" / "checkpoint.pt")["root"]
    after = read_checkpoint(trained / "pose_l2" / "checkpoint.pt")
    assert any(not torch.equal(before[key], after["pose"][key]) for key in before)
    assert all(torch.equal(root[key], after["root"][key]) for key in root)


WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "bincount", "_unique2", "equal"}
"""Operations whose result the host must know before it can go on."""


class Waits(TorchDispatchMode):
    """Counts what would make the host wait for a device."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.overloadpacket.__name__
        masks = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if name in WAITS or masks:
            self.found.append(name)
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("stage", "allowed"), [("root", 0), ("bodies", 0), ("pose_l2", 1), ("pose_l1", 3)]
)
def test_an_iteration_waits_only_to_count_people_and_to_match_them(
    given, rebuilt, trained, tmp_path, monkeypatch, stage, allowed
):
    waits, real = [], training_step.Step.forward

    def watched(self, sealed):
        with Waits() as mode, monkeypatch.context() as patched:
            for name in ("tolist", "cpu"):
                method = getattr(torch.Tensor, name)

                def noted(tensor, *args, name=name, method=method):
                    mode.found.append(name)
                    return method(tensor, *args)

                patched.setattr(torch.Tensor, name, noted)
            result = real(self, sealed)
        waits.append(mode.found)
        return result

    monkeypatch.setattr(training_step.Step, "forward", watched)
    start = [trained / name / "checkpoint.pt" for name in ("root", "bodies")]
    if stage == "root":
        stages.train_root(parameters(stage), *given, [], tmp_path)
    elif stage == "bodies":
        stages.train_bodies(parameters(stage), *given, rebuilt, [], tmp_path)
    else:
        stages.train_pose(parameters(stage), stage, *given, start, tmp_path)
    assert len(waits) == 3 and max(len(found) for found in waits) <= allowed, waits
    assert allowed == 0 or all(waits)


def test_a_stage_repeats_to_the_bit(given, rebuilt, trained, tmp_path):
    stages.train_bodies(parameters("bodies"), *given, rebuilt, [], tmp_path)
    assert same(tmp_path / "checkpoint.pt", trained / "bodies" / "checkpoint.pt")


def test_another_seed_gives_other_weights(given, trained, tmp_path):
    stages.train_root(parameters("root", seed=1), *given, [], tmp_path)
    assert not same(tmp_path / "checkpoint.pt", trained / "root" / "checkpoint.pt")


@pytest.mark.parametrize("train_all", [False, True])
def test_image_heatmaps_frozen_or_learnt(given, backbone, trained, tmp_path, train_all):
    stages.train_root(parameters("root", "backbone"), *given, [backbone], tmp_path / "root")
    start = [tmp_path / "root" / "checkpoint.pt", trained / "bodies" / "checkpoint.pt"]
    chosen = parameters(
        "pose_l2",
        "backbone",
        train__pose_l2__train_backbone=train_all,
        train__pose_l2__train_root=train_all,
        train__pose_l2__proposals="augmented" if train_all else "plain",
    )
    stages.train_pose(chosen, "pose_l2", *given, start, tmp_path / "pose")
    before, after = read_checkpoint(backbone), read_checkpoint(tmp_path / "pose/checkpoint.pt")
    changed = any(
        not torch.equal(before["backbone"][key], after["backbone"][key])
        for key in before["backbone"]
    )
    assert changed == train_all


@pytest.mark.parametrize("source", ["estimator", "backbone"])
def test_all_heatmaps_into_root_net(given, rebuilt, backbone, trained, tmp_path, source):
    first = [backbone] if source == "backbone" else []
    chosen = parameters("root", source, networks__root_input="all")
    stages.train_root(chosen, *given, first, tmp_path / "root", rebuilt)
    weights = read_checkpoint(tmp_path / "root" / "checkpoint.pt")["root"]
    assert {value.shape[1] for key, value in weights.items() if value.ndim == 5} >= {15}
    start = [tmp_path / "root" / "checkpoint.pt", trained / "bodies" / "checkpoint.pt"]
    posed = parameters(
        "pose_l2", source, networks__root_input="all", train__pose_l2__train_root=True
    )
    stages.train_pose(posed, "pose_l2", *given, start, tmp_path / "pose", rebuilt)
    curves = pd.read_csv(tmp_path / "pose" / "curves.csv")
    assert (curves["root_synthetic"] > 0).all()
    with pytest.raises(InputError, match=r"root_input: all.*--reconstructions"):
        stages.train_root(chosen, *given, first, tmp_path / "none")


def test_synthetic_bodies_stand_at_the_roots_that_root_net_is_to_find(given, rebuilt):
    chosen = parameters("root", networks__root_input="all", train__root__missing=0.0)
    data = training_data(*given)
    lifting = build_lifting(chosen, ("root",))
    pool = body_pool.body_pool(data, rebuilt)
    batches = RootBatches(chosen, chosen.train.root, data, lifting, torch.device("cpu"), pool)
    drawn = batches.draw(data.frames[:1], np.random.default_rng(0))
    assert drawn.heatmaps.shape[2] == 15
    evidence = lifting.root_evidence(drawn.heatmaps, drawn.rig, drawn.affines)
    at_roots = drawn.target > 0.5
    of_root, of_ankle = (float(evidence[:, joint][at_roots].mean()) for joint in (ROOT, 8))
    assert of_root > 2 * of_ankle


class StoppedError(Exception):
    """The step was seen."""


def recorded_step(monkeypatch, given, trained, tmp_path, **settings):
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
    start = [trained / name / "checkpoint.pt" for name in ("root", "bodies")]
    chosen = {f"train__pose_l2__{key}": value for key, value in settings.items()}
    with pytest.raises(StoppedError):
        stages.train_pose(parameters("pose_l2", **chosen), "pose_l2", *given, start, tmp_path)
    return affines, pairs


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("cross", [True, False])
def test_affine_variants_and_whose_image_poses_learn_in(
    given, trained, tmp_path, monkeypatch, affine, cross
):
    (plain, *variants), pairs = recorded_step(
        monkeypatch, given, trained, tmp_path, affine=affine, cross_affine=cross
    )
    assert pairs == ([(1, 2), (2, 1)] if cross else [(1, 1), (2, 2)])
    for variant in variants:
        assert torch.allclose(variant, plain, atol=1e-4) != affine


def test_shared_attention_learns_its_head_and_leaves_the_trunk(given, backbone, trained, tmp_path):
    start = [backbone, trained / "root/checkpoint.pt", trained / "bodies/checkpoint.pt"]
    chosen = parameters("pose_l2", "backbone", networks__attention="shared")
    stages.train_pose(chosen, "pose_l2", *given, start, tmp_path / "pose_l2")
    after = read_checkpoint(tmp_path / "pose_l2/checkpoint.pt")
    before = read_checkpoint(backbone)["backbone"]
    assert all(torch.equal(before[key], after["backbone"][key]) for key in before)
    assert after["attention"] and all(key.startswith("head.") for key in after["attention"])
    on = parameters("pose_l1", "backbone", networks__attention="shared")
    start = [tmp_path / "pose_l2/checkpoint.pt"]
    stages.train_pose(on, "pose_l1", *given, start, tmp_path / "pose_l1")
    assert len(pd.read_csv(tmp_path / "pose_l1/curves.csv")) == 3


def test_whole_frames_and_epochs(given, tmp_path):
    chosen = parameters(
        "backbone",
        train__backbone__crop=0,
        train__backbone__iterations=None,
        train__backbone__epochs=0.5,
        train__backbone__amplitudes="one",
        train__backbone__schedule="step",
    )
    stages.train_backbone(chosen, *given, None, tmp_path)
    n_images = 3 * 3 + 2 * 4
    assert len(pd.read_csv(tmp_path / "curves.csv")) == int(np.ceil(0.5 * np.ceil(n_images / 2)))


KILLED = """
import sys, pickle
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + '/training']
from test_training import parameters
from selfpose3d.methods.voxels import stages
scenes, views, rebuilt = pickle.loads(Path(sys.argv[2]).read_bytes())
chosen = parameters("bodies", train__bodies__iterations=40, compute__checkpoint_every=3)
stages.train_bodies(chosen, scenes, views, rebuilt, [], Path(sys.argv[3]))
"""


def run_until(job: Path, out: Path, kill: bool) -> None:
    """The bodies stage in a process of its own; killed when it has left a resumable state."""
    here = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, here, str(job), str(out)],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if kill:
        while not (out / "resume.pt").exists() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_and_restarted_is_the_same_as_undisturbed(given, rebuilt, tmp_path):
    import pickle

    job = tmp_path / "job.pkl"
    job.write_bytes(pickle.dumps((*given, rebuilt)))
    run_until(job, tmp_path / "whole", kill=False)
    run_until(job, tmp_path / "killed", kill=True)
    assert not (tmp_path / "killed" / "checkpoint.pt").exists()
    assert (tmp_path / "killed" / "resume.pt").exists()
    run_until(job, tmp_path / "killed", kill=False)
    assert same(tmp_path / "whole" / "checkpoint.pt", tmp_path / "killed" / "checkpoint.pt")
    whole, killed = (pd.read_csv(tmp_path / name / "curves.csv") for name in ("whole", "killed"))
    assert whole["bodies"].tolist() == killed["bodies"].tolist()


@pytest.mark.parametrize("stage", ["backbone", "root", "bodies", "pose_l2", "pose_l1"])
def test_mixed_precision_trains_every_stage_to_nearly_the_same(
    stage, given, rebuilt, backbone, trained, tmp_path
):
    start = {
        "root": [backbone],
        "bodies": [backbone],
        "pose_l2": [backbone, trained / "root/checkpoint.pt", trained / "bodies/checkpoint.pt"],
        "pose_l1": [backbone, trained / "pose_l2/checkpoint.pt"],
    }
    for precision in ("32-true", "bf16-mixed"):
        chosen = parameters(stage, "backbone", compute__precision=precision)
        out = tmp_path / precision
        if stage == "backbone":
            stages.train_backbone(chosen, *given, None, out)
        elif stage == "root":
            stages.train_root(chosen, *given, start[stage], out)
        elif stage == "bodies":
            stages.train_bodies(chosen, *given, rebuilt, start[stage], out)
        else:
            stages.train_pose(chosen, stage, *given, start[stage], out)
    full, mixed = (pd.read_csv(tmp_path / p / "curves.csv") for p in ("32-true", "bf16-mixed"))
    assert not full.drop(columns="seconds").equals(mixed.drop(columns="seconds"))
    np.testing.assert_allclose(mixed.iloc[0, 2:], full.iloc[0, 2:], rtol=0.1, atol=1e-3)


TWO_PROCESSES = """
import sys, pickle
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + '/training']
from test_training import parameters
from selfpose3d.methods.voxels import stages
scenes, views, rebuilt = pickle.loads(Path(sys.argv[2]).read_bytes())
out = Path(sys.argv[3])
for devices in (2, 1):
    chosen = parameters("bodies", compute__devices=devices, train__bodies__iterations=2)
    stages.train_bodies(chosen, scenes, views, rebuilt, [], out / str(devices))
"""


def test_two_processes_train_together(given, rebuilt, tmp_path):
    import pickle

    job, script = tmp_path / "job.pkl", tmp_path / "train_by_two.py"
    job.write_bytes(pickle.dumps((*given, rebuilt)))
    script.write_text(TWO_PROCESSES)
    here = str(Path(__file__).parents[1])
    command = [sys.executable, str(script), here, str(job), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    two, one = (read_checkpoint(tmp_path / n / "checkpoint.pt") for n in ("2", "1"))
    assert two.keys() == one.keys() and two["pose"].keys() == one["pose"].keys()
    assert any(not torch.equal(two["pose"][key], one["pose"][key]) for key in one["pose"])
    assert all(torch.isfinite(weights.float()).all() for weights in two["pose"].values())


def test_the_state_of_another_run_is_not_resumed(given, rebuilt, trained, tmp_path):
    tmp_path.joinpath("resume.pt").write_bytes(b"half a file")
    stages.train_bodies(parameters("bodies"), *given, rebuilt, [], tmp_path)
    assert same(tmp_path / "checkpoint.pt", trained / "bodies" / "checkpoint.pt")


def test_bodies_may_be_those_of_the_training_frames(given, rebuilt, trained, tmp_path, monkeypatch):
    seen, real = [], steps.BodiesStep.losses

    def watched(self, batch):
        seen.append(batch)
        return real(self, batch)

    monkeypatch.setattr(steps.BodiesStep, "losses", watched)
    chosen = parameters("bodies", train__bodies__synthetic=0.0)
    stages.train_bodies(chosen, *given, rebuilt, [], tmp_path)
    assert not same(tmp_path / "checkpoint.pt", trained / "bodies" / "checkpoint.pt")
    known = np.concatenate([p.joints for frames in rebuilt for p in frames.values()])
    for batch in seen:
        assert sum(batch.counts) == len(batch.bodies) > 0
        for body, centre in zip(batch.bodies.numpy(), batch.centres.numpy(), strict=True):
            nearest = known[np.abs(known - body).mean((1, 2)).argmin()]
            np.testing.assert_allclose(body, nearest, atol=0.01)
            assert 0 < np.linalg.norm(centre - body[ROOT]) < 500


def test_pose_net_knows_a_persons_reach_wherever_it_starts(given, rebuilt, trained, tmp_path):
    start = [trained / "root" / "checkpoint.pt"]
    chosen = parameters("pose_l2")
    with pytest.raises(InputError, match=r"limit_reach: true.*--reconstructions.*false"):
        stages.train_pose(chosen, "pose_l2", *given, start, tmp_path / "none")
    stages.train_pose(chosen, "pose_l2", *given, start, tmp_path / "limited", rebuilt)
    limited = read_checkpoint(tmp_path / "limited/checkpoint.pt")["pose"]["reach"]
    assert torch.equal(limited, read_checkpoint(trained / "bodies/checkpoint.pt")["pose"]["reach"])
    assert torch.isfinite(limited).all()
    free = parameters("pose_l2", networks__limit_reach=False)
    stages.train_pose(free, "pose_l2", *given, start, tmp_path / "free")
    assert torch.isinf(read_checkpoint(tmp_path / "free/checkpoint.pt")["pose"]["reach"]).all()


def test_nan_stops_and_keeps_the_last_good_state(given, rebuilt, tmp_path, monkeypatch):
    real = steps.BodiesStep.losses
    count = iter(range(100))

    def spoilt(self, batch):
        terms = real(self, batch)
        return {k: v * (float("nan") if next(count) == 2 else 1) for k, v in terms.items()}

    monkeypatch.setattr(steps.BodiesStep, "losses", spoilt)
    with pytest.raises(TrainingDivergedError, match=r"iteration 2 .*not finite.*resume.pt"):
        stages.train_bodies(parameters("bodies"), *given, rebuilt, [], tmp_path)
    assert (tmp_path / "resume.pt").exists() and not (tmp_path / "checkpoint.pt").exists()


def test_no_proposals_and_collapsed_attention_stop(given, trained, tmp_path, monkeypatch):
    start = [trained / name / "checkpoint.pt" for name in ("root", "bodies")]
    monkeypatch.setattr(steps, "FRAMES_WITHOUT_PROPOSALS", 2)
    blind = parameters("pose_l2", networks__root_threshold=1.0)
    with pytest.raises(TrainingDivergedError, match=r"no person was proposed.*root_threshold"):
        stages.train_pose(blind, "pose_l2", *given, start, tmp_path / "blind")
    monkeypatch.setattr(steps, "LEAST_ATTENTION", 1.1)
    with pytest.raises(TrainingDivergedError, match=r"attention collapsed.*attention_weight"):
        stages.train_pose(parameters("pose_l2"), "pose_l2", *given, start, tmp_path / "dark")


def test_a_stage_that_diverges_may_keep_what_it_had(given, rebuilt, trained, tmp_path, monkeypatch):
    start = [trained / name / "checkpoint.pt" for name in ("root", "bodies")]
    kept = parameters("pose_l2", train__pose_l2__on_divergence="keep")
    with monkeypatch.context() as patched:
        patched.setattr(steps, "LEAST_ATTENTION", 1.1)
        stages.train_pose(kept, "pose_l2", *given, start, tmp_path / "dark")
    assert set(read_checkpoint(tmp_path / "dark/checkpoint.pt")) == {"root", "pose", "attention"}
    said = json.loads((tmp_path / "dark/diverged.json").read_text())
    assert said["iteration"] == 0 and "attention collapsed" in said["seen"]
    stages.train_pose(kept, "pose_l2", *given, start, tmp_path / "dark")
    assert not (tmp_path / "dark/diverged.json").exists()

    real, count = steps.BodiesStep.losses, iter(range(100))

    def poisoned(self, batch):
        if next(count) == 2:
            with torch.no_grad():
                next(self.lifting.pose_net.parameters()).fill_(float("nan"))
        return real(self, batch)

    monkeypatch.setattr(steps.BodiesStep, "losses", poisoned)
    chosen = parameters("bodies", train__bodies__on_divergence="keep")
    stages.train_bodies(chosen, *given, rebuilt, [], tmp_path / "bodies")
    weights = read_checkpoint(tmp_path / "bodies/checkpoint.pt")["pose"]
    assert all(torch.isfinite(value.float()).all() for value in weights.values())
    assert (tmp_path / "bodies/diverged.json").exists()


def test_wrong_inputs_are_refused(given, rebuilt, trained, tmp_path):
    scenes, views = given
    with pytest.raises(InputError, match="another data set"):
        training_data(scenes, list(reversed(views)))
    nobody = [{key: People2D.nobody(15) for key in view} for view in views]
    with pytest.raises(InputError, match="no person in any view"):
        training_data(scenes, nobody)
    with pytest.raises(InputError, match="no weights of root"):
        start = [trained / "bodies" / "checkpoint.pt"]
        stages.train_pose(parameters("pose_l2"), "pose_l2", scenes, views, start, tmp_path)
    with pytest.raises(InputError, match="no file was given"):
        chosen = parameters("backbone", train__backbone__weights="imagenet")
        stages.train_backbone(chosen, scenes, views, None, tmp_path)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"net": {"weight": torch.arange(1000.0)}}, {"stage": "x"})
    assert torch.equal(read_checkpoint(path)["net"]["weight"], torch.arange(1000.0))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"damaged checkpoint.*delete it"):
        read_checkpoint(path)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="damaged checkpoint"):
        read_checkpoint(path)


def test_the_bank_gives_back_the_errors_it_was_made_of(given, rebuilt):
    data = training_data(*given)
    bank = label_errors.error_bank(data, rebuilt)
    assert 0.0 <= bank.missing.mean() < 0.5
    spread = np.linalg.norm(bank.residuals[~bank.missing], axis=-1)
    assert 0.005 < np.median(spread) < 0.03
    pool = body_pool.body_pool(data, rebuilt)
    rng = np.random.default_rng(0)
    space = (np.array([-3000.0, -3000, 0]), np.array([3000.0, 3000, 2000]))
    drawn = body_pool.sample_bodies(pool, 3, data.scenes[0].cameras, space, rng)
    seen = seen_bodies.see_bodies(data.scenes[0].cameras, drawn)
    points, scores = label_errors.corrupt_like_bank(seen, bank, (1.0, 1.0), rng)
    off = np.linalg.norm(points[:, :3] - seen.projected.pixels, axis=-1)
    relative = (off / seen.projected.heights[..., None])[scores[:, :3] > 0]
    assert 0.005 < np.median(relative) < 0.03


def test_a_body_of_two_people_is_not_learnt(given, rebuilt):
    pool = body_pool.body_pool(training_data(*given), rebuilt)
    one, merged, lost = pool[[0, 0, 0]].copy()
    merged[3:6] += [600.0, 0, 0]
    lost[14] -= [0, 0, 1500.0]
    assert body_pool.usual_bodies(np.stack([one, merged, lost]), pool).tolist() == [
        True,
        False,
        False,
    ]


def test_frames_with_nobody_to_learn_take_no_steps(given, rebuilt, tmp_path):
    (name, frame), people = next((at, p) for at, p in rebuilt[0].items() if len(p))
    alone = [{(name, frame): people}, {}]
    chosen = parameters("bodies", train__bodies__synthetic=0.0, train__bodies__iterations=6)
    stages.train_bodies(chosen, *given, alone, [], tmp_path)
    assert (pd.read_csv(tmp_path / "curves.csv")["bodies"] > 0).all()


def test_frames_of_different_rigs_never_share_a_batch(given):
    data = training_data(*given)
    batches = data.epoch(np.random.default_rng(0), 2)
    assert sorted(frame for batch in batches for frame in batch) == data.frames
    assert all(len({s for s, _ in batch}) == 1 for batch in batches)
    assert len(batches) == data.batches_per_epoch(2) == 3


@pytest.mark.parametrize("operation", augmentation.OPERATIONS)
def test_image_operations_keep_range_and_differ(operation):
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.uniform(30, 200, (2, 3, 16, 20))).float()
    changed = operation(images, torch.full((2, 1, 1, 1), 1.4)).clamp(0, 255)
    assert changed.shape == images.shape
    assert not torch.allclose(changed, images)
    if operation not in (augmentation.autocontrast, augmentation.equalize):
        same_again = operation(images, torch.ones(2, 1, 1, 1))
        assert torch.allclose(same_again, images, atol=1e-3)


def test_equalize_flattens_the_histogram():
    images = torch.linspace(100, 140, 3 * 64 * 64).reshape(1, 3, 64, 64)
    flat = augmentation.equalize(images, torch.ones(1))
    counts = torch.histc(flat[0, 0], 4, 0, 255)
    assert (counts / counts.sum() - 0.25).abs().max() < 0.1


def test_cutout_puts_one_square_and_draws_from_its_generator():
    images = torch.zeros(1, 3, 64, 64)
    cut = augmentation.cut_out(images, np.random.default_rng(3), (20, 20))
    assert (cut[0, 0] == augmentation.GREY).sum() == 400 and not images.any()
    pixels = torch.full((3, 64, 48, 3), 50, dtype=torch.uint8)
    first, second, other = (
        augmentation.augment_images(pixels, np.random.default_rng(seed), (20, 40))
        for seed in (7, 7, 8)
    )
    assert first.shape == pixels.shape and first.dtype == torch.uint8 and (pixels == 50).all()
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_learning_rate_schedules():
    stage = Parameters().train.root.model_copy(update={"schedule": "step"})
    factors = [loop.learning_rate_factor(stage, i, 100) for i in (0, 49, 50, 75)]
    assert factors == pytest.approx([1, 1, 0.1, 0.01])
    stage = stage.model_copy(update={"schedule": "cosine"})
    assert loop.learning_rate_factor(stage, 0, 100) < 0.1
    assert loop.learning_rate_factor(stage, 99, 100) < 0.02


def test_reads_name_real_parameters():
    for keys in READS.values():
        assert json.dumps(select(Parameters(), keys))


def test_a_frozen_network_may_run_ahead_in_mixed_precision(
    given, backbone, trained, tmp_path, monkeypatch
):
    chosen = parameters("pose_l2", "backbone", compute__precision="bf16-mixed")
    stages.train_root(parameters("root", "backbone"), *given, [backbone], tmp_path / "root")
    start = [tmp_path / "root" / "checkpoint.pt", trained / "bodies" / "checkpoint.pt"]
    for ahead in (False, True):
        monkeypatch.setattr(loop, "_ahead", lambda device, ahead=ahead: ahead)
        stages.train_pose(chosen, "pose_l2", *given, start, tmp_path / f"{ahead}")
    assert same(tmp_path / "False" / "checkpoint.pt", tmp_path / "True" / "checkpoint.pt")


def test_batches_drawn_ahead_come_in_turn_and_their_errors_where_they_belong(monkeypatch):
    class Two:
        device, world_size, global_rank = torch.device("cpu"), 2, 1

    monkeypatch.setattr(loop, "_ahead", lambda device: True)
    run = runs.Run("root", parameters("root").train.root, None, 3, Path(), 6, "")
    made = []

    def draw(number, rng):
        made.append(number)
        if number == 7:
            raise DrawError
        return number, rng.integers(1000)

    class DrawError(Exception):
        pass

    batches = loop.drawn(run, Two, draw, range(1, 6))
    first = next(batches)
    assert first == (3, seeds.stage_rng(3, "root", 3).integers(1000))
    assert next(batches)[0] == 5
    with pytest.raises(DrawError):
        next(batches)
    assert made[:3] == [3, 5, 7]

"""VoxelPose, the baseline that learns from the 3D truth: it learns, resumes, needs it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from selfpose3d import pipeline
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import write_poses3d
from selfpose3d.methods import METHODS, STAGES
from selfpose3d.methods.entry import StageInputs
from selfpose3d.methods.voxels import frames, known_people, stages, supervised
from selfpose3d.parameters import Parameters, Space
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.synthetic.scenes import Synthetic
from selfpose3d.training.data import training_data
from stage_runs import of_stage, run_stage, write_labels
from tiny_stages import networks_of, tiny, two_scenes

MID_HIP = PANOPTIC_15.index("mid_hip")

SUPERVISED = ("supervised_root", "supervised_pose")
BOTH = pytest.mark.parametrize("stage", SUPERVISED)


def parameters(stage: str, source: str = "estimator", iterations: int = 4) -> Parameters:
    settings = {f"train.{stage}.iterations": iterations, f"train.{stage}.batch_size": 2}
    return tiny(source, **settings)


def train(chosen: Parameters, stage: str, given, truth, out: Path, start=()) -> None:
    """Train a stage with nothing but what it is given by the pipeline."""
    scenes, labels = given
    inputs = StageInputs(of_stage(chosen, stage), scenes, labels, out, start, truth=truth)
    STAGES[stage].train.load()(inputs)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Synthetic]:
    return two_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def given(scenes: list[Synthetic]) -> tuple[list, list]:
    return [s.scene for s in scenes], [s.views for s in scenes]


@pytest.fixture(scope="module")
def truth(scenes: list[Synthetic], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("truth")
    for scene in scenes:
        write_poses3d(folder / f"{scene.scene.name}.parquet", scene.truth)
    return [folder / f"{scene.scene.name}.parquet" for scene in scenes]


def weights(folder: Path, network: str) -> list[torch.Tensor]:
    return list(networks_of(folder / "checkpoint.pt")[network].values())


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@BOTH
def test_it_learns_from_the_truth_and_repeats_to_the_bit(stage, given, truth, tmp_path):
    network = stage.removeprefix("supervised_")
    for name in ("first", "again"):
        train(parameters(stage, iterations=30), stage, given, truth, tmp_path / name)
    moved = []
    for path in truth:
        table = pd.read_parquet(path)
        moved.append(tmp_path / path.name)
        table.assign(x=table["x"] + 60).to_parquet(moved[-1], index=False)
    train(parameters(stage, iterations=30), stage, given, moved, tmp_path / "moved")

    assert same(weights(tmp_path / "first", network), weights(tmp_path / "again", network))
    assert not same(weights(tmp_path / "first", network), weights(tmp_path / "moved", network))
    losses = pd.read_csv(tmp_path / "first" / "curves.csv").iloc[:, 2]
    assert losses.tail(10).mean() < losses.head(10).mean()


@BOTH
def test_stopped_and_started_again_it_ends_with_the_same_weights(
    stage, given, truth, tmp_path, monkeypatch
):
    network = stage.removeprefix("supervised_")
    train(parameters(stage), stage, given, truth, tmp_path / "whole")
    step = supervised.SupervisedRootStep if network == "root" else stages.BodiesStep
    real, count = step.losses, iter(range(100))

    def stopped(self, batch):
        if next(count) == 3:
            raise KeyboardInterrupt
        return real(self, batch)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(step, "losses", stopped)
        train(parameters(stage), stage, given, truth, tmp_path / "stopped")
    assert (tmp_path / "stopped" / "resume.pt").exists()
    calls = []
    with monkeypatch.context() as patched:
        patched.setattr(step, "losses", lambda *given: calls.append(0) or real(*given))
        train(parameters(stage), stage, given, truth, tmp_path / "stopped")
    assert len(calls) == 2
    assert same(weights(tmp_path / "whole", network), weights(tmp_path / "stopped", network))


def test_image_heatmaps_and_the_backbone_is_carried_along(scenes, given, truth, tmp_path):
    backbone = parameters("backbone", "backbone", 2)
    start = [run_stage(backbone, "backbone", scenes, [], tmp_path / "backbone")]
    for stage in SUPERVISED:
        train(parameters(stage, "backbone", 2), stage, given, truth, tmp_path / stage, start)
        kept = weights(tmp_path / stage, "backbone")
        assert same(kept, weights(tmp_path / "backbone", "backbone"))


def test_people_of_whom_the_labels_say_nothing_are_left_out(scenes, given):
    data = training_data(*given)
    truth = {key: people for scene in scenes for key, people in scene.truth.items()}
    space = Space(size=(6000.0, 6000.0, 2000.0))
    everybody = known_people.shown_people(data, truth, space)
    assert [len(everybody[frame]) for frame in data.frames] == [2] * 5

    frame = data.frames[0]
    key = (data.scenes[0].scene.name, data.scenes[0].scene.frames[0])
    views = [
        {at: People2D.nobody(PANOPTIC_15) if at[0] == key[1] else seen for at, seen in view.items()}
        for view in given[1]
    ]
    unseen = known_people.shown_people(training_data(given[0], views), truth, space)
    assert len(unseen[frame]) == 0 and sum(map(len, unseen.values())) == 6

    unknown = truth[key].valid.copy()
    unknown[1, MID_HIP] = False
    without_hip = replace(truth[key], valid=unknown)
    assert len(known_people.shown_people(data, truth | {key: without_hip}, space)[frame]) == 1

    first, second = truth[key].joints
    small = 2.2 * np.abs(first[MID_HIP, :2])
    assert np.any(np.abs(second[MID_HIP, :2]) > small / 2)
    inside = Space(size=(*small.tolist(), 2000.0))
    (kept,) = known_people.shown_people(data, {key: truth[key]}, inside)[frame].joints
    assert np.array_equal(kept, first)


def test_joints_that_are_unknown_or_completed_are_not_learnt(given, truth):
    data = training_data(*given)
    people = supervised.read_truth(data, truth, Space())
    key = next(iter(people))
    valid, views = people[key].valid.copy(), np.full(people[key].valid.shape, 3)
    valid[0, 3], views[1, 5] = False, 0
    frame = replace(people[key], valid=valid, views=views)
    sight = frames.Sight(None, torch.zeros(1, 2, 3), torch.zeros(1, 3, 15, 4, 4))
    batch = known_people.frame_bodies(sight, [frame], 0.0, np.random.default_rng(0))
    assert not batch.known[0, 3] and not batch.known[1, 5] and batch.known.sum() == 2 * 15 - 2
    torch.testing.assert_close(batch.centres, batch.bodies[:, MID_HIP])


def test_missing_or_foreign_truth_is_refused(given, truth, tmp_path):
    data = training_data(*given)
    with pytest.raises(InputError, match=r"none of \['b'\].*--truth"):
        supervised.read_truth(data, truth[:1], Space())
    with pytest.raises(InputError, match="no such file"):
        supervised.read_truth(data, [tmp_path / "truth.parquet"], Space())
    far = Space(centre=(90000.0, 0.0, 900.0))
    with pytest.raises(InputError, match="none of 10 people is in the space"):
        supervised.read_truth(data, truth, far)
    people = supervised.read_truth(data, truth, Space())
    elsewhere = {k: replace(p, joints=p.joints * [-1, -1, 1]) for k, p in people.items()}
    with pytest.raises(InputError, match="fit none of the known 3D people"):
        known_people.shown_people(data, elsewhere, Space())


def test_only_the_supervised_stages_take_the_truth(scenes, truth, tmp_path):
    labels, out = write_labels(tmp_path / "labels", scenes), tmp_path / "out"
    folders = [scene.scene.folder for scene in scenes]

    def run(chosen: Parameters, stage: str, truth: list[Path]) -> None:
        pipeline.train_stage(chosen, stage, folders, labels, None, [], None, truth, out)

    given = of_stage(parameters("supervised_root", iterations=2), "supervised_root")
    with pytest.raises(InputError, match="needs --truth"):
        run(given, "supervised_root", [])
    without_truth = [name for name, stage in STAGES.items() if not stage.supervised]
    assert {"backbone", "root", "bodies", "pose_l2", "pose_l1", "finetune"} < {*without_truth}
    for stage in without_truth:
        with pytest.raises(InputError, match="leave out --truth"):
            run(Parameters(), stage, truth)
    assert not out.exists()
    run(given, "supervised_root", truth)
    assert (out / "checkpoint.pt").exists()


def test_voxelpose_alone_is_given_the_truth():
    assert {name for name, stage in STAGES.items() if stage.supervised} == {*SUPERVISED}
    assert {name for name, method in METHODS.items() if method.supervised} == {"voxelpose"}

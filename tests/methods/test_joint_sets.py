"""COCO-17 as the joint set of every method: all stages, and predictions of them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selfpose3d.detection.scene_people import read_labels
from selfpose3d.errors import InputError
from selfpose3d.evaluation import evaluate
from selfpose3d.files.poses3d import Frames, People3D, converted_frames, read_poses3d, write_poses3d
from selfpose3d.files.scenes import write_scene
from selfpose3d.methods import METHODS
from selfpose3d.methods.entry import PredictionInputs
from selfpose3d.parameters import TrainingFree
from selfpose3d.reconstruction.training_free import reconstruct_scene
from selfpose3d.skeletons import COCO_17, HALPE_26, PANOPTIC_15, PANOPTIC_19, Skeleton
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring
from selfpose3d.training.data import training_data
from stage_runs import of_prediction, run_stage, write_labels
from tiny_stages import networks_of, tiny

TRAINED: Mapping[str, tuple[str, tuple[str, ...], dict[str, object]]] = {
    "selfpose3d": ("estimator", ("root", "bodies", "pose_l2", "pose_l1", "finetune"), {}),
    "selfpose3d of images": (
        "backbone",
        ("backbone", "root", "bodies", "pose_l1"),
        {"networks__root_input": "all", "train__pose_l1__soft_attention": True},
    ),
    "voxelpose": ("estimator", ("supervised_root", "supervised_pose"), {}),
    "trust": ("estimator", ("trust",), {"train__trust__iterations": 3, "train__trust__frames": 20}),
}
"""Source of the heatmaps, stages and settings of a training of each method."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    folder = tmp_path_factory.mktemp("coco") / "a"
    return make_scene(folder, "a", 3, ring(4), frames=4, skeleton=COCO_17)


@pytest.mark.parametrize("named", TRAINED)
def test_every_stage_learns_and_predicts(named: str, made: Synthetic, tmp_path: Path) -> None:
    source, stages, settings = TRAINED[named]
    method = named.split()[0]
    chosen = tiny(source, labels__skeleton="coco17", **settings)
    checkpoints: list[Path] = []
    for stage in stages:
        checkpoints.append(run_stage(chosen, stage, [made], checkpoints, tmp_path / stage))
    labels = write_labels(tmp_path / "labels", [made])
    reads = of_prediction(chosen, method)
    inputs = PredictionInputs(reads, [made.scene.folder], checkpoints, labels)
    found = METHODS[method].predict.load()(inputs)
    assert {people.skeleton for people in found.values()} == {COCO_17}
    assert all(people.joints.shape[1:] == (17, 3) for people in found.values())
    metrics = evaluate(found, made.truth)
    assert list(metrics["joints"]) == list(COCO_17.joints)


def with_feet(made: Synthetic) -> Synthetic:
    """The same people with feet at their ankles, without pictures."""

    def named(name: str) -> str:
        side, _, part = name.partition("_")
        if part in ("big_toe", "small_toe", "heel"):
            return f"{side}_ankle"
        return {"head_top": "nose"}.get(name, name)

    parts = Skeleton(tuple(dict.fromkeys(map(named, HALPE_26.joints))))
    order = [parts.index(named(name)) for name in HALPE_26.joints]
    views, truth = {}, {}
    for image, people in made.views.items():
        each = people.converted(parts)
        views[image] = replace(
            each, points=each.points[:, order], scores=each.scores[:, order], skeleton=HALPE_26
        )
    for key, present in made.truth.items():
        joints = present.converted(parts).joints[:, order]
        truth[key] = People3D.predicted(joints, present.scores, HALPE_26)
    return Synthetic(replace(made.scene, has_images=False), views, truth)


@pytest.mark.parametrize("named", ["selfpose3d", "trust"])
def test_methods_learn_and_predict_feet_without_pictures(
    named: str, made: Synthetic, tmp_path: Path
) -> None:
    people = with_feet(made)
    scene = replace(people.scene, folder=tmp_path / "scene")
    write_scene(scene)
    people = replace(people, scene=scene)
    source, stages, settings = TRAINED[named]
    blind = {f"train__{stage}__soft_attention": False for stage in ("pose_l2", "pose_l1")}
    own = {**settings, **blind, "train__finetune__soft_attention": False}
    chosen = tiny(source, labels__skeleton="estimator", **own)
    checkpoints: list[Path] = []
    for stage in stages:
        checkpoints.append(run_stage(chosen, stage, [people], checkpoints, tmp_path / stage))
    labels = write_labels(tmp_path / "labels", [people])
    inputs = PredictionInputs(of_prediction(chosen, named), [scene.folder], checkpoints, labels)
    found = METHODS[named].predict.load()(inputs)
    assert {each.skeleton for each in found.values()} == {HALPE_26}
    assert list(evaluate(found, people.truth)["joints"]) == list(HALPE_26.joints)


def test_training_free_finds_eyes_and_ears(made: Synthetic) -> None:
    people = reconstruct_scene(made.scene, made.views, TrainingFree())
    metrics = evaluate(people, made.truth)
    assert metrics["Recall@500"] == 100 and metrics["MPJPE"] < 60
    assert metrics["joints"]["left_ear"] < 60 and metrics["root"]["MPJPE"] < 60


def test_people_of_other_joints_than_the_truth_are_compared_in_what_both_have(
    made: Synthetic, tmp_path: Path
) -> None:
    fewer = converted_frames(made.truth, PANOPTIC_15)
    for predictions, truth in ((made.truth, fewer), (fewer, made.truth)):
        metrics = evaluate(predictions, truth)
        assert list(metrics["joints"]) == list(PANOPTIC_15.joints)
        assert metrics["MPJPE"] == 0 and metrics["AP25"] == pytest.approx(100, abs=0.1)
    write_poses3d(tmp_path / "people.parquet", made.truth)
    again = read_poses3d(tmp_path / "people.parquet")
    assert {each.skeleton for each in again.values()} == {COCO_17}


def test_joints_that_nobody_sees_are_completed_without_neck_and_mid_hip(made: Synthetic) -> None:
    unseen = [COCO_17.index(name) for name in ("left_hip", "right_knee", "left_ear")]
    views = {}
    for key, people in made.views.items():
        scores = people.scores.copy()
        scores[:, unseen] = 0
        views[key] = replace(people, scores=scores)
    found = reconstruct_scene(made.scene, views, TrainingFree())
    errors = [_nearest(found, key, body)[unseen] for key, people in made.truth.items()
              for body in people.joints]  # fmt: skip
    assert np.median(errors) < 150


def _nearest(found: Frames, key: tuple[str, int], body: np.ndarray) -> np.ndarray:
    """(17,) mm."""
    distances = np.linalg.norm(found[key].joints - body, axis=-1)
    nearest: np.ndarray = distances[distances.mean(-1).argmin()]
    return nearest


def test_labels_and_networks_of_different_joints_are_refused(
    made: Synthetic, tmp_path: Path
) -> None:
    chosen = tiny()
    root = run_stage(chosen, "root", [made], [], tmp_path / "root")
    assert networks_of(root)["root"]
    other = make_scene(tmp_path / "b", "b", 3, ring(4), frames=2)
    with pytest.raises(InputError, match=r"of different joints.*labels\.skeleton"):
        run_stage(chosen, "pose_l2", [other], [root], tmp_path / "pose")
    with pytest.raises(InputError, match="of different joints"):
        _ = training_data([made.scene, other.scene], [made.views, other.views]).skeleton
    labels = write_labels(tmp_path / "labels", [made])
    assert {each.skeleton for each in read_labels(labels, made.scene).values()} == {COCO_17}
    assert PANOPTIC_19.can_be("neck") and not PANOPTIC_15.can_be("left_eye")

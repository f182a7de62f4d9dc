"""Predictions against a truth of other joints: Panoptic-15 against Shelf's 14 and MVOR's 10."""

from pathlib import Path

import numpy as np
import pytest

from selfpose3d.detection.quality import label_quality
from selfpose3d.errors import InputError
from selfpose3d.evaluation import evaluate, evaluate_files
from selfpose3d.evaluation.heatmap_quality import HeatmapTally
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import Frames, People3D, converted_frames, write_poses3d
from selfpose3d.geometry.cameras import project
from selfpose3d.skeletons import MVOR_10, PANOPTIC_15, SHELF_14, Skeleton
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring

SHELF_12 = [joint for joint in SHELF_14.joints if joint not in ("upper_neck", "head_top")]
MVOR_9 = [joint for joint in MVOR_10.joints if joint != "head"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    return make_scene(tmp_path_factory.mktemp("scene") / "a", "a", 3, ring(4), noise=0, missing=0)


def moved(frames: Frames, by: float) -> Frames:
    return {
        key: People3D.predicted(
            people.joints + np.array([by, 0, 0]), people.scores, people.skeleton
        )
        for key, people in frames.items()
    }


def other_truth(made: Synthetic, skeleton: Skeleton) -> Frames:
    """The truth in other joints, those that a standing body lacks somewhere above it."""
    partly = converted_frames(made.truth, skeleton, partly=True)
    for people in partly.values():
        people.joints[~people.valid] = [0, 0, 1700]
        people.valid[:] = True
    return partly


@pytest.mark.parametrize(("skeleton", "common"), [(SHELF_14, SHELF_12), (MVOR_10, MVOR_9)])
def test_the_joints_that_both_have_are_compared(
    made: Synthetic, skeleton: Skeleton, common: list[str]
) -> None:
    metrics = evaluate(moved(made.truth, 30.0), other_truth(made, skeleton))
    assert list(metrics["joints"]) == common
    assert metrics["MPJPE"] == pytest.approx(30.0)
    assert metrics["AP50"] == pytest.approx(100.0, abs=0.1) and metrics["AP25"] == 0
    assert metrics["root"]["MPJPE"] == pytest.approx(30.0)


def test_what_is_left_out_is_said(made: Synthetic, tmp_path: Path) -> None:
    predictions, truth = tmp_path / "p.parquet", tmp_path / "t.parquet"
    write_poses3d(predictions, made.truth)
    write_poses3d(truth, other_truth(made, SHELF_14))
    _, said = evaluate_files([predictions], [truth])
    (line,) = [line for line in said if line.startswith("compared")]
    assert "12 joints" in line and "['upper_neck', 'head_top']" in line
    write_poses3d(truth, made.truth)
    assert not [line for line in evaluate_files([predictions], [truth])[1] if "compared" in line]


def test_joints_that_a_truth_marks_unknown_do_not_count(made: Synthetic) -> None:
    truth = other_truth(made, MVOR_10)
    for people in truth.values():
        wrist = MVOR_10.index("left_wrist")
        people.joints[:, wrist] += 900.0
        people.valid[:, wrist] = False
        people.valid[0, [MVOR_10.index("left_hip"), MVOR_10.index("right_hip")]] = False
    metrics = evaluate(moved(made.truth, 30.0), truth)
    assert metrics["MPJPE"] == pytest.approx(30.0)
    assert metrics["joints"]["left_wrist"] is None
    assert metrics["root"]["Recall@500"] == pytest.approx(100.0)


def test_joints_without_a_root_are_compared_without_it(made: Synthetic) -> None:
    arms = Skeleton(("left_elbow", "right_elbow", "left_wrist", "right_wrist", "head_top"))
    metrics = evaluate(moved(made.truth, 30.0), other_truth(made, arms))
    assert metrics["MPJPE"] == pytest.approx(30.0)
    assert metrics["root"] is None


def test_nothing_in_common_is_refused(made: Synthetic) -> None:
    with pytest.raises(InputError, match="have none in common"):
        evaluate(made.truth, other_truth(made, Skeleton(("head_top", "upper_neck"))))


def test_labels_are_measured_in_the_joints_that_the_truth_has(made: Synthetic) -> None:
    quality = label_quality([made.views], [other_truth(made, SHELF_14)], [made.scene])
    assert quality["people"] > 0 and quality["recall"] == 1.0
    assert quality["median_error"] == pytest.approx(0.0, abs=1e-6)
    assert quality["by_joint"]["nose"]["mean_error"] is None
    assert quality["by_joint"]["left_knee"]["mean_error"] == pytest.approx(0.0, abs=1e-6)


def test_heatmaps_are_measured_in_the_joints_that_the_truth_has(made: Synthetic) -> None:
    camera, key = made.scene.cameras[0], min(made.truth)
    true = converted_frames(other_truth(made, SHELF_14), PANOPTIC_15, partly=True)[key]
    pixels, _ = project(camera, made.truth[key].joints)
    labels = People2D(pixels, np.ones(pixels.shape[:2]), np.ones(len(pixels)), PANOPTIC_15)
    maps = np.zeros((len(PANOPTIC_15), camera.height, camera.width))
    for person in pixels:
        columns, rows = np.clip(np.rint(person), 0, [camera.width - 1, camera.height - 1]).T
        maps[range(len(person)), rows.astype(int), columns.astype(int)] = 1.0
    tally = HeatmapTally(PANOPTIC_15)
    tally.add(maps, 1, camera, true.where(np.array([True, False])), labels)
    found = tally.summary()
    assert found["joints"] == 14 and found["pck"] == 100.0
    assert found["by_joint"]["nose"]["pck"] is None

    unknown = true.where(np.array([True, False]))
    unknown.valid[:, PANOPTIC_15.index("mid_hip")] = False
    tally.add(maps, 1, camera, unknown, labels)
    assert tally.summary()["joints"] == 14

"""Consensus labels of people whose places are known exactly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import People3D
from selfpose3d.parameters import TrainingFree
from selfpose3d.reconstruction.consensus import consensus_labels
from selfpose3d.reconstruction.training_free import reconstruct_scene
from selfpose3d.skeletons import SKELETONS
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring

BODY = SKELETONS["panoptic15"]
WRIST = BODY.index("left_wrist")
Labels = dict[tuple[int, str], People2D]


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    """Two frames of two people, whom four cameras see exactly."""
    cameras = ring(4, 960, 540)
    return make_scene(tmp_path, "a", 3, cameras, frames=2, noise=0.0, missing=0.0)


def agreed(made: Synthetic, labels: Labels) -> Labels:
    people = reconstruct_scene(made.scene, labels, TrainingFree())
    return consensus_labels(made.scene, labels, people, 0.01)


def changed(labels: Labels, key: tuple[int, str], people: People2D) -> Labels:
    return {**labels, key: people}


def gaps(found: People2D, true: People2D) -> np.ndarray:
    """(L, J) px from each true person's joints to those of the nearest found one."""
    between = np.linalg.norm(true.points[:, None] - found.points[None], axis=-1)
    nearest = between.mean(-1).argmin(1)
    return between[np.arange(len(true)), nearest]


def test_labels_that_agree_stay(made: Synthetic) -> None:
    found = agreed(made, made.views)
    assert list(found) == [(f, c.name) for f in made.scene.frames for c in made.scene.cameras]
    for key, true in made.views.items():
        order = [int(np.abs(found[key].points - each).sum((1, 2)).argmin()) for each in true.points]
        np.testing.assert_array_equal(found[key].points[order], true.points)
        np.testing.assert_array_equal(found[key].scores[order], true.scores)
        np.testing.assert_array_equal(found[key].person_scores[order], true.person_scores)


def test_a_joint_that_disagrees_becomes_the_reprojection(made: Synthetic) -> None:
    key = next(iter(made.views))
    true = made.views[key]
    points = true.points.copy()
    points[0, WRIST] += 40.0
    found = agreed(made, changed(made.views, key, replace(true, points=points)))[key]
    assert gaps(found, true)[0, WRIST] < 1.0
    assert (found.scores[:, WRIST] > 0.7).all()


def test_a_joint_that_a_view_lacks_is_told_by_the_others(made: Synthetic) -> None:
    key = next(iter(made.views))
    true = made.views[key]
    scores = true.scores.copy()
    scores[0, WRIST] = 0.0
    found = agreed(made, changed(made.views, key, replace(true, scores=scores)))[key]
    assert gaps(found, true).max() < 1.0
    assert (found.scores > 0.7).all()


def test_a_person_whom_a_view_missed_is_added(made: Synthetic) -> None:
    key = next(iter(made.views))
    true = made.views[key]
    found = agreed(made, changed(made.views, key, true.where([1])))[key]
    assert len(found) == 2
    assert gaps(found, true).max() < 1.0
    assert 0 < found.person_scores.min() <= 1


def test_somebody_whom_the_other_views_do_not_know_goes(made: Synthetic) -> None:
    key = next(iter(made.views))
    true = made.views[key]
    ghost = replace(true.where([0]), points=true.points[:1] + np.array([150.0, 20.0]))
    both = replace(
        true,
        points=np.concatenate([true.points, ghost.points]),
        scores=np.concatenate([true.scores, ghost.scores]),
        person_scores=np.concatenate([true.person_scores, ghost.person_scores]),
    )
    found = agreed(made, changed(made.views, key, both))[key]
    assert len(found) == len(true)
    assert gaps(found, true).max() < 1.0


def test_joints_outside_the_image_are_not_told(made: Synthetic) -> None:
    """A label inside, of a joint that the others see outside of this image, goes."""
    camera = made.scene.cameras[0]
    key = (made.scene.frames[0], camera.name)
    true = made.views[key]
    edge = float(true.points[0, :, 0].max()) - 5.0
    outside = true.points[..., 0] >= edge
    narrow = replace(camera, width=int(edge))
    scene = replace(made.scene, rig=(narrow, *made.scene.cameras[1:]))
    points = np.where(outside[..., None], [5.0, 5.0], true.points)
    labels = changed(made.views, key, replace(true, points=points))
    people = reconstruct_scene(scene, labels, TrainingFree())
    found = consensus_labels(scene, labels, people, 0.01)[key]
    assert outside.any()
    assert (found.scores == 0).sum() >= outside[0].sum()
    assert (found.points[found.scores > 0][:, 0] < edge).all()


def test_nobody(made: Synthetic) -> None:
    labels = {key: each.where([]) for key, each in made.views.items()}
    people = {("a", frame): People3D.nobody(BODY) for frame in made.scene.frames}
    found = consensus_labels(made.scene, labels, people, 0.01)
    assert set(found) == set(labels)
    assert not any(map(len, found.values()))

"""Joint sets: sides, bones, and COCO-17 to Panoptic-15."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfpose3d.skeletons import (
    BONES,
    COCO_17,
    LEFT,
    N_JOINTS,
    NECK,
    PANOPTIC_15,
    RIGHT,
    ROOT,
    SWAP_SIDES,
    coco_to_panoptic,
)


def coco_person() -> tuple[np.ndarray, np.ndarray]:
    """Joint j lies at (j, 100 j) with the score (j + 1) / 20."""
    numbers = np.arange(17.0)
    return np.stack([numbers, 100 * numbers], axis=1), (numbers + 1) / 20


def test_swapping_sides_exchanges_the_names() -> None:
    for joint, other in enumerate(SWAP_SIDES):
        name = PANOPTIC_15[joint]
        opposite = name.replace("left", "r1ght").replace("right", "left").replace("r1ght", "right")
        assert PANOPTIC_15[other] == opposite
    assert set(LEFT) | set(RIGHT) == set(range(3, 15))


def test_bones_make_one_tree() -> None:
    assert len(BONES) == N_JOINTS - 1
    reached = {0}
    for parent, child in BONES:
        assert parent in reached, "a bone starts where an earlier one ended"
        reached.add(child)
    assert reached == set(range(N_JOINTS))


@pytest.mark.parametrize("joint", [j for j in range(15) if j not in (NECK, ROOT)])
def test_joints_keep_their_names(joint: int) -> None:
    points, scores = coco_person()
    new_points, new_scores = coco_to_panoptic(points, scores)
    source = COCO_17.index(PANOPTIC_15[joint])
    assert new_points[joint].tolist() == points[source].tolist()
    assert new_scores[joint] == scores[source]


def test_neck_and_mid_hip_are_means_with_the_lower_score() -> None:
    new_points, new_scores = coco_to_panoptic(*coco_person())
    assert new_points[NECK].tolist() == [5.5, 550]
    assert new_points[ROOT].tolist() == [11.5, 1150]
    assert new_scores[NECK] == 6 / 20
    assert new_scores[ROOT] == 12 / 20


def test_a_single_side_stands_for_both() -> None:
    points, scores = coco_person()
    scores[COCO_17.index("left_shoulder")] = 0
    new_points, new_scores = coco_to_panoptic(points, scores)
    assert new_points[NECK].tolist() == [6, 600]
    assert new_scores[NECK] == 7 / 20


def test_no_side_gives_no_joint() -> None:
    points, scores = coco_person()
    scores[[11, 12]] = 0
    new_points, new_scores = coco_to_panoptic(points, scores)
    assert new_scores[ROOT] == 0
    assert np.isfinite(new_points).all()


@settings(deadline=None)
@given(shape=st.sampled_from([(), (1,), (0,), (4,), (2, 3)]), dimensions=st.integers(2, 3))
def test_leading_axes_are_kept(shape: tuple[int, ...], dimensions: int) -> None:
    rng = np.random.default_rng(0)
    points, scores = rng.normal(size=(*shape, 17, dimensions)), rng.random((*shape, 17))
    new_points, new_scores = coco_to_panoptic(points, scores)
    assert new_points.shape == (*shape, 15, dimensions)
    assert new_scores.shape == (*shape, 15)
    for index in np.ndindex(shape):
        alone = coco_to_panoptic(points[index], scores[index])
        np.testing.assert_array_equal(new_points[index], alone[0])
        np.testing.assert_array_equal(new_scores[index], alone[1])

"""Joint sets: sides, bones, and COCO-17 to Panoptic-15."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfpose3d.errors import InputError
from selfpose3d.skeletons import (
    BODY_25,
    COCO_17,
    PANOPTIC_15,
    PANOPTIC_19,
    Skeleton,
    converted,
    of_labels,
)

NECK, MID_HIP = PANOPTIC_15.index("neck"), PANOPTIC_15.index("mid_hip")


def coco_person() -> tuple[np.ndarray, np.ndarray]:
    """Joint j lies at (j, 100 j) with the score (j + 1) / 20."""
    numbers = np.arange(17.0)
    return np.stack([numbers, 100 * numbers], axis=1), (numbers + 1) / 20


def coco_to_panoptic(points: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return converted(points, scores, COCO_17, PANOPTIC_15)


@pytest.mark.parametrize("skeleton", [PANOPTIC_15, PANOPTIC_19, COCO_17])
def test_swapping_sides_exchanges_the_names(skeleton: Skeleton) -> None:
    for joint, other in enumerate(skeleton.swapped):
        name = skeleton.joints[joint]
        opposite = name.replace("left", "r1ght").replace("right", "left").replace("r1ght", "right")
        assert skeleton.joints[other] == opposite
    sides = {*skeleton.left, *skeleton.right}
    assert sides | {*skeleton.central} == set(range(len(skeleton)))
    assert {skeleton.joints[joint] for joint in skeleton.central} <= {"neck", "nose", "mid_hip"}


@pytest.mark.parametrize("skeleton", [PANOPTIC_15, PANOPTIC_19])
def test_bones_make_one_tree(skeleton: Skeleton) -> None:
    assert len(skeleton.bones) == len(skeleton) - 1
    reached = {NECK}
    for parent, child in skeleton.bones:
        assert parent in reached, "a bone starts where an earlier one ended"
        reached.add(child)
    assert reached == set(range(len(skeleton)))


def test_without_a_neck_the_shoulders_hold_the_body_together() -> None:
    bones = {tuple(COCO_17.joints[joint] for joint in bone) for bone in COCO_17.bones}
    assert ("right_shoulder", "left_shoulder") in bones
    assert ("left_shoulder", "left_hip") in bones and ("right_shoulder", "right_hip") in bones
    named = {tuple(COCO_17.joints[joint] for joint in bone) for bone in COCO_17.long_bones}
    assert bones - named == {
        ("nose", "left_eye"),
        ("nose", "right_eye"),
        ("left_eye", "left_ear"),
        ("right_eye", "right_ear"),
    }


def test_the_root_is_the_mid_hip_or_the_mean_of_the_hips() -> None:
    points, _ = coco_person()
    assert COCO_17.roots(points).tolist() == [11.5, 1150]
    valid = np.ones(17, dtype=bool)
    assert COCO_17.has_root(valid)
    valid[COCO_17.index("left_hip")] = False
    assert not COCO_17.has_root(valid)
    assert PANOPTIC_15.roots(points[:15]).tolist() == points[MID_HIP].tolist()


@pytest.mark.parametrize("joint", [j for j in range(15) if j not in (NECK, MID_HIP)])
def test_joints_keep_their_names(joint: int) -> None:
    points, scores = coco_person()
    new_points, new_scores = coco_to_panoptic(points, scores)
    source = COCO_17.index(PANOPTIC_15.joints[joint])
    assert new_points[joint].tolist() == points[source].tolist()
    assert new_scores[joint] == scores[source]


def test_neck_and_mid_hip_are_means_with_the_lower_score() -> None:
    new_points, new_scores = coco_to_panoptic(*coco_person())
    assert new_points[NECK].tolist() == [5.5, 550]
    assert new_points[MID_HIP].tolist() == [11.5, 1150]
    assert new_scores[NECK] == 6 / 20
    assert new_scores[MID_HIP] == 12 / 20


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
    assert new_scores[MID_HIP] == 0
    assert np.isfinite(new_points).all()


def test_a_mean_that_needs_both_sides_is_not_there_without_one() -> None:
    points, scores = coco_person()
    scores[COCO_17.index("left_shoulder")] = 0
    _, new_scores = converted(points, scores, COCO_17, PANOPTIC_15, both_sides=True)
    assert new_scores[NECK] == 0 and new_scores[MID_HIP] == 12 / 20


def test_joints_that_the_source_lacks_are_named() -> None:
    with pytest.raises(InputError, match=r"lack the joints \['left_eye', .*labels\.skeleton"):
        converted(np.zeros((15, 2)), np.ones(15), PANOPTIC_15, COCO_17)


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


def test_labels_have_the_root_among_their_joints() -> None:
    assert of_labels("coco17", BODY_25).joints == (*COCO_17.joints, "mid_hip")
    assert of_labels("panoptic15", BODY_25) == PANOPTIC_15
    assert of_labels("estimator", BODY_25) == BODY_25

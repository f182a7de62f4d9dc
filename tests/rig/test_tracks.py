"""2D people followed over time, and their joints between frames."""

import numpy as np
import pytest

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D
from selfpose3d.rig.tracks import BODY, body_joints, follow, knots, sample
from selfpose3d.skeletons import Skeleton

TIMES = {frame: frame / 30 for frame in range(31)}
SHAPE = np.array([(3.0 * i % 40, 20.0 * i) for i in range(len(BODY))])


def crossing(time: float) -> People2D:
    """Two people who pass each other, listed in an order that changes from frame to frame."""
    first = SHAPE + np.array([100 + 200 * time, 50 + 30 * time**2])
    second = SHAPE + np.array([260 - 200 * time, 130])
    points = np.stack([first, second])
    if round(time * 30) % 2:
        points = points[::-1]
    return People2D(points, np.full(points.shape[:2], 0.9), np.ones(2), Skeleton(BODY))


def test_people_keep_their_tracks_and_move_between_frames() -> None:
    views = {(frame, "a"): crossing(time) for frame, time in TIMES.items()}
    tracks = follow(views, "a", BODY, TIMES)
    assert len(tracks.points) == 2
    moments = np.array([0.21, 0.5])
    found = sample(tracks, moments)
    expected = SHAPE + np.stack([100 + 200 * moments, 50 + 30 * moments**2], 1)[:, None]
    np.testing.assert_allclose(found.px[0], expected, atol=0.05)
    np.testing.assert_allclose(found.velocity[0, 1, 0], [200, 30], atol=1)
    assert np.isnan(sample(tracks, np.array([3.0])).px).all()


def test_a_missing_joint_is_read_from_the_frames_around() -> None:
    views = {(frame, "a"): crossing(time) for frame, time in TIMES.items()}
    views[15, "a"].scores[:, 3] = 0
    found = sample(follow(views, "a", BODY, TIMES), np.array([0.5]))
    assert np.isfinite(found.px).all()


def test_frames_far_apart_are_read_as_they_are() -> None:
    times = {frame: frame / 3 for frame in range(6)}
    views = {(frame, "a"): crossing(0.4 * time) for frame, time in times.items()}
    tracks = follow(views, "a", BODY, times)
    found = sample(tracks, np.array([1.0]))
    np.testing.assert_allclose(found.px[:, 0], tracks.points[:, 3], atol=1e-6)
    np.testing.assert_allclose(found.velocity, 0, atol=1e-6)
    assert len(knots(np.array(list(times.values())))) == 6


def test_sides_and_names() -> None:
    order = Skeleton(BODY).swapped
    assert [BODY[i] for i in order[:2]] == ["nose", "right_shoulder"]
    assert body_joints(("neck", *reversed(BODY))) == BODY
    with pytest.raises(InputError, match=r"lack the joints .*'left_hip'"):
        body_joints(("nose", "left_shoulder", "right_shoulder", "right_hip"))

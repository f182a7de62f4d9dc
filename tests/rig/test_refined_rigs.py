"""Rigs refined by the people that they see."""

import cv2
import numpy as np
import pytest

from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera
from selfpose3d.rig.refinement import align, refine
from selfpose3d.synthetic.faulty_rigs import record, turned


def errors(cameras: tuple[Camera, ...], right: tuple[Camera, ...]) -> tuple[float, float]:
    """Largest error of the turns, degrees, and of the places, mm, up to the world and its scale."""
    aligned = align(cameras, right)
    pairs = list(zip(aligned, right, strict=True))
    turns = [np.linalg.norm(cv2.Rodrigues(a.R @ b.R.T)[0]) for a, b in pairs]
    gaps = [np.linalg.norm(a.centre - b.centre) for a, b in pairs]
    return float(np.degrees(max(turns))), float(max(gaps))


def test_cameras_that_are_all_off_are_refined() -> None:
    recording = record(31, cameras=5, seconds=8.0)
    rng = np.random.default_rng(0)
    off = tuple(turned(camera, 3.0, 100.0, rng) for camera in recording.cameras)
    found = refine(off, recording.views, recording.times)
    assert not found.kept_given
    assert found.held_out_after < 0.4 * found.held_out_before
    degrees, mm = errors(found.cameras, recording.right)
    assert degrees < 0.3
    assert mm < 25
    # World and scale stay those of the given cameras: nobody moved farther than they were off.
    assert (
        max(np.linalg.norm(a.centre - b.centre) for a, b in zip(found.cameras, off, strict=True))
        < 300
    )


def test_a_right_calibration_is_kept() -> None:
    recording = record(32, cameras=4, seconds=4.0)
    found = refine(recording.cameras, recording.views, recording.times)
    assert found.kept_given
    assert found.cameras == recording.cameras


def test_too_few_people_are_refused() -> None:
    recording = record(33, cameras=3, seconds=0.1, people=1)
    with pytest.raises(InputError, match="60 are needed to refine a rig"):
        refine(recording.cameras, recording.views, recording.times)

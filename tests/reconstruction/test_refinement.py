"""Principal-point refinement on synthetic points whose answer is known."""

import numpy as np
import pytest

from panoptic_layout import look_at
from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera, project
from selfpose3d.geometry.refinement import refine_centres, shifted
from selfpose3d.sources.panoptic import camera_from_panoptic

SHIFTS = np.array([[15.0, -9.0], [-12.0, 4.0], [6.0, 14.0], [-9.0, -9.0]])


def rig() -> list[Camera]:
    cameras = []
    for index in range(4):
        angle = np.pi / 2 * index + 0.3
        R, t = look_at(np.array([350 * np.cos(angle), -190.0, 350 * np.sin(angle)]))
        row = {"name": str(index), "resolution": [1088, 1920], "R": R, "t": t}
        row |= {"K": [[1680.0, 0, 540], [0, 1680, 950], [0, 0, 1]], "distCoef": [0.0] * 5}
        cameras.append(camera_from_panoptic(row))
    return cameras


def observed(cameras: list[Camera], n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points as the shifted cameras see them: noise of 1 px, some missing, some far off."""
    rng = np.random.default_rng(seed)
    points_N3 = rng.uniform([-1000, -1000, 0], [1000, 1000, 1800], (n, 3))
    pixels = np.stack([project(c, points_N3)[0] for c in shifted(cameras, SHIFTS)])
    pixels += rng.normal(0, 1.0, pixels.shape)
    pixels[rng.random(pixels.shape[:2]) < 0.03] += 200.0
    pixels[rng.random(pixels.shape[:2]) < 0.1] = np.nan
    return pixels, rng.integers(0, 10, n)


def test_shifts_are_found_and_hold_on_other_frames() -> None:
    cameras = rig()
    pixels, order = observed(cameras, 240, 0)
    found = refine_centres(cameras, pixels, order)
    assert found.held_out_before > 4
    assert found.held_out_after < 1.6
    assert found.fitted_after < 1.6 < found.fitted_before
    for moved, camera, shift in zip(found.cameras, cameras, found.shifts, strict=True):
        np.testing.assert_allclose(moved.K[:2, 2] - camera.K[:2, 2], shift)
        np.testing.assert_array_equal(moved.R, camera.R)
    again = refine_centres(cameras, pixels, order)
    np.testing.assert_array_equal(found.shifts, again.shifts)


def test_right_calibration_is_left_alone() -> None:
    cameras = rig()
    pixels, order = observed(list(shifted(cameras, -SHIFTS)), 240, 1)
    found = refine_centres(cameras, pixels, order)
    assert np.abs(found.shifts).max() < 2.0
    assert found.held_out_after < found.held_out_before + 0.15


def test_too_few_points() -> None:
    cameras = rig()
    pixels, order = observed(cameras, 30, 0)
    with pytest.raises(InputError, match="20 of each are needed"):
        refine_centres(cameras, pixels, order)

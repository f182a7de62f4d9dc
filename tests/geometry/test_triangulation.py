import numpy as np
import pytest

from selfpose3d.geometry.cameras import project, ray_directions, undistort
from selfpose3d.geometry.triangulation import intersect_rays
from selfpose3d.synthetic.scenes import random_people, ring

CAMERAS = ring(5)
CENTRES = np.stack([camera.centre for camera in CAMERAS])
POINTS = random_people(np.random.default_rng(3), 2)


def rays_to(points: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """(V, ..., 3) directions to the projections of points, which are off by pixels of noise."""
    rng = np.random.default_rng(0)
    pixels = [project(camera, points)[0] for camera in CAMERAS]
    moved = [seen + rng.normal(0, noise, seen.shape) for seen in pixels]
    return np.stack([ray_directions(c, p) for c, p in zip(CAMERAS, moved, strict=True)])


def everywhere(directions: np.ndarray) -> np.ndarray:
    return np.ones(directions.shape[:-1])


def linear_triangulation(directions: np.ndarray) -> np.ndarray:
    """Direct linear transform of one point from (V, 3) directions."""
    rows = []
    for camera, direction in zip(CAMERAS, directions, strict=True):
        x, y, depth = camera.R @ direction
        P = np.concatenate([camera.R, camera.t[:, None]], axis=1)
        rows += [x / depth * P[2] - P[0], y / depth * P[2] - P[1]]
    point = np.linalg.svd(np.stack(rows))[2][-1]
    return point[:3] / point[3]


def test_rays_point_at_what_was_projected():
    for camera in CAMERAS:
        offset = POINTS - camera.centre
        along = offset / np.linalg.norm(offset, axis=-1, keepdims=True)
        assert np.allclose(ray_directions(camera, project(camera, POINTS)[0]), along, atol=1e-6)
        assert ray_directions(camera, np.zeros((0, 2))).shape == (0, 3)
    assert np.allclose(undistort(CAMERAS[0], CAMERAS[0].K[:2, 2]), 0)


def test_exact_points_are_recovered():
    directions = rays_to(POINTS)
    points, residuals, weights = intersect_rays(CENTRES, directions, everywhere(directions))
    assert np.linalg.norm(points - POINTS, axis=-1).max() < 0.05
    assert residuals.shape == weights.shape == directions.shape[:-1]
    assert residuals.max() < 0.05
    assert weights.min() > 0.999


def test_small_noise_gives_what_a_linear_triangulation_gives():
    directions = rays_to(POINTS, noise=0.2)
    points, _, _ = intersect_rays(CENTRES, directions, everywhere(directions))
    for person, joint in np.ndindex(points.shape[:2]):
        linear = linear_triangulation(directions[:, person, joint])
        assert np.linalg.norm(points[person, joint] - linear) < 10


def test_a_view_that_is_wrong_is_outvoted():
    directions = rays_to(POINTS)
    directions[2] = rays_to(POINTS + np.array([0.0, 0.0, 400.0]))[2]
    points, residuals, weights = intersect_rays(
        CENTRES, directions, everywhere(directions), iterations=20
    )
    assert np.linalg.norm(points - POINTS, axis=-1).max() < 2
    linear = linear_triangulation(directions[:, 0, 0])
    assert np.linalg.norm(linear - POINTS[0, 0]) > 30
    assert residuals[2].min() > 300
    assert weights[2].max() < 0.01


def test_where_the_origin_of_the_world_is_does_not_matter():
    directions = rays_to(POINTS, noise=1.0)
    far = np.array([1e7, -1e7, 2e5])  # of a town: kilometres, in mm
    for prior in (None, POINTS + 20.0):
        points, residuals, _ = intersect_rays(
            CENTRES, directions, everywhere(directions), prior=prior, prior_weight=0.1
        )
        moved, same_residuals, _ = intersect_rays(
            CENTRES + far,
            directions,
            everywhere(directions),
            prior=None if prior is None else prior + far,
            prior_weight=0.1,
        )
        assert np.allclose(moved - far, points, atol=0.1)
        assert np.allclose(same_residuals, residuals, atol=0.1)


def test_the_residuals_are_distances_to_the_rays():
    directions = rays_to(POINTS, noise=1.0)
    points, residuals, _ = intersect_rays(CENTRES, directions, everywhere(directions))
    offset = points - CENTRES[:, None, None]
    assert np.allclose(residuals, np.linalg.norm(np.cross(offset, directions), axis=-1))


@pytest.mark.parametrize(("weight", "nearest", "farthest"), [(1e-6, 0, 0.1), (1e6, 19, 20.1)])
def test_the_prior_pulls_by_its_weight(weight, nearest, farthest):
    prior = POINTS + np.array([20.0, 0.0, 0.0])
    directions = rays_to(POINTS)
    points, _, _ = intersect_rays(
        CENTRES, directions, everywhere(directions), prior=prior, prior_weight=weight
    )
    moved = np.linalg.norm(points - POINTS, axis=-1)
    assert nearest <= moved.min()
    assert moved.max() <= farthest


def test_without_any_ray_the_prior_remains():
    directions = rays_to(POINTS)
    nothing = np.zeros(directions.shape[:-1])
    points, _, weights = intersect_rays(
        CENTRES, directions, nothing, prior=POINTS + 70, prior_weight=0.1
    )
    assert np.allclose(points, POINTS + 70)
    assert not weights.any()


def test_too_few_rays_give_finite_numbers():
    directions = rays_to(POINTS)
    weights = everywhere(directions)
    weights[1:, 0] = 0
    weights[:, 1] = 0
    for points in (
        intersect_rays(CENTRES, directions, weights)[0],
        intersect_rays(CENTRES, directions, weights, prior=POINTS, prior_weight=0.01)[0],
    ):
        assert np.isfinite(points).all()
    one_ray = intersect_rays(CENTRES[:1], directions[:1], weights[:1], POINTS, 0.01)[0]
    assert np.linalg.norm(one_ray[0] - POINTS[0], axis=-1).max() < 0.05

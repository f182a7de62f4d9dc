"""Every lens against OpenCV, there and back, in NumPy and in torch; nothing beyond its fold."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera, in_image, project, ray_directions, undistort
from selfpose3d.geometry.rigs import Rig

WIDTH, HEIGHT = 1280, 720
LENSES: dict[str, tuple[Any, list[float]]] = {
    "none": ("brown", [0.0] * 5),
    "brown of five": ("brown", [-0.28, 0.12, 0.001, -0.0008, -0.02]),
    "brown that folds": ("brown", [-0.35, 0.0, 0.0, 0.0, 0.0]),
    "brown of eight": ("brown", [0.6, -0.4, 0.0009, -0.0004, 0.2, 0.9, -0.2, 0.1]),
    "fisheye": ("fisheye", [-0.03, 0.012, -0.006, 0.001]),
    "fisheye that folds": ("fisheye", [-0.3, 0.0, 0.0, 0.0]),
}


def camera(name: str, focal: float = 700.0) -> Camera:
    lens, coefficients = LENSES[name]
    K = np.array([[focal, 0, 645.0], [0, focal + 3, 351.0], [0, 0, 1]])
    R = cv2.Rodrigues(np.array([1.4, 0.3, -0.2]))[0]
    t = np.array([100.0, 900.0, 4000.0])
    return Camera(name, WIDTH, HEIGHT, K, np.array(coefficients), R, t, lens)


def points_seen(camera: Camera, aside: float, count: int = 400) -> np.ndarray:
    """World points up to ``aside`` from the axis, in normalised coordinates."""
    rng = np.random.default_rng(3)
    depth = rng.uniform(1000, 6000, count)
    angle, radius = rng.uniform(0, 2 * np.pi, count), rng.uniform(0, aside, count)
    seen = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.ones(count)], -1)
    return (seen * depth[:, None] - camera.t) @ camera.R


def by_opencv(camera: Camera, points: np.ndarray) -> np.ndarray:
    rvec = cv2.Rodrigues(camera.R)[0]
    given = (rvec, camera.t, camera.K, camera.distortion)
    if camera.lens == "fisheye":
        return cv2.fisheye.projectPoints(points[None], *given)[0][0]
    return cv2.projectPoints(points, *given)[0][:, 0]


@pytest.mark.parametrize("name", LENSES)
def test_a_lens_projects_as_opencv_does_and_is_undone(name: str) -> None:
    seen_by = camera(name)
    points = points_seen(seen_by, min(1.2, 0.98 * seen_by.fold))
    pixels, depth = project(seen_by, points)
    np.testing.assert_allclose(pixels, by_opencv(seen_by, points), atol=1e-6)
    straight = np.concatenate([undistort(seen_by, pixels), np.ones((len(points), 1))], -1)
    np.testing.assert_allclose(
        (straight * depth[:, None] - seen_by.t) @ seen_by.R, points, atol=1e-3
    )
    np.testing.assert_allclose(
        project(seen_by, (straight * depth[:, None] - seen_by.t) @ seen_by.R)[0], pixels, atol=1e-6
    )


@pytest.mark.parametrize("name", ["brown that folds", "fisheye that folds"])
def test_beyond_the_fold_there_is_neither_pixel_nor_ray(name: str) -> None:
    seen_by = camera(name)
    beyond = points_seen(seen_by, 5.0)
    at = beyond @ seen_by.R.T + seen_by.t
    outside = np.linalg.norm(at[:, :2], axis=-1) > 1.001 * seen_by.fold * at[:, 2]
    pixels, _ = project(seen_by, beyond)
    assert outside.any() and not outside.all()
    np.testing.assert_array_equal(np.isnan(pixels).any(-1), outside)
    far = np.array([[645.0 + 10 * WIDTH, 351.0], [np.nan, 3.0]])
    assert np.isnan(undistort(seen_by, far)).all(-1).all()
    assert np.isnan(ray_directions(seen_by, far)).all()


def test_a_fisheye_sees_nothing_beside_or_behind_it() -> None:
    seen_by = camera("fisheye")
    assert np.isinf(seen_by.fold)
    beside = (np.array([3000.0, 0.0, 1.0]) - seen_by.t) @ seen_by.R
    assert np.isnan(project(seen_by, beside)[0]).all()
    # an angle of more than 90 degrees has a pixel with OpenCV, and no ray in front
    pixel = np.array([645.0 + 700.0 * 1.7, 351.0])
    assert np.isnan(undistort(seen_by, pixel)).all()


@given(
    name=st.sampled_from(sorted(LENSES)),
    x=st.floats(0, WIDTH - 1),
    y=st.floats(0, HEIGHT - 1),
    focal=st.floats(400, 3000),
)
@settings(max_examples=200, deadline=None)
def test_a_pixel_is_undone_exactly_or_not_at_all(
    name: str, x: float, y: float, focal: float
) -> None:
    seen_by = camera(name, focal)
    pixel = np.array([x, y])
    straight = undistort(seen_by, pixel)
    if np.isnan(straight).any():
        assert name != "none"
        return
    point = (np.array([*straight, 1.0]) * 3000 - seen_by.t) @ seen_by.R
    np.testing.assert_allclose(project(seen_by, point)[0], pixel, atol=1e-6)


@pytest.mark.parametrize("names", [[name] for name in LENSES] + [list(LENSES)])
def test_torch_projects_every_lens_alike(names: list[str]) -> None:
    cameras = [camera(name) for name in names]
    rig = Rig.from_cameras([cameras]).to(torch.float64)
    for view, seen_by in enumerate(cameras):
        points = points_seen(seen_by, 1.2)
        pixels, _ = project(seen_by, points)
        inside = in_image(seen_by, pixels)
        found, depth = rig.project(torch.from_numpy(points)[None])
        np.testing.assert_allclose(found[0, view, inside], pixels[inside], atol=0.01)
        np.testing.assert_array_equal(rig.visible(found, depth)[0, view][inside], True)


def test_rigs_of_several_lenses_join_and_carry_gradients() -> None:
    rigs = [Rig.from_cameras([[camera(name)]]) for name in ("brown of five", "fisheye")]
    joined = Rig.joined(rigs)
    point = torch.tensor([[[10.0, 50.0, 300.0]]], requires_grad=True)
    pixels, _ = joined.project(point.expand(2, -1, -1))
    for index, rig in enumerate(rigs):
        torch.testing.assert_close(pixels[index : index + 1], rig.project(point)[0])
    pixels.sum().backward()
    assert torch.isfinite(point.grad).all() and (point.grad != 0).any()
    assert len({*joined.keys}) == 2


def test_coefficients_of_no_lens_are_refused() -> None:
    values = vars(camera("fisheye"))
    for lens, count in (("brown", 4), ("brown", 12), ("fisheye", 5), ("kannala", 4)):
        changed = {**values, "lens": lens, "distortion": np.zeros(count)}
        changed.pop("fold", None)
        with pytest.raises(InputError, match=f"camera fisheye: a lens '{lens}' with {count}"):
            Camera(**changed)

"""Projection, image affines, heatmaps and voxels in torch."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from selfpose3d.errors import InputError
from selfpose3d.geometry.affines import (
    apply_affine,
    compose,
    identity_affine,
    invert_affine,
    random_affine,
    warp_images,
)
from selfpose3d.geometry.cameras import Camera, project
from selfpose3d.geometry.heatmaps import (
    from_heatmap_pixels,
    local_maxima,
    render_heatmaps,
    to_heatmap_pixels,
    truncate_to_pixels,
)
from selfpose3d.geometry.rigs import Rig, distortion_radius
from selfpose3d.geometry.voxels import RootGrid, grid_points, sample_views, unproject_cuboids

torch.set_num_threads(1)

WIDTH, HEIGHT, STRIDE = 320, 192, 4
DISTORTIONS = [(0, 0, 0, 0, 0), (-0.25, 0.11, 0.002, -0.001, -0.02), (0.1, -0.05, 0, 0.003, 0)]


def looking_at_centre(azimuth: float, distortion: tuple[float, ...] = DISTORTIONS[1]) -> Camera:
    centre = np.array([4600 * np.cos(azimuth), 4600 * np.sin(azimuth), 2200.0])
    forward = np.array([0, 0, 900.0]) - centre
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[230.0, 0, 162.0], [0, 228.0, 93.0], [0, 0, 1]])
    return Camera("c", WIDTH, HEIGHT, K, np.array(distortion), R, -R @ centre)


def ring(views: int = 4, turn: float = 0.0) -> list[Camera]:
    return [looking_at_centre(turn + 2 * np.pi * view / views) for view in range(views)]


def people(rng: np.random.Generator, *shape: int) -> Tensor:
    low, high = np.array([-1200, -1200, 200]), np.array([1200, 1200, 1700])
    return torch.from_numpy(rng.uniform(low, high, (*shape, 3))).float()


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_projection_agrees_with_opencv(distortion: tuple[float, ...]) -> None:
    cameras = [looking_at_centre(angle, distortion) for angle in (0.0, 2.0, 4.0)]
    points = people(np.random.default_rng(0), 1, 200)
    pixels, depth = Rig.from_cameras([cameras]).project(points)
    for view, camera in enumerate(cameras):
        expected, expected_depth = project(camera, points[0].numpy())
        np.testing.assert_allclose(pixels[0, view], expected, atol=2e-3)
        np.testing.assert_allclose(depth[0, view], expected_depth, atol=2e-2)


def test_points_behind_a_camera_are_finite_and_never_visible() -> None:
    rig = Rig.from_cameras([ring()])
    points = torch.tensor([[[0.0, 0, 0]]]) + 9000 * torch.randn(
        1, 500, 3, generator=torch.Generator().manual_seed(0)
    )
    centre = torch.from_numpy(ring()[0].centre).float()
    points = torch.cat([points, centre[None, None]], dim=1).requires_grad_()
    pixels, depth = rig.project(points)
    visible = rig.visible(pixels, depth)
    assert torch.isfinite(pixels).all()
    assert (depth <= 0).any()
    assert not visible[depth <= 10].any()
    pixels.clamp(-1e4, 1e4).sum().backward()
    assert points.grad is not None and torch.isfinite(points.grad).all()


def test_strong_distortion_does_not_fold_points_back_into_the_image() -> None:
    camera = looking_at_centre(0.0, (-0.45, 0.0, 0, 0, 0))
    aside = camera.R.T @ (np.array([6000.0, 0, 1000.0]) - camera.t)
    assert np.isnan(project(camera, aside)[0]).all()
    rig = Rig.from_cameras([[camera]])
    steps = torch.linspace(0, 30, 400)
    along = torch.from_numpy(camera.R.T).float() @ torch.stack(
        [steps * 1000, 0 * steps, 1000 + 0 * steps]
    )
    points = along.T[None] + torch.from_numpy(camera.centre).float()
    pixels, depth = rig.project(points)
    assert (pixels[0, 0, :, 0].diff() > 0).all()
    assert not rig.visible(pixels, depth)[0, 0, -1]


def test_distortion_radius_covers_the_image_and_no_more() -> None:
    plain = looking_at_centre(0.0, DISTORTIONS[0])
    corner = np.hypot(162 / 230, (HEIGHT - 1 - 93) / 228)
    assert distortion_radius(plain) == pytest.approx(1.5 * corner, rel=0.01)
    folding = looking_at_centre(0.0, (-0.45, 0.0, 0, 0, 0))
    assert distortion_radius(folding) == pytest.approx((1 / (3 * 0.45)) ** 0.5, rel=0.01)


def test_rigs_are_selected_by_sample_and_by_view() -> None:
    rig = Rig.from_cameras([ring(4, 0.0), ring(4, 0.3)])
    points = people(np.random.default_rng(1), 2, 5)
    pixels, _ = rig.project(points)
    second, _ = rig.sample(1).views([3, 1]).project(points[1:])
    torch.testing.assert_close(second, pixels[1:, [3, 1]])
    assert rig.keys[0] != rig.keys[1] != rig.views([0]).keys[1]
    assert rig.sample(1).keys == rig.keys[1:]
    assert rig.to(torch.float64).project(points.double())[0].dtype == torch.float64


def test_samples_of_one_batch_need_the_same_number_of_cameras() -> None:
    with pytest.raises(InputError, match="same number of cameras"):
        Rig.from_cameras([ring(4), ring(3)])


def test_affines_invert_and_compose() -> None:
    rng = np.random.default_rng(0)
    first, second = (torch.from_numpy(random_affine(rng, 320, 192, 45, 0.35)) for _ in range(2))
    pixels = torch.rand(3, 7, 2) * 300
    there = apply_affine(second, apply_affine(first, pixels))
    torch.testing.assert_close(apply_affine(compose(second, first), pixels), there)
    torch.testing.assert_close(
        apply_affine(invert_affine(first), apply_affine(first, pixels)), pixels, atol=1e-3, rtol=0
    )
    np.testing.assert_array_equal(apply_affine(identity_affine(), pixels.numpy()), pixels)


def test_random_affines_turn_and_scale_about_the_centre_within_their_range() -> None:
    rng = np.random.default_rng(0)
    affines = np.stack([random_affine(rng, 320, 192, 45, 0.35) for _ in range(300)])
    scales = np.linalg.norm(affines[:, 0, :2], axis=1)
    angles = np.rad2deg(np.arctan2(affines[:, 1, 0], affines[:, 0, 0]))
    assert 0.65 <= scales.min() < 0.7 and 1.3 < scales.max() <= 1.35
    assert -45 <= angles.min() < -40 and 40 < angles.max() <= 45
    centre = np.array([159.5, 95.5])
    np.testing.assert_allclose(
        apply_affine(affines, centre[None]), centre[None] + 0 * scales[:, None], atol=1e-3
    )
    with pytest.raises(ValueError, match="scale"):
        random_affine(rng, 320, 192, 45, 1.0)


def test_warping_agrees_with_opencv() -> None:
    rng = np.random.default_rng(0)
    small = rng.random((12, 20, 3)).astype(np.float32)
    image = cv2.resize(small, (160, 96), interpolation=cv2.INTER_CUBIC)
    affine = random_affine(rng, 160, 96, 45, 0.35)
    expected = cv2.warpAffine(image, affine, (160, 96), flags=cv2.INTER_LINEAR)
    images = torch.from_numpy(image).permute(2, 0, 1).expand(1, 2, 3, 96, 160)
    warped = warp_images(images, torch.from_numpy(affine)[None])
    assert warped.shape == images.shape
    difference = np.abs(warped[0, 1].permute(1, 2, 0).numpy() - expected)
    assert difference.max() < 0.03


def test_heatmap_pixels_keep_pixel_centres() -> None:
    block = torch.tensor([[0.0, 0.0], [3.0, 3.0]]).mean(0)
    torch.testing.assert_close(to_heatmap_pixels(block, 4), torch.zeros(2))
    pixels = torch.rand(5, 2) * 100
    torch.testing.assert_close(from_heatmap_pixels(to_heatmap_pixels(pixels, 4), 4), pixels)


def test_rendered_gaussian_has_its_peak_and_width_where_it_should() -> None:
    pixels = torch.tensor([[[10.3, 20.7]]])
    heatmap = render_heatmaps(pixels, torch.tensor([[0.8]]), (48, 32), 2.0)[0]
    x, y = torch.meshgrid(torch.arange(32.0), torch.arange(48.0), indexing="xy")
    expected = 0.8 * torch.exp(-((x - 10.3) ** 2 + (y - 20.7) ** 2) / 8)
    torch.testing.assert_close(heatmap, expected)


def test_people_add_up_to_at_most_one() -> None:
    pixels = torch.full((2, 3, 2, 2), 12.0)
    heatmaps = render_heatmaps(pixels, torch.full((2, 3, 2), 0.6), (24, 24), 2.0)
    assert heatmaps.shape == (2, 2, 24, 24)
    assert heatmaps.max() == 1.0


def test_an_absent_joint_may_be_nan_without_harm() -> None:
    pixels = torch.tensor([[[float("nan"), 3.0], [5.0, 5.0]]], requires_grad=True)
    heatmaps = render_heatmaps(pixels, torch.tensor([[0.0, 1.0]]), (12, 12), 2.0)
    assert heatmaps[0].abs().max() == 0
    heatmaps.square().sum().backward()
    assert pixels.grad is not None and torch.isfinite(pixels.grad).all()


def test_no_people_give_empty_heatmaps() -> None:
    heatmaps = render_heatmaps(torch.zeros(5, 0, 15, 2), torch.zeros(5, 0, 15), (8, 8), 2.0)
    assert heatmaps.shape == (5, 15, 8, 8) and heatmaps.abs().max() == 0


def test_truncated_targets_lie_half_a_pixel_to_the_upper_left() -> None:
    pixels = torch.rand(5000, 2, generator=torch.Generator().manual_seed(0)) * 100
    shift = (truncate_to_pixels(pixels) - pixels).mean(0)
    torch.testing.assert_close(shift, torch.full((2,), -0.5), atol=0.02, rtol=0)


def test_local_maximum_finds_a_gaussian_to_a_fraction_of_a_pixel() -> None:
    rng = np.random.default_rng(0)
    true = torch.from_numpy(rng.uniform(6, 26, (3, 4, 2))).float()
    heatmaps = render_heatmaps(true[:, None], torch.ones(3, 1, 4), (32, 32), 2.0)
    start = true[:, :, None] + torch.from_numpy(rng.uniform(-2, 2, (3, 4, 5, 2))).float()
    pixels, values = local_maxima(heatmaps, start, 3.0)
    assert pixels.shape == (3, 4, 5, 2) and values.shape == (3, 4, 5)
    assert (pixels - true[:, :, None]).abs().max() < 0.01
    assert values.min() > 0.85


def test_local_maximum_looks_no_farther_than_its_radius() -> None:
    heatmaps = render_heatmaps(torch.tensor([[[20.0, 10.0]]]), torch.ones(1, 1), (24, 32), 1.5)
    start = torch.tensor([[[14.0, 10.0], [18.2, 10.0], [-40.0, 5.0], [float("nan"), 2.0]]])
    pixels, values = local_maxima(heatmaps, start, 2.0)
    assert pixels[0, 0, 0] <= 16.5
    torch.testing.assert_close(pixels[0, 1], torch.tensor([20.0, 10.0]))
    assert values[0, 2:].tolist() == [0, 0]
    assert pixels[0, 2].tolist() == [-40.0, 5.0] and pixels[0, 3].isnan().any()


def test_grid_points_are_x_major_with_ends_on_the_faces() -> None:
    grid = grid_points((800.0, 400.0, 200.0), (5, 3, 2), (10.0, 20.0, 30.0)).reshape(5, 3, 2, 3)
    torch.testing.assert_close(grid[0, 0, 0], torch.tensor([-390.0, -180.0, -70.0]))
    torch.testing.assert_close(grid[-1, -1, -1], torch.tensor([410.0, 220.0, 130.0]))
    torch.testing.assert_close(grid[1, 0, 0] - grid[0, 0, 0], torch.tensor([200.0, 0, 0]))


def test_samples_are_the_mean_over_the_views_that_see_the_point() -> None:
    heatmaps = torch.stack([torch.full((1, 8, 8), value) for value in (0.2, 0.6, 5.0)])
    pixels = torch.full((3, 3, 2), 3.4)
    visible = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 1, 0]], dtype=torch.bool)
    sampled = sample_views(heatmaps, pixels, visible)
    torch.testing.assert_close(sampled, torch.tensor([[0.4], [1.0], [0.0]]))


def test_samples_at_pixel_centres_are_the_pixels() -> None:
    heatmaps = torch.rand(1, 2, 6, 9)
    x, y = torch.meshgrid(torch.arange(9.0), torch.arange(6.0), indexing="xy")
    pixels = torch.stack([x, y], dim=-1).reshape(1, -1, 2)
    sampled = sample_views(heatmaps, pixels, torch.ones(1, 54, dtype=torch.bool))
    torch.testing.assert_close(sampled.T.reshape(2, 6, 9), heatmaps[0], atol=1e-5, rtol=0)


def scene(affines: Tensor, joints: Tensor, rig: Rig) -> Tensor:
    """Heatmaps (B, V, J, h, w) of joints (B, P, J, 3) seen through the affines."""
    _, n_people, n_joints, _ = joints.shape
    pixels, depth = rig.project(joints.flatten(1, 2))
    seen = rig.visible(pixels, depth).unflatten(2, (n_people, n_joints)).float()
    pixels = apply_affine(affines[:, None, None, None], pixels.unflatten(2, (n_people, n_joints)))
    size = (HEIGHT // STRIDE, WIDTH // STRIDE)
    return render_heatmaps(to_heatmap_pixels(pixels, STRIDE), seen, size, 2.0)


def random_affines(count: int, seed: int = 3) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(
        np.stack([random_affine(rng, WIDTH, HEIGHT, 30, 0.2) for _ in range(count)])
    )


def test_unprojection_peaks_at_the_true_joint() -> None:
    rig = Rig.from_cameras([ring(5), ring(5, 0.4)])
    rng = np.random.default_rng(0)
    centres = torch.tensor([[300.0, -200, 900], [-500, 400, 950], [100, 600, 900]])
    offsets = grid_points((600.0,) * 3, (13,) * 3)
    true = torch.from_numpy(rng.integers(0, len(offsets), (3, 4)))
    joints = torch.zeros(2, 2, 4, 3)
    joints[0, 0], joints[1, 0], joints[1, 1] = (centres[p] + offsets[true[p]] for p in range(3))
    joints[0, 1] = torch.tensor([0.0, 0.0, 1e6])
    affines = random_affines(2)
    for maps in (torch.from_numpy(identity_affine()).expand(2, 2, 3), affines):
        evidence = unproject_cuboids(
            scene(maps, joints, rig), rig, maps, (1, 2), centres, offsets, STRIDE
        )
        assert evidence.shape == (3, 4, 13**3)
        found = offsets[evidence[1].argmax(-1)]
        assert (found - offsets[true[1]]).norm(dim=-1).max() <= 51
        assert evidence.gather(-1, true[..., None]).min() > 0.75


def test_augmented_and_plain_views_give_the_same_volume() -> None:
    rig = Rig.from_cameras([ring(5)])
    joints = people(np.random.default_rng(5), 1, 3, 1) * torch.tensor([0.5, 0.5, 1.0])
    grid = RootGrid((3000.0, 3000.0, 1600.0), (20, 20, 12), (0.0, 0.0, 900.0), STRIDE)
    plain = torch.from_numpy(identity_affine())[None]
    turned = torch.from_numpy(random_affine(np.random.default_rng(0), WIDTH, HEIGHT, 45, 0.0))[None]
    volumes = [grid.volume(scene(a, joints, rig), rig, a) for a in (plain, turned)]
    assert volumes[0].shape == (1, 1, 20, 20, 12)
    assert (volumes[0] - volumes[1]).abs().mean() < 0.005
    assert (volumes[0] - volumes[1]).abs().max() < 0.25


def test_a_narrow_peak_between_the_centres_of_voxels_is_read() -> None:
    rig = Rig.from_cameras([ring(5)])
    plain = torch.from_numpy(identity_affine())[None]
    size, centre = (8000.0, 8000.0, 2000.0), (0.0, 0.0, 900.0)
    coarse = RootGrid(size, (20, 20, 8), centre, STRIDE)
    fine = RootGrid(size, (20, 20, 8), centre, STRIDE, sampling=100.0)
    between = coarse.points[coarse.points.norm(dim=-1).argmin()] + coarse.step / 2
    heatmaps = scene(plain, between.reshape(1, 1, 1, 3), rig)
    volumes = [grid.volume(heatmaps, rig, plain) for grid in (coarse, fine)]
    assert volumes[0].shape == volumes[1].shape == (1, 1, 20, 20, 8)
    assert volumes[0].max() < 0.5 and volumes[1].max() > 0.8
    nearest = coarse.points[volumes[1].flatten().argmax()]
    assert ((nearest - between).abs() <= coarse.step * 0.51).all()


def test_voxels_that_one_view_sees_have_no_evidence() -> None:
    rig = Rig.from_cameras([ring(2)])
    plain = torch.from_numpy(identity_affine())[None]
    bins = (24, 24, 4)
    grids = [
        RootGrid((12000.0, 12000.0, 1600.0), bins, (0.0, 0.0, 900.0), STRIDE, least_views=views)
        for views in (1, 2)
    ]
    everywhere = torch.ones(1, 2, 1, 48, 80)
    one, two = (grid.volume(everywhere, rig, plain).flatten() > 0.5 for grid in grids)
    views = rig.see(grids[0].points[None])[2][0].sum(0)
    inside = views == 2
    assert (views == 1).any() and one[views == 1].float().mean() > 0.9
    assert not two[views < 2].any() and two[inside].float().mean() > 0.9


def test_cached_projections_follow_the_rig() -> None:
    grid = RootGrid((3000.0, 3000.0, 1600.0), (8, 8, 4), (0.0, 0.0, 900.0), STRIDE)
    rigs = Rig.from_cameras([ring(4), ring(4, 0.5)])
    heatmaps = torch.rand(2, 4, 1, 48, 80)
    affines = random_affines(2)
    both = grid.volume(heatmaps, rigs, affines)
    torch.testing.assert_close(grid.volume(heatmaps, rigs, affines), both)
    for sample in range(2):
        alone = unproject_cuboids(
            heatmaps[[sample]],
            rigs.sample(sample),
            affines[[sample]],
            (1,),
            torch.zeros(1, 3),
            grid.points,
            STRIDE,
        )
        torch.testing.assert_close(alone[0, 0], both[sample, 0].flatten(), atol=1e-4, rtol=0)


def test_a_camera_that_looks_away_gives_no_evidence() -> None:
    cameras = ring(2)
    away = np.diag([-1.0, 1.0, -1.0]) @ cameras[1].R
    turned = Camera(
        "away", WIDTH, HEIGHT, cameras[1].K, np.zeros(5), away, -away @ cameras[1].centre
    )
    heatmaps = torch.cat([torch.full((1, 1, 1, 48, 80), 0.25), torch.ones(1, 1, 1, 48, 80)], dim=1)
    volume = unproject_cuboids(
        heatmaps,
        Rig.from_cameras([[cameras[0], turned]]),
        torch.from_numpy(identity_affine())[None],
        (1,),
        torch.tensor([[0.0, 0.0, 900.0]]),
        grid_points((400.0,) * 3, (4,) * 3),
        STRIDE,
    )
    torch.testing.assert_close(volume, torch.full_like(volume, 0.25))


def test_no_people_unproject_to_nothing() -> None:
    volume = unproject_cuboids(
        torch.rand(1, 4, 15, 48, 80),
        Rig.from_cameras([ring(4)]),
        random_affines(1),
        (0,),
        torch.zeros(0, 3),
        torch.zeros(27, 3),
        STRIDE,
    )
    assert volume.shape == (0, 15, 27)


def test_gradients_from_3d_through_projection_and_rendering() -> None:
    rig = Rig.from_cameras([ring(2)]).to(torch.float64)
    affine = random_affines(1).double()

    def rendered(points: Tensor) -> Tensor:
        pixels, _ = rig.project(points)
        at = to_heatmap_pixels(apply_affine(affine[:, None, None], pixels), STRIDE)
        return render_heatmaps(at[:, :, None], torch.full((1, 2, 1, 2), 0.7).double(), (6, 10), 9.0)

    points = people(np.random.default_rng(0), 1, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(rendered, points, eps=1e-3, atol=1e-7)


def test_gradients_of_sampling_with_respect_to_maps_and_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    heatmaps = 0.1 + 0.8 * torch.rand(2, 2, 5, 6, generator=generator, dtype=torch.float64)
    pixels = 0.3 + 3 * torch.rand(2, 7, 2, generator=generator, dtype=torch.float64)
    visible = torch.rand(2, 7, generator=generator) > 0.3
    assert torch.autograd.gradcheck(
        lambda h, p: sample_views(h, p, visible),
        (heatmaps.requires_grad_(), pixels.requires_grad_()),
    )

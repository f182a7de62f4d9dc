"""Single operations: the arrangement in use against the plain one of ``reference_operations``.

Shapes are the paper's: 5 views of 960x512, heatmaps of 240x128, a grid of 80x80x20, cuboids of
64^3.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from torch import Tensor

import reference_operations as plain
from selfpose3d.evaluation import evaluate
from selfpose3d.files.poses2d import Views
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.affines import random_affine
from selfpose3d.geometry.heatmaps import render_heatmaps
from selfpose3d.geometry.rigs import Rig
from selfpose3d.geometry.triangulation import intersect_rays
from selfpose3d.geometry.voxels import RootGrid, grid_points, unproject_cuboids
from selfpose3d.methods.voxels.frames import warp_image
from selfpose3d.methods.voxels.losses import pose_joint_loss
from selfpose3d.methods.voxels.pose_net import PoseNet
from selfpose3d.parameters import TrainingFree
from selfpose3d.reconstruction.training_free import reconstruct_scene
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.synthetic.scenes import random_people, ring, seen_people
from timing import Work, interleaved

VIEWS, STRIDE, SIGMA = 5, 4, 3.0
SIZE = (960, 512)
HEATMAP = (SIZE[1] // STRIDE, SIZE[0] // STRIDE)
PEOPLE = 4
FRAMES = 64
"""Frames of a scene that is reconstructed."""


@dataclass(frozen=True)
class Timed:
    """One operation: its time, what it is compared with and that one's time."""

    name: str
    seconds: float
    against: str
    against_seconds: float
    limit_seconds: float | None = None
    limit_ratio: float | None = None


def _compared(
    name: str, fast: Work, other: Work, against: str = "plain", least: float = 0.5,
    limit_seconds: float | None = None, limit_ratio: float | None = None,
) -> Timed:  # fmt: skip
    taken = interleaved({"fast": fast, "other": other}, least)
    return Timed(name, taken["fast"], against, taken["other"], limit_seconds, limit_ratio)


def operations(small: bool = False) -> Iterator[Timed]:
    """Time every operation; ``small`` leaves the shapes of the cuboids small, for tests."""
    torch.manual_seed(0)
    yield from unprojection(16 if small else 64)
    yield from pose_volumes(16 if small else 64)
    yield rendering()
    yield matching()
    yield loading()
    yield from evaluation(50 if small else 2000)
    yield from training_free()


def _rig() -> Rig:
    return Rig.from_cameras([ring(VIEWS, *SIZE)])


def _affine(seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(random_affine(rng, *SIZE, 45.0, 0.35))[None]


def unprojection(cuboid: int) -> Iterator[Timed]:
    """The space's grid, once projected, and a person's cuboid."""
    rig, affine = _rig(), _affine()
    grid = RootGrid((8000.0, 8000.0, 2000.0), (80, 80, 20), (0.0, 0.0, 800.0), STRIDE)
    for channels, limit in ((1, 0.005), (len(PANOPTIC_15), None)):
        heatmaps = torch.rand(1, VIEWS, channels, *HEATMAP)
        yield _compared(
            f"unprojection, grid 80x80x20, {channels} channel{'s' * (channels > 1)}",
            lambda h=heatmaps: grid.volume(h, rig, affine),
            lambda h=heatmaps: plain.unproject(h[0], rig, affine[0], grid.points, STRIDE),
            limit_seconds=limit,
        )
    offsets = grid_points((2000.0,) * 3, (cuboid,) * 3)
    centre = torch.tensor([[300.0, -200.0, 900.0]])
    heatmaps = torch.rand(1, VIEWS, len(PANOPTIC_15), *HEATMAP)
    yield _compared(
        f"unprojection, cuboid {cuboid}^3, {len(PANOPTIC_15)} channels",
        lambda: unproject_cuboids(heatmaps, rig, affine, (1,), centre, offsets, STRIDE),
        lambda: plain.unproject(heatmaps[0], rig, affine[0], centre + offsets, STRIDE),
    )


def pose_volumes(cuboid: int) -> Iterator[Timed]:
    """pose_net's V2V of the paper's width on one cuboid."""
    volumes = torch.rand(1, len(PANOPTIC_15), *(cuboid,) * 3)
    network, usual = PoseNet(15, 16, cuboid), PoseNet(15, 16, cuboid).v2v
    usual.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    in_order = volumes.contiguous(memory_format=torch.channels_last_3d)

    def backward(of: Callable[[], Tensor]) -> Work:
        def passes() -> None:
            output = of()
            output.backward(torch.full_like(output, 1e-4))

        return passes

    with torch.no_grad():
        yield _compared(
            f"pose V2V {cuboid}^3, forward",
            lambda: network.v2v(in_order),
            lambda: plain.v2v(usual, volumes),
        )
    yield _compared(
        f"pose V2V {cuboid}^3, forward and backward",
        backward(lambda: network.v2v(in_order)),
        backward(lambda: plain.v2v(usual, volumes)),
    )
    yield _compared(
        f"pose_net {cuboid}^3, forward and backward",
        backward(lambda: network(volumes, torch.zeros(1, 3))),
        backward(lambda: network.v2v(in_order)),
        against="bare V2V",
        limit_ratio=1.1,
    )


def rendering() -> Timed:
    """The target heatmaps of one training sample: three variants of five views."""
    generator = torch.Generator().manual_seed(0)
    extent = torch.tensor([HEATMAP[1], HEATMAP[0]])
    pixels = torch.rand(3, VIEWS, PEOPLE, len(PANOPTIC_15), 2, generator=generator) * extent
    amplitudes = torch.ones(pixels.shape[:-1])

    def one_by_one() -> None:
        for variant in range(len(pixels)):
            for view in range(VIEWS):
                plain.render(pixels[variant, view], amplitudes[variant, view], HEATMAP, SIGMA)

    return _compared(
        "rendering, targets of a sample",
        lambda: render_heatmaps(pixels, amplitudes, HEATMAP, SIGMA),
        one_by_one,
    )


def matching() -> Timed:
    """l_pose_J of one sample, forward and backward."""
    generator = torch.Generator().manual_seed(0)
    projected = torch.rand(VIEWS, 10, len(PANOPTIC_15), 2, generator=generator, requires_grad=True)
    labels = torch.rand(VIEWS, PEOPLE, len(PANOPTIC_15), 2, generator=generator)
    visible = torch.ones(VIEWS, PEOPLE, len(PANOPTIC_15))
    return _compared(
        "matching, l_pose_J of a sample",
        lambda: pose_joint_loss([projected], labels[None], visible[None], True, 1.0).backward(),
        lambda: plain.joint_loss(projected, labels, visible, True, 1.0).backward(),
    )


def loading() -> Timed:
    """The images of one frame in three variants, from network size and from stored JPEGs."""
    rng = np.random.default_rng(0)
    affines = np.concatenate([_affine(seed).numpy() for seed in range(3)])
    with TemporaryDirectory() as folder:
        smooth = rng.integers(0, 255, (VIEWS, 68, 120, 3), dtype=np.uint8)
        stored = {f"{view}": Path(folder) / f"{view}.jpg" for view in range(VIEWS)}
        for path, image in zip(stored.values(), smooth, strict=True):
            cv2.imwrite(str(path), cv2.resize(image, (1920, 1080), interpolation=cv2.INTER_CUBIC))
        np.save(Path(folder) / "network.npy", np.zeros((1, VIEWS, *SIZE[::-1], 3), np.uint8))
        frames = np.load(Path(folder) / "network.npy", mmap_mode="r")

        def mapped() -> None:
            for affine in affines:
                np.stack([warp_image(image, affine, SIZE) for image in np.array(frames[0])])

        return _compared(
            "loading a frame, 5 views, 3 variants",
            mapped,
            lambda: plain.load_views(stored, affines, SIZE),
            against="plain, from JPEG",
        )


def poses(n_frames: int, n_people: int = 4) -> tuple[Frames, Frames]:
    """Predictions and truth of frames with people somewhere, one in ten missed or doubled."""
    rng = np.random.default_rng(0)
    truth, predictions = {}, {}
    for frame in range(n_frames):
        bodies = rng.uniform(-2500, 2500, (n_people, 1, 3)) + rng.normal(0, 300, (n_people, 15, 3))
        found = rng.integers(0, n_people, n_people) if rng.random() < 0.1 else np.arange(n_people)
        joints = bodies[found] + rng.normal(0, 40, (n_people, 15, 3))
        truth["timed", frame] = People3D.predicted(bodies, np.ones(n_people), PANOPTIC_15)
        predictions["timed", frame] = People3D.predicted(joints, rng.random(n_people), PANOPTIC_15)
    return predictions, truth


def evaluation(n_frames: int) -> Iterator[Timed]:
    """AP, recall and MPJPE; the plain version is quadratic and is shown a tenth."""
    whole, half, tenth = (poses(count) for count in (n_frames, n_frames // 2, n_frames // 10))
    yield _compared(
        f"evaluation, {n_frames // 10} frames x 4 people",
        lambda: evaluate(*tenth),
        lambda: plain.evaluate(*tenth),
    )
    yield _compared(
        f"evaluation, {n_frames} frames x 4 people",
        lambda: evaluate(*whole),
        lambda: evaluate(*half),
        against="half as many",
        limit_seconds=0.05,
        limit_ratio=2.5,
    )


def training_free() -> Iterator[Timed]:
    """Frames from labels to people, on one thread; and the inner loop against the plain one."""
    rng = np.random.default_rng(0)
    cameras = ring(VIEWS, *SIZE)
    labels = {}
    for frame in range(FRAMES):
        people = random_people(rng, PEOPLE)
        for camera in cameras:
            labels[frame, camera.name] = seen_people(camera, people, rng, 0.01, 0.05)
    times = [frame / 30 for frame in range(FRAMES)]
    scene = Scene.calibrated(Path("s"), "s", "synthetic", cameras, range(FRAMES), times, SIZE)
    directions = rng.normal(0, 1, (VIEWS, PEOPLE, len(PANOPTIC_15), 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    centres = np.stack([camera.centre for camera in cameras])
    weights = rng.random((VIEWS, PEOPLE, len(PANOPTIC_15)))
    rays = (centres, directions, weights)
    yield _compared(
        "triangulation, 4 people",
        lambda: intersect_rays(*rays),
        lambda: plain.intersect_rays(*rays),
    )
    yield _reconstruction(scene, labels, rays)


def _reconstruction(scene: Scene, labels: Views, rays: tuple) -> Timed:
    def every_frame() -> None:
        reconstruct_scene(scene, labels, TrainingFree())

    def inner() -> None:
        for _ in scene.frames:
            intersect_rays(*rays)

    timed = _compared("training-free, a frame", every_frame, inner, against="one triangulation")
    return Timed(
        timed.name,
        timed.seconds / FRAMES,
        timed.against,
        timed.against_seconds / FRAMES,
        limit_seconds=0.002,
    )

"""Batches of the training steps: each class draws the batch of a given number from its generator.

Shapes: N images, B samples, V views, P people, J joints, H x W input px.
"""

from collections.abc import Sequence

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from selfpose3d.detection.scene_people import NOWHERE
from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import Frames
from selfpose3d.geometry.affines import identity_affine, random_affine
from selfpose3d.geometry.people import project_into
from selfpose3d.methods.voxels.backbone import Backbone
from selfpose3d.methods.voxels.frames import warp_image
from selfpose3d.methods.voxels.heatmap_sources import image_heatmaps, people_heatmaps
from selfpose3d.methods.voxels.lifting import Lifting
from selfpose3d.methods.voxels.steps import BodyBatch, CropBatch, SyntheticRoots
from selfpose3d.parameters import BackboneSettings, BodiesSettings, Parameters, RootSettings
from selfpose3d.seeds import stage_rng
from selfpose3d.training.augmentation import augment_images
from selfpose3d.training.body_pool import body_pool, corners, sample_bodies, varied_body
from selfpose3d.training.data import FrameIndex, TrainingData
from selfpose3d.training.devices import runner, to_device
from selfpose3d.training.label_errors import (
    ErrorBank,
    corrupt_generic,
    corrupt_like_bank,
    error_bank,
    heatmap_bank,
)
from selfpose3d.training.seen_bodies import see_bodies

SMALL_TURN = 6.0
"""Degrees that crops are turned by which are not turned by augmentation.rotation."""
CROP_SHIFT = 20.0
"""A crop's centre lies up to so many px from its person's."""
CROP_SCALE = (0.8, 1.3)


class FrameBatches:
    """Batches of frames by their number over shuffled epochs."""

    def __init__(self, data: TrainingData, batch_size: int, seed: int, stage: str) -> None:
        self.data, self.batch_size, self.seed, self.stage = data, batch_size, seed, stage
        self.length = data.batches_per_epoch(batch_size)
        self.current: tuple[int, list[list[FrameIndex]]] = (-1, [])

    def at(self, number: int) -> list[FrameIndex]:
        """The frames of the batch with this number."""
        epoch, index = divmod(number, self.length)
        if self.current[0] != epoch:
            rng = stage_rng(self.seed, self.stage, epoch, 2)
            self.current = (epoch, self.data.epoch(rng, self.batch_size))
        return self.current[1][index]


class CropBatches:
    """Batches of the backbone: crops around labelled people, or whole frames."""

    def __init__(self, data: TrainingData, parameters: Parameters, device: torch.device) -> None:
        self.data, self.device = data, device
        self.settings: BackboneSettings = parameters.train.backbone
        self.augmentation = parameters.augmentation
        self.sigma, self.stride = parameters.heatmaps.sigma, parameters.heatmaps.stride
        least = self.settings.least_score
        self.people = [
            (s, f, v, p)
            for s, scene in enumerate(data.scenes)
            for f, v, p in zip(*np.nonzero((scene.people.scores > least).sum(-1) >= 3), strict=True)
        ]
        if not self.people:
            raise InputError(
                "no labelled person has three joints with a score above "
                f"train.backbone.least_score = {least}; lower it"
            )
        self.images = [
            (s, f, v) for s, f in data.frames for v in range(len(data.scenes[s].cameras))
        ]

    @property
    def batches_per_epoch(self) -> int:
        """Batches until each person, or image, was seen once on average."""
        items = self.people if self.settings.crop else self.images
        return -(-len(items) // self.settings.batch_size)

    def draw(self, number: int, rng: np.random.Generator) -> CropBatch:
        """A batch, drawn with replacement."""
        make = self._crop if self.settings.crop else self._frame
        drawn = [make(rng) for _ in range(self.settings.batch_size)]
        stacked = torch.from_numpy(np.stack([image for image, _, _ in drawn]))
        images = to_device(stacked, self.device)
        if self.augmentation.images:
            images = augment_images(images, rng, self.augmentation.cutout)
        targets = self._targets([(p, s) for _, p, s in drawn], images.shape[2], images.shape[1])
        return CropBatch(images, targets)

    def _targets(
        self, people: list[tuple[NDArray[np.float32], NDArray[np.float32]]], width: int, height: int
    ) -> Tensor:
        most = max(len(points) for points, _ in people)
        points = torch.zeros(len(people), 1, most, *people[0][0].shape[1:])
        scores = torch.zeros(len(people), 1, most, people[0][1].shape[1])
        for i, (p, s) in enumerate(people):
            points[i, 0, : len(p)] = torch.from_numpy(p)
            scores[i, 0, : len(s)] = torch.from_numpy(s)
        points, scores = to_device(points, self.device), to_device(scores, self.device)
        scores = torch.where(scores > self.settings.least_score, scores, 0.0)
        if self.settings.amplitudes == "one":
            scores = (scores > 0).float()
        return people_heatmaps(points, scores, None, (width, height), self.stride, self.sigma)[:, 0]

    def _crop(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """A crop around one person: the image, and the people of its view, in its pixels."""
        s, f, v, p = self.people[rng.integers(len(self.people))]
        people = self.data.scenes[s].people
        present = people.scores[f, v, p] > 0
        centre = people.points[f, v, p][present].mean(0)
        turned = rng.random() < self.settings.rotated
        degrees = (
            self.augmentation.rotation if turned else min(SMALL_TURN, self.augmentation.rotation)
        )
        mirrored = self.settings.mirror and rng.random() < 0.5
        affine = _crop_affine(centre, self.settings.crop, degrees, mirrored, rng)
        return self._view(s, f, v, affine, (self.settings.crop, self.settings.crop), mirrored)

    def _frame(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """A whole frame after an affine of the paper's range."""
        s, f, v = self.images[rng.integers(len(self.images))]
        width, height = self.data.size
        affine = random_affine(
            rng, width, height, self.augmentation.rotation, self.augmentation.scale
        )
        return self._view(s, f, v, affine, self.data.size, mirrored=False)

    def _view(
        self,
        s: int,
        f: int,
        v: int,
        affine: NDArray[np.float32],
        size: tuple[int, int],
        mirrored: bool,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        scene = self.data.scenes[s]
        image = warp_image(np.asarray(scene.images[f, v]), affine, size)
        points = scene.people.points[f, v] @ affine[:, :2].T + affine[:, 2]
        scores = scene.people.scores[f, v]
        if mirrored:
            swapped = scene.people.skeleton.swapped
            points, scores = points[:, swapped], scores[:, swapped]
        return image, points.astype(np.float32), scores


def _crop_affine(
    centre: NDArray[np.float32],
    side: int,
    degrees: float,
    mirrored: bool,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """(2, 3) affine from the view's pixels to those of a square crop near ``centre``."""
    angle = np.deg2rad(rng.uniform(-degrees, degrees))
    scale = rng.uniform(*CROP_SCALE)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[c, s], [-s, c]])
    if mirrored:
        linear = np.diag([-1.0, 1.0]) @ linear
    target = (side - 1) / 2 + rng.uniform(-CROP_SHIFT, CROP_SHIFT, 2)
    offset = target - linear @ centre
    return np.concatenate([linear, offset[:, None]], axis=1).astype(np.float32)


class _Synthetic:
    """What is drawn in the rigs of the training scenes: where it goes, and how it is rendered."""

    def __init__(self, parameters: Parameters, data: TrainingData, device: torch.device) -> None:
        self.data, self.device = data, device
        self.sigma, self.stride = parameters.heatmaps.sigma, parameters.heatmaps.stride
        self.affine_range = (parameters.augmentation.rotation, parameters.augmentation.scale)

    def affine(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """(2, 3), drawn from the range of augmentation."""
        return random_affine(rng, *self.data.size, *self.affine_range)

    def rendered(self, points: Tensor, scores: Tensor, affines: Tensor) -> Tensor:
        """Heatmaps (B, V, J, h, w) of 2D people (B, V, P, J), their affines on the device."""
        moved, sure = to_device(points, self.device), to_device(scores, self.device)
        return people_heatmaps(moved, sure, affines, self.data.size, self.stride, self.sigma)


class RootBatches(_Synthetic):
    """Synthetic roots (eq. 2) in the rigs of given frames.

    Where root_net sees all joints, whole bodies stand at the roots: those of ``pool``, varied, each
    at its own height, as nothing else has joints that fit its root.
    """

    def __init__(
        self,
        parameters: Parameters,
        settings: RootSettings,
        data: TrainingData,
        lifting: Lifting,
        device: torch.device,
        pool: NDArray[np.float64] | None = None,
    ) -> None:
        super().__init__(parameters, data, device)
        self.settings, self.lifting, self.pool = settings, lifting, pool
        assert lifting.grid is not None
        self.least_views = lifting.grid.least_views
        centre, size = np.array(parameters.space.centre), np.array(parameters.space.size)
        self.low, self.high = centre - 0.45 * size, centre + 0.45 * size
        self.low[2] = max(self.low[2], settings.heights[0])
        self.high[2] = min(self.high[2], settings.heights[1])
        if self.low[2] >= self.high[2]:
            raise InputError(
                f"train.root.heights {settings.heights} lie outside the space (z from "
                f"{centre[2] - size[2] / 2} to {centre[2] + size[2] / 2} mm)"
            )

    def draw(self, frames: Sequence[FrameIndex], rng: np.random.Generator) -> SyntheticRoots:
        """A set of roots per frame, in that frame's rig, with a new affine."""
        counts = [
            int(rng.integers(self.settings.people[0], self.settings.people[1] + 1)) for _ in frames
        ]
        drawn = [
            self._one(frame, n, max(counts), rng) for frame, n in zip(frames, counts, strict=True)
        ]
        points, scores, roots = (
            torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True)
        )
        affines = torch.stack([torch.from_numpy(self.affine(rng)) for _ in frames])
        affines = to_device(affines, self.device)
        heatmaps = self.rendered(points, scores, affines)
        noise = rng.normal(0, self.settings.noise, heatmaps.shape).astype(np.float32)
        target = self.lifting.root_target(to_device(roots, self.device), self.settings.target_sigma)
        rig = to_device(self.data.rig_of(s for s, _ in frames), self.device)
        noisy = heatmaps + to_device(torch.from_numpy(noise), self.device)
        return SyntheticRoots(rig, affines, noisy, target)

    def _one(
        self, frame: FrameIndex, count: int, most: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Points (V, most, J, 2), scores (V, most, J) and roots (most, 3) of one sample.

        A root that too few views see is far away from the space.
        """
        cameras = self.data.scenes[frame[0]].cameras
        bodies = self._bodies(count, rng)
        seen = project_into(cameras, bodies)
        shape = (len(cameras), most, bodies.shape[1])
        points, scores = np.full((*shape, 2), NOWHERE), np.zeros(shape)
        off = rng.normal(0, self.settings.displaced, seen.pixels.shape)
        points[:, :count] = seen.placed + off * seen.heights[..., None, None]
        present = rng.random((len(cameras), count, 1)) >= self.settings.missing
        amplitudes = rng.uniform(*self.settings.amplitudes, seen.pixels.shape[:3])
        scores[:, :count] = present * amplitudes * seen.in_view
        roots = np.full((most, 3), 1e6)
        found = self._in_views(scores[:, :count])
        at = bodies[:, 0] if self.pool is None else self.data.skeleton.roots(bodies)
        roots[:count][found] = at[found]
        return points.astype(np.float32), scores.astype(np.float32), roots.astype(np.float32)

    def _in_views(self, scores_VPJ: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(P,) whether enough views see a person for the root to be found."""
        views = (scores_VPJ > 0).any(-1).sum(0)
        enough: NDArray[np.bool_] = views >= self.least_views
        return enough

    def _bodies(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(count, J, 3) mm: roots alone, or bodies with their roots at random places."""
        roots = rng.uniform(self.low, self.high, (count, 3))
        if self.pool is None:
            return roots[:, None]
        skeleton = self.data.skeleton
        bodies = np.stack(
            [varied_body(self.pool[rng.integers(len(self.pool))], skeleton, rng) for _ in roots]
        )
        bodies[..., :2] += roots[:, None, :2]
        return bodies


class BodyBatches(_Synthetic):
    """Synthetic bodies in the rigs of random training scenes."""

    def __init__(
        self,
        parameters: Parameters,
        settings: BodiesSettings,
        data: TrainingData,
        reconstructions: Sequence[Frames],
        backbone: Backbone | None,
        fabric: Fabric,
    ) -> None:
        super().__init__(parameters, data, fabric.device)
        self.settings, self.run = settings, runner(fabric)
        self.space = corners(parameters.space)
        self.pool = body_pool(data, reconstructions)
        self.bank: ErrorBank | None = None
        if settings.corruption == "bank":
            self.bank = self._bank(reconstructions, backbone)

    def _bank(self, reconstructions: Sequence[Frames], backbone: Backbone | None) -> ErrorBank:
        if backbone is None:
            return error_bank(self.data, reconstructions)

        def heatmaps_of(frame: FrameIndex) -> Tensor:
            images = np.array(self.data.scenes[frame[0]].images[frame[1]])
            batch = to_device(torch.from_numpy(images)[None], self.device)
            return image_heatmaps(backbone, batch, self.run)[0].cpu()

        with torch.no_grad():
            return heatmap_bank(self.data, reconstructions, heatmaps_of, self.stride)

    def draw(self, number: int, rng: np.random.Generator) -> BodyBatch:
        """``batch_size`` rigs of equally many views, each with its own bodies."""
        groups = sorted(self.data.by_views.items())
        frames = groups[rng.choice(len(groups))][1]
        scenes = [frames[rng.integers(len(frames))][0] for _ in range(self.settings.batch_size)]
        count = int(rng.integers(self.settings.people[0], self.settings.people[1] + 1))
        drawn = [self._one(s, count, rng) for s in scenes]
        joints = np.concatenate([b for b, _, _ in drawn])
        bodies = torch.from_numpy(joints).float()
        points = torch.from_numpy(np.stack([p for _, p, _ in drawn])).float()
        scores = torch.from_numpy(np.stack([s for _, _, s in drawn])).float()
        affines = torch.stack([torch.from_numpy(self._variant(rng)) for _ in scenes])
        noise = rng.normal(0, self.settings.root_noise, (len(bodies), 3)).astype(np.float32)
        bodies, affines = to_device(bodies, self.device), to_device(affines, self.device)
        roots = to_device(torch.from_numpy(self.data.skeleton.roots(joints)).float(), self.device)
        return BodyBatch(
            rig=to_device(self.data.rig_of(scenes), self.device),
            affines=affines,
            heatmaps=self.rendered(points, scores, affines),
            bodies=bodies,
            known=torch.ones_like(bodies[..., 0], dtype=torch.bool),
            counts=(count,) * len(scenes),
            centres=roots + to_device(torch.from_numpy(noise), self.device),
        )

    def _one(
        self, scene: int, count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        cameras = self.data.scenes[scene].cameras
        skeleton = self.data.skeleton
        bodies = sample_bodies(self.pool, skeleton, count, cameras, self.space, rng)
        seen = see_bodies(cameras, bodies, skeleton)
        if self.bank is None:
            return (bodies, *corrupt_generic(seen, rng))
        return (bodies, *corrupt_like_bank(seen, self.bank, self.settings.spread, rng))

    def _variant(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """The identity, or an affine with the probability ``augmented``."""
        augmented = rng.random() < self.settings.augmented
        return self.affine(rng) if augmented else identity_affine()

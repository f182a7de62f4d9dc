"""Inputs of a training step: frames, their affine variants, and the variants' heatmaps.

Variant 0 is the frame as it is, 1 and 2 are augmented; all views of a frame share the affine.
Shapes: K = 3 variants, B frames, V views, P labelled people, J joints, H x W input px.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfpose3d.geometry.affines import identity_affine, random_affine
from selfpose3d.geometry.rigs import Rig
from selfpose3d.methods.voxels.backbone import Backbone
from selfpose3d.methods.voxels.heatmap_sources import image_heatmaps, people_heatmaps
from selfpose3d.parameters import Augmentation
from selfpose3d.seeds import stage_rng
from selfpose3d.training.augmentation import augment_images
from selfpose3d.training.data import FrameIndex, TrainingData
from selfpose3d.training.devices import Runner, to_device

VARIANTS = 3


@dataclass(frozen=True)
class FrameBatch:
    """Some frames, each in three variants.

    Args:
        rig: of the B frames.
        affines: (K, B, 2, 3) input px of variant 0 to those of each variant.
        points: (B, V, P, J, 2) labels, px of variant 0.
        scores: (B, V, P, J).
        images: (K, B, V, H, W, 3) uint8, where a network looks at them.
        heatmaps: (K, B, V, J, h, w), where they are not the step's to compute.
    """

    rig: Rig
    affines: Tensor
    points: Tensor
    scores: Tensor
    images: Tensor | None
    heatmaps: Tensor | None


class Sight(NamedTuple):
    """B frames as the networks see them, each in one variant.

    Args:
        rig: their cameras.
        affines: (B, 2, 3) of the variants.
        heatmaps: (B, V, J, h, w).
    """

    rig: Rig
    affines: Tensor
    heatmaps: Tensor


@dataclass(frozen=True)
class FrameInputs:
    """Draws the variants of frames and computes, renders or remembers their heatmaps.

    Args:
        data: the training data.
        affine: rotation (degrees) and scale ranges.
        image_augmentation: RandAugment and cutout on the augmented variants, or None.
        stride: input px per heatmap px.
        sigma: of rendered Gaussians, heatmap px.
        device: where batches go.
        run: how the backbone is run.
        backbone: computes heatmaps; None: the labelled people are rendered.
        backbone_learns: leave the heatmaps to the step.
        with_images: a network of the step looks at the images.
        remembered: affine variants of a frame to keep heatmaps of; 0: new ones each time.
        seed: of the remembered variants.
        memory: most bytes of remembered heatmaps.
    """

    data: TrainingData
    affine: tuple[float, float]
    image_augmentation: Augmentation | None
    stride: int
    sigma: float
    device: torch.device
    run: Runner
    backbone: Backbone | None = None
    backbone_learns: bool = False
    with_images: bool = False
    remembered: int = 0
    seed: int = 0
    memory: float = 8e9
    _memory: dict[tuple[int, int, int], Tensor] = field(default_factory=dict)

    def draw(self, frames: Sequence[FrameIndex], rng: np.random.Generator) -> FrameBatch:
        """A batch of frames, all of equally many views."""
        keys = [self._variants(frame, rng) for frame in frames]
        points, scores = self._people(frames)
        affines = torch.stack([_affines([of[k] for of in keys]) for k in range(VARIANTS)])
        heatmaps = None
        if not self.backbone_learns:
            each = [self._heatmaps(frames, [of[k] for of in keys]) for k in range(VARIANTS)]
            heatmaps = torch.stack(each).float()
        return FrameBatch(
            rig=to_device(self.data.rig_of(s for s, _ in frames), self.device),
            affines=to_device(affines, self.device),
            points=points,
            scores=scores,
            images=self._images(frames, keys) if self._needs_images() else None,
            heatmaps=heatmaps,
        )

    def draw_one(
        self, frames: Sequence[FrameIndex], augmented: float, rng: np.random.Generator
    ) -> Sight:
        """Each frame as it is, or with a probability of ``augmented`` its first affine variant; no
        heatmaps of other variants are computed."""
        keys = [self._variants(frame, rng) for frame in frames]
        chosen = (rng.random(len(frames)) < augmented).astype(int).tolist()
        variants = [of[k] for of, k in zip(keys, chosen, strict=True)]
        return Sight(
            to_device(self.data.rig_of(s for s, _ in frames), self.device),
            to_device(_affines(variants), self.device),
            self._heatmaps(frames, variants).float(),
        )

    def _people(self, frames: Sequence[FrameIndex]) -> tuple[Tensor, Tensor]:
        """The labels of some frames on the device: (B, V, P, J, 2) and (B, V, P, J)."""
        points, scores = (torch.from_numpy(part) for part in self.data.people_of(frames))
        return to_device(points, self.device), to_device(scores, self.device)

    def _needs_images(self) -> bool:
        return self.with_images or self.backbone_learns

    def _variants(self, frame: FrameIndex, rng: np.random.Generator) -> "list[_Variant]":
        """The identity and two drawn variants of a frame."""
        plain = _Variant(0, identity_affine(), None)
        if self.backbone is not None and not self.backbone_learns and self.remembered >= 2:
            chosen = 1 + rng.choice(self.remembered, 2, replace=False)
            seeds = [stage_rng(self.seed, "variants", *frame, int(k)) for k in chosen]
            return [plain, *(self._variant(int(k), r) for k, r in zip(chosen, seeds, strict=True))]
        return [plain, self._variant(-1, rng), self._variant(-1, rng)]

    def _variant(self, number: int, rng: np.random.Generator) -> "_Variant":
        width, height = self.data.size
        affine = random_affine(rng, width, height, *self.affine)
        return _Variant(number, affine, int(rng.integers(2**31)))

    def _image(self, frame: FrameIndex, variant: "_Variant") -> Tensor:
        """(V, H, W, 3) uint8 of one variant of a frame, on the device."""
        images = self.data.scenes[frame[0]].images[frame[1]]
        if variant.seed is None:
            return to_device(torch.from_numpy(np.array(images)), self.device)
        warped = np.empty(images.shape, dtype=np.uint8)
        for image, into in zip(images, warped, strict=True):
            warp_image(np.asarray(image), variant.affine, self.data.size, into)
        moved = to_device(torch.from_numpy(warped), self.device)
        if self.image_augmentation is None or not self.image_augmentation.images:
            return moved
        rng = np.random.default_rng(variant.seed)
        return augment_images(moved, rng, self.image_augmentation.cutout)

    def _images(self, frames: Sequence[FrameIndex], keys: "list[list[_Variant]]") -> Tensor:
        """(K, B, V, H, W, 3) uint8."""
        images = [
            self._image(frame, of[k])
            for k in range(VARIANTS)
            for frame, of in zip(frames, keys, strict=True)
        ]
        return torch.stack(images).unflatten(0, (VARIANTS, len(frames)))

    def _heatmaps(self, frames: Sequence[FrameIndex], variants: "Sequence[_Variant]") -> Tensor:
        """(B, V, J, h, w) of one variant of each frame."""
        if self.backbone is not None:
            each = zip(frames, variants, strict=True)
            return torch.stack([self._computed(frame, variant) for frame, variant in each])
        points, scores = self._people(frames)
        affines = to_device(_affines(variants), self.device)
        return people_heatmaps(points, scores, affines, self.data.size, self.stride, self.sigma)

    @torch.no_grad()
    def _computed(self, frame: FrameIndex, variant: "_Variant") -> Tensor:
        """(V, J, h, w) in half precision, from memory where the variant is one that is kept."""
        assert self.backbone is not None
        key = (*frame, variant.number)
        if key in self._memory:
            return to_device(self._memory[key], self.device)
        images = self._image(frame, variant)[None]
        heatmaps = image_heatmaps(self.backbone, images, self.run)[0].half()
        room = (len(self._memory) + 1) * heatmaps.nbytes <= self.memory
        if self.remembered >= 2 and variant.number >= 0 and room:
            self._memory[key] = heatmaps.cpu()
        return heatmaps


@dataclass(frozen=True)
class _Variant:
    """A variant of a frame: its number (-1: not kept), affine, and image augmentation's seed."""

    number: int
    affine: NDArray[np.float32]
    seed: int | None


def _affines(variants: Sequence[_Variant]) -> Tensor:
    """(B, 2, 3)."""
    return torch.stack([torch.from_numpy(variant.affine) for variant in variants])


def warp_image(
    image: NDArray[np.uint8],
    affine: NDArray[np.floating],
    size: tuple[int, int],
    into: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """(H, W, 3) image after a (2, 3) affine of its pixels, at ``size`` (width, height); written
    ``into`` an array of that size where one is given."""
    warped = cv2.warpAffine(
        image, affine.astype(np.float64), size, dst=into, flags=cv2.INTER_LINEAR
    )
    return np.asarray(warped, dtype=np.uint8)

"""The training step of each stage: what is computed and which losses are weighed how.

Shapes: K = 3 variants of a frame (0 as it is, 1 and 2 augmented), B samples, V views, P people,
J joints, h x w heatmap px, X x Y x Z voxels.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from selfpose3d.detection.scene_people import NOWHERE
from selfpose3d.geometry.affines import apply_affine
from selfpose3d.geometry.heatmaps import render_heatmaps, to_heatmap_pixels, truncate_to_pixels
from selfpose3d.geometry.rigs import Rig
from selfpose3d.methods.voxels.backbone import Backbone, normalise
from selfpose3d.methods.voxels.frames import FrameBatch
from selfpose3d.methods.voxels.heatmap_sources import image_heatmaps, normalised_views
from selfpose3d.methods.voxels.lifting import Lifting, Proposals
from selfpose3d.methods.voxels.losses import (
    attention_loss,
    body_loss,
    pose_heatmap_loss,
    pose_joint_loss,
    root_consistency_loss,
    root_synthetic_loss,
)
from selfpose3d.methods.voxels.root_net import places
from selfpose3d.parameters import BackboneSettings, PoseSettings, RootSettings
from selfpose3d.training.devices import constant, to_device
from selfpose3d.training.step import DivergedError, Step

FRAMES_WITHOUT_PROPOSALS = 200
"""Number of frames in a row without a single proposal that count as a divergence."""
LEAST_ATTENTION = 0.05
"""A mean attention below is a collapse."""
CROSSED, STRAIGHT = ((1, 2), (2, 1)), ((1, 1), (2, 2))
"""Pairs of the variant that people are lifted from and the one in whose image they are compared
(paper table 4)."""


@dataclass(frozen=True)
class CropBatch:
    """Images and their target heatmaps.

    Args:
        images: (N, H, W, 3) uint8.
        targets: (N, J, h, w).
    """

    images: Tensor
    targets: Tensor


class BackboneStep(Step):
    """heatmap_net_2d on the pseudo heatmaps: visibility-weighted MSE."""

    def __init__(self, fabric: Fabric, backbone: Backbone, settings: BackboneSettings) -> None:
        super().__init__(fabric, {"backbone": backbone}, {})
        self.backbone, self.settings = backbone, settings

    def losses(self, batch: CropBatch) -> dict[str, Tensor]:
        """The backbone's own loss on a batch of crops or frames."""
        raw = self.run(self.backbone, normalise(batch.images))
        return {"heatmaps": self.backbone.loss(raw, batch.targets, self.settings.positive_weight)}

    def groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """A trunk with given weights learns more slowly than the fresh head."""
        if self.settings.weights == "none":
            return super().groups(learning_rate)
        trunk = list(self.backbone.trunk.parameters())
        known = {id(parameter) for parameter in trunk}
        head = [p for p in self.backbone.parameters() if id(p) not in known]
        slow = learning_rate * self.settings.trunk_rate
        return [
            {"params": trunk, "base": slow, "lr": slow},
            {"params": head, "base": learning_rate, "lr": learning_rate},
        ]


@dataclass(frozen=True)
class SyntheticRoots:
    """Random roots and the heatmaps that root_net sees of them, one set per sample.

    Args:
        rig: the cameras they are seen by.
        affines: (B, 2, 3).
        heatmaps: (B, V, C, h, w), of the root alone or of all joints.
        target: (B, X, Y, Z) the volume that root_net should give.
    """

    rig: Rig
    affines: Tensor
    heatmaps: Tensor
    target: Tensor


@dataclass(frozen=True)
class RootBatch:
    """Real frames, and synthetic roots in the rigs of these and further frames."""

    frames: FrameBatch
    synthetic: SyntheticRoots


class RootStep(Step):
    """root_net on synthetic roots (eq. 2) and by consistency of real frames (eq. 3)."""

    def __init__(self, fabric: Fabric, lifting: Lifting, settings: RootSettings) -> None:
        super().__init__(fabric, {"root": lifting.root_net}, {})
        self.lifting, self.settings = lifting, settings

    def losses(self, batch: RootBatch) -> dict[str, Tensor]:
        """Both terms, from one pass of all volumes through root_net."""
        frames, synthetic = batch.frames, batch.synthetic
        assert frames.heatmaps is not None
        return root_losses(self, self.lifting, frames, frames.heatmaps, synthetic, self.settings)


def root_losses(
    step: Step,
    lifting: Lifting,
    frames: FrameBatch,
    heatmaps: Tensor,
    synthetic: SyntheticRoots,
    settings: RootSettings,
) -> dict[str, Tensor]:
    """l_root_syn and l_root_C, weighted; (K, B, V, J, h, w) heatmaps of the frames."""
    evidence = [
        lifting.root_evidence(lifting.root_heatmaps(heatmaps[k]), frames.rig, frames.affines[k])
        for k in range(len(heatmaps))
    ]
    evidence.append(lifting.root_evidence(synthetic.heatmaps, synthetic.rig, synthetic.affines))
    volumes = step.run(lifting.root_net, torch.cat(evidence))[:, 0]
    plain, first, second, known = volumes.split([len(part) for part in evidence])
    return {
        "root_synthetic": settings.synthetic_weight
        * root_synthetic_loss(known, synthetic.target, settings.positive_weight),
        "root_consistency": settings.consistency_weight
        * root_consistency_loss(plain, first, second),
    }


@dataclass(frozen=True)
class BodyBatch:
    """Known bodies as 2D people in the views of B rigs.

    Args:
        rig: of the B samples.
        affines: (B, 2, 3).
        heatmaps: (B, V, J, h, w) that show them.
        bodies: (P, J, 3) mm, all samples' together.
        known: (P, J) bool, which of their joints are to be learnt.
        counts: how many of them each sample has.
        centres: (P, 3) mm, of the cuboids.
    """

    rig: Rig
    affines: Tensor
    heatmaps: Tensor
    bodies: Tensor
    known: Tensor
    counts: tuple[int, ...]
    centres: Tensor


class BodiesStep(Step):
    """pose_net on bodies that are known: direct 3D error."""

    def __init__(self, fabric: Fabric, lifting: Lifting) -> None:
        super().__init__(fabric, {"pose": lifting.pose_net}, {})
        self.lifting = lifting

    def losses(self, batch: BodyBatch) -> dict[str, Tensor]:
        """Mean joint distance, in metres so that curves of stages compare."""
        volumes = self.lifting.body_evidence(
            batch.heatmaps, batch.rig, batch.affines, batch.counts, batch.centres
        )
        joints = self.run(self.lifting.pose_net, volumes, batch.centres)
        return {"bodies": body_loss(joints, batch.bodies, batch.known) / 1000}


@dataclass(frozen=True)
class PoseBatch:
    """Frames for the pose stages; synthetic roots where root_net learns too."""

    frames: FrameBatch
    synthetic: SyntheticRoots | None
    centre_noise: torch.Generator
    """The generator for the cuboids' centres, whose number is known only in the step."""


class PoseStep(Step):
    """The paper's joint training by projection (eq. 4 to 11)."""

    def __init__(
        self,
        fabric: Fabric,
        lifting: Lifting,
        backbone: Backbone | None,
        attention: nn.Module | None,
        settings: PoseSettings,
        root_settings: RootSettings | None,
        image_size: tuple[int, int],
        sigma: float,
    ) -> None:
        networks: dict[str, tuple[nn.Module | None, bool]] = {
            "pose": (lifting.pose_net, True),
            "root": (lifting.root_net, settings.train_root),
            "backbone": (backbone, settings.train_backbone),
            "attention": (attention, settings.soft_attention),
        }
        present = {name: pair for name, pair in networks.items() if pair[0] is not None}
        super().__init__(
            fabric,
            {name: net for name, (net, learns) in present.items() if net is not None and learns},
            {
                name: net
                for name, (net, learns) in present.items()
                if net is not None and not learns
            },
        )
        self.lifting, self.backbone, self.attention = lifting, backbone, attention
        self.settings, self.root_settings = settings, root_settings
        self.image_size, self.sigma = image_size, sigma
        self.without_proposals: deque[bool] = deque(maxlen=FRAMES_WITHOUT_PROPOSALS)

    def losses(self, batch: PoseBatch) -> dict[str, Tensor]:
        """Eq. 11, and the root losses where root_net learns too."""
        frames, settings = batch.frames, self.settings
        heatmaps = self._heatmaps(frames)
        proposals = self._proposals(frames, heatmaps)
        terms = {name: frames.points.new_zeros(()) for name in ("pose_heatmaps", "pose_joints")}
        attention = self._attention(frames) if settings.soft_attention else None
        if attention is not None:
            both = torch.stack([attention_loss(maps) for maps in attention])
            terms["attention"] = settings.attention_weight * both.mean()
        if len(proposals.centres):
            for source, target in CROSSED if settings.cross_affine else STRAIGHT:
                joints = self._lift(batch, heatmaps[source], source, proposals)
                maps, errors = self._projection_losses(frames, joints, proposals, target, attention)
                terms["pose_heatmaps"] = terms["pose_heatmaps"] + settings.heatmap_weight * maps
                terms["pose_joints"] = terms["pose_joints"] + settings.joint_weight * errors
        if batch.synthetic is not None and self.root_settings is not None:
            terms |= root_losses(
                self, self.lifting, frames, heatmaps, batch.synthetic, self.root_settings
            )
        return terms

    def _heatmaps(self, frames: FrameBatch) -> Tensor:
        if frames.heatmaps is not None:
            return frames.heatmaps
        assert self.backbone is not None and frames.images is not None
        return torch.stack(
            [image_heatmaps(self.backbone, images, self.run) for images in frames.images]
        )

    @torch.no_grad()
    def _proposals(self, frames: FrameBatch, heatmaps: Tensor) -> Proposals:
        k = 0 if self.settings.proposals == "plain" else 2
        self.lifting.root_net.eval()
        proposals = self.lifting.find_roots(
            heatmaps[k].detach(), frames.rig, frames.affines[k], self.run
        )
        self.lifting.root_net.train(self.settings.train_root)
        self.without_proposals.extend(count == 0 for count in proposals.counts)
        if len(self.without_proposals) == FRAMES_WITHOUT_PROPOSALS and all(self.without_proposals):
            raise DivergedError(
                f"no person was proposed in the last {FRAMES_WITHOUT_PROPOSALS} frames",
                "networks.root_threshold, space.centre, space.size, train.root.*",
            )
        return proposals

    def _attention(self, frames: FrameBatch) -> list[Tensor]:
        """(B, V, J, h, w) of variants 1 and 2."""
        assert self.attention is not None and frames.images is not None
        attention = [
            self.run(self.attention, normalised_views(images)).unflatten(0, images.shape[:2])
            for images in frames.images[1:]
        ]
        means = torch.stack([maps.detach().mean() for maps in attention])
        self.watched["mean attention"] = means.mean()
        return attention

    def judge(self, watched: Mapping[str, float]) -> None:
        """Attention near zero weighs every loss away."""
        mean = watched.get("mean attention", 1.0)
        if mean < LEAST_ATTENTION:
            raise DivergedError(
                f"the attention collapsed (mean {mean:.3g} < {LEAST_ATTENTION})",
                "attention_weight, learning_rate, soft_attention",
            )

    def _lift(
        self, batch: PoseBatch, heatmaps: Tensor, variant: int, proposals: Proposals
    ) -> Tensor:
        """(P, J, 3) joints from the heatmaps (B, V, J, h, w) of one variant."""
        frames = batch.frames
        noise = torch.randn(proposals.centres.shape, generator=batch.centre_noise)
        noise = to_device(noise, proposals.centres.device)
        centres = proposals.centres + self.settings.root_noise * noise
        volumes = self.lifting.body_evidence(
            heatmaps, frames.rig, frames.affines[variant], proposals.counts, centres
        )
        return self.run(self.lifting.pose_net, volumes, centres)

    def _projection_losses(
        self,
        frames: FrameBatch,
        joints: Tensor,
        proposals: Proposals,
        target: int,
        attention: list[Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        """l_pose_H and l_pose_J of joints projected into the image space of another variant."""
        affine = frames.affines[target][:, None, None, None]
        pixels, seen = _project_by_sample(frames.rig, joints, proposals.counts)
        pixels = apply_affine(affine, pixels)
        labels = apply_affine(affine, frames.points)
        present = (frames.scores > self.settings.least_score).float()
        rendered = self._render(pixels, seen.float())
        wanted = self._render(labels, present, truncate=not self.settings.subpixel_targets)
        weights = None if attention is None else attention[target - 1]
        maps = pose_heatmap_loss(rendered, wanted, weights)
        if self.settings.joint_weight == 0:
            return maps, maps.new_zeros(())
        size = constant(self.image_size, pixels.device, pixels.dtype)
        keep = [b for b, count in enumerate(proposals.counts) if count]
        people = [pixels[b, :, : proposals.counts[b]] / size for b in keep]
        errors = pose_joint_loss(
            people,
            torch.stack([labels[b] for b in keep]) / size,
            torch.stack([present[b] for b in keep]),
            self.settings.hard_attention,
            self.settings.match_distance,
        )
        return maps, errors

    def _render(self, pixels: Tensor, amplitudes: Tensor, truncate: bool = False) -> Tensor:
        width, height = self.image_size
        stride = self.lifting.stride
        at = to_heatmap_pixels(pixels, stride)
        at = truncate_to_pixels(at) if truncate else at
        return render_heatmaps(at, amplitudes, (height // stride, width // stride), self.sigma)


def _project_by_sample(rig: Rig, joints: Tensor, counts: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Project people (P, J, 3), so many of each sample, into their sample's views: (B, V, p, J, 2)
    px, padded, and which of these joints are in the image (B, V, p, J)."""
    n_samples, n_joints, most = len(counts), joints.shape[1], max(counts)
    place = places(counts, joints.device)
    padded = joints.new_zeros(n_samples, most, n_joints, 3).index_put(place, joints)
    filled = to_device(torch.arange(most) < torch.tensor(counts)[:, None], joints.device)
    pixels, depth = rig.project(padded.flatten(1, 2))
    seen = rig.visible(pixels, depth).unflatten(2, (most, n_joints)) & filled[:, None, :, None]
    pixels = pixels.unflatten(2, (most, n_joints))
    return torch.where(seen[..., None], pixels, NOWHERE), seen

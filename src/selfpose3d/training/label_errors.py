"""The 2D labels' errors against the reconstruction, collected and put on synthetic bodies.

Shapes: N patterns, P people of one sample, V views, J joints.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from selfpose3d.detection.scene_people import NOWHERE
from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import Frames
from selfpose3d.geometry.heatmaps import from_heatmap_pixels, local_maxima, to_heatmap_pixels
from selfpose3d.skeletons import Skeleton
from selfpose3d.training.body_pool import bodies_of, labels_of, scene_pairs, well_supported
from selfpose3d.training.data import FrameIndex, LabelledScene, TrainingData
from selfpose3d.training.seen_bodies import MIN_INSIDE, OVERLAPS, Seen

DIRECTIONS = 24
"""Bins of the direction a body faces, relative to the line of sight."""
ENOUGH = 25
"""Patterns that a bin's neighbourhood must hold before it is used."""
HEATMAP_FRAMES = 64
"""Frames, evenly taken, whose learnt heatmaps a bank is made from."""
PEAK_RADIUS = 3.0
"""A joint's peak is sought so far from its reprojection, heatmap px."""


@dataclass(frozen=True)
class ErrorBank:
    """A bank of label errors: how bodies really appear, against their reprojection, with what this
    depends on.

    Args:
        missing: (N,) the body has no label in that view.
        residuals: (N, J, 2) in body heights.
        scores: (N, J) of the label's joints, or heights of the heatmaps' peaks; 0 where missing.
        crossed: (N, J) heights of the peaks of each joint's other side at the same place; 0 for
            labels.
        candidates: patterns fit for each direction bin and overlap class.
        false_people: unmatched labels per image.
    """

    missing: NDArray[np.bool_]
    residuals: NDArray[np.float64]
    scores: NDArray[np.float64]
    crossed: NDArray[np.float64]
    candidates: tuple[tuple[NDArray[np.int64], ...], ...]
    false_people: float


@dataclass
class _Patterns:
    """The material collected for a bank: one entry per supported body and view that it is in."""

    skeleton: Skeleton
    directions: list[NDArray[np.float64]] = field(default_factory=list)
    overlaps: list[NDArray[np.int64]] = field(default_factory=list)
    missing: list[NDArray[np.bool_]] = field(default_factory=list)
    residuals: list[NDArray[np.float64]] = field(default_factory=list)
    scores: list[NDArray[np.float64]] = field(default_factory=list)
    crossed: list[NDArray[np.float64]] = field(default_factory=list)

    def bank(self, false_people: float) -> ErrorBank:
        """The bank of the patterns and their mirror images."""
        if sum(len(d) for d in self.directions) == 0:
            raise InputError(
                "no reconstructed person of the training scenes is supported by labels in enough "
                "views; set train.bodies.corruption: generic"
            )
        swapped = self.skeleton.swapped
        directions, overlaps = np.concatenate(self.directions), np.concatenate(self.overlaps)
        residuals, scores = np.concatenate(self.residuals), np.concatenate(self.scores)
        missing, crossed = np.concatenate(self.missing), np.concatenate(self.crossed)
        directions = np.concatenate([directions, -directions])
        overlaps = np.concatenate([overlaps, overlaps])
        centres = -np.pi + (np.arange(DIRECTIONS) + 0.5) * 2 * np.pi / DIRECTIONS
        distance = np.abs((directions - centres[:, None] + np.pi) % (2 * np.pi) - np.pi)
        candidates = tuple(
            tuple(_candidates(distance[k], overlaps == o) for o in range(len(OVERLAPS) + 1))
            for k in range(DIRECTIONS)
        )
        return ErrorBank(
            missing=np.concatenate([missing, missing]),
            residuals=np.concatenate([residuals, residuals[:, swapped] * [-1.0, 1.0]]),
            scores=np.concatenate([scores, scores[:, swapped]]),
            crossed=np.concatenate([crossed, crossed[:, swapped]]),
            candidates=candidates,
            false_people=false_people,
        )


def error_bank(data: TrainingData, reconstructions: Sequence[Frames]) -> ErrorBank:
    """Collect the estimator's errors: every supported body in every view it is in."""
    patterns = _Patterns(data.skeleton)
    unmatched = images = 0
    for scene, frames in scene_pairs(data, reconstructions):
        for f in range(len(scene.scene.frames)):
            bodies = bodies_of(scene, frames, f)
            if len(bodies) == 0:
                continue
            assigned, seen = labels_of(scene, f, bodies)
            images += len(assigned)
            labelled = (scene.people.scores[f] > 0).any(-1).sum()
            unmatched += int(labelled - (assigned >= 0).sum())
            view, person = _in_view(scene, assigned, seen)
            label = assigned[view, person]
            score = np.where((label < 0)[:, None], 0.0, scene.people.scores[f][view, label])
            off = scene.people.points[f][view, label] - seen.projected.placed[view, person]
            off = off / seen.projected.heights[view, person][:, None, None]
            patterns.directions.append(seen.directions[view, person])
            patterns.overlaps.append(seen.overlaps[view, person])
            patterns.missing.append(label < 0)
            patterns.residuals.append(np.where(score[..., None] > 0, off, 0.0))
            patterns.scores.append(score)
            patterns.crossed.append(np.zeros_like(score))
    return patterns.bank(unmatched / max(images, 1))


def heatmap_bank(
    data: TrainingData,
    reconstructions: Sequence[Frames],
    heatmaps_of: Callable[[FrameIndex], torch.Tensor],
    stride: int,
) -> ErrorBank:
    """Collect how learnt heatmaps show the training bodies: where, how high, on which side.

    Args:
        data: the training scenes.
        reconstructions: the 3D people of each.
        heatmaps_of: (V, J, h, w) of a frame, on the CPU.
        stride: input px per heatmap px.
    """
    patterns = _Patterns(data.skeleton)
    pairs = scene_pairs(data, reconstructions)
    for s, f in data.frames[:: max(1, len(data.frames) // HEATMAP_FRAMES)]:
        scene, frames = pairs[s]
        bodies = bodies_of(scene, frames, f)
        if len(bodies) == 0:
            continue
        assigned, seen = labels_of(scene, f, bodies)
        view, person = _in_view(scene, assigned, seen)
        pixels, own, crossed = _peaks(heatmaps_of((s, f)), seen, stride)
        off = (pixels - seen.projected.placed) / seen.projected.heights[..., None, None]
        patterns.directions.append(seen.directions[view, person])
        patterns.overlaps.append(seen.overlaps[view, person])
        patterns.missing.append(np.zeros(len(view), dtype=bool))
        patterns.residuals.append(off[view, person])
        patterns.scores.append(own[view, person])
        patterns.crossed.append(crossed[view, person])
    return patterns.bank(false_people=0.0)


def _in_view(
    scene: LabelledScene, assigned: NDArray[np.int64], seen: Seen
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Views and persons of the supported bodies that are in them."""
    supported = well_supported(assigned)
    view, person = np.nonzero((seen.inside >= MIN_INSIDE) & supported[None])
    return view, person


def _peaks(
    heatmaps: torch.Tensor, seen: Seen, stride: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where (V, P, J, 2) px the two sides' heatmaps together peak near each joint, and how high
    (V, P, J) each joint's own heatmap and that of its other side are there."""
    swapped = seen.skeleton.swapped
    paired = torch.tensor([j != other for j, other in enumerate(swapped)]).view(-1, 1, 1)
    other = heatmaps[:, swapped] * paired
    start = torch.from_numpy(seen.projected.placed).float().transpose(1, 2)
    start = to_heatmap_pixels(start, stride)
    peaks, height = local_maxima(heatmaps + other, start, PEAK_RADIUS)
    n_rows, n_columns = heatmaps.shape[-2:]
    column = peaks[..., 0].round().long().clamp(0, n_columns - 1)
    place = peaks[..., 1].round().long().clamp(0, n_rows - 1) * n_columns + column
    shares = [maps.flatten(2).gather(2, place) for maps in (heatmaps, other)]
    total = (shares[0] + shares[1]).clamp(min=1e-6)
    own, crossed = (height * share / total for share in shares)
    pixels = from_heatmap_pixels(peaks, stride).transpose(1, 2).double().numpy()
    return pixels, own.transpose(1, 2).double().numpy(), crossed.transpose(1, 2).double().numpy()


def _candidates(distance: NDArray[np.float64], same: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The nearest directions' patterns that are enough, or all."""
    for width in (0.26, 0.5, 1.0, 4.0):
        index = np.flatnonzero((distance < width) & same)
        if len(index) >= ENOUGH:
            break
    return index if len(index) else np.arange(len(distance))


def corrupt_like_bank(
    seen: Seen, bank: ErrorBank, spread: tuple[float, float], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """2D people as the estimator would have found them, errors drawn from the bank.

    Args:
        seen: P bodies in V views.
        bank: of errors.
        spread: residuals are scaled by a factor drawn from this range.
        rng: draws everything.

    Returns:
        points (V, P + 1, J, 2) px and scores (V, P + 1, J); the last is a false person, if any.
        Where the bank knows of crossed sides, the people once more with their sides exchanged.
    """
    pixels = seen.projected.placed
    n_views, n_people, n_joints = pixels.shape[:3]
    points = np.full((n_views, n_people + 1, n_joints, 2), NOWHERE)
    scores = np.zeros((n_views, n_people + 1, n_joints))
    crossed = np.zeros_like(scores)
    bins = ((seen.directions + np.pi) / (2 * np.pi) * DIRECTIONS).astype(int) % DIRECTIONS
    for v in range(n_views):
        for p in range(n_people):
            pattern = rng.choice(bank.candidates[bins[v, p]][seen.overlaps[v, p]])
            if bank.missing[pattern] or seen.inside[v, p] < MIN_INSIDE - 2:
                continue
            height = seen.projected.heights[v, p]
            off = bank.residuals[pattern] * rng.uniform(*spread) * height
            points[v, p] = pixels[v, p] + off + rng.normal(0, 0.003 * height, off.shape)
            scores[v, p] = bank.scores[pattern]
            crossed[v, p] = bank.crossed[pattern]
        if rng.random() < bank.false_people:
            points[v, -1], scores[v, -1] = _false_person(seen, v, rng)
    if not bank.crossed.any():
        return points, scores
    swapped = seen.skeleton.swapped
    both = np.concatenate([points, points[:, :, swapped]], axis=1)
    return both, np.concatenate([scores, crossed[:, :, swapped]], axis=1)


def _false_person(
    seen: Seen, view: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Somebody's pose beside them."""
    person = rng.integers(seen.projected.placed.shape[1])
    height = seen.projected.heights[view, person]
    shift = rng.normal(0, 0.25, 2) * height
    return seen.projected.placed[view, person] + shift, rng.uniform(0.3, 1, len(seen.skeleton))


def corrupt_generic(
    seen: Seen, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """2D people with hand-made errors, where no bank fits.

    About 2 % of a person's height off, log-normally; 15 % of the people missed; amplitudes
    from 0 to 1; left and right exchanged for 6 % of the people.

    Returns:
        points (V, P, J, 2) px and scores (V, P, J).
    """
    pixels, heights = seen.projected.placed, seen.projected.heights[..., None, None]
    shape = pixels.shape[:3]
    spread = np.minimum(rng.lognormal(np.log(0.014), 0.7, (*shape, 1)), 0.08)
    off = rng.normal(0, 1, pixels.shape) * spread
    off += rng.normal(0, 0.008, (*shape[:2], 1, 2))
    points = pixels + off * heights
    weak = (rng.random(shape) < 0.15) * rng.uniform(0.3, 1, shape)
    scores = np.clip(1.05 - rng.exponential(0.18, shape) - weak, 0, 1)
    scores *= rng.random((*shape[:2], 1)) > 0.15
    swapped = rng.random(shape[:2]) < 0.06
    points = np.where(swapped[..., None, None], points[:, :, seen.skeleton.swapped], points)
    return points, scores

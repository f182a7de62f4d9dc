"""Synthetic bodies: 3D people from the training-free reconstruction, seen as an estimator sees.

No truth comes in: shapes and poses are those of the reconstruction of the training labels, the
errors those of the labels against it.

Shapes: N bodies of the pool, P people of one sample, V views, J joints.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from selfpose3d.config import Space
from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import Frames
from selfpose3d.geometry.cameras import Camera, in_image, project
from selfpose3d.geometry.heatmaps import from_heatmap_pixels, local_maxima, to_heatmap_pixels
from selfpose3d.inference.assignment import Projected, assign_people, project_people
from selfpose3d.inference.people import NOWHERE
from selfpose3d.skeletons import BONES, LEFT, N_JOINTS, RIGHT, ROOT, SWAP_SIDES
from selfpose3d.training.data import FrameIndex, LabelledScene, TrainingData

SWAP = list(SWAP_SIDES)
BONE_TOLERANCE = 0.35
"""Bodies with a bone off the pool's median by more than this share are dropped."""
REACH_QUANTILE = 0.995
"""Of a joint's distances from the hip: the reconstruction has its outliers."""
REACH_MARGIN = 150.0
"""For other bodies, and for a hip that is off, mm."""
REACH_MM = 1350.0
"""No joint lies farther from the hip."""
MATCH_LIMIT = 0.15
"""Labels farther than this from a projected body (body heights) are not its."""
ENOUGH_VIEWS = 3
"""Labels of so many views make a body one to learn from."""
OVERLAPS = (0.1, 0.4, 0.7)
"""Bounds of the overlap classes: share of a body's box covered by nearer people."""
DIRECTIONS = 24
"""Bins of the direction a body faces, relative to the line of sight."""
ENOUGH = 25
"""Patterns that a bin's neighbourhood must hold before it is used."""
MIN_INSIDE = 8
"""Joints inside the image for a body to count as in view."""
HEATMAP_FRAMES = 64
"""Frames, evenly taken, whose learnt heatmaps a bank is made from."""
PEAK_RADIUS = 3.0
"""A joint's peak is sought so far from its reprojection, heatmap px."""


@dataclass(frozen=True)
class Seen:
    """Bodies as a rig sees them, with what an estimator's errors depend on.

    Args:
        projected: pixels, depths and heights.
        directions: (V, P) where the body faces, relative to the line of sight, rad.
        overlaps: (V, P) class by ``OVERLAPS``.
        inside: (V, P) joints inside the image.
    """

    projected: Projected
    directions: NDArray[np.float64]
    overlaps: NDArray[np.int64]
    inside: NDArray[np.int64]


@dataclass(frozen=True)
class ErrorBank:
    """How bodies really appear, against their reprojection, with what it depends on.

    Args:
        missing: (N,) the body has no label in that view.
        residuals: (N, J, 2) in body heights.
        scores: (N, J) of the label's joints, or heights of the heatmaps' peaks; 0 where missing.
        crossed: (N, J) heights of the peaks of each joint's other side at the same place; 0 for
            labels.
        candidates: patterns fit for each direction bin and overlap class.
        false_people: unmatched labels an image.
    """

    missing: NDArray[np.bool_]
    residuals: NDArray[np.float64]
    scores: NDArray[np.float64]
    crossed: NDArray[np.float64]
    candidates: tuple[tuple[NDArray[np.int64], ...], ...]
    false_people: float


def see_bodies(cameras: Sequence[Camera], bodies: NDArray[np.float64]) -> Seen:
    """Project bodies (P, J, 3) mm into a rig and measure direction, overlap and visibility."""
    projected = project_people(cameras, bodies)
    centres = np.stack([camera.centre for camera in cameras])
    sight = bodies[None, :, ROOT] - centres[:, None]
    directions = _facing(bodies)[None] - np.arctan2(sight[..., 1], sight[..., 0])
    directions = (directions + np.pi) % (2 * np.pi) - np.pi
    inside = np.stack(
        [in_image(camera, p).sum(-1) for camera, p in zip(cameras, projected.pixels, strict=True)]
    )
    overlaps = np.digitize(_overlap(projected), OVERLAPS)
    return Seen(projected, directions, overlaps, inside)


def _facing(bodies: NDArray[np.float64]) -> NDArray[np.float64]:
    left, right = list(LEFT), list(RIGHT)
    across = (bodies[:, [left[0], left[3]]] - bodies[:, [right[0], right[3]]]).sum(1)
    return np.arctan2(-across[:, 0], across[:, 1])


def _overlap(projected: Projected) -> NDArray[np.float64]:
    """(V, P) largest share of a person's box that a person not behind covers."""
    low, high = projected.pixels.min(2), projected.pixels.max(2)
    depth = projected.depths.mean(-1)
    common_low = np.maximum(low[:, :, None], low[:, None])
    common_high = np.minimum(high[:, :, None], high[:, None])
    common = np.clip(common_high - common_low, 0, None).prod(-1)
    share = common / np.maximum((high - low).prod(-1), 1.0)[:, :, None]
    nearer = depth[:, None] < depth[:, :, None] + 200.0
    nearer &= ~np.eye(depth.shape[1], dtype=bool)[None]
    return np.where(nearer, share, 0.0).max(-1, initial=0.0)


def body_pool(data: TrainingData, reconstructions: Sequence[Frames]) -> NDArray[np.float64]:
    """(N, 15, 3) mm bodies fit to learn from, out of the reconstruction of each scene.

    A body is kept when its bones are of usual length, its reach is a person's, and labels
    support it in at least three views (in all, of a rig of two).

    Raises:
        InputError: not one body is left.
    """
    found = [_supported(scene, frames) for scene, frames in _pairs(data, reconstructions)]
    bodies = np.concatenate(found) if found else np.zeros((0, N_JOINTS, 3))
    if len(bodies):
        bodies = bodies[usual_bodies(bodies, bodies)]
    if len(bodies) == 0:
        raise InputError(
            "the training-free reconstruction of the training labels holds no usable person; "
            "look at it and at the calibration's units, or set train.bodies.enabled: false and "
            "networks.limit_reach: false"
        )
    return bodies


def usual_bodies(bodies: NDArray[np.float64], pool: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(P,) which of bodies (P, J, 3) mm have bones like those of a pool (N, J, 3) mm, and no joint
    farther from the hip than a person's: two people taken for one have not."""
    usual = np.abs(_bones(bodies) / np.median(_bones(pool), 0) - 1) < BONE_TOLERANCE
    chosen: NDArray[np.bool_] = usual.all(1) & (_from_hip(bodies).max(1) < REACH_MM)
    return chosen


def _bones(bodies: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P, bones) their lengths, mm."""
    ends = np.array(BONES)
    lengths: NDArray[np.float64] = np.linalg.norm(
        bodies[:, ends[:, 0]] - bodies[:, ends[:, 1]], axis=-1
    )
    return lengths


def well_supported(assigned: NDArray[np.int64], min_views: int = ENOUGH_VIEWS) -> NDArray[np.bool_]:
    """(P,) bodies to whom labels of ``min_views`` views fit, or of all of a smaller rig.

    Args:
        assigned: (V, P) as ``assign_people`` gives it.
        min_views: how many are enough.
    """
    enough: NDArray[np.bool_] = (assigned >= 0).sum(0) >= min(min_views, len(assigned))
    return enough


def _from_hip(bodies: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P, J) distances of the joints of bodies (P, J, 3) from the mid-hip, mm."""
    distance: NDArray[np.float64] = np.linalg.norm(bodies - bodies[:, [ROOT]], axis=-1)
    return distance


def reach_of(pool: NDArray[np.float64]) -> NDArray[np.float64]:
    """(J,) how far from the hip each joint can be, mm.

    Args:
        pool: (N, J, 3) bodies; ``REACH_MARGIN`` is added to the largest distance of theirs.
    """
    farthest: NDArray[np.float64] = (
        np.quantile(_from_hip(pool), REACH_QUANTILE, axis=0) + REACH_MARGIN
    )
    return farthest


def _pairs(
    data: TrainingData, reconstructions: Sequence[Frames]
) -> list[tuple[LabelledScene, Frames]]:
    if len(data.scenes) != len(reconstructions):
        raise InputError(
            f"{len(data.scenes)} training scenes and {len(reconstructions)} reconstructions were "
            "given; give one reconstruction a scene, in the same order"
        )
    return list(zip(data.scenes, reconstructions, strict=True))


def _bodies_of(scene: LabelledScene, frames: Frames, f: int) -> NDArray[np.float64]:
    people = frames.get((scene.scene.name, scene.scene.frames[f]))
    if people is None or len(people) == 0:
        return np.zeros((0, N_JOINTS, 3))
    return people.joints[people.valid.all(1)]


def _supported(scene: LabelledScene, frames: Frames) -> NDArray[np.float64]:
    kept = [np.zeros((0, N_JOINTS, 3))]
    for f in range(len(scene.scene.frames)):
        bodies = _bodies_of(scene, frames, f)
        if len(bodies):
            assigned, _ = _labels_of(scene, f, bodies)
            kept.append(bodies[well_supported(assigned)])
    return np.concatenate(kept)


def _labels_of(
    scene: LabelledScene, f: int, bodies: NDArray[np.float64]
) -> tuple[NDArray[np.int64], Seen]:
    seen = see_bodies(scene.cameras, bodies)
    people = scene.people
    return assign_people(seen.projected, people.points[f], people.scores[f], MATCH_LIMIT), seen


@dataclass
class _Patterns:
    """What is collected for a bank: one entry a supported body in a view it is in."""

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
            residuals=np.concatenate([residuals, residuals[:, SWAP] * [-1.0, 1.0]]),
            scores=np.concatenate([scores, scores[:, SWAP]]),
            crossed=np.concatenate([crossed, crossed[:, SWAP]]),
            candidates=candidates,
            false_people=false_people,
        )


def error_bank(data: TrainingData, reconstructions: Sequence[Frames]) -> ErrorBank:
    """Collect the estimator's errors: every supported body in every view it is in."""
    patterns = _Patterns()
    unmatched = images = 0
    for scene, frames in _pairs(data, reconstructions):
        for f in range(len(scene.scene.frames)):
            bodies = _bodies_of(scene, frames, f)
            if len(bodies) == 0:
                continue
            assigned, seen = _labels_of(scene, f, bodies)
            images += len(assigned)
            labelled = (scene.people.scores[f] > 0).any(-1).sum()
            unmatched += int(labelled - (assigned >= 0).sum())
            view, person = _in_view(scene, assigned, seen)
            label = assigned[view, person]
            score = np.where((label < 0)[:, None], 0.0, scene.people.scores[f][view, label])
            off = scene.people.points[f][view, label] - seen.projected.pixels[view, person]
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
    patterns = _Patterns()
    pairs = _pairs(data, reconstructions)
    for s, f in data.frames[:: max(1, len(data.frames) // HEATMAP_FRAMES)]:
        scene, frames = pairs[s]
        bodies = _bodies_of(scene, frames, f)
        if len(bodies) == 0:
            continue
        assigned, seen = _labels_of(scene, f, bodies)
        view, person = _in_view(scene, assigned, seen)
        pixels, own, crossed = _peaks(heatmaps_of((s, f)), seen, stride)
        off = (pixels - seen.projected.pixels) / seen.projected.heights[..., None, None]
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
    paired = torch.tensor([j != SWAP[j] for j in range(N_JOINTS)]).view(-1, 1, 1)
    other = heatmaps[:, SWAP] * paired
    start = torch.from_numpy(seen.projected.pixels).float().transpose(1, 2)
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


def corners(space: Space) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper corner of the space, (3,) mm each."""
    centre, size = np.array(space.centre), np.array(space.size)
    return centre - size / 2, centre + size / 2


def sample_bodies(
    pool: NDArray[np.float64],
    count: int,
    cameras: Sequence[Camera],
    space: tuple[NDArray[np.float64], NDArray[np.float64]],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(count, 15, 3) mm: bodies of the pool, turned, mirrored, scaled, jittered and re-placed.

    Each stands in the space where at least two cameras see its hip, at the height it had.

    Args:
        pool: (N, 15, 3).
        count: how many.
        cameras: the rig.
        space: lower and upper corner, (3,) mm each.
        rng: draws everything.
    """
    placed: list[NDArray[np.float64]] = []
    for _ in range(count):
        body = varied_body(pool[rng.integers(len(pool))], rng)
        body[..., :2] += _place([other[ROOT, :2] for other in placed], body, cameras, space, rng)
        placed.append(body)
    return np.stack(placed)


def varied_body(body: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A variant of a body, its hip at x = y = 0, at its own height."""
    root = body[ROOT]
    shape = body - root
    if rng.random() < 0.5:
        shape = (shape * [-1.0, 1.0, 1.0])[SWAP]
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    shape = shape @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
    scale = rng.uniform(0.9, 1.1)
    shape = shape * scale + rng.normal(0, 15.0, shape.shape)
    return shape + np.array([0.0, 0.0, root[2] * scale])


def _place(
    others: list[NDArray[np.float64]],
    body: NDArray[np.float64],
    cameras: Sequence[Camera],
    space: tuple[NDArray[np.float64], NDArray[np.float64]],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(2,) where to put a body: seen by two cameras, half a metre from the others, if possible."""
    low, high = space[0][:2], space[1][:2]
    for _ in range(30):
        place = rng.uniform(low + 0.08 * (high - low), high - 0.08 * (high - low))
        if any(np.linalg.norm(place - other) < 500.0 for other in others):
            continue
        hip = body[ROOT] + [place[0], place[1], 0.0]
        if sum(bool(in_image(camera, project(camera, hip)[0])) for camera in cameras) >= 2:
            break
    return place


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
    pixels = seen.projected.pixels
    n_views, n_people = pixels.shape[:2]
    points = np.full((n_views, n_people + 1, N_JOINTS, 2), NOWHERE)
    scores = np.zeros((n_views, n_people + 1, N_JOINTS))
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
    both = np.concatenate([points, points[:, :, SWAP]], axis=1)
    return both, np.concatenate([scores, crossed[:, :, SWAP]], axis=1)


def _false_person(
    seen: Seen, view: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Somebody's pose beside them."""
    person = rng.integers(seen.projected.pixels.shape[1])
    height = seen.projected.heights[view, person]
    shift = rng.normal(0, 0.25, 2) * height
    return seen.projected.pixels[view, person] + shift, rng.uniform(0.3, 1, N_JOINTS)


def corrupt_generic(
    seen: Seen, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """2D people with hand-made errors, where no bank fits.

    About 2 % of a person's height off, log-normally; 15 % of the people missed; amplitudes
    from 0 to 1; left and right exchanged for 6 % of the people.

    Returns:
        points (V, P, J, 2) px and scores (V, P, J).
    """
    pixels, heights = seen.projected.pixels, seen.projected.heights[..., None, None]
    shape = pixels.shape[:3]
    spread = np.minimum(rng.lognormal(np.log(0.014), 0.7, (*shape, 1)), 0.08)
    off = rng.normal(0, 1, pixels.shape) * spread
    off += rng.normal(0, 0.008, (*shape[:2], 1, 2))
    points = pixels + off * heights
    weak = (rng.random(shape) < 0.15) * rng.uniform(0.3, 1, shape)
    scores = np.clip(1.05 - rng.exponential(0.18, shape) - weak, 0, 1)
    scores *= rng.random((*shape[:2], 1)) > 0.15
    swapped = rng.random(shape[:2]) < 0.06
    points = np.where(swapped[..., None, None], points[:, :, SWAP], points)
    return points, scores

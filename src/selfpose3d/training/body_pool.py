"""Bodies to learn from: those of the training-free reconstruction, varied and re-placed. No truth
comes in.

Shapes: N bodies of the pool, P people of one sample, V views, J joints.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import Frames
from selfpose3d.geometry.cameras import Camera, in_image, project
from selfpose3d.parameters import Space
from selfpose3d.reconstruction.assignment import MATCH_LIMIT, assign_people
from selfpose3d.skeletons import Skeleton, common_skeleton
from selfpose3d.training.data import LabelledScene, TrainingData
from selfpose3d.training.seen_bodies import Seen, see_bodies

BONE_TOLERANCE = 0.35
"""Bodies with a bone off the pool's median by more than this share are dropped."""
REACH_QUANTILE = 0.995
"""Quantile of a joint's distances from the hip that is its reach; reconstructions have outliers."""
REACH_MARGIN = 150.0
"""Margin on top of the reach, for other bodies and for a hip that is off, mm."""
REACH_MM = 1350.0
"""No joint lies farther from the hip."""
ENOUGH_VIEWS = 3
"""Labels of so many views make a body one to learn from."""


def body_pool(data: TrainingData, reconstructions: Sequence[Frames]) -> NDArray[np.float64]:
    """(N, J, 3) mm bodies fit to learn from, out of the reconstruction of each scene.

    A body is kept when its bones are of usual length, its reach is a person's, and labels
    support it in at least three views (in all, of a rig of two).

    Raises:
        InputError: not one body is left.
    """
    found = [_supported(scene, frames) for scene, frames in scene_pairs(data, reconstructions)]
    bodies = np.concatenate(found)
    if len(bodies):
        bodies = bodies[usual_bodies(bodies, bodies, data.skeleton)]
    if len(bodies) == 0:
        raise InputError(
            "the training-free reconstruction of the training labels holds no usable person; "
            "look at it and at the calibration's units, or set train.bodies.enabled: false and "
            "networks.limit_reach: false"
        )
    return bodies


def usual_bodies(
    bodies: NDArray[np.float64], pool: NDArray[np.float64], skeleton: Skeleton
) -> NDArray[np.bool_]:
    """(P,) which of bodies (P, J, 3) mm have bones like those of a pool (N, J, 3) mm, and no joint
    farther from the hip than a person's: two people taken for one have not."""
    usual = (
        np.abs(_bones(bodies, skeleton) / np.median(_bones(pool, skeleton), 0) - 1) < BONE_TOLERANCE
    )
    chosen: NDArray[np.bool_] = usual.all(1) & (_from_hip(bodies, skeleton).max(1) < REACH_MM)
    return chosen


def _bones(bodies: NDArray[np.float64], skeleton: Skeleton) -> NDArray[np.float64]:
    """(P, bones) their lengths, mm."""
    ends = np.array(skeleton.long_bones)
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


def _from_hip(bodies: NDArray[np.float64], skeleton: Skeleton) -> NDArray[np.float64]:
    """(P, J) distances of the joints of bodies (P, J, 3) from the mid-hip, mm."""
    hips = skeleton.roots(bodies)[:, None]
    distance: NDArray[np.float64] = np.linalg.norm(bodies - hips, axis=-1)
    return distance


def reach_of(pool: NDArray[np.float64], skeleton: Skeleton) -> NDArray[np.float64]:
    """(J,) how far from the hip each joint can be, mm.

    Args:
        pool: (N, J, 3) bodies; ``REACH_MARGIN`` is added to the largest distance of theirs.
        skeleton: the J joints.
    """
    farthest: NDArray[np.float64] = (
        np.quantile(_from_hip(pool, skeleton), REACH_QUANTILE, axis=0) + REACH_MARGIN
    )
    return farthest


def scene_pairs(
    data: TrainingData, reconstructions: Sequence[Frames]
) -> list[tuple[LabelledScene, Frames]]:
    """Each training scene with its reconstruction."""
    if len(data.scenes) != len(reconstructions):
        raise InputError(
            f"{len(data.scenes)} training scenes and {len(reconstructions)} reconstructions were "
            "given; give one reconstruction a scene, in the same order"
        )
    people = [each.skeleton for frames in reconstructions for each in frames.values()]
    common_skeleton([data.skeleton, *people], "the labels and the reconstructions")
    return list(zip(data.scenes, reconstructions, strict=True))


def bodies_of(scene: LabelledScene, frames: Frames, f: int) -> NDArray[np.float64]:
    """(P, J, 3) mm, the people of frame number ``f`` whose joints are all known."""
    people = frames.get((scene.scene.name, scene.scene.frames[f]))
    if people is None or len(people) == 0:
        return np.zeros((0, len(scene.people.skeleton), 3))
    return people.joints[people.valid.all(1)]


def _supported(scene: LabelledScene, frames: Frames) -> NDArray[np.float64]:
    kept = [np.zeros((0, len(scene.people.skeleton), 3))]
    for f in range(len(scene.scene.frames)):
        bodies = bodies_of(scene, frames, f)
        if len(bodies):
            assigned, _ = labels_of(scene, f, bodies)
            kept.append(bodies[well_supported(assigned)])
    return np.concatenate(kept)


def labels_of(
    scene: LabelledScene, f: int, bodies: NDArray[np.float64]
) -> tuple[NDArray[np.int64], Seen]:
    """(V, P) which label of frame number ``f`` each body is, -1: none; and the bodies as seen."""
    people = scene.people
    seen = see_bodies(scene.cameras, bodies, people.skeleton)
    return assign_people(seen.projected, people.points[f], people.scores[f], MATCH_LIMIT), seen


def corners(space: Space) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper corner of the space, (3,) mm each."""
    centre, size = np.array(space.centre), np.array(space.size)
    return centre - size / 2, centre + size / 2


def sample_bodies(
    pool: NDArray[np.float64],
    skeleton: Skeleton,
    count: int,
    cameras: Sequence[Camera],
    space: tuple[NDArray[np.float64], NDArray[np.float64]],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(count, J, 3) mm: bodies of the pool, turned, mirrored, scaled, jittered and re-placed.

    Each stands in the space where at least two cameras see its hip, at the height it had.

    Args:
        pool: (N, J, 3).
        skeleton: the J joints.
        count: how many.
        cameras: the rig.
        space: lower and upper corner, (3,) mm each.
        rng: draws everything.
    """
    placed: list[NDArray[np.float64]] = []
    for _ in range(count):
        body = varied_body(pool[rng.integers(len(pool))], skeleton, rng)
        others = [skeleton.roots(other)[:2] for other in placed]
        body[..., :2] += _place(others, skeleton.roots(body), cameras, space, rng)
        placed.append(body)
    return np.stack(placed)


def varied_body(
    body: NDArray[np.float64], skeleton: Skeleton, rng: np.random.Generator
) -> NDArray[np.float64]:
    """A variant of a body (J, 3) mm, its hip at x = y = 0, at its own height."""
    root = skeleton.roots(body)
    shape = body - root
    if rng.random() < 0.5:
        shape = (shape * [-1.0, 1.0, 1.0])[skeleton.swapped]
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    shape = shape @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
    scale = rng.uniform(0.9, 1.1)
    shape = shape * scale + rng.normal(0, 15.0, shape.shape)
    return shape + np.array([0.0, 0.0, root[2] * scale])


def _place(
    others: list[NDArray[np.float64]],
    root: NDArray[np.float64],
    cameras: Sequence[Camera],
    space: tuple[NDArray[np.float64], NDArray[np.float64]],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(2,) where to put a body with this root: seen by two cameras, half a metre from the others,
    if possible."""
    low, high = space[0][:2], space[1][:2]
    for _ in range(30):
        place = rng.uniform(low + 0.08 * (high - low), high - 0.08 * (high - low))
        if any(np.linalg.norm(place - other) < 500.0 for other in others):
            continue
        hip = root + np.array([place[0], place[1], 0.0])
        if sum(bool(in_image(camera, project(camera, hip)[0])) for camera in cameras) >= 2:
            break
    return place

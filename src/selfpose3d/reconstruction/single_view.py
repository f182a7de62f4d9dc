"""People whom one camera sees, placed by their size and height above the floor.

The rays of one camera tell a person's shape and not the distance. A body is taken to stand in an
upright plane across the camera's view, and its distance follows from two things: how long its
bones are, and how high above the floor its joints lie. What both are worth is measured on the
people of the same scene whom several views see, as each of their views alone would place them; from
there come the usual size and height, and the errors that are to be expected. These are scaled so
that two thirds of those people's joints would lie within them.

Letters: N detections, J joints, S samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.poses3d import People3D
from selfpose3d.reconstruction.association import Detections
from selfpose3d.reconstruction.body_prior import complete
from selfpose3d.reconstruction.bones import LongBones, long_bones
from selfpose3d.reconstruction.standing import is_known, standing_joints

ENOUGH = 20
"""Fewest samples of other people that tell what size and height are worth."""
UNKNOWN_SIZE = 0.2
"""Error of a distance by size alone, as a share, where there are no other people."""
BODY_MM = 120.0
"""Distance of joints from the plane of their body, standard deviation."""
SHARE = 0.5
"""Score of somebody whom one view sees, over the mean confidence of the joints."""
FEWEST_BONES = 3
"""Fewest long bones of a person who is placed."""
SURE = 0.3
"""Lowest confidence of the joints of these bones."""
_SMALLEST = (0.05, 50.0)
"""Least errors of distances by size, as a share, and of heights, mm: what people differ by."""
_UPRIGHT = 0.5
"""Horizontal part of the viewing direction from which a body's plane is upright."""
_LOW_QUANTILE = 0.4
"""Bones turned to the camera look short, and their distances are too large."""
_FARTHEST_APART = 3.0
"""Standard deviations by which the two distances of a possible person differ at most."""
WITHIN = 0.68
"""Share of the joints that lie within the stated errors."""


@dataclass(frozen=True)
class Flat:
    """Detections as bodies in planes at distance 1.

    Args:
        shapes: (N, J, 3) points of the rays.
        logarithms: (N,) of the distance by size, of people of 1.7 m, mm.
        slopes: (N,) mean height of the points over the camera, of joints by their confidence.
        standing: (N,) mean height of the same joints in a standing person, over the mid-hip, mm.
        normals: (N, 3) of the planes, away from the camera.
        bones: (N,) how many bones there are.
    """

    shapes: NDArray[np.float64]
    logarithms: NDArray[np.float64]
    slopes: NDArray[np.float64]
    standing: NDArray[np.float64]
    normals: NDArray[np.float64]
    bones: NDArray[np.int64]


def flat(detections: Detections) -> Flat:
    """Detections as flat bodies."""
    confidences = detections.confidences
    normals = _normals(detections)
    depths = np.einsum("njx,nx->nj", detections.directions, normals)
    shapes = detections.directions / np.maximum(depths, 0.1)[..., None]
    share = confidences / np.maximum(confidences.sum(axis=1, keepdims=True), 1e-12)
    bones = long_bones(detections.skeleton)
    start, end = bones.ends
    sure = np.minimum(confidences[:, start], confidences[:, end]) > SURE
    return Flat(
        shapes=shapes,
        logarithms=_by_size(shapes, confidences, bones),
        slopes=(shapes[..., 2] * share).sum(axis=1),
        standing=share @ standing_joints(detections.skeleton)[:, 2],
        normals=normals,
        bones=sure.sum(axis=1),
    )


def _normals(detections: Detections) -> NDArray[np.float64]:
    """(N, 3) level viewing directions; as they are where a camera looks down steeply."""
    weights = detections.confidences**2
    ahead = np.einsum("njx,nj->nx", detections.directions, weights)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=-1, keepdims=True), 1e-12)
    level = ahead * [1.0, 1.0, 0.0]
    length = np.linalg.norm(level, axis=-1, keepdims=True)
    return np.where(length > _UPRIGHT, level / np.maximum(length, 1e-12), ahead)


def _by_size(
    shapes: NDArray[np.float64], confidences: NDArray[np.float64], bones: LongBones
) -> NDArray[np.float64]:
    """(N,) weighted quantile of the logarithms of the distances that each bone tells."""
    start, end = bones.ends
    lengths = np.linalg.norm(shapes[:, start] - shapes[:, end], axis=-1)
    told = np.log(bones.lengths / np.maximum(lengths, 1e-4))
    weight = np.minimum(confidences[:, start], confidences[:, end]) * bones.lengths
    order = np.argsort(told, axis=1)
    share = np.cumsum(np.take_along_axis(weight, order, 1), axis=1)
    place = (share < _LOW_QUANTILE * share[:, -1:]).sum(axis=1)
    chosen = np.take_along_axis(order, np.minimum(place, told.shape[1] - 1)[:, None], 1)
    return np.take_along_axis(told, chosen, 1)[:, 0]


@dataclass(frozen=True)
class Known:
    """People whom several views see, as each of these views sees them.

    Args:
        detections: (N,) of one view each.
        joints: (N, J, 3) mm, of the person.
        support: (N, J) of the view for the joints, 0 where it has none.
    """

    detections: Detections
    joints: NDArray[np.float64]
    support: NDArray[np.float64]


@dataclass(frozen=True)
class Usual:
    """Sizes and heights of other people: medians, and half of what two thirds lie within.

    Args:
        size: of the logarithm of the distance over that by size, and its error.
        height: of people over that of a standing person's mid-hip over z = 0, and its error, mm;
            infinite where it is not known.
        scale: factor of the stated errors that makes 68 % of the others' joints lie within them.
    """

    size: tuple[float, float]
    height: tuple[float, float]
    scale: float = 1.0


def usual(known: Sequence[Known]) -> Usual:
    """The usual size and height; a person of 1.7 m anywhere where there are few people."""
    told = [_told(each) for each in known]
    sizes, heights = (np.concatenate([each[part] for each in told]) for part in (0, 1))
    if len(sizes) < ENOUGH:
        return Usual((0.0, UNKNOWN_SIZE), (0.0, np.inf))
    found = Usual(_spread(sizes, _SMALLEST[0]), _spread(heights, _SMALLEST[1]))
    shares = np.concatenate([_errors_over_stated(each, found) for each in known])
    return replace(found, scale=float(np.quantile(shares, WITHIN)))


def _told(known: Known) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What ``Usual.size`` and ``Usual.height`` are made of, (S,) each, of those who tell."""
    bodies = flat(known.detections)
    share = known.support / np.maximum(known.support.sum(axis=1, keepdims=True), 1e-12)
    offset = known.joints - known.detections.origins[:, None]
    distance = np.einsum("njx,nx,nj->n", offset, bodies.normals, share)
    seen = (distance > 1) & (bodies.bones >= FEWEST_BONES)
    sizes = np.log(np.maximum(distance, 1.0)) - bodies.logarithms
    over = known.joints[..., 2] - standing_joints(known.detections.skeleton)[:, 2]
    return sizes[seen], (over * share).sum(axis=1)[seen]


def _errors_over_stated(known: Known, others: Usual) -> NDArray[np.float64]:
    """(S,) distances of supported joints from where each view alone would place them, over the
    errors that it would state."""
    alone = _placed_alone(known.detections, others)
    seen = known.support[alone.rows] > 0
    gaps = np.linalg.norm(alone.joints - known.joints[alone.rows], axis=-1)
    shares: NDArray[np.float64] = (gaps / alone.errors)[seen]
    return shares


def _spread(values: NDArray[np.float64], smallest: float) -> tuple[float, float]:
    low, middle, high = np.percentile(values, [16, 50, 84])
    return float(middle), max(float(high - low) / 2, smallest)


@dataclass(frozen=True)
class Placed:
    """People whom one view sees.

    Args:
        people: they, with scores below those of whom several views see, one view at the joints that
            were seen and their ``uncertainty``.
        frame: (P,) number of each one's frame.
    """

    people: People3D
    frame: NDArray[np.int64]


def placed(detections: Detections, others: Usual) -> Placed:
    """The detections that may be people, placed.

    A person has ``FEWEST_BONES`` bones or more, and the distances by size and by height agree.
    """
    alone = _placed_alone(detections, others)
    chosen = detections.where(alone.rows)
    seen = chosen.confidences > 0
    whole = complete(alone.joints, seen, detections.skeleton).joints
    scores = SHARE * chosen.confidences.mean(axis=1)
    people = replace(
        People3D.predicted(whole, scores, detections.skeleton),
        valid=seen | is_known(detections.skeleton),
        views=seen.astype(np.int64),
        uncertainty=np.where(seen, others.scale * alone.errors, np.nan),
    )
    return Placed(people, chosen.frame)


@dataclass(frozen=True)
class _Alone:
    """Detections that may be people, as flat bodies in their places.

    Args:
        rows: (R,) which detections.
        joints: (R, J, 3) mm.
        errors: (R, J) mm, to be expected before ``Usual.scale``.
    """

    rows: NDArray[np.int64]
    joints: NDArray[np.float64]
    errors: NDArray[np.float64]


def _placed_alone(detections: Detections, others: Usual) -> _Alone:
    bodies = flat(detections)
    distance, error, agreeing = _distances(bodies, detections.origins[:, 2], others)
    rows = np.flatnonzero(agreeing & (bodies.bones >= FEWEST_BONES) & (distance > 0))
    joints = detections.origins[rows, None] + distance[rows, None, None] * bodies.shapes[rows]
    lengths = np.linalg.norm(bodies.shapes[rows], axis=-1)
    return _Alone(rows, joints, np.hypot(error[rows, None] * lengths, BODY_MM))


def _distances(
    bodies: Flat, camera_heights: NDArray[np.float64], others: Usual
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """(N,) distances and their errors, mm, and whether size and height agree."""
    by_size = np.exp(bodies.logarithms + others.size[0])
    size_error = others.size[1] * by_size
    level = np.abs(bodies.slopes) < 1e-3
    slopes = np.where(level, 1e-3, bodies.slopes)
    by_height = (others.height[0] + bodies.standing - camera_heights) / slopes
    height_error = others.height[1] / np.abs(slopes)
    weights = np.stack([size_error, height_error]) ** -2.0
    distance = (weights * [by_size, by_height]).sum(axis=0) / weights.sum(axis=0)
    apart = np.abs(by_size - by_height)
    agreeing = apart < _FARTHEST_APART * np.hypot(size_error, height_error)
    return distance, weights.sum(axis=0) ** -0.5, agreeing

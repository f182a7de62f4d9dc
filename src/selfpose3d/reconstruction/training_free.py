"""3D people without training: association across views and robust triangulation of labels.

1. Detections of all views are grouped by the distances between their rays, and by the bones of the
   body that they would make (``association``).
2. Each group is triangulated: rays are intersected by iteratively reweighted least squares.
3. The 3D people are given the detections again, by Hungarian matching in each view, left and
   right exchanged where that fits clearly better, and triangulated again. Doubled people merge.
   From impossible people views are taken until they are possible (``bones``).
4. A joint that too few views support is completed from the rest of the body, on the ray of the
   view that sees it (``body_prior``).
5. Whom one view alone sees is placed, where that is wanted (``single_view``).

Many frames are looked at together.

Letters: P people, V views, J joints, N detections of all views.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D, Views, skeleton_of
from selfpose3d.files.poses3d import Frames, People3D, people_together
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import Camera, ray_directions
from selfpose3d.geometry.pairs import pairs_between
from selfpose3d.geometry.people import distinct_people
from selfpose3d.geometry.triangulation import intersect_rays
from selfpose3d.parameters import TrainingFree
from selfpose3d.progress import track
from selfpose3d.reconstruction.association import (
    ABSENT,
    Detections,
    Pairs,
    assign,
    assignment_of_groups,
    distances_to_people,
    group,
    joint_weights,
    pair_costs,
    together,
    weighted_mean,
    with_sides_swapped,
)
from selfpose3d.reconstruction.body_prior import Rays, complete
from selfpose3d.reconstruction.bones import is_possible, long_bones, possible_joints
from selfpose3d.reconstruction.single_view import Known, Usual, placed, usual
from selfpose3d.reconstruction.standing import is_known
from selfpose3d.reconstruction.stature import check_stature, necks_to_ankles
from selfpose3d.skeletons import Skeleton

TOGETHER = 16
"""Number of frames that are reconstructed together, which spares most of the time."""

SIZED = 16
"""Number of frames whose people tell whether the calibration is in mm."""

SURE_VIEWS = 3
"""Number of views that are believed about a joint, at whatever distance from its parent."""

ROUNDS = 2
"""Number of times that detections are reassigned."""

SWAP_GAIN = 0.7
"""Ratio of the distances with exchanged and with given sides, below which sides are exchanged."""

CERTAINTY = 2.0
"""Power of the confidence that gives a ray's weight; errors grow faster than confidence falls."""

LEAST_SUPPORT = 0.05
"""Lowest support of a view that counts for a joint."""


@dataclass(frozen=True)
class Association:
    """People of one frame or several, with the detections they are made of.

    Args:
        joints: (P, J, 3) mm.
        support: (V, P, J) support of each view for each joint, in [0, 1].
        assignment: (P, V) indices of detections, or ``ABSENT``.
        detections: detections of the frame, sides exchanged where that fits better.
    """

    joints: NDArray[np.float64]
    support: NDArray[np.float64]
    assignment: NDArray[np.int64]
    detections: Detections

    @property
    def frame(self) -> NDArray[np.int64]:
        """(P,) number of each one's frame."""
        return self.detections.frame[self.assignment.max(axis=1)]

    @property
    def skeleton(self) -> Skeleton:
        """The J joints."""
        return self.detections.skeleton

    @property
    def directions(self) -> NDArray[np.float64]:
        """(P, V, J, 3) of each person's rays; meaningless where there is none."""
        found: NDArray[np.float64] = self.detections.directions[np.maximum(self.assignment, 0)]
        return found

    @property
    def confidences(self) -> NDArray[np.float64]:
        """(P, V, J) of each person's rays, 0 where there is none."""
        there = self.assignment != ABSENT
        found: NDArray[np.float64] = self.detections.confidences[np.maximum(self.assignment, 0)]
        return found * there[..., None]

    @property
    def scores(self) -> NDArray[np.float64]:
        """(P,) see ``reconstruct``."""
        return self.support.sum(axis=0).mean(axis=-1)

    def where(self, chosen: NDArray[np.int64]) -> "Association":
        """Only the chosen people, in that order."""
        return replace(
            self,
            joints=self.joints[chosen],
            support=self.support[:, chosen],
            assignment=self.assignment[chosen],
        )


def reconstruct(
    views: Mapping[str, People2D],
    cameras: Sequence[Camera],
    parameters: TrainingFree,
    skeleton: Skeleton,
) -> People3D:
    """Reconstruct the people of one frame.

    Args:
        views: people by camera name, pixels of the cameras' images. A camera that is not named has
            seen nobody.
        cameras: the rig.
        parameters: parameters of the method.
        skeleton: the people's joints.

    Raises:
        InputError: ``views`` names a camera that is not in the rig.

    Returns:
        people in world mm by falling score. The score is the sum, over views and joints, of the
        label's confidence times its agreement ``1 / (1 + (residual / inlier_distance)^2)``,
        divided by the number of joints: how many views' worth of labels supports the person.
    """
    names = [camera.name for camera in cameras]
    strange = sorted(set(views) - set(names))
    if strange:
        raise InputError(f"there are people of cameras {strange}, which are not in the rig {names}")
    seen = [(index, views.get(camera.name)) for index, camera in enumerate(cameras)]
    rays = [
        (index, _rays(cameras[index], people.points, people.scores), people.scores)
        for index, people in seen
        if people is not None and len(people)
    ]
    found = associate(_gathered(rays, _centres(cameras), skeleton), parameters)
    return _frames(found, _others([found], parameters), parameters, 1)[0]


def reconstruct_scene(scene: Scene, labels: Views, parameters: TrainingFree) -> Frames:
    """Reconstruct the people of every frame of a scene, showing progress.

    Args:
        scene: scene with the cameras, the frames and the sequence's name.
        labels: people by (frame, camera name), pixels of the stored frames.
        parameters: see ``reconstruct``.

    Returns:
        people by (sequence, frame), every frame of the scene among them.

    Raises:
        InputError: the people are not of human size, since the calibration is not in mm.
    """
    frames = detections_by_frame(scene, labels)
    _check_size(list(frames.values()), parameters, scene.folder)
    numbers = list(frames)
    parts = [numbers[start : start + TOGETHER] for start in range(0, len(numbers), TOGETHER)]
    found = [
        associate(together([frames[number] for number in part]), parameters)
        for part in track(parts, f"reconstruct {scene.name}", unit=f"{TOGETHER} frames")
    ]
    others = _others(found, parameters)
    return {
        (scene.name, number): people
        for part, each in zip(parts, found, strict=True)
        for number, people in zip(part, _frames(each, others, parameters, len(part)), strict=True)
    }


def _check_size(frames: Sequence[Detections], parameters: TrainingFree, scene: Path) -> None:
    """Refuse a calibration that is not in mm, by people of some frames."""
    step = max(len(frames) // SIZED, 1)
    some = together(frames[::step])
    found = associate(some, parameters, of_any_size=True)
    supported = _n_supporting(found) >= parameters.min_views
    check_stature(necks_to_ankles(found.joints, supported, found.skeleton), scene)


def _others(found: Sequence[Association], parameters: TrainingFree) -> Usual | None:
    """What people tell of those whom one view sees, where these are wanted."""
    if not parameters.single_view:
        return None
    return usual([_known(each) for each in found])


def _frames(
    found: Association, others: Usual | None, parameters: TrainingFree, count: int
) -> list[People3D]:
    """The people of each of some frames, those of one view among them where others tell of them."""
    people = completed(found, found.joints, parameters.min_views)
    frames = [people.where(found.frame == number) for number in range(count)]
    if others is not None:
        left = _left_over(found, parameters.reassign_distance)
        alone = placed(left, others)
        further = (alone.people.where(alone.frame == number) for number in range(count))
        kept = zip(frames, further, strict=True)
        frames = [_with_further(*both, parameters.merge_distance) for both in kept]
    return [replace(people, ids=np.arange(len(people))) for people in frames]


def _with_further(people: People3D, further: People3D, distance: float) -> People3D:
    """People, and those of further people who stand where nobody else does."""
    everybody = people_together([people, further])
    joints = everybody.joints[:, is_known(people.skeleton)]
    return everybody.where(np.sort(distinct_people(joints, everybody.scores, distance)))


def _known(found: Association) -> Known:
    """The people as each of their views sees them."""
    people, view = np.nonzero(found.assignment != ABSENT)
    seen = found.detections.where(found.assignment[people, view])
    support = found.support[view, people]
    supporting = np.where(support > LEAST_SUPPORT, support, 0.0)
    return Known(seen, found.joints[people], supporting)


def _left_over(found: Association, distance: float) -> Detections:
    """The detections that nobody has, farther than ``distance`` mm from everybody."""
    detections = found.detections
    free = np.ones(len(detections), dtype=bool)
    free[found.assignment[found.assignment != ABSENT]] = False
    people, seen = pairs_between(found.frame, detections.frame)
    gaps = distances_to_people(
        found.joints[people], detections.origins[seen], detections.directions[None, seen]
    )
    near = weighted_mean(gaps[0], joint_weights(detections)[seen]) < distance
    free[seen[near]] = False
    return detections.where(np.flatnonzero(free))


def detections_by_frame(scene: Scene, labels: Views) -> dict[int, Detections]:
    """The labels of every frame of a scene, as rays."""
    rays = _rays_by_frame(scene, labels)
    centres = _centres(scene.cameras)
    skeleton = skeleton_of(labels, f"the labels of {scene.name}")
    return {frame: _gathered(rays.get(frame, []), centres, skeleton) for frame in scene.frames}


def detections_of(
    cameras: Sequence[Camera],
    points: NDArray[np.floating],
    scores: NDArray[np.floating],
    skeleton: Skeleton,
) -> Detections:
    """One frame's 2D people as rays.

    Args:
        cameras: the rig.
        points: (V, P, J, 2) pixels of the cameras' images.
        scores: (V, P, J), 0 where a joint is not there; people without any are not there.
        skeleton: the J joints.
    """
    rays = []
    for index, camera in enumerate(cameras):
        there = (scores[index] > 0).any(-1)
        if there.any():
            seen = scores[index, there]
            rays.append((index, _rays(camera, points[index, there], seen), seen))
    return _gathered(rays, _centres(cameras), skeleton)


_Rays = tuple[int, NDArray[np.float64], NDArray[np.float64]]
"""The people of one image: index of the camera, directions (P, J, 3), confidences (P, J)."""


def _rays_by_frame(scene: Scene, labels: Views) -> dict[int, list[_Rays]]:
    """Turn labels into rays, all frames of a camera at once."""
    rays: dict[int, list[_Rays]] = {}
    for index, camera in enumerate(scene.cameras):
        seen = [
            (frame, people)
            for frame in scene.frames
            if (people := labels.get((frame, camera.name))) is not None and len(people)
        ]
        if not seen:
            continue
        points = np.concatenate([people.points for _, people in seen])
        directions = _rays(camera, points, np.concatenate([people.scores for _, people in seen]))
        ends = np.cumsum([len(people) for _, people in seen])
        for (frame, people), end in zip(seen, ends, strict=True):
            of_frame = directions[end - len(people) : end]
            rays.setdefault(frame, []).append((index, of_frame, people.scores))
    return rays


def _rays(
    camera: Camera, points: NDArray[np.floating], scores: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(P, J, 3) directions to joints; to the middle of the image where a joint is not there."""
    return ray_directions(camera, np.where(scores[..., None] > 0, points, camera.K[:2, 2]))


def _centres(cameras: Sequence[Camera]) -> NDArray[np.float64]:
    return np.stack([camera.centre for camera in cameras])


def _gathered(
    rays: Sequence[_Rays], centres: NDArray[np.float64], skeleton: Skeleton
) -> Detections:
    if not rays:
        nothing = np.zeros((0, len(skeleton), 3))
        view = np.zeros(0, dtype=np.int64)
        return Detections(view, view, nothing, nothing[..., 0], centres, skeleton)
    directions = np.concatenate([directions for _, directions, _ in rays])
    confidences = np.clip(np.concatenate([scores for _, _, scores in rays]), 0.0, 1.0)
    has_ray = np.isfinite(directions).all(-1)
    return Detections(
        frame=np.zeros(len(directions), dtype=np.int64),
        view=np.repeat([index for index, _, _ in rays], [len(scores) for _, _, scores in rays]),
        directions=np.where(has_ray[..., None], directions, 0.0),
        confidences=np.where(has_ray, confidences, 0.0),
        centres=centres,
        skeleton=skeleton,
    )


def associate(
    detections: Detections, parameters: TrainingFree, of_any_size: bool = False
) -> Association:
    """Group the detections of each frame into people and triangulate them (steps 1 to 3).

    Args:
        detections: of all frames.
        parameters: parameters of the method.
        of_any_size: whether bones may have any length, as where the unit may be wrong.

    Returns:
        the people by frame, those of a frame by falling score.
    """
    costs = pair_costs(detections, 0.0) if of_any_size else pair_costs(detections)
    assignment = _grouped(detections, costs, parameters)
    solution = _triangulate(detections, assignment, parameters)
    for _ in range(ROUNDS):
        solution = _distinct(solution, parameters.merge_distance)
        detections, assignment = _reassign(solution, parameters)
        seen = (assignment != ABSENT).sum(axis=1) >= parameters.min_views
        solution = _triangulate(detections, assignment[seen], parameters, solution.joints[seen])
    if not of_any_size:
        solution = _taken_apart(solution, parameters)
    return _distinct(solution, parameters.merge_distance)


def _taken_apart(solution: Association, parameters: TrainingFree) -> Association:
    """Without impossible people: from each the view that supports it least is taken, until it is
    possible, or too few views are left."""
    while (wrong := _impossible(solution, parameters.min_views)).any():
        support = np.where(solution.assignment == ABSENT, np.inf, solution.support.sum(-1).T)
        assignment = solution.assignment.copy()
        assignment[wrong, support[wrong].argmin(axis=1)] = ABSENT
        seen = (assignment != ABSENT).sum(axis=1) >= parameters.min_views
        solution = _triangulate(solution.detections, assignment[seen], parameters)
    return solution


def _impossible(solution: Association, min_views: int) -> NDArray[np.bool_]:
    """(P,) who can't be a person."""
    known = _n_supporting(solution) >= min_views
    return ~is_possible(solution.joints, known, long_bones(solution.skeleton))


def _grouped(
    detections: Detections,
    pairs_and_costs: tuple[Pairs, NDArray[np.float64]],
    parameters: TrainingFree,
) -> NDArray[np.int64]:
    """(P, V) detections of the people of all frames, by linkage."""
    (first, second), costs = pairs_and_costs
    n_views, limit = len(detections.centres), parameters.max_ray_distance
    found = [np.zeros((0, n_views), dtype=np.int64)]
    for here, pairs in _by_frame(detections.frame, detections.frame[first]):
        matrix = np.full((here.stop - here.start,) * 2, np.inf)
        a, b = first[pairs] - here.start, second[pairs] - here.start
        matrix[a, b] = matrix[b, a] = costs[pairs]
        view = detections.view[here]
        groups = group(matrix, view, limit)
        people = assignment_of_groups(groups, view, n_views, parameters.min_views)
        found.append(np.where(people == ABSENT, ABSENT, people + here.start))
    return np.concatenate(found)


def _by_frame(*frames: NDArray[np.int64]) -> Iterator[tuple[slice, ...]]:
    """Where the things of each frame lie, for things of several kinds whose frames ascend."""
    numbers = np.arange(1 + max((int(kind[-1]) for kind in frames if len(kind)), default=-1))
    starts = [np.searchsorted(kind, numbers).tolist() for kind in frames]
    ends = [np.searchsorted(kind, numbers, side="right").tolist() for kind in frames]
    for number in numbers.tolist():
        yield tuple(slice(s[number], e[number]) for s, e in zip(starts, ends, strict=True))


def completed(found: Association, joints: NDArray[np.float64], min_views: int) -> People3D:
    """People at ``joints`` (P, J, 3), with the association's scores.

    Joints with fewer than ``min_views`` supporting views are inferred from the rest of the body
    (step 4); those of hands and feet can't be, and are not valid. Of completed joints, those on
    the ray of a view have one view, and the others none.
    """
    supporting = _n_supporting(found)
    seen = supporting >= min_views
    possible = possible_joints(joints, seen, long_bones(found.skeleton))
    seen &= possible | (supporting >= SURE_VIEWS)
    whole = complete(joints, seen, found.skeleton, _single_rays(found))
    people = People3D.predicted(whole.joints, found.scores, found.skeleton)
    views = np.where(seen, supporting, whole.on_rays)
    return replace(people, valid=seen | is_known(found.skeleton), views=views)


def _single_rays(found: Association) -> Rays:
    """The ray of the view that is surest of each joint."""
    best = found.confidences.argmax(axis=1)[:, None]
    directions = np.take_along_axis(found.directions, best[..., None], axis=1)[:, 0]
    there = np.take_along_axis(found.confidences, best, axis=1)[:, 0] > 0
    return Rays(found.detections.centres[best[:, 0]], directions, there)


def _triangulate(
    detections: Detections,
    assignment: NDArray[np.int64],
    parameters: TrainingFree,
    prior: NDArray[np.float64] | None = None,
) -> Association:
    """Intersect the rays of each person's detections, joint by joint, weighted by confidence."""
    chosen = np.where(assignment == ABSENT, 0, assignment).T
    present = (assignment != ABSENT).T
    confidence = detections.confidences[chosen] * present[..., None]
    joints, residuals, _ = intersect_rays(
        detections.centres,
        detections.directions[chosen],
        confidence**CERTAINTY,
        prior=prior,
        prior_weight=0.0 if prior is None else parameters.prior_weight,
        scale_mm=parameters.inlier_distance,
        iterations=parameters.iterations,
    )
    agreement = 1 / (1 + (residuals / parameters.inlier_distance) ** 2)
    return Association(joints, confidence * agreement, assignment, detections)


def _reassign(
    solution: Association, parameters: TrainingFree
) -> tuple[Detections, NDArray[np.int64]]:
    """Assign detections to 3D people again, with limbs whose sides were exchanged corrected."""
    detections = solution.detections
    swapped = with_sides_swapped(detections)
    people, seen = pairs_between(solution.frame, detections.frame)
    sides = (detections, swapped)
    weights_SMJ = np.stack([joint_weights(side) for side in sides])[:, seen]
    distances_SMJ = distances_to_people(
        solution.joints[people],
        detections.origins[seen],
        np.stack([side.directions for side in sides])[:, seen],
    )
    turned_MJ = _turned_limbs(distances_SMJ, weights_SMJ, detections.skeleton.limbs)
    costs = weighted_mean(
        np.where(turned_MJ, distances_SMJ[1], distances_SMJ[0]),
        np.where(turned_MJ, weights_SMJ[1], weights_SMJ[0]),
    )
    assignment, pairs = _assigned(solution, people, costs, parameters.reassign_distance)
    turned = np.zeros(detections.confidences.shape, dtype=bool)
    turned[seen[pairs]] = turned_MJ[pairs]
    return _chosen_sides(turned, swapped, detections), assignment


def _assigned(
    solution: Association, people: NDArray[np.int64], costs: NDArray[np.float64], limit: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The detections of every person (P, V), and which pairs of person and detection these are.

    Args:
        solution: the people.
        people: (M,) person of each pair, all of a frame's with all detections of it.
        costs: (M,) mm.
        limit: see ``assign``.
    """
    detections, frame = solution.detections, solution.frame
    assignment = np.full(solution.assignment.shape, ABSENT)
    for here, seen, pairs in _by_frame(frame, detections.frame, frame[people]):
        if pairs.stop > pairs.start:
            matrix = costs[pairs].reshape(-1, seen.stop - seen.start)
            found = assign(matrix, detections.view[seen], len(detections.centres), limit)
            assignment[here] = np.where(found == ABSENT, ABSENT, found + seen.start)
    first_seen = np.searchsorted(detections.frame, frame)
    first_pair = np.searchsorted(people, np.arange(len(frame)))
    pairs_PV = (first_pair - first_seen)[:, None] + assignment
    return assignment, pairs_PV[assignment != ABSENT]


def _turned_limbs(
    distances_SMJ: NDArray[np.float64],
    weights_SMJ: NDArray[np.float64],
    limbs: Sequence[list[int]],
) -> NDArray[np.bool_]:
    """(M, J) whether joints fit a person clearly better with left and right exchanged.

    Args:
        distances_SMJ: distances with the sides as they are and exchanged, mm.
        weights_SMJ: weights of the joints, likewise.
        limbs: joints of the arms and of the legs.
    """
    result = np.zeros(distances_SMJ.shape[1:], dtype=bool)
    for limb in limbs:
        before, after = weighted_mean(distances_SMJ[..., limb], weights_SMJ[..., limb])
        result[..., limb] = (after < SWAP_GAIN * before)[..., None]
    return result


def _chosen_sides(turned: NDArray[np.bool_], swapped: Detections, plain: Detections) -> Detections:
    return replace(
        plain,
        directions=np.where(turned[..., None], swapped.directions, plain.directions),
        confidences=np.where(turned, swapped.confidences, plain.confidences),
    )


def _distinct(solution: Association, distance: float) -> Association:
    """Without doubled people, those of each frame by falling score; joints of which a view may
    tell nothing do not count."""
    joints = solution.joints[:, is_known(solution.skeleton)]
    return solution.where(distinct_people(joints, solution.scores, distance, solution.frame))


def _n_supporting(solution: Association) -> NDArray[np.int64]:
    """(P, J) number of views that agree with a joint."""
    supporting: NDArray[np.int64] = (solution.support > LEAST_SUPPORT).sum(axis=0)
    return supporting

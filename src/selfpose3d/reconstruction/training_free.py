"""3D people without training: association across views and robust triangulation of labels.

1. Detections of all views are grouped by the distances between their rays (``association``).
2. Each group is triangulated: rays are intersected by iteratively reweighted least squares.
3. The 3D people are given the detections again, by Hungarian matching in each view, left and
   right exchanged where that fits clearly better, and triangulated again. Doubled people merge.
4. A joint that too few views support is completed from the rest of the body (``body_prior``).

Letters: P people, V views, J joints, N detections of all views.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D, Views, skeleton_of
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import Camera, ray_directions
from selfpose3d.geometry.people import distinct_people
from selfpose3d.geometry.triangulation import intersect_rays
from selfpose3d.parameters import TrainingFree
from selfpose3d.progress import track
from selfpose3d.reconstruction.association import (
    ABSENT,
    Detections,
    assign,
    assignment_of_groups,
    distances_to_people,
    group,
    joint_weights,
    ray_distances,
    weighted_mean,
    with_sides_swapped,
)
from selfpose3d.reconstruction.body_prior import complete, is_known
from selfpose3d.reconstruction.stature import check_stature, necks_to_ankles
from selfpose3d.skeletons import Skeleton

ROUNDS = 2
"""Number of times that detections are reassigned."""

SWAP_GAIN = 0.7
"""Ratio of the distances with exchanged and with given sides, below which sides are exchanged."""

CERTAINTY = 2.0
"""Power of the confidence that gives a ray's weight; errors grow faster than confidence falls."""

LEAST_SUPPORT = 0.05
"""Lowest support of a view that counts for a joint."""


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
        (index, ray_directions(cameras[index], people.points), people.scores)
        for index, people in seen
        if people is not None and len(people)
    ]
    detections = _gathered(rays, _centres(cameras), skeleton)
    return _people(associate(detections, parameters), parameters)


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
    people: dict[tuple[str, int], People3D] = {}
    lengths = []
    frames = list(detections_by_frame(scene, labels).items())
    for frame, detections in track(frames, f"reconstruct {scene.name}", unit="frames"):
        found = associate(detections, parameters)
        people[scene.name, frame] = _people(found, parameters)
        supported = _n_supporting(found) >= parameters.min_views
        lengths.append(necks_to_ankles(found.joints, supported, found.skeleton))
    check_stature(np.concatenate(lengths), scene.folder)
    return people


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
            at = np.where(scores[index, there, :, None] > 0, points[index, there], 0.0)
            rays.append((index, ray_directions(camera, at), scores[index, there]))
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
        directions = ray_directions(camera, np.concatenate([people.points for _, people in seen]))
        ends = np.cumsum([len(people) for _, people in seen])
        for (frame, people), end in zip(seen, ends, strict=True):
            of_frame = directions[end - len(people) : end]
            rays.setdefault(frame, []).append((index, of_frame, people.scores))
    return rays


def _centres(cameras: Sequence[Camera]) -> NDArray[np.float64]:
    return np.stack([camera.centre for camera in cameras])


def _gathered(
    rays: Sequence[_Rays], centres: NDArray[np.float64], skeleton: Skeleton
) -> Detections:
    if not rays:
        nothing = np.zeros((0, len(skeleton), 3))
        view = np.zeros(0, dtype=np.int64)
        return Detections(view, nothing, nothing[..., 0], centres, skeleton)
    directions = np.concatenate([directions for _, directions, _ in rays])
    confidences = np.clip(np.concatenate([scores for _, _, scores in rays]), 0.0, 1.0)
    has_ray = np.isfinite(directions).all(-1)
    return Detections(
        view=np.repeat([index for index, _, _ in rays], [len(scores) for _, _, scores in rays]),
        directions=np.where(has_ray[..., None], directions, 0.0),
        confidences=np.where(has_ray, confidences, 0.0),
        centres=centres,
        skeleton=skeleton,
    )


@dataclass(frozen=True)
class Association:
    """People of one frame with the detections they are made of.

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


def associate(detections: Detections, parameters: TrainingFree) -> Association:
    """Group a frame's detections into people and triangulate them (steps 1 to 3)."""
    n_views = len(detections.centres)
    groups = group(ray_distances(detections), detections.view, parameters.max_ray_distance)
    assignment = assignment_of_groups(groups, detections.view, n_views, parameters.min_views)
    solution = _triangulate(detections, assignment, parameters)
    for _ in range(ROUNDS):
        solution = _distinct(solution, parameters.merge_distance)
        detections, assignment = _reassign(detections, solution.joints, parameters)
        seen = (assignment != ABSENT).sum(axis=1) >= parameters.min_views
        solution = _triangulate(detections, assignment[seen], parameters, solution.joints[seen])
    return _distinct(solution, parameters.merge_distance)


def completed(found: Association, joints: NDArray[np.float64], min_views: int) -> People3D:
    """People at ``joints`` (P, J, 3), with the association's scores.

    Joints with fewer than ``min_views`` supporting views are inferred from the rest of the body
    (step 4); those of hands and feet can't be, and are not valid.
    """
    seen = _n_supporting(found) >= min_views
    people = People3D.predicted(
        complete(joints, seen, found.skeleton), found.scores, found.skeleton
    )
    return replace(people, valid=seen | is_known(found.skeleton))


def _people(found: Association, parameters: TrainingFree) -> People3D:
    return completed(found, found.joints, parameters.min_views)


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
    detections: Detections, joints: NDArray[np.float64], parameters: TrainingFree
) -> tuple[Detections, NDArray[np.int64]]:
    """Assign detections to 3D people again, with limbs whose sides were exchanged corrected."""
    swapped = with_sides_swapped(detections)
    weights_SNJ = np.stack([joint_weights(detections), joint_weights(swapped)])
    distances_SPNJ = distances_to_people(
        joints,
        detections.centres[detections.view],
        np.stack([detections.directions, swapped.directions]),
    )
    turned_PNJ = _turned_limbs(distances_SPNJ, weights_SNJ, detections.skeleton.limbs)
    costs = weighted_mean(
        np.where(turned_PNJ, distances_SPNJ[1], distances_SPNJ[0]),
        np.where(turned_PNJ, weights_SNJ[1], weights_SNJ[0]),
    )
    n_views = len(detections.centres)
    assignment = assign(costs, detections.view, n_views, parameters.reassign_distance)
    people, views = np.nonzero(assignment != ABSENT)
    chosen = assignment[people, views]
    turned = np.zeros(detections.confidences.shape, dtype=bool)
    turned[chosen] = turned_PNJ[people, chosen]
    return _chosen_sides(turned, swapped, detections), assignment


def _turned_limbs(
    distances_SPNJ: NDArray[np.float64],
    weights_SNJ: NDArray[np.float64],
    limbs: Sequence[list[int]],
) -> NDArray[np.bool_]:
    """(P, N, J) whether joints fit a person clearly better with left and right exchanged.

    Args:
        distances_SPNJ: distances with the sides as they are and exchanged, mm.
        weights_SNJ: weights of the joints, likewise.
        limbs: joints of the arms and of the legs.
    """
    result = np.zeros(distances_SPNJ.shape[1:], dtype=bool)
    for limb in limbs:
        before, after = weighted_mean(distances_SPNJ[..., limb], weights_SNJ[:, None, :, limb])
        result[..., limb] = (after < SWAP_GAIN * before)[..., None]
    return result


def _chosen_sides(turned: NDArray[np.bool_], swapped: Detections, plain: Detections) -> Detections:
    return replace(
        plain,
        directions=np.where(turned[..., None], swapped.directions, plain.directions),
        confidences=np.where(turned, swapped.confidences, plain.confidences),
    )


def _distinct(solution: Association, distance: float) -> Association:
    """Without doubled people; joints of which a view may tell nothing do not count."""
    joints = solution.joints[:, is_known(solution.skeleton)]
    return solution.where(distinct_people(joints, solution.scores, distance))


def _n_supporting(solution: Association) -> NDArray[np.int64]:
    """(P, J) number of views that agree with a joint."""
    supporting: NDArray[np.int64] = (solution.support > LEAST_SUPPORT).sum(axis=0)
    return supporting

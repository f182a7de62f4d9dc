"""Exact projections in place of an estimator (paper table 3, the "ground-truth 2D" row).

Supervised by design: the only way from the truth to training. The people come in the joints of the
labels.
"""

from pathlib import Path

import numpy as np

from selfpose3d.detection.given_files import given_file, not_empty
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.poses3d import People3D, converted_frames, read_poses3d, skeleton_of
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import Camera
from selfpose3d.geometry.people import project_people
from selfpose3d.parameters import Parameters
from selfpose3d.skeletons import Skeleton, named_or


def detect_from_truth(
    scene: Scene, parameters: Parameters, weights: Path, workers: int = 1
) -> Views:
    """The people of all images of a scene out of its truth.

    Args:
        scene: the sequence.
        parameters: of the estimator, its file is the truth; and the labels' joints.
        weights: not needed.
        workers: not needed.
    """
    path = given_file(parameters.estimator, scene)
    own = skeleton_of(read_poses3d(path), str(path))
    views = project_truth(path, scene, named_or(parameters.labels.skeleton, own))
    return not_empty(views, scene)


def project_truth(path: Path, scene: Scene, skeleton: Skeleton) -> dict[tuple[int, str], People2D]:
    """The people of all images of a scene in a skeleton, from its truth.

    Joints that are invalid or outside the image have score 0, the others 1; people without a
    joint in the image are left out. A truth of other sequences is an ``InputError``.
    """
    truth = converted_frames(read_poses3d(path), skeleton)
    if truth and not any(sequence == scene.name for sequence, _ in truth):
        names = sorted({sequence for sequence, _ in truth})
        raise InputError(f"{path}: the truth of {names[:3]}, not of the scene {scene.name}")
    nobody = People3D.nobody(skeleton)
    return {
        (frame, camera.name): _projected(truth.get((scene.name, frame), nobody), camera)
        for frame in scene.frames
        for camera in scene.cameras
    }


def _projected(people: People3D, camera: Camera) -> People2D:
    projected = project_people(camera, people.joints, people.valid)
    kept = projected.in_view.any(1)
    return People2D(
        points=np.nan_to_num(projected.pixels[kept]),
        scores=projected.in_view[kept].astype(np.float64),
        person_scores=np.ones(int(kept.sum())),
        skeleton=people.skeleton,
    )

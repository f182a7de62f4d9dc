"""Labelled or detected 2D people of a scene, as arrays in pixels of the network's input."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D, Views, people_file, read_poses2d, skeleton_of
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import letterbox
from selfpose3d.skeletons import Skeleton

NOWHERE = -1e3
"""Coordinate of a joint that is not there; its score is 0."""


@dataclass(frozen=True)
class ScenePeople:
    """The 2D people of F frames in V views, padded to the most people of any image.

    Args:
        points: (F, V, P, J, 2) pixels of the network's input.
        scores: (F, V, P, J), 0 for a joint or person that is not there.
        skeleton: the J joints.
    """

    points: NDArray[np.float32]
    scores: NDArray[np.float32]
    skeleton: Skeleton


def read_labels(folder: Path, scene: Scene) -> Views:
    """The labels of a scene out of a folder; labels of another scene are refused."""
    path = people_file(folder, scene.name)
    views = read_poses2d(path)
    known = {(frame, camera.name) for frame in scene.frames for camera in scene.views}
    strange = sorted(set(views) - known)
    if strange:
        raise InputError(
            f"{path}: frame and camera {strange[0]} (and {len(strange) - 1} more) are not in the "
            f"scene {scene.folder}; these are the labels of another data set"
        )
    return views


def scene_people(scene: Scene, views: Views) -> ScenePeople:
    """Arrange a scene's 2D people by frame and view and bring them to network pixels.

    Args:
        scene: the sequence.
        views: people by (frame, camera), pixels of the stored frames.
    """
    width, height = scene.network_size
    n_people = max((len(people) for people in views.values()), default=0)
    skeleton = skeleton_of(views, f"the labels of {scene.name}")
    shape = (len(scene.frames), len(scene.views), max(n_people, 1), len(skeleton))
    points = np.full((*shape, 2), NOWHERE, dtype=np.float32)
    scores = np.zeros(shape, dtype=np.float32)
    for v, camera in enumerate(scene.views):
        affine = letterbox(camera.width, camera.height, width, height)
        for f, frame in enumerate(scene.frames):
            people = _people_at(views, frame, camera.name, scene)
            present = people.scores > 0
            moved = people.points @ affine[:, :2].T + affine[:, 2]
            points[f, v, : len(people)][present] = moved[present]
            scores[f, v, : len(people)] = people.scores
    return ScenePeople(points, scores, skeleton)


def _people_at(views: Views, frame: int, camera: str, scene: Scene) -> People2D:
    try:
        return views[frame, camera]
    except KeyError:
        cameras = sorted({name for _, name in views})
        raise InputError(
            f"the labels of {scene.name} say nothing about frame {frame} of camera {camera} of "
            f"{scene.folder} (their cameras: {cameras}); they belong to another data set, or the "
            "scene was prepared anew since: run the label stage again"
        ) from None

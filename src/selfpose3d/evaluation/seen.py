"""The number of views in which the 2D people show a person of the truth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selfpose3d.evaluation.metrics import Seen
from selfpose3d.evaluation.reprojection import matched_labels
from selfpose3d.files.poses2d import Views, skeleton_of
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.people import project_people


def views_that_see(truth: Frames, takes: Sequence[tuple[Scene, Views]]) -> Seen:
    """The number of views in which 2D people lie near each person of the truth.

    A 2D person is near who lies less than a fifth of the person's height beside the projection, on
    average (``reprojection.MATCH``), one to one in each view.

    Args:
        truth: people by (sequence, frame), world mm.
        takes: scenes, each with its 2D people in pixels of the stored frames.

    Returns:
        (P,) counts by frame of the truth; 0 in frames that no scene has.
    """
    counts = {key: np.zeros(len(people), dtype=np.int64) for key, people in truth.items()}
    for scene, labels in takes:
        skeleton = skeleton_of(labels, f"the labels of {scene.name}")
        for frame in scene.frames:
            if (scene.name, frame) in truth:
                people = truth[scene.name, frame].converted(skeleton, partly=True)
                counts[scene.name, frame] += _views(people, frame, scene, labels)
    return counts


def _views(people: People3D, frame: int, scene: Scene, labels: Views) -> NDArray[np.int64]:
    """(P,) in how many views of a frame."""
    counts = np.zeros(len(people), dtype=np.int64)
    for camera in scene.cameras:
        if (frame, camera.name) in labels:
            seen = project_people(camera, people.joints, people.valid)
            used = people.valid & np.isfinite(seen.pixels).all(-1)
            found = (seen.placed, used, seen.heights, labels[frame, camera.name])
            counts[matched_labels(*found)[0]] += 1
    return counts

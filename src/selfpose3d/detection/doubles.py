"""2D people who are there more than once: in two cameras alike, or twice in one image.

Both come from files that were put together wrongly. Two cameras with one video agree with each
other wherever they stand, and a doubled person may become two in 3D.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.poses2d import People2D, Views

LOOKED_AT = 500
"""Most frames that are looked at, spread over all."""
SAME_PX = 0.05
"""Distance in x and in y up to which two joints are the same."""
MOSTLY = 0.5
"""Share of the frames with the same people in two cameras, from which it is told."""
DOUBLED = 0.02
"""Mean distance of two people's joints, over the extent of one, below which they are the same."""
OFTEN = 0.01
"""Share of a camera's images in which somebody is there twice, from which it is told."""

ByFrame = Mapping[int, People2D]


def doubled_people(views: Views) -> list[str]:
    """Sentences on cameras with the same 2D people, and on people who are twice in an image.

    Args:
        views: people by (frame, camera name), px.
    """
    frames = sorted({frame for frame, _ in views})
    step = max(1, -(-len(frames) // LOOKED_AT))
    cameras = {
        camera: {
            frame: views[frame, camera] for frame in frames[::step] if (frame, camera) in views
        }
        for camera in dict.fromkeys(camera for _, camera in views)
    }
    return [*_same_cameras(cameras), *_doubled_in_images(cameras)]


def _same_cameras(cameras: Mapping[str, ByFrame]) -> list[str]:
    told = []
    for one, other in combinations(cameras, 2):
        shared = [
            (cameras[one][frame], cameras[other][frame])
            for frame in cameras[one].keys() & cameras[other].keys()
            if len(cameras[one][frame]) or len(cameras[other][frame])
        ]
        same = sum(_same(*pair) for pair in shared)
        if shared and same >= MOSTLY * len(shared):
            told.append(
                f"Cameras {one} and {other} have the same 2D people, to the pixel, in {same} of "
                f"{len(shared)} frames: one recording, or one file, was given for both. Give each "
                "camera its own"
            )
    return told


def _same(one: People2D, other: People2D) -> bool:
    if one.points.shape != other.points.shape or not len(one):
        return False
    return bool((np.abs(one.points - other.points)[one.scores > 0] <= SAME_PX).all())


def _doubled_in_images(cameras: Mapping[str, ByFrame]) -> list[str]:
    told = []
    for camera, images in cameras.items():
        doubled = sorted(frame for frame, people in images.items() if _has_doubled(people))
        if doubled and len(doubled) >= OFTEN * len(images):
            told.append(
                f"Camera {camera} has a person twice in {len(doubled)} of {len(images)} images, "
                f"first in frame {doubled[0]}: files may have been put together, or the estimator "
                "keeps several boxes of a person. Leave each person there once"
            )
    return told


def _has_doubled(people: People2D) -> bool:
    """Whether two people of an image have their joints, of those that both have, in one place."""
    return any(
        _are_one(people.points[[a, b]], people.scores[[a, b]] > 0)
        for a, b in combinations(range(len(people)), 2)
    )


def _are_one(points_2J2: NDArray[np.float64], there_2J: NDArray[np.bool_]) -> bool:
    both = there_2J.all(0)
    if both.sum() < 2:
        return False
    one, other = points_2J2[:, both]
    extent = np.linalg.norm(np.ptp(one, axis=0))
    return bool(np.linalg.norm(one - other, axis=-1).mean() < DOUBLED * extent)

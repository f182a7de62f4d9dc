"""2D people written by another estimator: COCO results JSON, or a folder of OpenPose JSON.

COCO results: a list of ``{"image_id" or "file_name", "keypoints": [x, y, score] * 17, "score"}``.
``file_name`` (or a text ``image_id``) is ``<camera>/<frame>.jpg``, as the stored frames of a
scene; a number as ``image_id`` is the place of the image, from 0, with frames in ascending order
and the scene's cameras in their order within a frame.

OpenPose: ``<folder>/<camera>/<anything>_<frame>_keypoints.json``, BODY_25 or COCO (18 points).

In both, coordinates are pixels of the scene's stored frames. Coordinates of larger frames are
refused, because joints lie outside; coordinates of smaller frames can't be recognised. Images that
are not named have no people. A camera or frame that the scene lacks is refused.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfpose3d.detection.given_files import given_file, not_empty
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, write_json
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.scenes import Scene
from selfpose3d.parameters import Parameters
from selfpose3d.skeletons import COCO_17

N_COCO = len(COCO_17)
COCO_OF_OPENPOSE: Mapping[int, tuple[int, ...]] = {
    25: (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11),
    18: (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10),
}
"""The OpenPose point of each COCO-17 joint, by the number of points."""

CONFIDENT = 0.3
"""Lowest score of a joint whose position is checked."""
MARGIN = 0.05
"""Fraction of a frame's side by which joints of people at the edge may lie outside."""
MOST_OUTSIDE = 0.03
"""Largest fraction of the confident joints that may lie farther outside."""

Person = tuple[NDArray[np.float64], float]
"""(17, 3) x, y, score, and the person's score."""
Image = tuple[int, str]


def detect_from_files(
    scene: Scene, parameters: Parameters, weights: Path, workers: int = 1
) -> Views:
    """COCO-17 people of all images of a scene out of ``estimator.files``.

    Args:
        scene: the sequence.
        parameters: of the estimator.
        weights: not needed.
        workers: not needed.
    """
    views = read_keypoint_files(given_file(parameters.estimator, scene), scene)
    return not_empty(views, scene)


def read_keypoint_files(path: Path, scene: Scene) -> dict[Image, People2D]:
    """COCO-17 people of all images of a scene, from a COCO results file or an OpenPose folder.

    Raises:
        InputError: there is no such file, it has another form, it names cameras or frames that
            the scene lacks, or its coordinates are not of the stored frames.
    """
    path = Path(path)
    found = _openpose_people(path, scene) if path.is_dir() else _coco_people(path, scene)
    people: dict[Image, list[Person]] = defaultdict(list)
    for image, person in found:
        people[image].append(person)
    views = {image: _stacked(people[image]) for image in _images(scene)}
    _check_inside(views, path, scene)
    return views


def _check_inside(views: Views, path: Path, scene: Scene) -> None:
    """Refuse people of whom too many confident joints lie outside the stored frames."""
    points = [people.points[people.scores >= CONFIDENT] for people in views.values()]
    points_N2 = np.concatenate([*points, np.zeros((0, 2))])
    size = np.array([scene.views[0].width, scene.views[0].height])
    outside = ((points_N2 < -MARGIN * size) | (points_N2 > (1 + MARGIN) * size)).any(axis=1)
    if not len(points_N2) or outside.mean() <= MOST_OUTSIDE:
        return
    (left, top), (right, bottom) = points_N2.min(axis=0), points_N2.max(axis=0)
    raise InputError(
        f"{path}: {outside.mean():.0%} of the confident joints lie outside the stored frames of "
        f"{scene.folder}, which are {size[0]}x{size[1]} px; x goes from {left:.0f} to {right:.0f}, "
        f"y from {top:.0f} to {bottom:.0f}. Coordinates are pixels of the stored frames: scale "
        "them, or set data.stored_size to the size of the frames that the estimator saw"
    )


def write_coco_results(path: Path, views: Views) -> None:
    """Write COCO-17 people as a COCO results file that ``read_keypoint_files`` reads."""
    rows = [
        {
            "file_name": f"{camera}/{frame:08d}.jpg",
            "category_id": 1,
            "keypoints": np.column_stack([points, scores]).ravel().tolist(),
            "score": float(person_score),
        }
        for (frame, camera), people in views.items()
        for points, scores, person_score in zip(
            people.points, people.scores, people.person_scores, strict=True
        )
    ]
    write_json(path, rows)


def _images(scene: Scene) -> list[Image]:
    return [(frame, camera.name) for frame in scene.frames for camera in scene.views]


def _coco_people(path: Path, scene: Scene) -> Iterable[tuple[Image, Person]]:
    rows = read_json(path)
    if not isinstance(rows, list):
        raise InputError(f"{path}: COCO results are a list, not {type(rows).__name__}")
    images = _images(scene)
    for number, row in enumerate(rows):
        where = f"{path}: entry {number}"
        try:
            name = row.get("file_name", row.get("image_id"))
            person = _person(row["keypoints"], N_COCO), float(row.get("score", 1.0))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where}: not a COCO keypoint result ({error!r})") from error
        yield _image(name, images, where, scene), person


def _image(name: Any, images: list[Image], where: str, scene: Scene) -> Image:
    if isinstance(name, int):
        if not 0 <= name < len(images):
            raise InputError(f"{where}: image_id {name}, but {scene.name} has {len(images)} images")
        return images[name]
    match = re.fullmatch(r"(?:.*/)?([^/]+)/(\d+)(?:\.\w+)?", str(name))
    if match is None:
        raise InputError(f"{where}: image {name!r}; '<camera>/<frame>.jpg' or a number is expected")
    return _known(match[1], int(match[2]), where, scene)


def _known(camera: str, frame: int, where: str, scene: Scene) -> Image:
    cameras = [view.name for view in scene.views]
    if camera not in cameras:
        raise InputError(
            f"{where}: camera {camera!r} is not one of {scene.name}'s {cameras}; "
            "are these the people of another data set?"
        )
    if frame not in scene.frames:
        raise InputError(
            f"{where}: frame {frame} is not one of {scene.name}'s {len(scene.frames)} frames "
            f"({scene.frames[0]}..{scene.frames[-1]}); are these the people of another data set?"
        )
    return frame, camera


def _openpose_people(folder: Path, scene: Scene) -> Iterable[tuple[Image, Person]]:
    paths = sorted(folder.glob("*/*_keypoints.json"))
    if not paths:
        raise InputError(f"{folder}: holds no <camera>/..._<frame>_keypoints.json")
    for path in paths:
        number = re.search(r"(\d+)_keypoints\.json$", path.name)
        if number is None:
            raise InputError(f"{path}: the name lacks the frame before '_keypoints.json'")
        image = _known(path.parent.name, int(number[1]), str(path), scene)
        for person in _openpose_file(path):
            yield image, person


def _openpose_file(path: Path) -> list[Person]:
    """People of one file; OpenPose scores no person, so that theirs is 1."""
    try:
        flat = [person["pose_keypoints_2d"] for person in read_json(path)["people"]]
        return [(_openpose_person(values), 1.0) for values in flat]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not an OpenPose file ({error!r})") from error


def _openpose_person(values: list[float]) -> NDArray[np.float64]:
    order = COCO_OF_OPENPOSE.get(len(values) // 3)
    if order is None:
        raise ValueError(f"{len(values) / 3:g} key points; known are {sorted(COCO_OF_OPENPOSE)}")
    return _person(values, len(values) // 3)[list(order)]


def _person(values: list[float], n_points: int) -> NDArray[np.float64]:
    person = np.array(values, dtype=np.float64)
    if person.shape != (3 * n_points,) or not np.isfinite(person).all():
        raise ValueError(f"{3 * n_points} finite numbers expected, got {person.shape}")
    return person.reshape(n_points, 3)


def _stacked(people: list[Person]) -> People2D:
    if not people:
        return People2D.nobody(COCO_17)
    values = np.stack([person for person, _ in people])
    scores = np.array([score for _, score in people])
    return People2D(values[..., :2], values[..., 2], scores, COCO_17)

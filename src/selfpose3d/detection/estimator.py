"""2D pose estimators behind one interface, over all the images of a scene."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selfpose3d.detection.ground_truth import project_truth
from selfpose3d.detection.keypoint_files import read_keypoint_files
from selfpose3d.detection.multi_person import MultiPersonBlazePose
from selfpose3d.detection.second_look import Missed, look_for, missed_people
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.poses3d import Frames
from selfpose3d.files.scenes import Scene
from selfpose3d.parameters import Estimator
from selfpose3d.progress import track
from selfpose3d.skeletons import COCO_17, PANOPTIC_15

Image = tuple[int, str]
"""Frame id and camera name."""


class PoseEstimator(Protocol):
    """An estimator of the people in one image."""

    def __call__(self, image: NDArray[np.uint8]) -> People2D:
        """COCO-17 people in an (H, W, 3) RGB image, px."""
        ...


def build_estimator(parameters: Estimator, weights: Path) -> PoseEstimator:
    """The estimator that looks at images, with its weights from the folder ``weights``."""
    if parameters.name != "blazepose":
        raise ValueError(f"the estimator {parameters.name!r} doesn't look at images")
    return MultiPersonBlazePose(parameters.blazepose, weights)


def detect_scene(
    scene: Scene, parameters: Estimator, weights: Path, workers: int = 1
) -> tuple[Views, tuple[str, ...]]:
    """The people of all images of a scene.

    Args:
        scene: whose stored frames are looked at.
        parameters: of the estimator.
        weights: folder of the estimator's weights.
        workers: processes; the result doesn't depend on their number.

    Returns:
        people by (frame, camera), frames ascending and cameras in the scene's order, and the
        names of their joints (COCO-17; of the "ground_truth" estimator Panoptic-15).

    Raises:
        InputError: nobody was found in any image, or a file is missing or of another data set.
    """
    if parameters.name == "ground_truth":
        return _not_empty(project_truth(_given_files(parameters, scene), scene), scene), PANOPTIC_15
    if parameters.name == "file":
        views = read_keypoint_files(_given_files(parameters, scene), scene)
        return _not_empty(views, scene), COCO_17
    images = [(frame, camera.name) for frame in scene.frames for camera in scene.cameras]
    tasks: list[_Task] = [(image, None, None) for image in images]
    found = _spread(_Worker(scene, parameters, weights), tasks, workers, f"{scene.name}: people")
    return _not_empty(dict(zip(images, found, strict=True)), scene), COCO_17


def detect_again(
    scene: Scene,
    detections: Views,
    people: Frames,
    parameters: Estimator,
    weights: Path,
    workers: int = 1,
) -> Views:
    """Add to the detections the people whom one view missed and other views saw.

    Only an estimator that looks at images can look again; the people of others are returned as
    they are.

    Args:
        scene: whose stored frames are looked at.
        detections: COCO-17 people by (frame, camera).
        people: reconstructed from them, by (sequence, frame).
        parameters: of the estimator.
        weights: folder of the estimator's weights.
        workers: processes; the result doesn't depend on their number.
    """
    if parameters.name != "blazepose":
        return detections
    tasks: list[_Task] = []
    for frame in scene.frames:
        if (scene.name, frame) in people:
            by_camera = {c.name: detections[frame, c.name] for c in scene.cameras}
            for missed in missed_people(people[scene.name, frame], scene.cameras, by_camera):
                image = (frame, missed.camera)
                tasks.append((image, missed, detections[image]))
    found = _spread(_Worker(scene, parameters, weights), tasks, workers, f"{scene.name}: again")
    again = dict(zip((image for image, _, _ in tasks), found, strict=True))
    return {image: again.get(image, people) for image, people in detections.items()}


_Task = tuple[Image, Missed | None, People2D | None]
"""An image; for a second look also the people to look for and the people already found."""


class _Worker:
    """Does tasks with its own estimator, which is made at the first task."""

    def __init__(self, scene: Scene, parameters: Estimator, weights: Path) -> None:
        self._scene, self._parameters, self._weights = scene, parameters, weights
        self._estimator: MultiPersonBlazePose | None = None

    def __call__(self, task: _Task) -> People2D:
        if self._estimator is None:
            self._estimator = MultiPersonBlazePose(self._parameters.blazepose, self._weights)
        (frame, camera), missed, detections = task
        image = self._scene.read_image(camera, frame)
        if missed is None or detections is None:
            return self._estimator(image)
        return look_for(self._estimator, image, missed, detections, self._parameters.blazepose)


_worker: Callable[[_Task], People2D]


def _start(worker: _Worker) -> None:
    global _worker
    _worker = worker


def _work(task: _Task) -> People2D:
    return _worker(task)


def _spread(
    worker: _Worker, tasks: list[_Task], workers: int, description: str
) -> Iterator[People2D]:
    """Results in the order of the tasks."""
    if workers <= 1 or len(tasks) <= 1:
        yield from (worker(task) for task in track(tasks, description, unit="images"))
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(worker,)) as pool:
        results = pool.map(_work, tasks, chunksize=4)
        yield from track(results, description, total=len(tasks), unit="images")


def _given_files(parameters: Estimator, scene: Scene) -> Path:
    """The file of a scene; the parameters guarantee that an estimator that reads files has one."""
    return Path(str(parameters.files).replace("{sequence}", scene.name))


def _not_empty(views: Mapping[Image, People2D], scene: Scene) -> Mapping[Image, People2D]:
    if not any(len(people) for people in views.values()):
        raise InputError(
            f"{scene.folder}: no people were found in any of its {len(views)} images; look at the "
            "frames (upright? lit? people at least 60 px high?) and at estimator.blazepose."
            "tiles and detector_score, or at what estimator.files points to"
        )
    return views

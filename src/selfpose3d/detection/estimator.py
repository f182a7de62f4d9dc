"""BlazePose over all the images of a scene, and once more where a view missed somebody."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from selfpose3d.detection.filters import make_labels
from selfpose3d.detection.given_files import not_empty
from selfpose3d.detection.multi_person import MultiPersonBlazePose
from selfpose3d.detection.second_look import BODY, Missed, look_for, missed_people
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.poses3d import Frames
from selfpose3d.files.scenes import Scene
from selfpose3d.parameters import Estimator, Parameters
from selfpose3d.progress import track
from selfpose3d.reconstruction.training_free import reconstruct_scene

Image = tuple[int, str]
"""Frame id and camera name."""


def detect_blazepose(
    scene: Scene, parameters: Parameters, weights: Path, workers: int = 1
) -> Views:
    """The people of all images of a scene, and those who are found where the other views say that
    somebody was missed.

    Args:
        scene: whose stored frames are looked at.
        parameters: of the estimator and, for the second look, of labels and reconstruction.
        weights: folder of BlazePose's weights.
        workers: processes; the result doesn't depend on their number.

    Returns:
        BlazePose-33 people by (frame, camera), frames ascending and cameras in the scene's order.

    Raises:
        InputError: nobody was found in any image.
    """
    estimator = parameters.estimator
    views = detect_once(scene, estimator, weights, workers)
    if estimator.second_look:
        labels = make_labels(views, parameters.labels, "soft", BODY)
        people = reconstruct_scene(scene, labels, parameters.training_free)
        views = detect_again(scene, views, people, estimator, weights, workers)
    return views


def detect_once(scene: Scene, parameters: Estimator, weights: Path, workers: int = 1) -> Views:
    """BlazePose-33 people of all images of a scene by (frame, camera), each image looked at once.

    Raises:
        InputError: nobody was found in any image.
    """
    images = [(frame, camera.name) for frame in scene.frames for camera in scene.views]
    tasks: list[_Task] = [(image, None, None) for image in images]
    found = _spread(_Worker(scene, parameters, weights), tasks, workers, f"{scene.name}: people")
    return not_empty(dict(zip(images, found, strict=True)), scene)


def detect_again(
    scene: Scene,
    detections: Views,
    people: Frames,
    parameters: Estimator,
    weights: Path,
    workers: int = 1,
) -> Views:
    """Detections, with the people added that one view missed and others saw.

    Args:
        scene: whose stored frames are looked at.
        detections: BlazePose-33 people by (frame, camera).
        people: reconstructed from them, by (sequence, frame).
        parameters: of the estimator.
        weights: folder of the estimator's weights.
        workers: processes; the result doesn't depend on their number.
    """
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
"""An image; for a second look whom to look for, and the people already found."""


class _Worker:
    """Does tasks with an estimator of its own, made when the first one comes."""

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

"""Functions that estimators of images share: they spread the images of a scene over processes, and
give scores one meaning."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property, partial
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from selfpose3d.detection.given_files import Image, not_empty
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import in_frame
from selfpose3d.progress import track
from selfpose3d.skeletons import Skeleton

Look = Callable[[NDArray[np.uint8]], People2D]
"""An estimator: the people in an (H, W, 3) RGB image."""
Task = TypeVar("Task")


def look_at_images(scene: Scene, make: Callable[[], Look], workers: int) -> Views:
    """The people of all images of a scene by (frame, camera), each image looked at once.

    Args:
        scene: whose stored frames are looked at.
        make: makes the estimator, once in each process; it can be pickled.
        workers: processes; the result doesn't depend on their number.

    Raises:
        InputError: nobody was found in any image.
    """
    images = [(frame, camera.name) for frame in scene.frames for camera in scene.views]
    found = spread(partial(_Reader, scene, make), images, workers, f"{scene.name}: people")
    return not_empty(dict(zip(images, found, strict=True)), scene)


def spread(
    make: Callable[[], Callable[[Task], People2D]],
    tasks: Sequence[Task],
    workers: int,
    description: str,
) -> Iterator[People2D]:
    """The people found in each task, in the order of the tasks.

    Args:
        make: makes what does a task, once in each process, when its first task comes.
        tasks: can be pickled.
        workers: processes.
        description: of the progress.
    """
    worker = _Worker(make)
    if workers <= 1 or len(tasks) <= 1:
        yield from (worker(task) for task in track(tasks, description, unit="images"))
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(worker,)) as pool:
        results = pool.map(_work, tasks, chunksize=4)
        yield from track(results, description, total=len(tasks), unit="images")


def with_fractions(
    points: NDArray[np.floating],
    scores: NDArray[np.floating],
    person_scores: NDArray[np.floating],
    skeleton: Skeleton,
    shape: tuple[int, ...],
) -> People2D:
    """People whose scores are cut off at 0 and 1, and are 0 for joints outside the image.

    Args:
        points: (P, J, 2) px.
        scores: (P, J).
        person_scores: (P,).
        skeleton: the J joints.
        shape: (H, W, ...) of the image.
    """
    cut, people = (np.asarray(each, np.float64).clip(0, 1) for each in (scores, person_scores))
    inside = in_frame(points, width=shape[1], height=shape[0])
    return People2D(np.asarray(points, np.float64), cut * inside, people, skeleton)


class _Reader:
    """Looks at the stored frames of a scene."""

    def __init__(self, scene: Scene, make: Callable[[], Look]) -> None:
        self._scene, self._look = scene, make()

    def __call__(self, image: Image) -> People2D:
        frame, camera = image
        return self._look(self._scene.read_image(camera, frame))


class _Worker(Generic[Task]):
    """Does tasks with what is made when the first one comes: an error of it is then the task's."""

    def __init__(self, make: Callable[[], Callable[[Task], People2D]]) -> None:
        self._make = make

    @cached_property
    def _do(self) -> Callable[[Task], People2D]:
        return self._make()

    def __call__(self, task: Task) -> People2D:
        return self._do(task)


_worker: _Worker[Any]


def _start(worker: _Worker[Any]) -> None:
    global _worker
    _worker = worker


def _work(task: Any) -> People2D:
    return _worker(task)

"""BlazePose over all the images of a scene, and once more where a view missed somebody."""

from functools import partial
from pathlib import Path

from selfpose3d.detection.filters import make_labels
from selfpose3d.detection.given_files import Image
from selfpose3d.detection.images import look_at_images, spread
from selfpose3d.detection.multi_person import MultiPersonBlazePose
from selfpose3d.detection.second_look import BODY, Missed, look_for, missed_people
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.poses3d import Frames
from selfpose3d.files.scenes import Scene
from selfpose3d.parameters import BlazePose, Estimator, Parameters
from selfpose3d.reconstruction.training_free import reconstruct_scene


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
    make = partial(MultiPersonBlazePose, parameters.blazepose, weights)
    return look_at_images(scene, make, workers)


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
    look = partial(_SecondLook, scene, parameters.blazepose, weights)
    found = spread(look, tasks, workers, f"{scene.name}: again")
    again = dict(zip((image for image, _, _ in tasks), found, strict=True))
    return {image: again.get(image, people) for image, people in detections.items()}


_Task = tuple[Image, Missed, People2D]
"""An image, whom to look for in it, and the people already found."""


class _SecondLook:
    """Looks for the people whom the first look missed."""

    def __init__(self, scene: Scene, parameters: BlazePose, weights: Path) -> None:
        self._scene, self._parameters = scene, parameters
        self._estimator = MultiPersonBlazePose(parameters, weights)

    def __call__(self, task: _Task) -> People2D:
        (frame, camera), missed, detections = task
        image = self._scene.read_image(camera, frame)
        return look_for(self._estimator, image, missed, detections, self._parameters)

"""2D people written by another estimator, in any format of the table of ``keypoints``."""

from pathlib import Path

from selfpose3d.detection.given_files import given_file, not_empty
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import Views
from selfpose3d.files.scenes import Scene
from selfpose3d.keypoints.reading import Told, read_people
from selfpose3d.parameters import Parameters


def detect_from_files(
    scene: Scene, parameters: Parameters, weights: Path, workers: int = 1
) -> Views:
    """The people of all images of a scene out of ``estimator.files``, in the files' joints.

    Args:
        scene: the sequence.
        parameters: of the estimator.
        weights: not needed.
        workers: not needed.
    """
    estimator = parameters.estimator
    path = given_file(estimator, scene)
    told = Told(estimator.joints, estimator.image_size, estimator.first)
    frames = scene.frames if scene.has_images else None
    found = read_people(path, scene.views, frames, scene.name, told)
    return not_empty(found if scene.has_images else _of_scene(found, scene, path), scene)


def _of_scene(found: Views, scene: Scene, path: Path) -> Views:
    """The people of a scene's frames, which are some of those that the files number."""
    images = [(frame, view.name) for frame in scene.frames for view in scene.views]
    lacking = [image for image in images if image not in found]
    if lacking:
        raise InputError(f"{path}: lacks frame {lacking[0][0]} of {scene.folder}; prepare it again")
    return {image: found[image] for image in images}

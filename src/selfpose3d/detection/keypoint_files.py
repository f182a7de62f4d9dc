"""2D people written by another estimator, in any format of the table of ``keypoints``."""

from pathlib import Path

from selfpose3d.detection.given_files import given_file, not_empty
from selfpose3d.files.poses2d import Views
from selfpose3d.files.scenes import Scene
from selfpose3d.keypoints.reading import Told, read_people
from selfpose3d.parameters import Estimator, Parameters


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
    found = read_people(path, scene.views, scene.frames, scene.name, told_by(estimator))
    return not_empty(found, scene)


def told_by(estimator: Estimator) -> Told:
    """What the parameters say of the files."""
    return Told(estimator.joints, estimator.image_size, estimator.first)

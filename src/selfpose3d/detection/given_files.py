"""Functions that estimators share: the file that some of them read, and the check that somebody was
found."""

from collections.abc import Mapping
from pathlib import Path

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.scenes import Scene
from selfpose3d.parameters import Estimator

Image = tuple[int, str]
"""Frame id and camera name."""


def given_file(parameters: Estimator, scene: Scene) -> Path:
    """The file of a scene.

    Raises:
        InputError: the parameters name none.
    """
    if parameters.files is None:
        raise InputError(
            f"estimator.files: the estimator {parameters.name!r} reads the people of {scene.name} "
            "from files; name them, with {sequence} in the place of the sequence's name"
        )
    return Path(parameters.files.replace("{sequence}", scene.name))


def not_empty(views: Mapping[Image, People2D], scene: Scene) -> Mapping[Image, People2D]:
    """The people of all images.

    Raises:
        InputError: there is nobody in any of them.
    """
    if not any(len(people) for people in views.values()):
        raise InputError(
            f"{scene.folder}: no people were found in any of its {len(views)} images; look at the "
            "frames (upright? lit? people at least 60 px high?) and at the thresholds in the "
            "estimator's section (of blazepose: tiles and detector_score), or at what "
            "estimator.files points to"
        )
    return views

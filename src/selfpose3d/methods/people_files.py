"""3D people made elsewhere, as they are: another program's output beside the methods' own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfpose3d.errors import InputError
from selfpose3d.methods.entry import Method, PredictionInputs
from selfpose3d.tables import Step

if TYPE_CHECKING:
    from selfpose3d.files.poses3d import People3D
    from selfpose3d.parameters import Parameters


def predict(inputs: PredictionInputs) -> "dict[tuple[str, int], People3D]":
    """The people that files have for the frames of the scenes; a frame they lack has nobody."""
    from selfpose3d.files.poses3d import read_people_as
    from selfpose3d.files.scenes import read_scene

    scenes = [read_scene(path) for path in inputs.scenes]
    return {
        (scene.name, frame): people
        for scene, path in zip(scenes, inputs.people, strict=True)
        for frame, people in read_people_as(path, scene.name, scene.frames).items()
    }


def _check(parameters: "Parameters", enabled: Sequence[str]) -> None:
    if not parameters.inference.people:
        raise InputError(
            "inference.people: the method file takes 3D people from files; name them, with "
            "{sequence} in the place of the sequence's name"
        )


FILE = Method(
    stages=(),
    predict=Step("selfpose3d.methods.people_files:predict"),
    given=("scenes", "people"),
    reads=lambda parameters: ("inference.people",),
    check=_check,
)

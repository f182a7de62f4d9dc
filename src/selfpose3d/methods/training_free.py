"""Training-free: the reconstruction of the labels, as it is."""

from typing import TYPE_CHECKING

from selfpose3d.methods.entry import Method, PredictionInputs
from selfpose3d.tables import Step

if TYPE_CHECKING:
    from selfpose3d.files.poses3d import People3D


def predict(inputs: PredictionInputs) -> "dict[tuple[str, int], People3D]":
    """The reconstructed people of the scenes."""
    from selfpose3d.files.poses3d import read_people_of
    from selfpose3d.files.scenes import read_scene

    assert inputs.reconstructions is not None
    names = [read_scene(path).name for path in inputs.scenes]
    return read_people_of(inputs.reconstructions, names)


TRAINING_FREE = Method(
    stages=(),
    predict=Step("selfpose3d.methods.training_free:predict"),
    given=("scenes", "reconstructions"),
)

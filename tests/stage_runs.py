"""Single training stages on synthetic scenes, for tests and benchmarks."""

from collections.abc import Sequence
from pathlib import Path

from selfpose3d.files.poses2d import people_file, write_poses2d
from selfpose3d.files.poses3d import Frames, write_poses3d
from selfpose3d.methods import METHODS, STAGES
from selfpose3d.methods.entry import StageInputs
from selfpose3d.parameters import Parameters, part_of
from selfpose3d.synthetic.scenes import Synthetic, reconstruction


def of_stage(parameters: Parameters, stage: str) -> Parameters:
    """The parameters that a stage is given, and no others."""
    return part_of(parameters, STAGES[stage].reads(parameters))


def of_prediction(parameters: Parameters, method: str = "selfpose3d") -> Parameters:
    """The parameters that a method's prediction is given, and no others."""
    return part_of(parameters, METHODS[method].reads(parameters))


def write_labels(folder: Path, made: Sequence[Synthetic]) -> Path:
    """The folder of the label files of scenes, as commands are given it."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in made:
        write_poses2d(people_file(folder, one.scene.name), one.views)
    return folder


def reconstructions(made: Sequence[Synthetic]) -> list[Frames]:
    """What a training-free method might have made of each scene."""
    return [reconstruction(one.truth, seed) for seed, one in enumerate(made)]


def run_stage(
    parameters: Parameters,
    stage: str,
    made: Sequence[Synthetic],
    start: Sequence[Path],
    out: Path,
    people: Sequence[Frames] | None = None,
) -> Path:
    """Train one stage with nothing but the parameters it reads; its checkpoint.

    Args:
        parameters: all of them.
        stage: its name in the table.
        made: the training scenes.
        start: checkpoints of earlier stages.
        out: folder of the checkpoint and the curves.
        people: instead of the ``reconstructions`` of the scenes.
    """
    entry = STAGES[stage]
    truth = out.with_suffix(".truth.parquet")
    if entry.supervised:
        write_poses3d(truth, {key: people for one in made for key, people in one.truth.items()})
    inputs = StageInputs(
        parameters=of_stage(parameters, stage),
        scenes=[one.scene for one in made],
        labels=[one.views for one in made],
        out=out,
        start=start,
        reconstructions=reconstructions(made) if people is None else people,
        truth=[truth] if entry.supervised else (),
    )
    entry.train.load()(inputs)
    return out / "checkpoint.pt"

"""Single training stages on synthetic scenes, for tests and benchmarks."""

from collections.abc import Sequence
from pathlib import Path

from selfpose3d.files.poses3d import write_poses3d
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


def run_stage(
    parameters: Parameters, stage: str, made: Sequence[Synthetic], start: Sequence[Path], out: Path
) -> Path:
    """Train one stage with nothing but the parameters it reads; its checkpoint."""
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
        reconstructions=[reconstruction(one.truth, seed) for seed, one in enumerate(made)],
        truth=[truth] if entry.supervised else (),
    )
    entry.train.load()(inputs)
    return out / "checkpoint.pt"

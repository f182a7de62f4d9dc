"""Single training stages on synthetic scenes, for tests and benchmarks."""

from collections.abc import Sequence
from pathlib import Path

from selfpose3d.files.poses3d import write_poses3d
from selfpose3d.methods.trust.stage import train_trust
from selfpose3d.methods.voxels import stages, supervised
from selfpose3d.parameters import Parameters, partial, select
from selfpose3d.synthetic.scenes import Synthetic, reconstruction
from selfpose3d.training.reads import READS


def run_stage(
    parameters: Parameters, stage: str, made: Sequence[Synthetic], start: Sequence[Path], out: Path
) -> Path:
    """Train one stage with nothing but the parameters it reads; its checkpoint."""
    chosen = partial(select(parameters, READS[stage]))
    given = [one.scene for one in made], [one.views for one in made]
    rebuilt = [reconstruction(one.truth, seed) for seed, one in enumerate(made)]
    if stage == "backbone":
        stages.train_backbone(chosen, *given, None, out)
    elif stage == "root":
        stages.train_root(chosen, *given, start, out)
    elif stage == "bodies":
        stages.train_bodies(chosen, *given, rebuilt, start, out)
    elif stage == "trust":
        train_trust(chosen, *given, rebuilt, out)
    elif stage.startswith("supervised_"):
        truth = out.with_suffix(".truth.parquet")
        write_poses3d(truth, {key: people for one in made for key, people in one.truth.items()})
        getattr(supervised, f"train_{stage}")(chosen, *given, [truth], start, out)
    else:
        stages.train_pose(chosen, stage, *given, start, out)
    return out / "checkpoint.pt"

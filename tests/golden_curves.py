"""The loss curves of a few iterations of each stage, as they are known to be.

    PYTHONPATH=src python tests/golden_curves.py    # writes them anew, where a change is meant

The smoke configuration in full precision, on a scene that is made here of drawn sticks and exact
rigs, so that neither the renderer nor the estimator has a say.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from selfpose3d.parameters import Parameters, load_parameters, with_settings
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring
from stage_runs import run_stage

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / "tests" / "golden"

EVERYWHERE: dict[str, Any] = {
    "compute.precision": "32-true",
    "heatmaps.source": "estimator",
    "networks.max_people": 2,
    "networks.root_threshold": 0.0,
    "train.backbone.weights": "none",
}
"""Laid over the smoke configuration. After so few iterations root_net is sure of nobody: the
highest two of its maxima are taken."""


@dataclass(frozen=True)
class Golden:
    """A stage whose curve is kept, what it is given, and from which of the others it starts."""

    stage: str
    start: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


CURVES = {
    "backbone": Golden("backbone"),
    "root": Golden("root"),
    "bodies": Golden("bodies"),
    "pose_l2": Golden("pose_l2", ("root", "bodies")),
    "pose_l1": Golden("pose_l1", ("pose_l2",)),
    "finetune": Golden("finetune", ("pose_l1",)),
    "trust": Golden("trust"),
    "supervised_root": Golden("supervised_root"),
    "supervised_pose": Golden("supervised_pose"),
    "pose_images": Golden(
        "pose_l1",
        ("backbone", "root", "bodies"),
        {
            "heatmaps.source": "backbone",
            "augmentation.images": True,
            "train.pose_l1.train_backbone": True,
            "train.pose_l1.train_root": True,
            "train.pose_l1.proposals": "augmented",
        },
    ),
}
"""By the name of the file; the last is the paper's joint training of every network."""


def parameters(golden: Golden, accelerator: str = "cpu") -> Parameters:
    """The smoke configuration as the curve's stage is given it."""
    smoke = load_parameters([REPOSITORY / "params.yaml", REPOSITORY / "config" / "smoke.yaml"])
    settings = {**EVERYWHERE, "compute.accelerator": accelerator, **golden.settings}
    return with_settings(smoke, settings, "golden curves")


def scene(folder: Path) -> Synthetic:
    """Two people in five views, at the smoke configuration's size."""
    width, height = parameters(CURVES["backbone"]).data.network_size
    return make_scene(folder, "golden", 7, ring(5, width, height), frames=4)


def trained(name: str, made: Synthetic, folder: Path, accelerator: str = "cpu") -> Path:
    """The checkpoint of a curve's stage in ``folder``; what is not there yet is trained, the
    stages it starts from as well."""
    golden, out = CURVES[name], folder / name
    if (out / "checkpoint.pt").exists():
        return out / "checkpoint.pt"
    start = [trained(one, made, folder, accelerator) for one in golden.start]
    return run_stage(parameters(golden, accelerator), golden.stage, [made], start, out)


def curve(name: str, made: Synthetic, folder: Path, accelerator: str = "cpu") -> pd.DataFrame:
    """The loss terms of a stage that is trained in ``folder``, by iteration."""
    checkpoint = trained(name, made, folder, accelerator)
    return pd.read_csv(checkpoint.with_name("curves.csv")).drop(columns="seconds")


def make_curves(folder: Path) -> dict[str, pd.DataFrame]:
    """Train every stage in ``folder``; its loss terms by iteration."""
    made = scene(folder / "scene")
    return {name: curve(name, made, folder) for name in CURVES}


def golden_curve(name: str) -> pd.DataFrame:
    """As kept."""
    return pd.read_csv(FOLDER / f"{name}.csv")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, made in make_curves(Path(folder)).items():
            made.to_csv(FOLDER / f"{name}.csv", index=False, float_format="%.7g")
            print(f"{name}\n{made.to_string(index=False)}\n")


if __name__ == "__main__":
    main()

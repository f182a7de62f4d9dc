"""The stages at their smallest: parameters and scenes with which one takes seconds."""

from pathlib import Path
from typing import Any

import torch

from selfpose3d.files.checkpoints import read_checkpoint
from selfpose3d.parameters import Parameters, with_settings
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring

TINY: dict[str, Any] = {
    "data.network_size": [224, 160],
    "networks.root_grid": [12, 12, 12],
    "networks.v2v_width": 4,
    "networks.pose_v2v_width": 4,
    "networks.cuboid_grid": 12,
    "networks.root_threshold": 0.0,
    "networks.max_people": 2,
    "train.backbone.weights": "none",
    "train.backbone.crop": 64,
    "compute.checkpoint_every": 2,
    "compute.accelerator": "cpu",
}
for _stage in ("backbone", "root", "bodies", "pose_l2", "pose_l1", "finetune"):
    TINY |= {f"train.{_stage}.iterations": 3, f"train.{_stage}.batch_size": 2}


def tiny(source: str = "estimator", **settings: Any) -> Parameters:
    """The parameters with settings laid over them, two underscores for the dots of a key."""
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    return with_settings(Parameters(), {**TINY, "heatmaps.source": source, **dotted}, "test")


def two_scenes(folder: Path) -> list[Synthetic]:
    """Two people in each, of rigs of their own."""
    return [
        make_scene(folder / "a", "a", 1, ring(3), frames=3),
        make_scene(folder / "b", "b", 2, ring(4, turn=0.4), frames=2),
    ]


def networks_of(checkpoint: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The weights in a checkpoint by network."""
    return read_checkpoint(checkpoint).networks


def same(first: Path, second: Path) -> bool:
    """Whether two checkpoints hold the same weights to the bit."""
    a, b = networks_of(first), networks_of(second)
    return a.keys() == b.keys() and all(
        torch.equal(a[name][key], b[name][key]) for name in a for key in a[name]
    )

"""The sizes that stages are timed at, and the synthetic scenes and networks they are given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from selfpose3d import methods as table
from selfpose3d.files.checkpoints import write_checkpoint
from selfpose3d.methods.voxels.backbone import build_backbone
from selfpose3d.methods.voxels.lifting import build_lifting
from selfpose3d.parameters import Parameters, load_parameters, with_settings
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = ("backbone", "root", "bodies", "pose_l2", "pose_l1")
"""Those whose cost per iteration is held against bare passes of their networks."""
ALL_STAGES = tuple(table.STAGES)
OF_THE_PAPER = tuple(stage for stage in ALL_STAGES if stage not in ("bodies", "trust"))
"""What ``config/paper.yaml`` trains: the project's own stages are off there."""
FRAMES = 4
"""Of the scene: few, so that what a stage remembers of frames is soon complete."""
FRAMES_OF_BODIES = 24
"""For the stages that want people to draw from."""
FROM_BODIES = ("bodies", "supervised_pose", "trust")
"""These stages."""


@dataclass(frozen=True)
class Setting:
    """One size: overlays and settings laid over ``params.yaml``, and the scene.

    ``warm_up`` iterations are not timed: until every variant of every frame is remembered, where
    any are, and every shape has been seen.
    """

    title: str
    overlays: tuple[str, ...]
    settings: dict[str, Any]
    people: int
    warm_up: int = 2
    repeats: int = 4

    def as_written(self) -> Parameters:
        """The parameters as its files have them, each stage at its real length."""
        files = [REPOSITORY / "params.yaml", *(REPOSITORY / "config" / o for o in self.overlays)]
        return load_parameters(files)

    def parameters(self, threads: int | None, accelerator: str = "cpu") -> Parameters:
        """Its parameters; ``threads`` instead of its own, where given."""
        settings = {**COMMON, "compute.accelerator": accelerator, **self.settings}
        whole = with_settings(self.as_written(), settings, self.title)
        if threads is None:
            return whole
        return with_settings(whole, {"compute.threads": threads}, self.title)

    def scene(self, folder: Path, frames: int = FRAMES) -> Synthetic:
        """Five cameras about a few people."""
        width, height = self.parameters(None).data.network_size
        return make_scene(folder, "timed", 3, ring(5, width, height), frames, self.people)


COMMON: dict[str, Any] = {
    "train.backbone.weights": "none",
    "compute.checkpoint_every": 1_000_000,
    **{f"train.{stage}.iterations": 100_000 for stage in ALL_STAGES},
    **{f"train.{stage}.epochs": None for stage in ALL_STAGES},
}

PUBLISHED: dict[str, Any] = {
    "train.backbone.batch_size": 5,
    "train.root.batch_size": 1,
    "train.bodies.batch_size": 1,
    **{f"train.{stage}.train_root": False for stage in ("pose_l2", "pose_l1")},
}
"""As the released code trains: the views of one frame per step, root_net fixed in pose stages."""

SETTINGS = {
    "released": Setting(
        "256x128, ResNet-18, 40x40x12, 32^3, 2 people, 5 views",
        ("paper.yaml",),
        {
            **PUBLISHED,
            "data.network_size": [256, 128],
            "networks.backbone": "pose_resnet18",
            "networks.root_grid": [40, 40, 12],
            "networks.cuboid_grid": 32,
            "networks.max_people": 2,
            "train.bodies.people": [2, 2],
        },
        people=2,
    ),
    "demo": Setting(
        "the demo's, 480x288", (), {"networks.max_people": 4}, people=4, warm_up=12, repeats=8
    ),
    "paper": Setting(
        "the paper's, 960x512",
        ("paper.yaml",),
        {**PUBLISHED, "networks.max_people": 4, "train.bodies.people": [4, 4]},
        people=4,
        warm_up=1,
        repeats=2,
    ),
    "overlay": Setting(
        "the paper overlay as it stands, 960x512",
        ("paper.yaml",),
        {"networks.max_people": 4},
        people=4,
        warm_up=2,
        repeats=2,
    ),
    "tiny": Setting(
        "as small as can be, for tests",
        ("smoke.yaml",),
        {"data.network_size": [128, 96], "networks.max_people": 2},
        people=2,
        warm_up=1,
        repeats=1,
    ),
}


def write_fresh_networks(parameters: Parameters, path: Path) -> None:
    """A checkpoint of untrained networks, root_net such that it proposes as many people as it may:
    what training costs depends on how many there are, not on whether they are right."""
    torch.manual_seed(0)
    lifting = build_lifting(parameters, ("root", "pose"), PANOPTIC_15)
    with torch.no_grad():
        lifting.root_net.v2v.head.bias.fill_(1.0)  # type: ignore[operator, union-attr]
    networks = {
        "root": lifting.root_net,
        "pose": lifting.pose_net,
        "backbone": build_backbone(parameters.networks, PANOPTIC_15),
    }
    states = {name: network.state_dict() for name, network in networks.items()}
    write_checkpoint(path, states, PANOPTIC_15, {"stage": "benchmark"})

"""The loss curves of a few iterations of each stage, as they are known to be.

    PYTHONPATH=src python tests/golden_curves.py    # writes those anew that a change has moved

``versions.json`` beside the curves keeps the version of the stage's code that each was made with,
and the file's hash. A curve that moves under the same version is refused: results that change
need a new key.

The smoke configuration in full precision, on a scene that is made here of drawn sticks and exact
rigs, so that neither the renderer nor the estimator has a say.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from selfpose3d.files.atomic import read_json, write_json
from selfpose3d.parameters import Parameters, load_parameters, with_settings
from selfpose3d.plan.code_versions import code_versions
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring
from stage_runs import run_stage

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / "tests" / "golden"
VERSIONS = FOLDER / "versions.json"

ROUNDING = (5e-4, 1e-9)
"""Relative and absolute tolerance. With the kernels of another processor (AVX2 for AVX-512, other
blocking) the curves of the 3D networks move by up to 3e-5 of their value; five percent more
learning rate, or one mm more noise of the cuboids' centres, by 1e-2 and more."""
LOOSER = {
    "backbone": (3e-3, 0.0),  # other kernels: 9e-4; five percent more learning rate: 7e-3
    "pose_images": (1e-2, 2e-6),  # builds on that backbone: 2e-3, of the tiny root losses 5e-7
}

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


def moved(name: str, now: pd.DataFrame) -> bool:
    """Whether a curve is another than the kept one, or none is kept."""
    if not (FOLDER / f"{name}.csv").is_file():
        return True
    kept, (relative, absolute) = golden_curve(name), LOOSER.get(name, ROUNDING)
    return list(now) != list(kept) or not np.allclose(
        now.to_numpy(), kept.to_numpy(), rtol=relative, atol=absolute
    )


def version(name: str) -> int:
    """The version of the code of a curve's stage."""
    return code_versions()[f"train_{CURVES[name].stage}"]


def kept_versions() -> dict[str, dict[str, Any]]:
    """Of each kept curve the ``version`` of the code that made it, and the file's ``sha256``."""
    kept: dict[str, dict[str, Any]] = read_json(VERSIONS)
    return kept


def digest(name: str) -> str:
    """The hash of a kept curve's file."""
    return hashlib.sha256((FOLDER / f"{name}.csv").read_bytes()).hexdigest()


def unsaid(curves: Mapping[str, pd.DataFrame]) -> list[str]:
    """The stages' kinds whose kept curves have moved while their versions have not."""
    kept = kept_versions()
    names = [name for name in curves if name in kept and kept[name]["version"] == version(name)]
    return sorted({f"train_{CURVES[name].stage}" for name in names if moved(name, curves[name])})


def keep(curves: Mapping[str, pd.DataFrame]) -> list[str]:
    """Write the curves that have moved, with their versions; their names."""
    new = [name for name in curves if moved(name, curves[name])]
    for name in new:
        curves[name].to_csv(FOLDER / f"{name}.csv", index=False, float_format="%.7g")
    made = {name: {"version": version(name), "sha256": digest(name)} for name in new}
    write_json(VERSIONS, dict(sorted((kept_versions() | made).items())))
    return new


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        curves = make_curves(Path(folder))
    if kinds := unsaid(curves):
        raised = " ".join(f"--raise {kind}" for kind in kinds)
        raise SystemExit(f"these curves move; say so first: selfpose3d code-version {raised}")
    for name in keep(curves):
        print(f"{name}\n{curves[name].to_string(index=False)}\n")


if __name__ == "__main__":
    main()

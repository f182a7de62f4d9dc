"""VoxelPose (Tu et al. 2020): the same networks, trained with the 3D truth of the training scenes.

It is what the self-supervised method is measured against, and by design the one part of training
that is given the truth; the table of methods alone may name it.

Shapes: B samples, V views, P people, J joints, h x w heatmap px, X x Y x Z voxels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from selfpose3d.errors import InputError
from selfpose3d.files.checkpoints import names_of
from selfpose3d.files.poses3d import Frames, People3D, converted_frames, read_all_poses3d
from selfpose3d.files.space import check_space
from selfpose3d.methods.entry import StageInputs
from selfpose3d.methods.voxels.batches import FrameBatches
from selfpose3d.methods.voxels.frames import Sight
from selfpose3d.methods.voxels.known_people import shown_people
from selfpose3d.methods.voxels.lifting import Lifting
from selfpose3d.methods.voxels.losses import root_synthetic_loss
from selfpose3d.methods.voxels.stages import (
    begun,
    train_known_bodies,
)
from selfpose3d.parameters import Space, SupervisedRootSettings
from selfpose3d.training.data import TrainingData, training_data
from selfpose3d.training.devices import to_device
from selfpose3d.training.loop import train
from selfpose3d.training.runs import stage_run
from selfpose3d.training.step import Step

FAR_AWAY = 1e6
"""Coordinate of a root that is not there, mm."""


def train_supervised_root(inputs: StageInputs) -> None:
    """Train root_net on volumes with a Gaussian at each true mid-hip."""
    parameters, truth, start = inputs.parameters, inputs.truth, inputs.start
    settings = parameters.train.supervised_root
    data = training_data(inputs.scenes, inputs.labels)
    true = read_truth(data, truth, parameters.space)
    people = shown_people(data, true, parameters.space)
    stage = "supervised_root"
    with begun(parameters, stage, "root", data, start) as (fabric, lifting, networks, pictures):
        model = SupervisedRootStep(fabric, lifting, settings)
        batches = FrameBatches(data, settings.batch_size, parameters.seed, stage)

        def draw(number: int, rng: np.random.Generator) -> TrueRoots:
            frames = batches.at(number)
            sight = pictures.draw_one(frames, settings.augmented, rng)
            roots = to_device(padded_roots([people[frame] for frame in frames]), fabric.device)
            return TrueRoots(sight, lifting.root_target(roots, settings.target_sigma))

        length = batches.length
        run = stage_run(
            parameters, stage, settings, data, inputs.out, length, start, networks, [true]
        )
        train(run, model, fabric, draw)


def train_supervised_pose(inputs: StageInputs) -> None:
    """Train pose_net on cuboids about the true people, and about such bodies re-placed.

    The checkpoint of the backbone, if the heatmaps are its, is carried along.
    """
    parameters, truth = inputs.parameters, inputs.truth
    data = training_data(inputs.scenes, inputs.labels)
    true = read_truth(data, truth, parameters.space)
    people = shown_people(data, true, parameters.space)
    everywhere = [true] * len(data.scenes)
    train_known_bodies(
        parameters, "supervised_pose", data, everywhere, people, inputs.start, inputs.out
    )


def read_truth(data: TrainingData, paths: Sequence[Path], space: Space) -> Frames:
    """The true 3D people of all training scenes, in the joints of the labels.

    Raises:
        InputError: the files hold nobody of a scene, or nobody in the space.
    """
    people = converted_frames(read_all_poses3d(paths), data.skeleton)
    where = names_of(paths)
    known = {sequence for sequence, _ in people}
    lacking = sorted({scene.scene.name for scene in data.scenes} - known)
    if lacking:
        raise InputError(
            f"{where}: 3D truth of {sorted(known)}, none of {lacking}; give --truth for each "
            "training scene"
        )
    check_space(space.centre, space.size, people, where)
    return people


@dataclass(frozen=True)
class TrueRoots:
    """Frames and the volumes (B, X, Y, Z) that root_net should give for them."""

    sight: Sight
    target: Tensor


class SupervisedRootStep(Step):
    """root_net on the volumes of true roots."""

    def __init__(self, fabric: Fabric, lifting: Lifting, settings: SupervisedRootSettings) -> None:
        super().__init__(fabric, {"root": lifting.root_net}, {})
        self.lifting, self.settings = lifting, settings

    def losses(self, batch: TrueRoots) -> dict[str, Tensor]:
        """Squared error of the volumes."""
        rig, affines, heatmaps = batch.sight
        evidence = self.lifting.root_evidence(self.lifting.root_heatmaps(heatmaps), rig, affines)
        volumes = self.run(self.lifting.root_net, evidence)[:, 0]
        return {"roots": root_synthetic_loss(volumes, batch.target, self.settings.positive_weight)}


def padded_roots(people: Sequence[People3D]) -> Tensor:
    """(B, P, 3) mm mid-hips of each frame's people; those that are not there lie far away."""
    roots = torch.full((len(people), max(1, *map(len, people)), 3), FAR_AWAY)
    for row, present in zip(roots, people, strict=True):
        row[: len(present)] = torch.from_numpy(present.roots)
    return roots

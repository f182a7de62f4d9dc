"""Steps on bodies that are known: those of the training frames, and such re-placed.

Known by the training-free reconstruction; or, for VoxelPose, by the truth.

Shapes: B samples, V views, P people, J joints, h x w heatmap px.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.files.space import in_space
from selfpose3d.geometry.people import project_into
from selfpose3d.methods.voxels.batches import BodyBatches, FrameBatches
from selfpose3d.methods.voxels.frames import FrameInputs, Sight
from selfpose3d.methods.voxels.steps import BodyBatch
from selfpose3d.parameters import BodiesSettings, Space
from selfpose3d.reconstruction.assignment import MATCH_LIMIT, assign_people
from selfpose3d.training.body_pool import well_supported
from selfpose3d.training.data import FrameIndex, TrainingData
from selfpose3d.training.devices import to_device


@dataclass(frozen=True)
class KnownBodies:
    """Batches of known bodies: a share of them re-placed, the others where they stood.

    Args:
        settings: of the stage.
        replaced: bodies anywhere, with the errors of the labels or the heatmaps.
        inputs: training frames as the networks see them.
        frames: their order.
        people: of each frame; may be empty where all bodies are re-placed.
    """

    settings: BodiesSettings
    replaced: BodyBatches
    inputs: FrameInputs
    frames: FrameBatches
    people: Mapping[FrameIndex, People3D]

    def draw(self, number: int, rng: np.random.Generator) -> BodyBatch:
        """The batch of this number."""
        share = self.settings.synthetic
        if share == 1 or rng.random() < share:
            return self.replaced.draw(number, rng)
        frames = self.frames.at(number)
        sight = self.inputs.draw_one(frames, self.settings.augmented, rng)
        people = [self.people[frame] for frame in frames]
        return frame_bodies(sight, people, self.settings.root_noise, rng)


def shown_people(
    data: TrainingData,
    known: Frames,
    space: Space,
    min_views: int = 1,
) -> dict[FrameIndex, People3D]:
    """The known people of each frame whom a network can be asked for.

    Left out are those whose mid-hip is unknown or outside the space, and those whom the labels of
    too few views fit: little in the heatmaps speaks of them.

    Args:
        data: the labelled training scenes.
        known: people by (sequence, frame).
        space: where they must stand.
        min_views: as for ``bodies.well_supported``.

    Raises:
        InputError: nobody is left.
    """
    shown = {}
    for s, f in data.frames:
        scene = data.scenes[s]
        nobody = People3D.nobody(data.skeleton)
        people = known.get((scene.scene.name, scene.scene.frames[f]), nobody)
        inside = in_space(space.centre, space.size, people.roots)
        projected = project_into(scene.cameras, people.joints)
        assigned = assign_people(
            projected, scene.people.points[f], scene.people.scores[f], MATCH_LIMIT
        )
        keep = inside & people.has_root & well_supported(assigned, min_views)
        shown[s, f] = people.where(keep)
    if not any(len(people) for people in shown.values()):
        raise InputError(
            "the labels of the training scenes fit none of the known 3D people; these and the "
            "labels are of different data, or the cameras are wrong"
        )
    return shown


def frame_bodies(
    sight: Sight, people: Sequence[People3D], root_noise: float, rng: np.random.Generator
) -> BodyBatch:
    """The people of frames, their cuboids about the known mid-hips off by ``root_noise`` mm.

    Joints that were completed from the rest of the body are not to be learnt.
    """
    joints = np.concatenate([present.joints for present in people])
    known = np.concatenate([present.measured for present in people])
    roots = np.concatenate([present.roots for present in people])
    centres = roots + rng.normal(0, root_noise, (len(joints), 3))
    device = sight.heatmaps.device
    return BodyBatch(
        *sight,
        bodies=to_device(torch.from_numpy(joints).float(), device),
        known=to_device(torch.from_numpy(known), device),
        counts=tuple(len(present) for present in people),
        centres=to_device(torch.from_numpy(centres).float(), device),
    )

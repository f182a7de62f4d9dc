"""Training data of trust_net: synthetic bodies, seen with the training labels' own errors.

The bodies are those of the training-free reconstruction, re-placed and varied; in each view they
get the errors that the labels have against their reprojection (``bodies.error_bank``), and then
go through the very association that is used at inference, with its mistakes. No ground truth.

Shapes: P people, V views, J joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import Frames
from selfpose3d.methods.trust.predict import cameras_mean, sightings_of
from selfpose3d.methods.trust.trust_net import Sightings, mirrored, mirrored_joints
from selfpose3d.parameters import Parameters, TrustSettings
from selfpose3d.progress import track
from selfpose3d.reconstruction.association import Detections
from selfpose3d.reconstruction.training_free import associate, detections_of
from selfpose3d.seeds import stage_rng
from selfpose3d.training.body_pool import body_pool, corners, sample_bodies
from selfpose3d.training.data import TrainingData
from selfpose3d.training.devices import to_device
from selfpose3d.training.label_errors import corrupt_like_bank, error_bank
from selfpose3d.training.seen_bodies import see_bodies
from selfpose3d.training.step import Step

FARTHEST_MATCH = 500.0
"""An associated person farther than this (mean over joints, mm) from each body is nobody."""


@dataclass(frozen=True)
class TrustBatch:
    """People as the views show them, and where their joints are.

    Args:
        sightings: of P people.
        bodies: (P, J, 3) mm.
    """

    sightings: Sightings
    bodies: Tensor


class TrustStep(Step):
    """trust_net on synthetic people: mean joint distance, in metres."""

    def losses(self, batch: TrustBatch) -> dict[str, Tensor]:
        """The losses in full precision, which millimetres at metres from the origin need."""
        joints = self.trained["trust"](batch.sightings)
        distance = ((joints - batch.bodies).square().sum(-1) + 1e-3).sqrt()
        return {"trust": distance.mean() / 1000}


class TrustBatches:
    """Batches out of a stock of synthetic people, which is made once.

    Args:
        parameters: what ``READS["trust"]`` lists.
        data: the labelled training scenes.
        reconstructions: the training-free 3D people of each.
        device: where batches go.
    """

    def __init__(
        self,
        parameters: Parameters,
        data: TrainingData,
        reconstructions: Sequence[Frames],
        device: torch.device,
    ) -> None:
        self.settings: TrustSettings = parameters.train.trust
        self.device, self.skeleton = device, data.skeleton
        self.stock = _stock(parameters, data, reconstructions)

    @property
    def count(self) -> int:
        """People in the stock."""
        return sum(len(bodies) for _, bodies in self.stock)

    def draw(self, number: int, rng: np.random.Generator) -> TrustBatch:
        """People of one number of views, every other batch mirrored."""
        sizes = np.array([len(bodies) for _, bodies in self.stock], dtype=float)
        sightings, bodies = self.stock[rng.choice(len(self.stock), p=sizes / sizes.sum())]
        chosen = torch.from_numpy(rng.integers(len(bodies), size=self.settings.batch_size))
        sightings, bodies = Sightings(*(part[chosen] for part in sightings)), bodies[chosen]
        if number % 2:
            sightings = mirrored(sightings, self.skeleton)
            bodies = mirrored_joints(bodies, self.skeleton)
        moved = Sightings(*(to_device(part, self.device) for part in sightings))
        return TrustBatch(moved, to_device(bodies, self.device))


def _stock(
    parameters: Parameters, data: TrainingData, reconstructions: Sequence[Frames]
) -> list[tuple[Sightings, Tensor]]:
    """Synthetic people and their bodies, those of equally many views together."""
    settings = parameters.train.trust
    pool, bank = body_pool(data, reconstructions), error_bank(data, reconstructions)
    space = corners(parameters.space)
    rng = stage_rng(parameters.seed, "trust", 0, 3)
    found: dict[int, list[tuple[Sightings, Tensor]]] = {}
    for _ in track(range(settings.frames), "synthetic frames", unit="frames"):
        cameras = data.scenes[rng.integers(len(data.scenes))].cameras
        count = int(rng.integers(settings.people[0], settings.people[1] + 1))
        bodies = sample_bodies(pool, data.skeleton, count, cameras, space, rng)
        seen = see_bodies(cameras, bodies, data.skeleton)
        points, scores = corrupt_like_bank(seen, bank, settings.spread, rng)
        detections = detections_of(cameras, points, scores, data.skeleton)
        found.setdefault(len(cameras), []).append(_associated(parameters, detections, bodies))
    return [_together(found[n_views]) for n_views in sorted(found)]


def _associated(
    parameters: Parameters, detections: Detections, bodies: NDArray[np.float64]
) -> tuple[Sightings, Tensor]:
    """The people that the association finds in one frame, and the body that each is."""
    found = associate(detections, parameters.training_free)
    distance = np.linalg.norm(found.joints[:, None] - bodies[None], axis=-1).mean(-1)
    people, chosen = linear_sum_assignment(np.minimum(distance, 2 * FARTHEST_MATCH))
    near = distance[people, chosen] < FARTHEST_MATCH
    people, chosen = people[near], chosen[near]
    matched = bodies[chosen] - cameras_mean(found)
    return sightings_of(found.where(people)), torch.from_numpy(matched).float()


def _together(frames: Sequence[tuple[Sightings, Tensor]]) -> tuple[Sightings, Tensor]:
    if not sum(len(bodies) for _, bodies in frames):
        raise InputError(
            "not one synthetic body was associated across the views; look at the rig, at "
            "training_free.max_ray_distance and at the labels' quality"
        )
    parts = zip(*(sightings for sightings, _ in frames), strict=True)
    return Sightings(*(torch.cat(part) for part in parts)), torch.cat([b for _, b in frames])

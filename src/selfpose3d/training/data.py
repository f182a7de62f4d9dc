"""Training data: scenes with the pseudo labels of their frames. No truth comes in here."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from selfpose3d.detection.scene_people import NOWHERE, ScenePeople, scene_people
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import Views
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import Camera
from selfpose3d.geometry.rigs import Rig
from selfpose3d.skeletons import Skeleton, common_skeleton

FrameIndex = tuple[int, int]
"""Number of the scene, number of the frame in it."""


@dataclass(frozen=True)
class LabelledScene:
    """A scene and its pseudo labels, in pixels of the network's input."""

    scene: Scene
    people: ScenePeople

    @cached_property
    def cameras(self) -> tuple[Camera, ...]:
        """The cameras at network size."""
        return self.scene.network_cameras()

    @cached_property
    def rig(self) -> Rig:
        """The cameras as a batch of one."""
        return Rig.from_cameras([self.cameras])

    @property
    def images(self) -> NDArray[np.uint8]:
        """(F, V, H, W, 3) RGB."""
        return self.scene.network_frames


@dataclass(frozen=True)
class TrainingData:
    """The labelled scenes of a training run.

    Args:
        scenes: one or more; all of one network size, each with its own rig.
        every: of each scene, every n-th frame is used.
        without: but for these.
    """

    scenes: tuple[LabelledScene, ...]
    every: int = 1
    without: frozenset[FrameIndex] = frozenset()

    @property
    def skeleton(self) -> Skeleton:
        """The joints of the labels."""
        return common_skeleton([scene.people.skeleton for scene in self.scenes], "the labels")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the network's input."""
        return self.scenes[0].scene.network_size

    @cached_property
    def frames(self) -> list[FrameIndex]:
        """The frames that are used."""
        return [
            (s, f)
            for s, scene in enumerate(self.scenes)
            for f in range(0, len(scene.scene.frames), self.every)
            if (s, f) not in self.without
        ]

    @cached_property
    def by_views(self) -> dict[int, list[FrameIndex]]:
        """Frames by their number of views: what may share a batch."""
        groups: dict[int, list[FrameIndex]] = {}
        for s, f in self.frames:
            groups.setdefault(len(self.scenes[s].cameras), []).append((s, f))
        return groups

    def epoch(self, rng: np.random.Generator, batch_size: int) -> list[list[FrameIndex]]:
        """One shuffled pass over all frames, in batches of frames with equally many views."""
        batches = []
        for _, frames in sorted(self.by_views.items()):
            order = [frames[i] for i in rng.permutation(len(frames))]
            batches += [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def batches_per_epoch(self, batch_size: int) -> int:
        """The number of batches that ``epoch`` gives."""
        return sum(-(-len(frames) // batch_size) for frames in self.by_views.values())

    def digest(self) -> str:
        """A digest of the rigs and labels, which tells one training run's data from another's."""
        digest = hashlib.sha256()
        for scene in self.scenes:
            digest.update(repr((scene.scene.name, scene.scene.frames, scene.cameras)).encode())
            digest.update(np.ascontiguousarray(scene.people.points).tobytes())
            digest.update(np.ascontiguousarray(scene.people.scores).tobytes())
        return digest.hexdigest()

    def rig_of(self, scenes: Iterable[int]) -> Rig:
        """The cameras of some scenes of equally many views, one sample each."""
        return Rig.joined([self.scenes[s].rig for s in scenes])

    def people_of(
        self, frames: Sequence[FrameIndex]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Labels of some frames, padded alike: points (B, V, P, J, 2), scores (B, V, P, J)."""
        scores = [self.scenes[s].people.scores[f] for s, f in frames]
        points = [self.scenes[s].people.points[f] for s, f in frames]
        most = max(score.shape[1] for score in scores)
        return (
            np.stack([_padded(p, most, fill=NOWHERE) for p in points]),
            np.stack([_padded(s, most, fill=0.0) for s in scores]),
        )


def training_data(scenes: Sequence[Scene], labels: Sequence[Views]) -> TrainingData:
    """Scenes with the labels of each, checked to be usable together."""
    if not scenes or len(scenes) != len(labels):
        raise InputError(
            f"{len(scenes)} training scenes and the labels of {len(labels)} were given; "
            "give the labels of each scene, in the same order"
        )
    pairs = zip(scenes, labels, strict=True)
    data = TrainingData(tuple(LabelledScene(s, scene_people(s, views)) for s, views in pairs))
    sizes = sorted({scene.network_size for scene in scenes})
    if len(sizes) > 1:
        raise InputError(
            f"the training scenes have network sizes {sizes} (width, height); prepare them again "
            "with one data.network_size"
        )
    if not any((scene.people.scores > 0).any() for scene in data.scenes):
        names = ", ".join(scene.scene.name for scene in data.scenes)
        raise InputError(
            f"the labels of {names} hold no person in any view; look at the estimator's "
            "detections, or lower labels.person_score and labels.min_joints"
        )
    return data


def _padded(values: NDArray[np.float32], most: int, fill: float) -> NDArray[np.float32]:
    missing = most - values.shape[1]
    widths = [(0, 0), (0, missing)] + [(0, 0)] * (values.ndim - 2)
    return np.pad(values, widths, constant_values=fill)

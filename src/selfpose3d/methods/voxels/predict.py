"""Inference: the frames of a scene to 3D people with scores."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfpose3d.detection.scene_people import ScenePeople, read_labels, scene_people
from selfpose3d.files.checkpoints import load_network, merged_checkpoint, names_of
from selfpose3d.files.poses2d import Views
from selfpose3d.files.poses3d import People3D
from selfpose3d.files.scenes import Scene, read_scene
from selfpose3d.geometry.cameras import Camera
from selfpose3d.geometry.people import distinct_people
from selfpose3d.geometry.rigs import Rig
from selfpose3d.methods.entry import PredictionInputs
from selfpose3d.methods.voxels.backbone import Backbone, build_backbone
from selfpose3d.methods.voxels.heatmap_sources import image_heatmaps, people_heatmaps
from selfpose3d.methods.voxels.lifting import Lifting, build_lifting
from selfpose3d.methods.voxels.refine import (
    heatmap_evidence,
    people_evidence,
    refine_joints,
)
from selfpose3d.networks.folding import folded
from selfpose3d.parameters import Inference, Parameters
from selfpose3d.progress import track
from selfpose3d.skeletons import common_skeleton
from selfpose3d.training.devices import Runner, runner, start_fabric, to_device


def predict(inputs: PredictionInputs) -> dict[tuple[str, int], People3D]:
    """The 3D people of every frame of the scenes, world mm, best first, by (sequence, frame).

    The rigs need not be those that the networks were trained in.
    """
    assert inputs.labels is not None
    people: dict[tuple[str, int], People3D] = {}
    with ready_predictor(inputs.parameters, inputs.checkpoints) as predictor:
        for scene in map(read_scene, inputs.scenes):
            people |= predictor.predict(scene, read_labels(inputs.labels, scene))
    return people


@contextmanager
def ready_predictor(parameters: Parameters, checkpoints: Sequence[Path]) -> Iterator["Predictor"]:
    """The networks of checkpoints (later ones win), loaded once; as many threads afterwards."""
    threads = torch.get_num_threads()
    try:
        with torch.inference_mode():
            yield _load(parameters, checkpoints)
    finally:
        torch.set_num_threads(threads)


def scene_heatmaps(
    parameters: Parameters, scene: Scene, checkpoints: Sequence[Path]
) -> Iterator[NDArray[np.float32]]:
    """heatmap_net_2d's heatmaps (V, J, h, w) of a scene, frame by frame."""
    fabric = start_fabric(parameters.compute, devices=1)
    trained = merged_checkpoint(checkpoints)
    backbone = build_backbone(parameters.networks, trained.skeleton)
    load_network(backbone, trained.networks, "backbone", names_of(checkpoints))
    backbone = folded(backbone).to(fabric.device)
    with torch.inference_mode():
        for images in track(scene.network_frames, f"heatmaps of {scene.name}", unit="frames"):
            batch = torch.from_numpy(np.array(images))[None].to(fabric.device)
            yield image_heatmaps(backbone, batch, runner(fabric))[0].cpu().numpy()


def _load(parameters: Parameters, checkpoints: Sequence[Path]) -> "Predictor":
    fabric = start_fabric(parameters.compute, devices=1)
    trained, where = merged_checkpoint(checkpoints), names_of(checkpoints)
    networks, skeleton = trained.networks, trained.skeleton
    lifting = build_lifting(parameters, ("root", "pose"), skeleton)
    load_network(lifting.root_net, networks, "root", where)
    load_network(lifting.pose_net, networks, "pose", where)
    lifting = lifting.to_evaluation(fabric.device)
    backbone = None
    if parameters.heatmaps.source == "backbone":
        backbone = build_backbone(parameters.networks, skeleton)
        load_network(backbone, networks, "backbone", where)
        backbone = folded(backbone).to(fabric.device)
    heatmaps = parameters.heatmaps
    return Predictor(
        fabric.device,
        runner(fabric),
        lifting,
        backbone,
        parameters.inference,
        heatmaps.stride,
        heatmaps.sigma,
    )


@dataclass
class Predictor:
    """The networks of a trained method, ready to predict the people of scenes."""

    device: torch.device
    run: Runner
    lifting: Lifting
    backbone: Backbone | None
    settings: Inference
    stride: int
    sigma: float

    def predict(self, scene: Scene, labels: Views | None) -> dict[tuple[str, int], People3D]:
        """People by (sequence, frame)."""
        people = None if labels is None else scene_people(scene, labels)
        if people is not None:
            what = f"the networks and the labels of {scene.name}"
            common_skeleton([self.lifting.skeleton, people.skeleton], what)
        if self.backbone is None and people is None:
            raise ValueError("heatmaps.source is 'estimator': the scene's 2D people are needed")
        cameras = scene.network_cameras()
        rig = Rig.from_cameras([cameras]).to(self.device)
        size = self.settings.batch_size
        numbers = range(len(scene.frames))
        batches = [numbers[i : i + size] for i in range(0, len(numbers), size)]
        found: dict[tuple[str, int], People3D] = {}
        for batch in track(batches, f"predicting {scene.name}", unit="batches"):
            predicted = self._frames(scene, cameras, rig, people, list(batch))
            for f, people3d in zip(batch, predicted, strict=True):
                found[scene.name, scene.frames[f]] = people3d
        return found

    def _frames(
        self,
        scene: Scene,
        cameras: Sequence[Camera],
        of_frame: Rig,
        people: ScenePeople | None,
        numbers: list[int],
    ) -> list[People3D]:
        rig = Rig.joined([of_frame] * len(numbers))
        affines = torch.eye(2, 3, device=self.device).expand(len(numbers), 2, 3)
        heatmaps = self._heatmaps(scene, people, numbers)
        proposals = self.lifting.find_roots(heatmaps, rig, affines, self.run)
        joints = proposals.centres[:, None].expand(-1, heatmaps.shape[2], -1)
        if len(proposals.centres) and not self.settings.roots_only:
            volumes = self.lifting.body_evidence(
                heatmaps, rig, affines, proposals.counts, proposals.centres
            )
            joints = self.run(self.lifting.pose_net, volumes, proposals.centres)
        ends = np.cumsum(proposals.counts)[:-1]
        found = np.split(joints.double().cpu().numpy(), ends)
        scores = np.split(proposals.scores.double().cpu().numpy(), ends)
        return [
            self._finish(
                cameras,
                found[b],
                scores[b],
                heatmaps[b],
                None if people is None else (people.points[f], people.scores[f]),
            )
            for b, f in enumerate(numbers)
        ]

    def _heatmaps(self, scene: Scene, people: ScenePeople | None, numbers: list[int]) -> Tensor:
        """(B, V, J, h, w)."""
        if self.backbone is not None:
            images = torch.from_numpy(np.array(scene.network_frames[numbers]))
            return image_heatmaps(self.backbone, to_device(images, self.device), self.run)
        assert people is not None
        points = to_device(torch.from_numpy(people.points[numbers]), self.device)
        scores = to_device(torch.from_numpy(people.scores[numbers]), self.device)
        return people_heatmaps(points, scores, None, scene.network_size, self.stride, self.sigma)

    def _finish(
        self,
        cameras: Sequence[Camera],
        joints: NDArray[np.float64],
        scores: NDArray[np.float64],
        heatmaps: Tensor,
        people: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    ) -> People3D:
        """Refine the people of one frame and drop duplicates."""
        settings = self.settings
        if settings.refine and len(joints):
            if self.backbone is None and people is not None:
                evidence = people_evidence(cameras, joints, *people)
            else:
                evidence = heatmap_evidence(
                    cameras, joints, heatmaps, self.stride, settings.refine_radius
                )
            joints, support, views = refine_joints(cameras, joints, evidence, settings.prior_weight)
            real = np.median(views, axis=-1) >= settings.min_views
            joints, scores = joints[real], (scores * support / (support + 1))[real]
        keep = distinct_people(joints, scores, settings.duplicate_distance)
        return People3D.predicted(joints[keep], scores[keep], self.lifting.skeleton)

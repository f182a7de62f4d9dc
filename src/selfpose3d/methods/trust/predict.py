"""Inference with trust_net: labels associated across views, then triangulated with learnt weights.

Shapes: P people, V views, J joints.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from selfpose3d.detection.scene_people import read_labels
from selfpose3d.files.checkpoints import load_network, merged_checkpoint, names_of
from selfpose3d.files.poses2d import Views, skeleton_of
from selfpose3d.files.poses3d import People3D
from selfpose3d.files.scenes import Scene, read_scene
from selfpose3d.methods.entry import PredictionInputs
from selfpose3d.methods.trust.trust_net import Sightings, TrustNet, mirrored, mirrored_joints
from selfpose3d.parameters import Networks, TrainingFree
from selfpose3d.progress import track
from selfpose3d.reconstruction.training_free import (
    Association,
    associate,
    completed,
    detections_by_frame,
)
from selfpose3d.skeletons import Skeleton, common_skeleton
from selfpose3d.training.devices import start_fabric


def build_trust_net(networks: Networks, skeleton: Skeleton) -> TrustNet:
    """trust_net of a skeleton as the parameters describe it, with random weights."""
    return TrustNet(skeleton, networks.trust_width, networks.trust_layers)


def predict(inputs: PredictionInputs) -> dict[tuple[str, int], People3D]:
    """The 3D people of every frame of the scenes, world mm, best first, by (sequence, frame).

    Who is there, and the score, are the training-free reconstruction's; the joints are trust_net's.
    """
    assert inputs.labels is not None
    device = start_fabric(inputs.parameters.compute, devices=1).device
    trained = merged_checkpoint(inputs.checkpoints)
    trust_net = build_trust_net(inputs.parameters.networks, trained.skeleton)
    load_network(trust_net, trained.networks, "trust", names_of(inputs.checkpoints))
    trust_net.to(device).eval()
    people: dict[tuple[str, int], People3D] = {}
    with torch.inference_mode():
        for scene in map(read_scene, inputs.scenes):
            views = read_labels(inputs.labels, scene)
            people |= _of_scene(trust_net, scene, views, inputs.parameters.training_free, device)
    return people


def _of_scene(
    trust_net: TrustNet,
    scene: Scene,
    labels: Views,
    settings: TrainingFree,
    device: torch.device,
) -> dict[tuple[str, int], People3D]:
    people = {}
    what = f"trust_net and the labels of {scene.name}"
    common_skeleton([trust_net.skeleton, skeleton_of(labels, what)], what)
    frames = list(detections_by_frame(scene, labels).items())
    for frame, detections in track(frames, f"predicting {scene.name}", unit="frames"):
        found = associate(detections, settings)
        joints = trusted_joints(trust_net, found, device)
        people[scene.name, frame] = completed(found, joints, settings.min_views)
    return people


def trusted_joints(
    trust_net: TrustNet, found: Association, device: torch.device
) -> NDArray[np.float64]:
    """(P, J, 3) mm of the associated people: the mean of a plain and a mirrored answer."""
    if not len(found.joints):
        return found.joints
    sightings = Sightings(*(part.to(device) for part in sightings_of(found)))
    skeleton = trust_net.skeleton
    plain = trust_net(sightings)
    turned = trust_net(mirrored(sightings, skeleton))
    joints = (plain + mirrored_joints(turned, skeleton)) / 2
    moved: NDArray[np.float64] = joints.double().cpu().numpy() + cameras_mean(found)
    return moved


def sightings_of(found: Association) -> Sightings:
    """Associated people for trust_net: float32, mm from the cameras' mean."""
    origin = cameras_mean(found)
    centres = found.detections.centres - origin
    parts = (
        np.broadcast_to(centres, (len(found.joints), *centres.shape)),
        found.directions,
        found.confidences,
        found.joints - origin,
    )
    return Sightings(*(torch.from_numpy(np.array(part, dtype=np.float32)) for part in parts))


def cameras_mean(found: Association) -> NDArray[np.float64]:
    """(3,) mm."""
    mean: NDArray[np.float64] = found.detections.centres.mean(0)
    return mean

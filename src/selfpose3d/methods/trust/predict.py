"""Inference with trust_net: labels associated across views, then triangulated with learnt weights.

Shapes: P people, V views, J joints.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from selfpose3d.files.checkpoints import load_network, merged_networks
from selfpose3d.files.poses2d import Views
from selfpose3d.files.poses3d import People3D
from selfpose3d.files.scenes import Scene
from selfpose3d.methods.trust.trust_net import Sightings, TrustNet, mirrored, mirrored_joints
from selfpose3d.parameters import Networks, Parameters
from selfpose3d.progress import track
from selfpose3d.reconstruction.training_free import (
    Association,
    associate,
    completed,
    detections_by_frame,
)
from selfpose3d.training.devices import start_fabric


def build_trust_net(networks: Networks) -> TrustNet:
    """trust_net as the parameters describe it, with random weights."""
    return TrustNet(networks.trust_width, networks.trust_layers)


def trust_scene(
    parameters: Parameters, scene: Scene, labels: Views, checkpoints: Sequence[Path]
) -> dict[tuple[str, int], People3D]:
    """The 3D people of every frame of a scene.

    Args:
        parameters: what ``training.reads.READS["predict_trust"]`` lists.
        scene: any rig.
        labels: people by (frame, camera name), Panoptic-15, pixels of the stored frames.
        checkpoints: of the training stages, the latest last.

    Returns:
        People by (sequence, frame), world mm, best first. Who is there, and the score, are the
        training-free reconstruction's; the joints are trust_net's.
    """
    device = start_fabric(parameters.compute, devices=1).device
    trust_net = build_trust_net(parameters.networks)
    where = ", ".join(str(path) for path in checkpoints)
    load_network(trust_net, merged_networks(checkpoints), "trust", where)
    trust_net.to(device).eval()
    settings = parameters.training_free
    people = {}
    frames = list(detections_by_frame(scene, labels).items())
    with torch.inference_mode():
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
    plain = trust_net(sightings)
    joints = (plain + mirrored_joints(trust_net(mirrored(sightings)))) / 2
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

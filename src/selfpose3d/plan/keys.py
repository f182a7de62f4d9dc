"""What a node's id is made of: a readable name, and a key of all that its result depends on."""

import hashlib
import json
from pathlib import Path
from typing import Any

from selfpose3d.plan.code_versions import Code, code_versions
from selfpose3d.training.reads import READS as TRAINING_READS

READS: dict[str, tuple[str, ...]] = {
    "studio": ("studio",),
    "scenes": ("data",),
    "panoptic": ("panoptic",),
    "videos": ("videos",),
    "footage": ("footage.name", "footage.every", "footage.stored_size"),
    "detections": (
        "estimator",
        "labels.person_score",
        "labels.joint_score",
        "labels.min_joints",
        "training_free",
    ),
    "labels": ("labels",),
    "reconstructions": ("training_free",),
    **TRAINING_READS,
}
"""The parts of the parameters that each kind of node reads."""
_STAGES = "selfpose3d.methods.voxels.stages"
_SUPERVISED = "selfpose3d.methods.voxels.supervised"
ROOTS: dict[str, tuple[str, ...]] = {
    "studio": ("selfpose3d.studio.bodies", "selfpose3d.studio.sequence"),
    "panoptic": ("selfpose3d.sources.panoptic",),
    "videos": ("selfpose3d.sources.videos",),
    "footage": ("selfpose3d.sources.pose2sim_demo",),
    "refined": ("selfpose3d.pipeline:refine_scene",),
    "detections": ("selfpose3d.pipeline:detect_people",),
    "labels": ("selfpose3d.pipeline:label_sequences",),
    "reconstructions": ("selfpose3d.pipeline:reconstruct_sequences",),
    "backbone": (f"{_STAGES}:train_backbone",),
    "root": (f"{_STAGES}:train_root",),
    "bodies": (f"{_STAGES}:train_bodies",),
    "pose_l2": (f"{_STAGES}:train_pose",),
    "pose_l1": (f"{_STAGES}:train_pose",),
    "finetune": (f"{_STAGES}:train_pose",),
    "supervised_root": (f"{_SUPERVISED}:train_supervised_root",),
    "supervised_pose": (f"{_SUPERVISED}:train_supervised_pose",),
    "trust": ("selfpose3d.methods.trust.stage",),
    "predict": ("selfpose3d.methods.voxels.predict",),
    "predict_trust": ("selfpose3d.methods.trust.predict",),
    "join": ("selfpose3d.pipeline:join_predictions",),
}
"""Where the code of each kind of node begins (``plan.closures``); its version is in the lock file
(``plan.code_versions``) and part of the key, so that no older result passes for a new one."""
LEFT_OUT: dict[str, str] = {
    "selfpose3d.errors": "It says what went wrong; a step that fails has no result.",
    "selfpose3d.progress": "It only tells how far a step is.",
    "selfpose3d.parameters": "The values that a step reads are in its key.",
    "selfpose3d.training.reads": "It lists what is read of the parameters, which is in the key.",
    "selfpose3d.fetch": "What it brings is checked by SHA-256, or is what the host has.",
}
"""The modules that can't change a result, each with the reason; names of packages stand for all in
them."""


def own_code() -> Code:
    """The code of this package, and where that of each kind of node begins."""
    return Code(Path(__file__).parents[1], ROOTS, LEFT_OUT)


def node_id(kind: str, name: str, *depends_on: Any) -> str:
    """``name`` and a key of what a node depends on, the version of its kind's code included.

    Args:
        kind: of ``ROOTS``; a kind that the lock file doesn't have is of version 1.
        name: readable, what the id begins with.
        depends_on: as JSON holds it.
    """
    text = json.dumps([code_versions().get(kind, 1), *depends_on], sort_keys=True)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

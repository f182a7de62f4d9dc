"""The user's own files that nodes are made of, by the parameters of each node: an experiment may
name others than the base parameters do."""

from collections.abc import Sequence
from pathlib import PurePath

from selfpose3d.parameters import partial
from selfpose3d.plan.nodes import (
    DetectionsNode,
    ExperimentNode,
    Node,
    Plan,
    SceneNode,
    WeightsNode,
)
from selfpose3d.sources import SOURCES
from selfpose3d.sources.entry import files_at, named_files

RIGS = "config/rigs"
"""The folder of rigs that come with the code: git and DVC watch it by itself."""


def files_of_plan(plan: Plan) -> set[str]:
    """The user's own files of all nodes of a plan."""
    files = [
        *map(files_of_rendered, plan.hosts.values()),
        *map(files_of_scene, plan.scenes.values()),
        *map(files_of_weights, plan.weights.values()),
        *map(files_of_detections, plan.detections.values()),
        *map(files_of_experiment, plan.experiments.values()),
    ]
    return {path for each in files for path in each}


def files_of_rendered(host: Node) -> list[str]:
    """The rig that a sequence is rendered with, unless it comes with the code."""
    rig = host.parameters.get("studio", {}).get("rig")
    return [rig] if rig and not PurePath(rig).is_relative_to(RIGS) else []


def files_of_scene(scene: SceneNode) -> Sequence[str]:
    """The user's own files that a sequence is made of."""
    return SOURCES[scene.source].files(partial(scene.parameters), scene.sequence, scene.split)


def files_of_weights(weights: WeightsNode) -> list[str]:
    """The files that weights are taken from, if a folder or a ``file://`` address is named."""
    source = weights.source or ""
    return files_at(source, "*") if "://" in source else named_files([source], "")


def files_of_detections(detections: DetectionsNode) -> list[str]:
    """The user's own files that an estimator reads. A file whose path holds the scene's id is made
    by the workflow, and is none of them."""
    read = files_read(detections)
    return [] if any(detections.scene.id in path for path in read) else read


def files_read(detections: DetectionsNode) -> list[str]:
    """All files that an estimator reads instead of looking at images."""
    named = detections.parameters["estimator"].get("files")
    return named_files([named], detections.scene.sequence)


def files_of_experiment(experiment: ExperimentNode) -> list[str]:
    """The 3D people of each scene, where the experiment reads such."""
    named = experiment.parameters.get("inference", {}).get("people")
    return [named.replace("{sequence}", s.sequence) for s in experiment.scenes] if named else []

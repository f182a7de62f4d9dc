"""The user's own files that nodes are made of, by the parameters of each node: an experiment may
name others than the base parameters do."""

from collections.abc import Sequence

from selfpose3d.parameters import partial
from selfpose3d.plan.nodes import DetectionsNode, SceneNode
from selfpose3d.sources import SOURCES
from selfpose3d.sources.entry import named_files


def files_of_scene(scene: SceneNode) -> Sequence[str]:
    """Those that a sequence is made of."""
    return SOURCES[scene.source].files(partial(scene.parameters), scene.sequence, scene.split)


def files_of_detections(detections: DetectionsNode) -> list[str]:
    """Those that an estimator reads; a file that the scene's id names is made by the workflow."""
    read = files_read(detections)
    return [] if any(detections.scene.id in path for path in read) else read


def files_read(detections: DetectionsNode) -> list[str]:
    """All files that an estimator reads instead of looking at images."""
    named = detections.parameters["estimator"].get("files")
    return named_files([named], detections.scene.sequence)

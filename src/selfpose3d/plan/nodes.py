"""The nodes of the graph, and the plan that holds them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from selfpose3d.sources.entry import Split


@dataclass(frozen=True)
class Node:
    """A node of the graph.

    Args:
        id: readable name and key; also its folder's name.
        parameters: the parts of the parameters that its result depends on.
    """

    id: str
    parameters: Mapping[str, Any]

    @property
    def key(self) -> str:
        """A key of all that the node depends on, whatever its name."""
        return self.id.rpartition("-")[2]

    @property
    def parameters_json(self) -> str:
        """The parameters as one line of JSON, as a command takes them."""
        return json.dumps(self.parameters, sort_keys=True)


@dataclass(frozen=True)
class SceneNode(Node):
    """One sequence from one source at one size.

    Args:
        sequence: its name.
        split: "train" or "test"; "test" where nobody learns from it.
        source: its name in the table of sources.
        host: what is rendered for it, where the source renders.
        refined_from: the reconstruction that its cameras are refitted with.
    """

    sequence: str
    split: Split
    source: str
    host: Node | None = None
    refined_from: "ReconstructionsNode | None" = None


@dataclass(frozen=True)
class WeightsNode(Node):
    """Weights that are fetched.

    Args:
        name: in the table of weights.
        source: the address or folder that is named in their host's place.
    """

    name: str
    source: str | None = None


@dataclass(frozen=True)
class DetectionsNode(Node):
    """The 2D people that the estimator finds in a sequence.

    Args:
        scene: the sequence.
        weights: of the estimator, if it has any.
    """

    scene: SceneNode
    weights: WeightsNode | None


@dataclass(frozen=True)
class RigCheckNode(Node):
    """The check of a sequence's cameras by its 2D people, before anything is made of them."""

    detections: DetectionsNode


@dataclass(frozen=True)
class LabelsNode(Node):
    """The 2D people of some sequences that others learn from.

    Args:
        kind: soft, hard or consensus.
        detections: of each sequence.
        people: the reconstruction, of soft labels, that consensus labels are made with.
    """

    kind: str
    detections: tuple[DetectionsNode, ...]
    people: "ReconstructionsNode | None" = None

    @property
    def scenes(self) -> tuple[SceneNode, ...]:
        """The sequences."""
        return tuple(each.scene for each in self.detections)

    @property
    def data_title(self) -> str:
        """The source, the studio's rig, and how many cameras where not all are used."""
        scene = self.scenes[0]
        parts = [scene.source]
        if scene.host and "studio" in scene.host.parameters:
            parts.append(PurePath(scene.host.parameters["studio"]["rig"]).stem)
        cameras = scene.parameters.get("data", {}).get("cameras")
        return " ".join(parts) + (f", {len(cameras)} cameras" if cameras else "")


@dataclass(frozen=True)
class ReconstructionsNode(Node):
    """The training-free 3D people of labels."""

    labels: LabelsNode


@dataclass(frozen=True)
class StageNode(Node):
    """One training stage.

    Args:
        stage: its name in ``methods.STAGES``.
        labels: it learns from.
        reconstructions: of the training labels, where it is given them.
        start: ids of the stages whose checkpoints it starts from, in training order.
        threads: of its process.
        weights: that it starts from, if any.
    """

    stage: str
    labels: LabelsNode
    reconstructions: ReconstructionsNode | None
    start: tuple[str, ...]
    threads: int
    weights: WeightsNode | None


@dataclass(frozen=True)
class ExperimentNode(Node):
    """One experiment with one seed.

    Args:
        name: as in the parameters.
        seed: of its training.
        title: as printed in tables.
        method: its name in the table of methods.
        settings: the dotted settings that make it.
        test_on: the dotted settings of the data that it is tested on, where they are others.
        labels: of the test sequences.
        reconstructions: of these labels.
        stages: its training stages, in order.
        resolved: all parameters with its overrides, as it was trained.
        has_truth: its test sequences come with 3D truth.
        parts: the experiments whose people it joins.
    """

    name: str
    seed: int
    title: str
    method: str
    settings: Mapping[str, Any]
    test_on: Mapping[str, Any]
    labels: LabelsNode
    reconstructions: ReconstructionsNode
    stages: tuple[StageNode, ...]
    resolved: Mapping[str, Any]
    has_truth: bool
    parts: tuple["ExperimentNode", ...] = ()

    @property
    def runs_networks(self) -> bool:
        """Whether it makes its predictions with networks, and not out of what is there."""
        return bool(self.stages) and not self.parts

    @property
    def scenes(self) -> tuple[SceneNode, ...]:
        """The test sequences."""
        return self.labels.scenes

    @property
    def data_key(self) -> str:
        """The keys of the test sequences, which tell one experiment's data from another's."""
        return "-".join(scene.key for scene in self.scenes)


@dataclass
class Plan:
    """All nodes by id, the experiments of each name (one per seed), and each table's by row.

    ``refused`` says why an experiment can't be run with these parameters and data; ``shared`` are
    labels by what they are made of.
    """

    hosts: dict[str, Node] = field(default_factory=dict)
    scenes: dict[str, SceneNode] = field(default_factory=dict)
    weights: dict[str, WeightsNode] = field(default_factory=dict)
    detections: dict[str, DetectionsNode] = field(default_factory=dict)
    rig_checks: dict[str, RigCheckNode] = field(default_factory=dict)
    labels: dict[str, LabelsNode] = field(default_factory=dict)
    reconstructions: dict[str, ReconstructionsNode] = field(default_factory=dict)
    stages: dict[str, StageNode] = field(default_factory=dict)
    experiments: dict[str, ExperimentNode] = field(default_factory=dict)
    by_name: dict[str, tuple[ExperimentNode, ...]] = field(default_factory=dict)
    tables: dict[str, tuple[tuple[ExperimentNode, ...], ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    footage: ReconstructionsNode | None = None
    shared: dict[tuple[str, str, str], LabelsNode] = field(
        default_factory=dict, repr=False, compare=False
    )

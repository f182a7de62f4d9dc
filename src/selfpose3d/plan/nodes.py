"""The nodes of the graph, and the plan that holds them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

SUPERVISED_STAGES: tuple[str, ...] = ("supervised_root", "supervised_pose")
"""They alone are given the 3D truth of the training sequences."""


@dataclass(frozen=True)
class Node:
    """A node of the graph.

    Args:
        id: readable name and key; also its folder's name.
        parameters: the parts of the parameters it reads.
    """

    id: str
    parameters: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What the node depends on, whatever its name."""
        return self.id.rpartition("-")[2]

    @property
    def parameters_json(self) -> str:
        """The parameters as one line of JSON, as a command takes them."""
        return json.dumps(self.parameters, sort_keys=True)


@dataclass(frozen=True)
class Dataset(Node):
    """Sequences from one source at one size.

    Args:
        source: as in the parameters.
        train: names of the training sequences.
        test: names of the test sequences.
        host: the studio node that renders them.
        refined_from: id of the reconstruction that its cameras are refitted with.
    """

    source: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    host: Node | None
    refined_from: str | None = None

    @property
    def sequences(self) -> tuple[str, ...]:
        """All of them, training first."""
        return (*self.train, *self.test)

    @property
    def title(self) -> str:
        """The source, the studio's rig, and how many cameras where not all are used."""
        parts = [self.source]
        if self.host:
            parts.append(PurePath(self.host.parameters["studio"]["rig"]).stem)
        cameras = self.parameters["data"]["cameras"]
        return " ".join(parts) + (f", {len(cameras)} cameras" if cameras else "")


@dataclass(frozen=True)
class Detections(Node):
    """What the 2D estimator sees in a data set."""

    dataset: Dataset


@dataclass(frozen=True)
class Labels(Node):
    """What a filter kept of the detections."""

    kind: str
    detections: Detections


@dataclass(frozen=True)
class Reconstructions(Node):
    """The training-free 3D people of labels."""

    labels: Labels


@dataclass(frozen=True)
class Stage(Node):
    """One training stage.

    Args:
        stage: one of ``STAGES_OF``.
        labels: it learns from.
        reconstructions: of the training labels: bodies to learn from, and to check the space.
        start: ids of the stages whose checkpoints it starts from, in training order.
        threads: of its process.
    """

    stage: str
    labels: Labels
    reconstructions: Reconstructions | None
    start: tuple[str, ...]
    threads: int

    @property
    def supervised(self) -> bool:
        """Whether it is given the 3D truth of the training sequences."""
        return self.stage in SUPERVISED_STAGES


@dataclass(frozen=True)
class Experiment(Node):
    """One experiment with one seed.

    Args:
        name: as in the parameters.
        seed: of its training.
        title: as printed in tables.
        method: "selfpose3d", "voxelpose", "trust", "training_free" or "joined".
        settings: the dotted settings that make it.
        test_on: the dotted settings of the data that it is tested on, where they are others.
        labels: of the tested data; what it looks at when its heatmaps come from the estimator.
        reconstructions: of these; its predictions, where it is training-free.
        stages: its training stages, in order.
        resolved: all parameters with its overrides, as it was trained.
        parts: the experiments whose people it joins.
    """

    name: str
    seed: int
    title: str
    method: str
    settings: Mapping[str, Any]
    test_on: Mapping[str, Any]
    labels: Labels
    reconstructions: Reconstructions
    stages: tuple[Stage, ...]
    resolved: Mapping[str, Any]
    parts: tuple["Experiment", ...] = ()

    @property
    def runs_networks(self) -> bool:
        """Whether it makes its predictions with networks, and not out of what is there."""
        return bool(self.stages) and not self.parts

    @property
    def dataset(self) -> Dataset:
        """The data it is tested on; that of its stages, unless ``test_on`` names others."""
        return self.labels.detections.dataset

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The sequences it learnt from, if it learnt."""
        sequences = [stage.labels.detections.dataset.train for stage in self.stages]
        return tuple(dict.fromkeys(name for names in sequences for name in names))


@dataclass
class Plan:
    """All nodes by id, the experiments of each name (one a seed), and each table's by row."""

    hosts: dict[str, Node] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    detections: dict[str, Detections] = field(default_factory=dict)
    labels: dict[str, Labels] = field(default_factory=dict)
    reconstructions: dict[str, Reconstructions] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    by_name: dict[str, tuple[Experiment, ...]] = field(default_factory=dict)
    tables: dict[str, tuple[tuple[Experiment, ...], ...]] = field(default_factory=dict)
    footage: Reconstructions | None = None

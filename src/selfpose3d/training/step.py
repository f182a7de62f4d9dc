"""The protocol of a training step."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from selfpose3d.training.devices import runner


class DivergedError(RuntimeError):
    """A step saw that training can't go on; the loop adds the where.

    Args:
        seen: what was seen.
        bearing: the parameters that bear on it.
    """

    def __init__(self, seen: str, bearing: str) -> None:
        super().__init__(seen)
        self.seen, self.bearing = seen, bearing
        self.iteration: int | None = None
        """The iteration in which it was seen, where that is not the current one."""


class Sealed:
    """A batch that Fabric hands to the step as it is: it would round the tensors of an open one
    to the mixed precision, the cameras and labels among them.

    Args:
        batch: what the step's ``losses`` takes.
    """

    def __init__(self, batch: Any) -> None:
        self.batch = batch


class Step(nn.Module):
    """One stage's training step: a batch in, its weighted loss terms out.

    Sub-classes set ``trained`` and ``frozen`` (networks by name) and implement ``losses``.
    Geometry and losses run in full precision; ``run`` lets a network use the mixed one.
    """

    def __init__(
        self, fabric: Fabric, trained: Mapping[str, nn.Module], frozen: Mapping[str, nn.Module]
    ) -> None:
        super().__init__()
        self.fabric = fabric
        self.run = runner(fabric)
        self.trained = nn.ModuleDict(dict(trained))
        self.frozen = nn.ModuleDict(dict(frozen))
        self.frozen.requires_grad_(False)
        self.watched: dict[str, Tensor] = {}
        """What ``judge`` looks at, set anew by each ``losses``; on the device."""

    def train(self, mode: bool = True) -> "Step":
        """Frozen networks stay in evaluation mode."""
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, sealed: "Sealed") -> dict[str, Tensor]:
        """The loss terms, geometry in full precision whatever the precision of the networks."""
        with torch.autocast(self.fabric.device.type, enabled=False):
            return self.losses(sealed.batch)

    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Loss terms by name, each already weighted; their sum is what is minimised."""
        raise NotImplementedError

    def judge(self, watched: Mapping[str, float]) -> None:
        """Look at what an iteration had in ``watched``, a few iterations later.

        Raises:
            DivergedError: training can't go on.
        """

    def groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Optimizer groups with their base learning rates."""
        parameters = [p for p in self.trained.parameters() if p.requires_grad]
        return [{"params": parameters, "base": learning_rate, "lr": learning_rate}]

"""The state from which a run goes on after it was killed, and its curves."""

import math
import time
from collections.abc import Mapping

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from selfpose3d.errors import InputError
from selfpose3d.files.checkpoints import read_state, write_checkpoint, write_state
from selfpose3d.files.results import write_curves, write_divergence
from selfpose3d.progress import tell
from selfpose3d.training.runs import Run
from selfpose3d.training.step import DivergedError, Step

BROKEN = "broken"
"""Among what is watched: 1 from the first loss on that is not finite."""
CURVE_POINTS = 500
"""Rows of curves.csv at most (about)."""


class State:
    """The state from which a run goes on, and its curves."""

    def __init__(
        self, run: Run, model: Step, optimizer: torch.optim.Optimizer, fabric: Fabric
    ) -> None:
        self.run, self.model, self.optimizer, self.fabric = run, model, optimizer, fabric
        self.unread: list[tuple[int, float, dict[str, Tensor], dict[str, Tensor]]] = []
        self.rows: list[dict[str, float]] = []
        self.window: list[dict[str, float]] = []
        self.reached = run.iterations
        self.spent = 0.0
        self.since = time.monotonic()

    def restore(self) -> int:
        """Load ``resume.pt`` if it is of this very run; the iteration to go on with."""
        if not self.run.resume.exists():
            return 0
        try:
            state = read_state(self.run.resume)
        except InputError as error:
            return self._from_the_start(str(error))
        if state.get("fingerprint") != self.run.fingerprint:
            return self._from_the_start(
                f"{self.run.resume} is of another run: the parameters, the data or the checkpoints "
                "that the stage starts from have changed since"
            )
        self.model.trained.load_state_dict(state["networks"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self.rows, self.window, self.spent = state["rows"], state["window"], state["seconds"]
        return int(state["iteration"])

    def _from_the_start(self, reason: str) -> int:
        """Say why a saved state is not used."""
        tell(f"{self.run.stage}: starts from iteration 0. {reason}")
        return 0

    def save(self, iteration: int) -> None:
        """Write ``resume.pt`` after ``iteration`` iterations, whole or not at all."""
        if not self.fabric.is_global_zero:
            return
        write_state(
            self.run.resume,
            {
                "fingerprint": self.run.fingerprint,
                "iteration": iteration,
                "networks": self.model.trained.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "precision": self.fabric.strategy.precision.state_dict(),
                "rows": self.rows,
                "window": self.window,
                "seconds": self.seconds(),
            },
        )

    def seconds(self) -> float:
        """Spent in the loop, runs before a restart included."""
        return self.spent + time.monotonic() - self.since

    def record(
        self, iteration: int, losses: Mapping[str, Tensor], watched: Mapping[str, Tensor]
    ) -> None:
        """Keep an iteration's losses, and what its step watches, where they are."""
        kept = {name: value.detach() for name, value in losses.items()}
        self.unread.append((iteration, self.seconds(), kept, dict(watched)))

    def read(self) -> None:
        """Bring what was recorded to the host and judge it.

        Raises:
            DivergedError: of the first iteration that went wrong.
        """
        unread, self.unread = self.unread, []
        values = torch.stack(
            [value for _, _, *parts in unread for part in parts for value in part.values()]
        ).tolist()
        numbers = iter(values)
        for iteration, seconds, losses, watched in unread:
            read = {name: next(numbers) for name in losses}
            seen = {name: next(numbers) for name in watched}
            try:
                if seen[BROKEN]:
                    raise _not_finite(read)
                self.model.judge(seen)
            except DivergedError as problem:
                problem.iteration = iteration
                raise
            self._add(iteration, seconds, read)

    def _add(self, iteration: int, seconds: float, losses: dict[str, float]) -> None:
        """A row of the curves is the mean of a few iterations."""
        self.window.append(losses)
        if len(self.window) >= math.ceil(self.run.iterations / CURVE_POINTS):
            row = {"iteration": float(iteration + 1), "seconds": round(seconds, 3)}
            for name in self.window[0]:
                row[name] = float(np.mean([losses[name] for losses in self.window]))
            self.rows.append(row)
            self.window = []

    def keep(self, problem: DivergedError, iteration: int) -> bool:
        """Whether the stage ends here with the weights it has, or, if these are not finite, with
        the last saved ones; what happened is then written to ``diverged.json``."""
        if self.run.settings.on_divergence == "stop" or self.fabric.world_size > 1:
            return False
        self.reached = iteration
        if not self._finite():
            self.reached = self.restore()
            if self.reached == 0 or not self._finite():
                return False
        write_divergence(self.run.out, iteration, problem.seen, self.reached)
        return True

    def _finite(self) -> bool:
        weights = self.model.trained.state_dict().values()
        return all(bool(torch.isfinite(each).all()) for each in weights)

    def finish(self) -> None:
        """Write ``curves.csv`` and ``checkpoint.pt``, then drop ``resume.pt``."""
        if not self.fabric.is_global_zero:
            return
        write_curves(self.run.out, self.rows)
        networks = {name: net.state_dict() for name, net in self.model.trained.items()}
        facts = {"stage": self.run.stage, "iterations": self.reached, "seed": self.run.seed}
        everything = {**self.run.carried, **networks}
        write_checkpoint(self.run.checkpoint, everything, self.run.skeleton, facts)
        self.run.resume.unlink(missing_ok=True)


def _not_finite(losses: Mapping[str, float]) -> DivergedError:
    terms = ", ".join(f"{name} = {value:.4g}" for name, value in losses.items())
    return DivergedError(
        f"the loss is not finite ({terms})", "learning_rate, batch_size, precision"
    )

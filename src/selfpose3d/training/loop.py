"""The training loop that all stages share: repeatable, resumable, watched.

Everything random in iteration i comes from (seed, stage, i), so a loop that goes on from
``resume.pt`` does what an undisturbed one would have done, bit for bit.
"""

import math
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from selfpose3d.errors import InputError, TrainingDivergedError
from selfpose3d.files.checkpoints import read_state, write_checkpoint, write_state
from selfpose3d.files.results import forget_divergence, write_curves, write_divergence
from selfpose3d.parameters import StageSettings
from selfpose3d.progress import track
from selfpose3d.seeds import stage_rng
from selfpose3d.training.runs import Run
from selfpose3d.training.state import BROKEN, CURVE_POINTS, _not_finite
from selfpose3d.training.step import DivergedError, Sealed, Step

WARM_UP = 20
"""Iterations over which the cosine schedule's learning rate rises."""
READ_EVERY = 10
"""Iterations after which losses are read from the device: reading waits for it."""


@contextmanager
def repeatable(seed: int, stage: str, threads: int) -> Iterator[None]:
    """Deterministic kernels, the stage's threads, and weights drawn from its seed."""
    before = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.manual_seed(int(stage_rng(seed, stage).integers(2**31)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)
        torch.use_deterministic_algorithms(deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]


def learning_rate_factor(settings: StageSettings, iteration: int, iterations: int) -> float:
    """What the base learning rate is multiplied by in an iteration."""
    share = iteration / iterations
    if settings.schedule == "step":
        return float(0.1 ** sum(share >= milestone for milestone in settings.milestones))
    if settings.schedule == "cosine":
        warm_up = min(1.0, (iteration + 1) / WARM_UP)
        return warm_up * (0.5 * (1 + math.cos(math.pi * share)) + 0.01)
    return 1.0


Draw = Callable[[int, np.random.Generator], Any]
"""(Number of the batch, its generator) to a batch on the fabric's device. The batch depends on
these two alone, so that it can be drawn ahead; one thread draws at a time."""


def train(run: Run, model: Step, fabric: Fabric, draw: Draw) -> None:
    """Run a stage from its start, or from ``resume.pt``, to ``checkpoint.pt``.

    Args:
        run: what and where.
        model: the training step.
        fabric: from ``inference.devices.start_fabric``.
        draw: makes the batches.

    Raises:
        TrainingDivergedError: on a loss that is not finite, or what the step itself watches,
            unless the stage is to keep what it has by then (``on_divergence``).
    """
    for _ in iterate(run, model, fabric, draw):
        pass


def iterate(run: Run, model: Step, fabric: Fabric, draw: Draw) -> Iterator[int]:
    """``train`` one iteration at a time, each yielded when it is done, for whoever times them."""
    optimizer = torch.optim.Adam(model.groups(run.settings.learning_rate), fused=True)
    wrapped, wrapped_optimizer = fabric.setup(model, optimizer)
    state = State(run, model, optimizer, fabric)
    broken = torch.zeros((), device=fabric.device)
    start = state.restore()
    forget_divergence(run.out)
    model.train()
    iterations = range(start, run.iterations)
    with closing(drawn(run, fabric, draw, iterations)) as batches:
        for iteration in track(iterations, run.stage, unit="iterations"):
            factor = learning_rate_factor(run.settings, iteration, run.iterations)
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * factor
            number = _number(fabric, iteration)
            torch.manual_seed(int(stage_rng(run.seed, run.stage, number, 1).integers(2**31)))
            try:
                losses = wrapped(Sealed(next(batches)))
                total = torch.stack(list(losses.values())).sum()
                broken = _spread(fabric, torch.maximum(broken, (~torch.isfinite(total)).float()))
                optimizer.found_inf = broken  # type: ignore[attr-defined]  # steps do nothing then
                wrapped_optimizer.zero_grad()
                if total.requires_grad:
                    fabric.backward(total)
                    wrapped_optimizer.step()
                state.record(iteration, losses, {**model.watched, BROKEN: broken})
                due = (iteration + 1) % run.compute.checkpoint_every == 0
                if due or (iteration + 1) % READ_EVERY == 0 or iteration + 1 == run.iterations:
                    state.read()
            except DivergedError as problem:
                at = iteration if problem.iteration is None else problem.iteration
                if not state.keep(problem, at):
                    raise _explained(problem, run, at) from problem
                break
            if due:
                state.save(iteration + 1)
            yield iteration
    state.finish()


def drawn(
    run: Run, fabric: Fabric, draw: Draw, iterations: Sequence[int]
) -> Generator[Any, None, None]:
    """The batches of some iterations of this process, in turn.

    Beside a GPU a thread draws the next one while the device is busy with the last.
    """

    def one(iteration: int) -> Any:
        number = _number(fabric, iteration)
        return draw(number, stage_rng(run.seed, run.stage, number))

    if not _ahead(fabric.device):
        yield from map(one, iterations)
        return
    as_here = (torch.get_num_threads(), fabric.device)
    with ThreadPoolExecutor(1, initializer=_start_drawing, initargs=as_here) as worker:
        coming: deque[Future[Any]] = deque()
        for iteration in iterations:
            coming.append(worker.submit(one, iteration))
            if len(coming) == 2:
                yield coming.popleft().result()
        yield from (each.result() for each in coming)


def _start_drawing(threads: int, device: torch.device) -> None:
    """What a thread does not take over from the one that started it."""
    torch.set_num_threads(threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # The outermost autocast of a thread empties the cache of rounded weights, which all threads
    # share, when it ends: the step would round them anew halfway, and lose their common gradient.
    torch.autocast_increment_nesting()


def _ahead(device: torch.device) -> bool:
    return device.type != "cpu"


def _number(fabric: Fabric, iteration: int) -> int:
    """Of this process's batch in an iteration."""
    return iteration * fabric.world_size + fabric.global_rank


def _spread(fabric: Fabric, broken: Tensor) -> Tensor:
    """Broken for one process is broken for all, whose gradients are one."""
    if fabric.world_size == 1:
        return broken
    return cast(Tensor, fabric.all_reduce(broken, reduce_op="max"))


def _explained(problem: DivergedError, run: Run, iteration: int) -> TrainingDivergedError:
    good = (
        f"the last good state lies in {run.resume}"
        if run.resume.exists()
        else "no state had been saved yet (compute.checkpoint_every)"
    )
    return TrainingDivergedError(
        f"stage {run.stage}, iteration {iteration} of {run.iterations}: {problem.seen}. "
        f"Parameters that bear on it: {problem.bearing} (of train.{run.stage} unless named in "
        f"full); {good}"
    )


class State:
    """What a run needs to go on, and its curves."""

    def __init__(
        self, run: Run, model: Step, optimizer: torch.optim.Optimizer, fabric: Fabric
    ) -> None:
        self.run, self.model, self.optimizer, self.fabric = run, model, optimizer, fabric
        self.unread: list[tuple[int, float, dict[str, Tensor], dict[str, Tensor]]] = []
        self.rows: list[dict[str, float]] = []
        self.window: list[dict[str, float]] = []
        self.spent = 0.0
        self.since = time.monotonic()

    def restore(self) -> int:
        """Load ``resume.pt`` if it is of this very run; the iteration to go on with."""
        if not self.run.resume.exists():
            return 0
        try:
            state = read_state(self.run.resume)
        except InputError:
            return 0
        if state.get("fingerprint") != self.run.fingerprint:
            return 0
        self.model.trained.load_state_dict(state["networks"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self.rows, self.window, self.spent = state["rows"], state["window"], state["seconds"]
        return int(state["iteration"])

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
        if not self._finite() and (self.restore() == 0 or not self._finite()):
            return False
        write_divergence(self.run.out, iteration, problem.seen)
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
        facts = {"stage": self.run.stage, "iterations": self.run.iterations, "seed": self.run.seed}
        write_checkpoint(self.run.checkpoint, {**self.run.carried, **networks}, facts)
        self.run.resume.unlink(missing_ok=True)

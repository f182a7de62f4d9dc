"""The training loop that all stages share: repeatable, resumable, watched.

Everything random in iteration i comes from (seed, stage, i), so a loop that goes on from
``resume.pt`` does what an undisturbed one would have done, bit for bit.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from selfpose3d.errors import TrainingDivergedError
from selfpose3d.files.results import forget_divergence
from selfpose3d.parameters import StageSettings
from selfpose3d.progress import track
from selfpose3d.seeds import stage_rng
from selfpose3d.training.runs import Run
from selfpose3d.training.state import BROKEN, State
from selfpose3d.training.step import DivergedError, Sealed, Step

WARM_UP = 20
"""Iterations over which the cosine schedule's learning rate rises."""
READ_EVERY = 10
"""Iterations after which losses are read from the device: reading waits for it."""


@contextmanager
def repeatable(seed: int, stage: str) -> Iterator[None]:
    """Deterministic kernels and weights drawn from the stage's seed; as many threads afterwards."""
    before = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
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
    """The factor of the base learning rate in an iteration."""
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
        fabric: from ``training.devices.start_fabric``.
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
    """The number of this process's batch in an iteration."""
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

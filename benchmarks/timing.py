"""Timing side by side, recording what networks are asked to do, memory, and what machine it was."""

import importlib.metadata
import os
import platform
import resource
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor, nn

from selfpose3d.training.step import Step

Work = Callable[[], Any]

clock: Callable[[], float] = time.perf_counter
"""``time.process_time`` where other work shares the machine and everything runs on one thread."""


def settle() -> None:
    """Wait until a card, where one is in use, has done what it was given."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def seconds_of(work: Work) -> float:
    """How long one call takes, what it gave a card to do included."""
    settle()
    started = clock()
    work()
    settle()
    return clock() - started


def interleaved(works: Mapping[str, Work], least: float, repeats: int = 3) -> dict[str, float]:
    """Median seconds of each work, timed in turns (A B A B ...) so that all see the same machine.

    Args:
        works: by name; each is called once before, untimed.
        least: go on until the fastest of them has been timed for so many seconds,
        repeats: and all so often.
    """
    first = min(seconds_of(work) for work in works.values())
    rounds = min(max(repeats, round(least / max(first, 1e-6))), 200)
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(seconds_of(work))
    return {name: float(np.median(times)) for name, times in taken.items()}


@dataclass(frozen=True)
class Call:
    """One pass through a network: its inputs, and in which mode it was; ``rounded``: it was run
    in the mixed precision, where there is one."""

    network: nn.Module
    inputs: tuple[Any, ...]
    training: bool
    learns: bool
    rounded: bool


@dataclass
class Recorder:
    """What networks are asked to do while it records: calls of modules that no module made, in
    whichever thread."""

    calls: list[Call] = field(default_factory=list)
    _within: threading.local = field(default_factory=threading.local)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record within this block; what was recorded before is forgotten."""
        self.calls.clear()
        handles = (
            nn.modules.module.register_module_forward_pre_hook(self._enter),
            nn.modules.module.register_module_forward_hook(self._leave),
        )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, Step | _FabricModule):
            return
        depth = getattr(self._within, "depth", 0)
        if depth == 0:
            kept = tuple(_cut_off(x) for x in inputs)
            rounded = torch.is_autocast_enabled(next(module.parameters()).device.type)
            learns = torch.is_grad_enabled()
            self.calls.append(Call(module, kept, module.training, learns, rounded))
        self._within.depth = depth + 1

    def _leave(self, module: nn.Module, _inputs: Any, _output: Any) -> None:
        if not isinstance(module, Step | _FabricModule):
            self._within.depth -= 1


def _cut_off(value: Any) -> Any:
    """A tensor without what it was computed from; anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    return value.detach().requires_grad_(value.requires_grad)


def replay(calls: list[Call], fabric: Fabric) -> None:
    """The bare passes: the same networks forward and, where they learned, backward; no more."""
    for call in calls:
        if call.network.training != call.training:
            call.network.train(call.training)
        learns = call.learns and any(p.requires_grad for p in call.network.parameters())
        precision = fabric.autocast() if call.rounded else nullcontext()
        with torch.set_grad_enabled(learns), precision:
            output = call.network(*call.inputs)
        if learns:
            output.backward(torch.full_like(output, 1e-4))
            call.network.zero_grad()


def peak_memory() -> float:
    """MiB that this process held at most. On Linux ``getrusage`` would count the one that started
    it as well; elsewhere it is all there is, and in bytes."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def machine(threads: int) -> dict[str, Any]:
    """What the figures are of."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "matrix units in bfloat16": bool(torch.cpu.get_capabilities().get("amx_bf16")),
        "threads": threads,
        "load when started": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("torch", "numpy", "selfpose3d")},
    }


def card() -> dict[str, Any]:
    """The machine of a card, or without one, as far as figures of a card depend on it."""
    facts: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        device = torch.cuda.get_device_properties(torch.cuda.current_device())
        facts |= {
            "card": device.name,
            "memory of the card, GiB": round(device.total_memory / 2**30, 1),
            "CUDA": torch.version.cuda,
            "cuDNN": torch.backends.cudnn.version(),
        }
    return facts


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

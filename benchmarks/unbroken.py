"""A stage's iterations one after the other without a break, as beside a card: how long they take,
how often the host waits for the device in them, how long batches are drawn, and the memory.

``stage_costs.py`` stops after every iteration, which is exact where everything runs in one thread;
beside a card it would leave the thread that draws ahead the time to do so unseen.
"""

import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import torch
from lightning_fabric import Fabric

from selfpose3d.training import loop, runs, step
from selfpose3d.training.devices import precision_of
from settings import REPOSITORY, Setting
from stage_costs import train_on_a_scene
from timing import Call, Recorder, peak_memory, replay, seconds_of

WAITS = "called a synchronizing CUDA operation"
UNREPEATABLE = "does not have a deterministic implementation"
"""What torch says in its warnings of either."""
RECORDED = 2
"""Iterations whose passes through networks are recorded, and repeated bare."""


@dataclass(frozen=True)
class Reading:
    """Of a stage; seconds and counts are an iteration's.

    ``waits`` has the places in the code that wait, those of the thread that draws marked; it is
    None where there is no card to wait for. ``memory`` in MiB is the card's, or the process's.
    """

    iterations: int
    seconds: float
    bare: float
    drawing: float
    waits: dict[str, float] | None
    unrepeatable: list[str]
    memory: float
    precision: str

    @property
    def ratio(self) -> float:
        """To the bare passes."""
        return self.seconds / self.bare


@dataclass
class Drawing:
    """Draws a stage's batches and notes how long each takes, in whichever thread."""

    draw: Callable[[int, np.random.Generator], Any]
    seconds: list[float] = field(default_factory=list)
    busy: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, number: int, rng: np.random.Generator) -> Any:
        with self.busy:
            started = time.perf_counter()
            batch = self.draw(number, rng)
            self.seconds.append(time.perf_counter() - started)
        return batch


@dataclass
class Waits:
    """Where the host waited, how often, and what operations could not be repeated bit by bit."""

    places: Counter[str] = field(default_factory=Counter)
    unrepeatable: set[str] = field(default_factory=set)

    def note(self, message: Warning | str, *_: Any, **__: Any) -> None:
        """Take a warning in the place of ``warnings.showwarning``."""
        text = str(message)
        if WAITS in text:
            self.places[_place()] += 1
        elif UNREPEATABLE in text:
            self.unrepeatable.add(text.split(UNREPEATABLE)[0].strip())


def _place() -> str:
    """The innermost line of the package that is being run; of a thread that draws, so marked."""
    frame = sys._getframe()
    source = str(REPOSITORY / "src")
    while frame.f_back is not None and not frame.f_code.co_filename.startswith(source):
        frame = frame.f_back
    file = Path(frame.f_code.co_filename).name
    here = threading.current_thread() is threading.main_thread()
    return f"{'' if here else 'drawing: '}{file}:{frame.f_lineno} {frame.f_code.co_name}"


@contextmanager
def counted_waits() -> Iterator[Waits]:
    """Count within this block how often the host waits for the card."""
    waits = Waits()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = waits.note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode("default")


@dataclass
class Meter:
    """Stands in for ``training.loop.iterate``: reads some iterations of it and ends the stage.

    Args:
        warm_up: iterations that are not timed.
        seconds: that the timed ones may take, about.
        most: of them.
    """

    warm_up: int
    seconds: float
    most: int
    reading: Reading | None = None

    def iterate(self, run: runs.Run, model: step.Step, fabric: Fabric, draw: Any) -> Iterator[int]:
        """Nothing to iterate over: it has been."""
        drawing = Drawing(draw)
        with closing(loop_iterate(run, model, fabric, drawing)) as iterations:  # type: ignore[type-var]
            self.reading = self._read(run, iterations, drawing, fabric)
        return iter(())

    def _read(
        self, run: runs.Run, iterations: Iterator[int], drawing: Drawing, fabric: Fabric
    ) -> Reading:
        _go_on(iterations, self.warm_up)
        warm = seconds_of(lambda: _go_on(iterations, 1))
        count = int(np.clip(self.seconds / warm, 1, self.most))
        drawing.seconds.clear()
        taken = seconds_of(lambda: _go_on(iterations, count)) / count
        drawn, memory = float(np.mean(drawing.seconds)), device_memory(fabric.device)
        waits = _waits(iterations, count, fabric.device)
        calls = _recorded(iterations, drawing)
        replay(calls, fabric)
        return Reading(
            iterations=count,
            seconds=taken,
            bare=float(np.median([seconds_of(lambda: replay(calls, fabric)) for _ in range(3)]))
            / RECORDED,
            drawing=drawn,
            waits=waits and {place: n / count for place, n in waits.places.most_common()},
            unrepeatable=sorted(waits.unrepeatable) if waits else [],
            memory=memory,
            precision=precision_of(run.compute),
        )


loop_iterate = loop.iterate
"""As it is, whatever stands in for it meanwhile."""


def _go_on(iterations: Iterator[int], count: int) -> None:
    for _ in islice(iterations, count):
        pass


def _waits(iterations: Iterator[int], count: int, device: torch.device) -> Waits | None:
    if device.type != "cuda":
        _go_on(iterations, count)
        return None
    with counted_waits() as waits:
        _go_on(iterations, count)
    return waits


def _recorded(iterations: Iterator[int], drawing: Drawing) -> list[Call]:
    """The passes of some iterations. Recording starts and ends while no batch is being drawn."""
    recorder = Recorder()
    with ExitStack() as stack:
        with drawing.busy:
            stack.enter_context(recorder.recording())
        _go_on(iterations, RECORDED)
        with drawing.busy:
            stack.close()
    return recorder.calls


def device_memory(device: torch.device) -> float:
    """MiB that were in use at most: on the card since ``forget_memory``, else by the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return peak_memory()


def forget_memory() -> None:
    """Give back what a card holds for later, and forget how much it has held."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def read_stage(
    setting: Setting, stage: str, accelerator: str, seconds: float, most: int
) -> Reading:
    """One stage on its synthetic scene with its own threads; see ``Meter``."""
    forget_memory()
    meter = Meter(setting.warm_up, seconds, most)
    with (
        TemporaryDirectory() as folder,
        mock.patch.object(loop, "iterate", meter.iterate),
        mock.patch.object(loop, "track", lambda items, *_, **__: items),
    ):
        train_on_a_scene(setting, stage, None, Path(folder), accelerator)
    assert meter.reading is not None
    return meter.reading

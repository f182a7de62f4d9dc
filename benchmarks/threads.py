"""What another thread gives: each stage's iterations with one thread and with more, in turns.

    python benchmarks/threads.py                 # the demo's stages, one thread against two
    python benchmarks/threads.py --threads 4     # one against four

The table is printed and kept in ``benchmarks/results/threads-<machine>.md``. It wants as many idle
cores as threads: the load of the machine when each stage ended stands in the table.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

from selfpose3d import methods as table  # noqa: E402
from selfpose3d.methods.voxels.predict import ready_predictor  # noqa: E402
from selfpose3d.training import loop  # noqa: E402
from settings import ALL_STAGES, FRAMES, SETTINGS, Setting, write_fresh_networks  # noqa: E402
from speed import slug  # noqa: E402
from stage_costs import train_on_a_scene  # noqa: E402
from stage_runs import of_prediction  # noqa: E402
from timing import machine  # noqa: E402

_TRAIN = SETTINGS["demo"].as_written().train
STAGES = tuple(
    name
    for name, stage in table.STAGES.items()
    if getattr(_TRAIN, name).enabled and not stage.supervised
)
"""Those that the demo trains."""
PREDICTION = "prediction"
HEADER = (
    "| | 1 thread, ms | {0} threads, ms | as quick | 1 thread, processor ms "
    "| {0} threads, processor ms | load |\n|---|---:|---:|---:|---:|---:|---:|"
)


@dataclass
class Turns:
    """Does a piece of work with one thread and with more, in turns, and notes what it takes.

    Args:
        threads: how many the more are.
        warm_up: pieces that are not timed.
        repeats: timed pieces of each number of threads.
    """

    threads: int
    warm_up: int
    repeats: int
    taken: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    def run(self, work: Callable[[], Any]) -> None:
        """Do it until it has been timed often enough."""
        for number in range(self.warm_up + 2 * self.repeats):
            count = (1, self.threads)[(number + number // 2) % 2]  # A B B A A B B A
            torch.set_num_threads(count)
            wall, processor = time.perf_counter(), time.process_time()
            work()
            both = (time.perf_counter() - wall, time.process_time() - processor)
            if number >= self.warm_up:
                self.taken.setdefault(count, []).append(both)

    def iterate(self, *arguments: Any) -> Iterator[int]:
        """In the place of ``training.loop.iterate``: some iterations of it, then the stage ends."""
        iterations = loop_iterate(*arguments)
        self.run(lambda: next(iterations))
        return iter(())

    def line(self, name: str) -> str:
        """The line of the table: medians, and the load."""
        one, more = (1000 * np.median(self.taken[count], axis=0) for count in (1, self.threads))
        cells = [name, f"{one[0]:.0f}", f"{more[0]:.0f}", f"{one[0] / more[0]:.2f} x"]
        cells += [f"{one[1]:.0f}", f"{more[1]:.0f}", f"{os.getloadavg()[0]:.1f}"]
        return f"| {' | '.join(cells)} |"


loop_iterate = loop.iterate
"""As it is, whatever stands in for it meanwhile."""


def time_stage(setting: Setting, stage: str, turns: Turns) -> None:
    """Time iterations of a stage on its synthetic scene."""
    with (
        TemporaryDirectory() as folder,
        mock.patch.object(loop, "iterate", turns.iterate),
        mock.patch.object(loop, "track", lambda items, *_, **__: items),
    ):
        train_on_a_scene(setting, stage, None, Path(folder))


def time_prediction(setting: Setting, turns: Turns) -> None:
    """Time the prediction of ``FRAMES`` frames from their images."""
    parameters = setting.parameters(None)
    with TemporaryDirectory() as folder:
        made = setting.scene(Path(folder) / "scene")
        write_fresh_networks(parameters, Path(folder) / "networks.pt")
        chosen = of_prediction(parameters)
        with ready_predictor(chosen, [Path(folder) / "networks.pt"]) as predictor:
            turns.run(lambda: predictor.predict(made.scene, made.views))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--threads", type=int, default=2, help="against one; default: 2")
    add("--size", choices=list(SETTINGS), default="demo", help="default: demo")
    add("--stages", nargs="*", choices=[*ALL_STAGES, PREDICTION], default=[*STAGES, PREDICTION])
    add("--repeats", type=int, default=8, help="timed iterations of each; default: 8")
    add("--out", type=Path, help="default: benchmarks/results/threads-<machine>.md")
    arguments = parser.parse_args()
    setting, here = SETTINGS[arguments.size], machine(arguments.threads)
    lines = [HEADER.format(arguments.threads)]
    print(lines[0])
    for stage in arguments.stages:
        turns = Turns(arguments.threads, setting.warm_up, arguments.repeats)
        if stage == PREDICTION:
            time_prediction(setting, turns)
            lines.append(turns.line(f"prediction of {FRAMES} frames"))
        else:
            time_stage(setting, stage, turns)
            lines.append(turns.line(f"{stage}, an iteration"))
        print(lines[-1], flush=True)
    out = arguments.out or HERE / "results" / f"threads-{slug(here['processor'])}.md"
    about = f"{arguments.size}: {setting.title}. " + ", ".join(f"{k} {v}" for k, v in here.items())
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join([*lines, "", about, ""]))
    print(f"\nkept in {out}")


if __name__ == "__main__":
    main()

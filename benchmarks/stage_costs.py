"""What a training iteration and a predicted frame cost, against the bare passes of the networks."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
from lightning_fabric import Fabric

from selfpose3d.methods.voxels import stages
from selfpose3d.methods.voxels.predict import ready_predictor
from selfpose3d.parameters import Parameters
from selfpose3d.synthetic.scenes import Synthetic
from selfpose3d.training import loop, runs, step
from selfpose3d.training.devices import start_fabric
from settings import (
    FRAMES,
    FRAMES_OF_BODIES,
    FROM_BODIES,
    STAGES,
    Setting,
    write_fresh_networks,
)
from stage_runs import of_prediction, run_stage
from timing import Recorder, peak_memory, replay, seconds_of


@dataclass(frozen=True)
class Cost:
    """Medians, in seconds, and the median of their ratios, pair by pair."""

    seconds: float
    bare: float
    ratio: float

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]]) -> "Cost":
        """From (seconds, bare seconds)."""
        full, bare = np.array(pairs).T
        return cls(float(np.median(full)), float(np.median(bare)), float(np.median(full / bare)))


def stage_cost(setting: Setting, stage: str, threads: int | None) -> Cost:
    """Iterations of the training loop as it is, each followed by the bare passes it made."""
    pairs: list[tuple[float, float]] = []

    def timed(run: runs.Run, model: step.Step, fabric: Fabric, draw: Callable[..., Any]) -> None:
        iterations = loop.iterate(run, model, fabric, draw)
        recorder = Recorder()
        for number in range(setting.warm_up + setting.repeats):
            with recorder.recording():
                full = seconds_of(lambda: next(iterations))
            bare = seconds_of(lambda: replay(recorder.calls, fabric))
            if number >= setting.warm_up:
                pairs.append((full, bare))

    with TemporaryDirectory() as folder, mock.patch.object(stages, "train", timed):
        train_on_a_scene(setting, stage, threads, Path(folder))
    return Cost.of(pairs)


def inference_cost(setting: Setting, threads: int | None, accelerator: str = "cpu") -> Cost:
    """Frames predicted from images, against the bare passes that they took."""
    parameters = setting.parameters(threads, accelerator)
    with TemporaryDirectory() as name:
        folder = Path(name)
        made = setting.scene(folder / "scene")
        write_fresh_networks(parameters, folder / "networks.pt")
        return _inference_cost(parameters, made, folder / "networks.pt", setting.repeats)


def _inference_cost(
    parameters: Parameters, made: Synthetic, checkpoint: Path, repeats: int
) -> Cost:
    chosen = of_prediction(parameters)
    fabric = start_fabric(chosen.compute, devices=1)
    recorder, pairs = Recorder(), []
    with ready_predictor(chosen, [checkpoint]) as predictor:
        for number in range(2 + repeats):
            with recorder.recording():
                full = seconds_of(lambda: predictor.predict(made.scene, made.views))
            bare = seconds_of(lambda: replay(recorder.calls, fabric))
            if number >= 2:
                pairs.append((full / FRAMES, bare / FRAMES))
    return Cost.of(pairs)


def train_on_a_scene(
    setting: Setting, stage: str, threads: int | None, folder: Path, accelerator: str = "cpu"
) -> None:
    """One stage from untrained networks on a synthetic scene, all of it in ``folder``."""
    parameters = setting.parameters(threads, accelerator)
    frames = FRAMES_OF_BODIES if stage in FROM_BODIES else FRAMES
    made = setting.scene(folder / "scene", frames)
    write_fresh_networks(parameters, folder / "networks.pt")
    start = [] if stage == "backbone" else [folder / "networks.pt"]
    run_stage(parameters, stage, [made], start, folder / "out")


def stage_memory(script: Path, size: str, stage: str) -> float:
    """Peak MiB of a process that trains a stage for a few iterations."""
    done = subprocess.run(
        [sys.executable, str(script), "--memory-of", size, stage],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def print_own_memory(setting: Setting, stage: str) -> None:
    """Train a stage for a few iterations in this process and print its peak memory."""

    def a_few(run: runs.Run, model: step.Step, fabric: Fabric, draw: Callable[..., Any]) -> None:
        iterations: Iterator[int] = loop.iterate(run, model, fabric, draw)
        for _ in range(3):
            next(iterations)

    with TemporaryDirectory() as folder, mock.patch.object(stages, "train", a_few):
        train_on_a_scene(setting, stage, None, Path(folder))
    print(peak_memory())


__all__ = [
    "STAGES",
    "Cost",
    "inference_cost",
    "print_own_memory",
    "stage_cost",
    "stage_memory",
    "train_on_a_scene",
]

"""The command for a machine with a card, at its smallest and on the CPU."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
import torch
from torch import nn

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))


import gpu
import unbroken
from golden_curves import golden_curve
from selfpose3d.parameters import Compute
from selfpose3d.training.devices import start_fabric
from settings import OF_THE_PAPER, SETTINGS
from stage_runs import of_stage
from timing import Recorder, replay


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "benchmarks" / "gpu.py"), *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_curves_and_costs_are_kept_as_tables(tmp_path: Path) -> None:
    small = ("--device", "cpu", "--sizes", "tiny", "--stages", "root", "trust", "inference")
    done = ran(*small, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "[5/5, " in done.stdout and " left] stages: tiny: inference: " in done.stdout
    tables = json.loads((tmp_path / "gpu.json").read_text())["tables"]
    assert set(tables["golden"]) == {"root", "trust"}
    assert all(row["met"] for row in tables["golden"].values())
    inference = tables["stages"].pop("tiny: inference")
    assert min(inference["seconds"], inference["bare"], inference["memory"]) > 0
    assert set(tables["stages"]) == {"tiny: root", "tiny: trust"}
    for row in tables["stages"].values():
        assert row["iterations"] >= 1 and row["waits"] is None
        assert min(row["seconds"], row["bare"], row["drawing"], row["memory"]) > 0
    page = (tmp_path / "gpu.md").read_text()
    assert "| tiny: root | " in page and "| trust | " in page


def test_without_time_the_lines_are_named(tmp_path: Path) -> None:
    done = ran(
        *("--device", "cpu", "--sizes", "tiny", "--stages", "root", "--minutes", "0"),
        *("--out", str(tmp_path)),
    )
    assert done.returncode == 0, done.stderr
    assert "No time was left for: golden: root, stages: tiny: root." in done.stdout
    assert "left for: golden: root" in (tmp_path / "gpu.md").read_text()


def test_a_line_that_fails_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    def out_of_memory(seconds: float) -> dict[str, float]:
        raise RuntimeError("out of memory\nand much more")

    good = {"seconds": 0.002, "bare": 0.001, "ratio": 2.0, "memory": 5.0}
    todo = [
        gpu.Line("stages", "a", out_of_memory),
        gpu.Line("stages", "b", lambda seconds: good),
    ]
    result = {"machine": {}, "tables": {}, "left out": []}
    with mock.patch("sys.argv", ["gpu.py", "--out", str(tmp_path)]):
        wrong = gpu.measure(todo, gpu.parsed(), result)
    assert wrong == ["  stages: a: RuntimeError: out of memory"]
    page = (tmp_path / "gpu.md").read_text()
    assert "- a: RuntimeError: out of memory" in page
    assert "| b | 2.0 | 1.0 | 2.00 |" in page


@pytest.mark.parametrize(("factor", "met"), [(1.009, True), (1.011, False)])
def test_a_curve_may_deviate_so_far(factor: float, met: bool) -> None:
    kept = golden_curve("pose_l1")
    now = kept.copy()
    now.loc[2, "pose_joints"] *= factor
    row = gpu.deviation(kept, now)
    assert row["met"] is met
    assert row["where"] == "pose_joints, iteration 3"
    assert row["largest"] == pytest.approx(factor - 1)


def test_iterations_that_rounding_decides_are_kept_but_not_judged() -> None:
    kept = golden_curve("pose_images")
    now = kept.copy()
    now.loc[3, "pose_joints"] *= 1.43
    assert not gpu.deviation(kept, now)["met"]
    row = gpu.deviation(kept, now, gpu.COMPARED["pose_images"])
    assert row["met"] and row["by iteration"] == pytest.approx([0, 0, 0, 0.43])


def test_a_term_that_is_next_to_nothing_is_judged_by_all_of_them() -> None:
    kept = pd.DataFrame({"iteration": [1], "large": [1.0], "small": [1e-6]})
    now = kept.assign(small=2e-6)
    assert gpu.deviation(kept, now)["largest"] == pytest.approx(1e-3, rel=0.01)


def test_waits_are_counted_by_their_place() -> None:
    with mock.patch("torch.cuda.set_sync_debug_mode") as mode, unbroken.counted_waits() as waits:
        for _ in range(3):
            warnings.warn("called a synchronizing CUDA operation (Triggered ...)", stacklevel=1)
        warnings.warn("foo_cuda does not have a deterministic implementation, but", stacklevel=1)
    assert [call.args for call in mode.call_args_list] == [("warn",), ("default",)]
    assert waits.places.total() == 3
    assert waits.unrepeatable == {"foo_cuda"}


def test_waits_are_given_for_the_step_and_for_the_thread_that_draws() -> None:
    assert gpu.waits_of({"steps.py:3 losses": 2.0, "drawing: frames.py:9 draw": 0.5}) == "2 + 0.5"


@pytest.mark.parametrize("stage", OF_THE_PAPER)
def test_the_paper_s_stages_are_asked_for_at_full_size(stage: str) -> None:
    parameters = SETTINGS["overlay"].parameters(None, "cuda")
    chosen = of_stage(parameters, stage)
    assert chosen.compute.accelerator == "cuda"
    assert tuple(parameters.data.network_size) == (960, 512)
    assert tuple(parameters.networks.root_grid) == (80, 80, 20)
    assert parameters.networks.cuboid_grid == 64


def test_a_network_is_repeated_in_the_precision_it_ran_in() -> None:
    fabric = start_fabric(Compute(accelerator="cpu", precision="bf16-mixed"), devices=1)
    network, kinds = nn.Linear(2, 2), []
    network.register_forward_hook(lambda _module, _inputs, output: kinds.append(output.dtype))
    recorder = Recorder()
    with recorder.recording():
        network(torch.ones(1, 2))
        with fabric.autocast():
            network(torch.ones(1, 2))
    replay(recorder.calls, fabric)
    assert kinds == 2 * [torch.float32, torch.bfloat16]

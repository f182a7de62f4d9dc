"""The whole graph on the smoke configuration: what a user does with it, and what may go wrong."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from browser import console_errors, open_browser
from conftest import REPOSITORY, SNAKEFILE, planned, run_snakemake, tool_path

SMOKE = ("--configfile", str(REPOSITORY / "config" / "smoke.yaml"))
NOTHING = "Nothing to be done"
WITHOUT_TRUTH = ("backbone", "root", "bodies", "pose_l2", "pose_l1", "trust")
"""Kinds of the stages of the chosen experiments; none is given the truth."""
TRAINING = tuple(f"train_{stage}" for stage in WITHOUT_TRUTH[:-1])
CHOSEN = ("images", "ours")
AGAIN = (
    *(*SMOKE, "--config", "footage={name: none}"),
    f"run={{tables: [], experiments: [{', '.join(CHOSEN)}]}}",
)
"""Two experiments on the studio alone: the footage has no truth to leave out."""


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One undisturbed run of everything."""
    workdir = tmp_path_factory.mktemp("smoke")
    status, output = run_snakemake(*SMOKE, workdir=workdir)
    assert status == 0, output[-4000:]
    return workdir


def weights_of(workdir: Path) -> dict[str, dict[str, torch.Tensor]]:
    return {
        path.parent.name: {
            f"{network}.{name}": tensor
            for network, state in torch.load(path, weights_only=True)["networks"].items()
            for name, tensor in state.items()
        }
        for path in sorted((workdir / "results" / "stages").glob("*/checkpoint.pt"))
    }


def test_everything_is_there(smoke: Path) -> None:
    metrics = json.loads((smoke / "results" / "metrics.json").read_text())
    assert {"training_free", "estimator", "images", "ours"} <= set(metrics)
    table = pd.read_csv(smoke / "results" / "tables" / "methods.csv")
    assert len(table) > 3 and "MPJPE" in table
    assert (smoke / "mlflow.db").stat().st_size > 0


def test_the_report_opens_offline(smoke: Path) -> None:
    with open_browser() as browser:
        browser.get((smoke / "results" / "report.html").as_uri())
        assert browser.find_elements("css selector", "table")
        assert browser.find_elements("css selector", "canvas")
        assert console_errors(browser) == []


def test_a_second_run_does_nothing(smoke: Path) -> None:
    _, output = run_snakemake(*SMOKE, "--dry-run", workdir=smoke)
    assert NOTHING in output


def test_a_changed_parameter_runs_what_depends_on_it_and_nothing_else(smoke: Path) -> None:
    changed = planned(smoke, *SMOKE, "--config", "train={pose_l1: {learning_rate: 0.0003}}")
    assert {"train_pose_l1", "train_finetune", "predict", "evaluate", "report"} <= changed.keys()
    untouched = {"studio_render", "prepare", "detect", "label", "reconstruct", "train_backbone"}
    assert not changed.keys() & (untouched | {"train_root", "train_bodies", "train_pose_l2"})


def test_a_changed_refinement_only_predicts_again(smoke: Path) -> None:
    changed = planned(smoke, *SMOKE, "--config", "inference={refine_radius: 5.0}")
    assert "predict" in changed
    assert not changed.keys() & {*TRAINING, "detect", "label", "prepare"}


def test_a_wrong_value_is_refused_before_any_job_starts(tmp_path: Path) -> None:
    status, output = run_snakemake(
        "--config", "train={root: {learning_rate: -1}}", workdir=tmp_path / "wrong"
    )
    assert status != 0
    assert "train.root.learning_rate" in output and "greater than 0" in output
    assert not (tmp_path / "wrong" / "data").exists()


def test_killed_and_without_truth_it_ends_with_the_same_weights_and_metrics(
    smoke: Path, tmp_path: Path
) -> None:
    """Two experiments all over again from the same images: the truth is noise all along, the
    host's too, and a training stage is killed."""
    workdir = tmp_path / "again"
    made = shutil.ignore_patterns("detections", "labels", "reconstructions", "pose2sim_demo*")
    shutil.copytree(smoke / "data", workdir / "data", ignore=made)
    truths = sorted((workdir / "data" / "truth").rglob("*.parquet"))
    hosts = sorted((workdir / "data" / "host").rglob("hdPose3d_stage1_coco19.tar"))
    assert truths and hosts
    for path in truths:
        rewrite(path, drowned(path))
    for path in hosts:
        rewrite(path, b"")
    kill_a_training_stage(workdir)
    status, output = run_snakemake("trained", *AGAIN, workdir=workdir)
    assert status == 0, output[-4000:]
    first, again = weights_of(smoke), weights_of(workdir)
    assert {name.partition("-")[0] for name in again} == {*WITHOUT_TRUTH}
    for stage, weights in again.items():
        assert all(torch.equal(weights[name], first[stage][name]) for name in weights), stage
    for path in truths:
        shutil.copy2(smoke / path.relative_to(workdir), path)
    status, output = run_snakemake("results/metrics.json", *AGAIN, workdir=workdir)
    assert status == 0, output[-4000:]
    same = [json.loads((f / "results" / "metrics.json").read_text()) for f in (smoke, workdir)]
    assert same[1].keys() == {*CHOSEN}
    assert all(same[0][name] == same[1][name] for name in CHOSEN)


def drowned(path: Path) -> bytes:
    """A file of the truth with noise for coordinates, and without the last person."""
    table = pd.read_parquet(path)
    rng = np.random.default_rng(0)
    table[["x", "y", "z"]] = rng.normal(0, 2000, (len(table), 3))
    fewer: bytes = table[table["person"] < table["person"].max()].to_parquet(index=False)
    return fewer


def rewrite(path: Path, content: bytes) -> None:
    """Change a file so that Snakemake does not see it: its time is kept."""
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def kill_a_training_stage(workdir: Path) -> None:
    """Start the training and kill the first stage that has kept a state."""
    with subprocess.Popen(
        ["snakemake", "trained", "--cores", "2", "--snakefile", str(SNAKEFILE), *AGAIN],
        cwd=workdir,
        env={**os.environ, "PATH": tool_path()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    ) as snakemake:
        states = workdir / "results" / "stages"
        deadline = time.monotonic() + 1200
        while not (kept := list(states.glob("*/resume.pt"))):
            assert snakemake.poll() is None and time.monotonic() < deadline, "no state was kept"
            time.sleep(0.02)
        killed = [
            process
            for process in psutil.Process(snakemake.pid).children(recursive=True)
            if kept[0].parent.name in " ".join(process.cmdline()) and "train" in process.cmdline()
        ]
        for process in killed:
            process.send_signal(signal.SIGKILL)
        assert killed and snakemake.wait(timeout=900) != 0
    assert not (kept[0].parent / "checkpoint.pt").exists()

"""The Slurm profile on a real two-node Slurm (slurm_lab), through to exit status 0."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import REPOSITORY, SNAKEFILE, run_snakemake, tool_path
from slurm_lab import SlurmLab

PROFILE = REPOSITORY / "workflow" / "profiles" / "slurm"
WITHOUT_ACCOUNTING = ("--slurm-status-command", "squeue")
QUICK = (
    *("--slurm-init-seconds-before-status-checks", "2"),
    *("--seconds-between-status-checks", "2"),
    *("--slurm-logdir", "slurm_logs"),
)

INTERRUPTED = """
rule all:
    input: "trained.txt"
    localrule: True

rule train:
    output: "trained.txt"
    resources: gpu=1, mem_mb=200, runtime=5
    shell:
        "echo start >> starts.txt;"
        " if [ $(wc -l < starts.txt) -eq 1 ]; then sleep 600; fi;"
        " echo done > {output}"
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmLab]:
    with SlurmLab(tmp_path_factory.mktemp("slurm")) as lab:
        yield lab


def run_on(
    lab: SlurmLab, *arguments: str, workdir: Path, snakefile: Path = SNAKEFILE
) -> tuple[int, str]:
    return run_snakemake(
        *("--executor", "slurm", "--profile", str(PROFILE)),
        *WITHOUT_ACCOUNTING,
        *QUICK,
        *arguments,
        workdir=workdir,
        snakefile=snakefile,
        PATH=os.pathsep.join([str(lab.clients), tool_path()]),
    )


def new_jobs(lab: SlurmLab, before: list[dict[str, str]]) -> list[dict[str, str]]:
    known = {job["JobId"] for job in before}
    return [job for job in lab.jobs() if job["JobId"] not in known]


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.2)


def preempt(lab: SlurmLab, job: str) -> None:
    """Requeue a job; Slurm would let it wait for two minutes before it starts again."""
    lab.run("scontrol", "requeue", job)
    lab.wait_until(
        lambda: "PENDING" in lab.run("squeue", "-h", "-j", job, "-o", "%T"), "no requeue"
    )
    lab.run("scontrol", "update", f"JobId={job}", "StartTime=now")


def test_a_preempted_training_job_is_requeued_and_finishes(lab: SlurmLab, tmp_path: Path) -> None:
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(INTERRUPTED)
    before = lab.jobs()

    with ThreadPoolExecutor() as executor:
        run = executor.submit(run_on, lab, workdir=tmp_path, snakefile=snakefile)
        wait_for(tmp_path / "starts.txt")
        (job,) = new_jobs(lab, before)
        assert job["TresPerJob"] == "gres:gpu:1"
        preempt(lab, job["JobId"])
        status, output = run.result()

    assert status == 0, output
    assert (tmp_path / "trained.txt").read_text() == "done\n"
    (job,) = new_jobs(lab, before)
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")


def test_an_experiment_runs_through(lab: SlurmLab, tmp_path: Path) -> None:
    before = lab.jobs()

    status, output = run_on(
        lab,
        *("--configfile", str(REPOSITORY / "config" / "smoke.yaml")),
        *("--config", "run={tables: [], experiments: [ours]}", "footage={name: none}"),
        workdir=tmp_path,
    )

    assert status == 0, output
    assert (tmp_path / "results" / "report.html").exists()
    jobs = new_jobs(lab, before)
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    training = [job for job in jobs if "rule_train_" in job["Comment"]]
    assert training
    assert {job["TresPerJob"] for job in training} == {"gres:gpu:1"}

"""What several test files share."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


LONGEST = (
    *("test_pipeline.py", "test_slurm.py", "test_examination.py", "test_own_files.py"),
    *("test_stages.py", "test_dvc.py", "test_graph.py", "test_check_rig.py"),
    *("test_recording.py", "test_toy_parts.py", "test_joint_sets.py", "test_conda.py"),
    "test_leaf_table.py",
)
"""Files of tests that take longest. They begin first where files run side by side."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others as they come."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


def tool_path() -> str:
    """PATH with the commands of the environment that runs the tests first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


SNAKEFILE = REPOSITORY / "workflow" / "Snakefile"


def run_snakemake(
    *arguments: str, workdir: Path, snakefile: Path = SNAKEFILE, **environment: str
) -> tuple[int, str]:
    """Run a workflow, ours by default, on two cores; exit status and what it printed."""
    workdir.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *("snakemake", "--cores", "2", "--nocolor"),
            *("--snakefile", str(snakefile)),
            *("--directory", str(workdir)),
            *arguments,
        ],
        cwd=workdir,
        env={**os.environ, "PATH": tool_path(), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def planned(workdir: Path, *arguments: str) -> Counter[str]:
    """How many jobs of each rule a dry run counts."""
    status, output = run_snakemake(*arguments, "--dry-run", "--quiet", "rules", workdir=workdir)
    assert status == 0, output
    return counted(output)


def counted(output: str) -> Counter[str]:
    """How many jobs of each rule stand in the table that a dry run prints."""
    table = output.partition("Job stats:")[2].partition("\n\n")[0]
    return Counter({name: int(count) for name, count in re.findall(r"(?m)^(\w+) +(\d+)$", table)})

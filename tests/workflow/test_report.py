"""Snakemake's own report: it shows the results of the workflow, each in its place."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from conftest import REPOSITORY, run_snakemake

SMOKE = ("--configfile", str(REPOSITORY / "config" / "smoke.yaml"))
INVENTED = {
    ".csv": "experiment,MPJPE\nTraining-free,27.1\n",
    ".json": '{"MPJPE": 27.1}',
    ".html": "<!DOCTYPE html><title>SelfPose3d</title><p>The report.</p>",
}
"""Content of a file by its suffix."""


def invent_outputs(workdir: Path) -> None:
    """Every file that the smoke run would make, with as much in it as the report reads."""
    status, output = run_snakemake("--summary", *SMOKE, workdir=workdir)
    assert status == 0, output
    rows = [line.split("\t") for line in output.splitlines() if line.count("\t") > 3]
    names = [row[0] for row in rows if row[0].startswith(("data/", "results/"))]
    assert len(names) > 50
    for name in names:
        path = workdir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix:
            path.write_text(INVENTED.get(path.suffix, ""))
        else:
            path.mkdir(exist_ok=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("made")
    invent_outputs(workdir)
    status, output = run_snakemake("--touch", *SMOKE, workdir=workdir)
    assert status == 0, output
    return workdir


def write_report(workdir: Path, name: str) -> Path:
    status, output = run_snakemake("--report", name, *SMOKE, workdir=workdir)
    assert status == 0, output
    return workdir / name


def listed(page: str, name: str) -> dict[str, Any]:
    """What the page holds under a name: its categories, or its results by file."""
    found = re.search(rf"var {name} = (\{{.*?\}});\s*</script>", page, re.DOTALL)
    assert found is not None, f"no {name}"
    held: dict[str, Any] = json.loads(found[1])
    return held


def test_the_report_shows_what_a_run_made_in_its_place(made: Path) -> None:
    page = write_report(made, "workflow.html").read_text()

    shown = {
        category: {file for files in groups.values() for file in files}
        for category, groups in listed(page, "categories").items()
    }
    assert shown["Report"] == {"results/report.html"}
    assert shown["Tables"] == {"results/tables/methods.csv", "results/tables/soft_and_hard.csv"}
    runs = {str(path.relative_to(made)) for path in made.glob("results/experiments/*/metrics.json")}
    assert len(runs) == 8
    assert shown["Experiments"] == {"results/metrics.json"} | runs
    labels = {str(path.relative_to(made)) for path in made.glob("results/labels/*.json")}
    assert shown["Pseudo labels"] == labels and len(labels) == 4
    curves = {str(path.relative_to(made)) for path in made.glob("results/stages/*/curves.csv")}
    assert shown["Training"] == curves and len(curves) > 4
    (footage,) = shown["Footage"]
    assert footage.endswith("pose2sim_demo.json")
    results = listed(page, "results")
    assert all(result["caption"] and result["labels"] for result in results.values())
    assert "methods" in results["results/tables/methods.csv"]["caption"]


def test_the_report_comes_as_an_archive_too(made: Path) -> None:
    names = zipfile.ZipFile(write_report(made, "workflow.zip")).namelist()

    assert "workflow/report.html" in names
    assert any(name.endswith("methods.csv") for name in names)

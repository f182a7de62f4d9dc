"""DVC over Snakemake: nothing runs twice, a change runs what depends on it, bytes come back.

The behaviour is shown on the smallest workflow of the same pattern (tiny_workflow); that the
project's own dvc.yaml follows the pattern is checked beside it.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from conftest import REPOSITORY, tool_path
from invented_results import write_experiment, write_stage
from selfpose3d.parameters import load_parameters
from selfpose3d.pipeline import gather_curves
from selfpose3d.plan.code_versions import LOCK, code_versions
from selfpose3d.reporting.tables import write_table

TINY = REPOSITORY / "tests" / "tiny_workflow"
ENVIRONMENT = {
    **os.environ,
    "PATH": tool_path(),
    "DVC_NO_ANALYTICS": "true",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def run(folder: Path, command: str) -> str:
    done = subprocess.run(
        command.split(),
        cwd=folder,
        env=ENVIRONMENT | {"DVC_SITE_CACHE_DIR": str(folder.parent / "dvc_site")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def jobs(folder: Path) -> list[str]:
    """Which rules have run since the last call."""
    ran = folder / "ran"
    names = ran.read_text().split() if ran.exists() else []
    ran.unlink(missing_ok=True)
    return names


def change(folder: Path, old: str, new: str, name: str = "params.yaml") -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def commit(folder: Path) -> None:
    run(folder, "git add --all")
    run(folder, "git commit --quiet --message state")


def settle_command() -> str:
    """What ``make settle`` runs."""
    recipe = subprocess.run(
        ["make", "--dry-run", "--always-make", "settle"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    (line,) = [line for line in recipe if "snakemake" in line]
    return line[line.index("snakemake") :]


def assert_nothing_to_do(folder: Path) -> None:
    assert "Nothing to be done" in run(folder, "snakemake --dry-run --cores 1")
    assert "up to date" in run(folder, "dvc status")
    assert "up to date" in run(folder, "dvc repro")
    assert jobs(folder) == []


def assert_both_know_of_it(folder: Path, command: str) -> None:
    """After a run by one of the two; DVC has to be shown what Snakemake made."""
    if command != "dvc repro":
        run(folder, "dvc repro")
    assert_nothing_to_do(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the tiny workflow that has been run by both."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    shutil.copytree(TINY, folder)
    (folder / ".gitignore").write_text("/data/\n/results/*\n.snakemake/\n/ran\n")
    run(folder, "git init --quiet")
    run(folder, "dvc init --quiet")
    shutil.copy(REPOSITORY / ".dvc" / "config", folder / ".dvc" / "config")
    run(folder, "snakemake --cores 1")
    assert jobs(folder) == ["prepare", "label", "train", "evaluate"]
    run(folder, "dvc repro")
    assert jobs(folder) == []
    commit(folder)
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, times of files included."""
    return shutil.copytree(finished, tmp_path / "project")


def test_after_a_run_neither_has_anything_to_do(project: Path) -> None:
    assert_nothing_to_do(project)


@pytest.mark.parametrize("command", ["dvc repro", "snakemake --cores 1"])
def test_a_changed_parameter_runs_what_depends_on_it(project: Path, command: str) -> None:
    change(project, "rate: 0.1", "rate: 0.2")

    run(project, command)

    assert jobs(project) == ["train", "evaluate"]
    assert_both_know_of_it(project, command)


@pytest.mark.parametrize("command", ["dvc repro", "snakemake --cores 1"])
def test_a_raised_version_runs_what_depends_on_it_and_nothing_else(
    project: Path, command: str
) -> None:
    change(project, '"labels": {"version": 1', '"labels": {"version": 2', "versions.lock.json")

    run(project, command)

    assert jobs(project) == ["label", "train", "evaluate"]
    assert_both_know_of_it(project, command)


def test_a_version_of_changed_code_that_stays_runs_nothing(project: Path) -> None:
    """What ``selfpose3d code-version --same`` writes: other hashes, the same number."""
    change(project, '"since": "bb"', '"since": "dd"', "versions.lock.json")
    assert_nothing_to_do(project)


def test_going_back_to_an_earlier_value_trains_nothing_anew(project: Path) -> None:
    metrics = project / "results" / "metrics.json"
    before = metrics.read_text()
    change(project, "rate: 0.1", "rate: 0.2")
    run(project, "dvc repro")
    assert metrics.read_text() != before
    change(project, "rate: 0.2", "rate: 0.1")
    jobs(project)

    run(project, "dvc repro")

    assert set(jobs(project)) <= {"evaluate"}
    assert metrics.read_text() == before
    assert_nothing_to_do(project)


def test_an_experiment_of_dvc_leaves_the_commit_and_its_results_come_back(project: Path) -> None:
    before = (project / "results" / "metrics.json").read_text()

    run(project, "dvc exp run --name faster --set-param train.rate=0.2")

    assert jobs(project) == ["train", "evaluate"]
    shown = run(project, "dvc exp show --csv --no-pager")
    assert "faster" in shown
    run(project, "git restore .")
    run(project, "dvc checkout")
    assert (project / "results" / "metrics.json").read_text() == before
    run(project, "dvc exp apply faster")
    assert '"rate": 0.2' in (project / "results" / "metrics.json").read_text()


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of an S3-compatible server on loopback with the bucket ``experiments``."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    program = shutil.which("moto_server", path=tool_path())
    assert program is not None
    server = subprocess.Popen(
        [program, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _make_bucket(f"{address}/experiments")
        yield address
    finally:
        server.terminate()
        server.wait()


def _make_bucket(url: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            requests.put(url, timeout=10).raise_for_status()
            return
        except requests.ConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def assert_a_clone_settles(project: Path) -> None:
    """Push, clone, pull, settle: in the clone neither has anything to do."""
    commit(project)
    run(project, "dvc push")
    clone = project.parent / "clone"
    run(project, f"git clone --quiet . {clone}")
    run(clone, "dvc pull")
    assert (clone / "data" / "truth").is_dir()
    metrics = Path("results/metrics.json")
    assert (clone / metrics).read_text() == (project / metrics).read_text()

    run(clone, settle_command())

    assert_nothing_to_do(clone)
    change(clone, "rate: 0.1", "rate: 0.3")
    run(clone, "dvc repro")
    assert jobs(clone) == ["train", "evaluate"]


def test_push_and_pull_with_a_folder(project: Path, tmp_path: Path) -> None:
    run(project, f"dvc remote add --default store {tmp_path / 'store'}")
    assert_a_clone_settles(project)


def test_push_and_pull_with_s3(project: Path, s3: str) -> None:
    run(project, "dvc remote add --default store s3://experiments/selfpose3d")
    run(project, f"dvc remote modify store endpointurl {s3}")
    assert_a_clone_settles(project)


PARAMETERS = "params.yaml"
"""The file whose sections a stage names alone."""
VERSIONS = LOCK.relative_to(REPOSITORY).as_posix()
OWN_FILES = "own_files"
"""The stage that lists the user's own files; no target of the workflow."""


def project_stages() -> dict[str, dict[str, Any]]:
    """The stages of the project that are targets of the workflow, in their order."""
    stages: dict[str, dict[str, Any]] = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())[
        "stages"
    ]
    return {name: stage for name, stage in stages.items() if name != OWN_FILES}


def test_own_files_are_listed_at_each_run_and_every_stage_depends_on_the_list() -> None:
    """Videos and rigs are read by the data stage, 2D people by that of the labels, the truth by
    supervised training, 3D people made elsewhere by that of the report."""
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    assert stages[OWN_FILES]["always_changed"]
    (listed,) = stages[OWN_FILES]["outs"]
    depending = {name for name, stage in stages.items() if set(listed) & set(stage.get("deps", []))}
    assert depending == project_stages().keys()


def test_every_output_of_the_project_persists_and_is_kept() -> None:
    for stage in project_stages().values():
        for out in [*stage.get("outs", []), *stage.get("metrics", [])]:
            assert isinstance(out, dict), f"{out}: without 'persist' DVC deletes it before a run"
            (options,) = out.values()
            assert options == {"persist": True}, out


def test_every_stage_of_the_project_is_a_target_of_the_workflow() -> None:
    rules = (REPOSITORY / "workflow").rglob("*.smk")
    files = [REPOSITORY / "workflow" / "Snakefile", *rules]
    workflow = "".join(path.read_text() for path in files)
    for stage in project_stages().values():
        target = stage["cmd"][-1].removeprefix("snakemake --cores all").strip() or "all"
        assert re.search(rf"^rule {target}:", workflow, re.MULTILINE), target


def test_the_project_plots_its_curves_and_tables(tmp_path: Path) -> None:
    plots = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["plots"]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"plots": plots}))
    stage = write_stage(tmp_path / "stage")
    gather_curves({"images-seed0-root": stage}, tmp_path / "results" / "curves")
    experiment = write_experiment(tmp_path / "images-seed0", "Images", {}, 44.8)
    for table in load_parameters([REPOSITORY / "params.yaml"]).tables:
        write_table([[experiment]], table, tmp_path / "results" / "tables" / table)
    run(tmp_path, "git init --quiet")
    run(tmp_path, "dvc init --quiet")

    shown = json.loads(run(tmp_path, "dvc plots show --json"))

    assert not shown.get("errors")
    drawn = shown["data"]
    assert len(drawn) == 1 + len(list((tmp_path / "results" / "tables").glob("*.csv")))
    for (plot,) in drawn.values():
        values, encoding = plot["content"]["data"]["values"], plot["content"]["encoding"]
        axes = {encoding[axis]["field"] for axis in ("x", "y")}
        assert values and all(each[axis] for each in values for axis in axes)


def always_loaded() -> tuple[str, ...]:
    """The files of parameters that the workflow loads in every run."""
    text = (REPOSITORY / "workflow" / "Snakefile").read_text()
    return tuple(re.findall(r'^configfile: str\(REPOSITORY / "(.+)"\)$', text, re.MULTILINE))


def watched(stage: dict[str, Any]) -> dict[str, set[str]]:
    """By each file the keys that a stage watches: sections of parameters, or versions of code."""
    keys: dict[str, set[str]] = {PARAMETERS: set()}
    for each in stage["params"]:
        if isinstance(each, str):
            keys[PARAMETERS].add(each)
        else:
            keys |= {file: set(names) for file, names in each.items()}
    return keys


def test_dvc_watches_every_section_of_the_parameters_and_every_version() -> None:
    files = always_loaded()
    assert files == (PARAMETERS, "config/study.yaml")
    expected = {file: set(yaml.safe_load((REPOSITORY / file).read_text())) for file in files}
    expected[PARAMETERS].remove("seed")  # set for each experiment from seeds
    expected[VERSIONS] = {f"kinds.{kind}.version" for kind in code_versions()}
    *_, report = map(watched, project_stages().values())
    assert report == expected


def test_every_stage_watches_what_says_which_experiments_there_are() -> None:
    for name, stage in project_stages().items():
        for file in always_loaded():
            assert {"experiments", "tables"} <= watched(stage)[file], f"{name}: {file}"


def test_the_list_of_own_files_is_made_by_what_the_workflow_loads() -> None:
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    assert tuple(re.findall(r"--parameters (\S+)", stages[OWN_FILES]["cmd"])) == always_loaded()


def test_dvc_watches_the_published_rows() -> None:
    tables = load_parameters([REPOSITORY / file for file in always_loaded()]).tables.values()
    published = {f"results/reference/{name}.csv" for table in tables for name in table.published}
    assert published and all((REPOSITORY / path).is_file() for path in published)
    assert "results/reference" in project_stages()["report"]["deps"]


def test_dvc_watches_no_code() -> None:
    """Its commands would find nothing to do, and old outputs pass for those of new code."""
    deps = {path for stage in project_stages().values() for path in stage["deps"]}
    assert not {path for path in deps if path.startswith("src")}


def test_every_stage_watches_what_the_stages_before_it_watch() -> None:
    """A folder keeps all variants: going back to an earlier value leaves it as it is, and only
    the parameters and versions tell DVC that what follows has to change."""
    before: set[tuple[str, str]] = set()
    for name, stage in project_stages().items():
        here = {(file, key) for file, keys in watched(stage).items() for key in keys}
        assert not before - here, f"dvc.yaml: {name}: add {before - here}"
        before = here

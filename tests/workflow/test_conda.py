"""``--sdm conda`` with conda on PATH (a stand-in) and without, and what environment.yml says.

No conda can be had from the package registries, so that the test can't ask for a real one: the
stand-in (conda_stand_in) shows the wiring, not that environment.yml can be solved on conda-forge.
"""

import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
from rattler import MatchSpec

from conda_stand_in.channel import PYTHON_LOG, build_channel
from conftest import REPOSITORY, run_snakemake, tool_path

STAND_IN = REPOSITORY / "tests" / "conda_stand_in"
CONDA_TO_PYPI = {"pytorch": "torch", "snakemake-minimal": "snakemake"}
NOT_ON_PYPI = {"python", "pip", "git"}


def dependencies() -> tuple[list[str], list[str]]:
    """environment.yml's conda specs and its pip requirements."""
    entries = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    conda = [entry for entry in entries if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    return conda, pip


def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    return {_normalized(name): version for name, version in (line.split("==") for line in lines)}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def path_without_conda() -> str:
    folders = tool_path().split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not (Path(folder) / "conda").exists())


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    return tmp_path / "run"


def run_stand_in(workdir: Path, channel: Path, *arguments: str) -> tuple[int, str]:
    return run_snakemake(
        *arguments,
        workdir=workdir,
        PATH=os.pathsep.join([str(STAND_IN / "bin"), path_without_conda()]),
        CONDA_STAND_IN_CHANNEL=str(channel),
    )


ASKED_FOR = [("--sdm", "conda"), ("--use-conda",)]
"""How conda is asked for, and how it was before Snakemake 8."""


@pytest.mark.parametrize("flags", ASKED_FOR)
def test_without_conda_the_workflow_warns_and_goes_on(
    workdir: Path, flags: tuple[str, ...]
) -> None:
    status, output = run_snakemake(
        "results/mlflow.ready", *flags, workdir=workdir, PATH=path_without_conda()
    )

    assert status == 0, output
    assert "there is no 'conda' on PATH; going on in the current environment" in output
    assert "GB of disk" not in output  # which is for a dry run to say
    assert (workdir / "results" / "mlflow.ready").exists()


def test_without_asking_for_conda_nothing_is_said(workdir: Path) -> None:
    status, output = run_snakemake("--dry-run", workdir=workdir, PATH=path_without_conda())

    assert status == 0, output
    assert "no 'conda' on PATH" not in output


@pytest.mark.parametrize("flags", ASKED_FOR)
def test_with_conda_rules_run_in_their_environment(
    workdir: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    specs, pip = dependencies()
    channel = build_channel(tmp_path / "channel", specs)

    status, output = run_stand_in(workdir, channel, "results/mlflow.ready", *flags)

    assert status == 0, output
    (environment,) = [
        path for path in (workdir / ".snakemake" / "conda").iterdir() if path.is_dir()
    ]
    assert "record-prepare" in (environment / PYTHON_LOG).read_text()
    installed = {
        path.stem.rsplit("-", 2)[0] for path in (environment / "conda-meta").glob("*.json")
    }
    assert installed == {MatchSpec(spec).name.normalized for spec in specs}
    assert (environment / "conda-meta" / "pip.txt").read_text().split() == pip


def test_an_environment_that_cannot_be_solved_stops_the_workflow(
    workdir: Path, tmp_path: Path
) -> None:
    specs, _ = dependencies()
    channel = build_channel(tmp_path / "channel", [spec for spec in specs if "numpy" not in spec])

    status, output = run_stand_in(workdir, channel, "results/mlflow.ready", "--sdm", "conda")

    assert status != 0
    assert "numpy" in output
    assert not (workdir / "results" / "mlflow.ready").exists()


def test_every_conda_line_parses_and_names_a_version() -> None:
    for spec in dependencies()[0]:
        match = MatchSpec(spec, strict=True)
        assert match.name is not None
        assert match.version is not None or match.name.normalized in NOT_ON_PYPI, spec


def test_the_conda_environment_agrees_with_the_constraints() -> None:
    pinned = constraints()
    conda, pip = dependencies()
    wanted = {spec.partition("=")[0]: spec.partition("=")[2] for spec in conda}
    for name, version in wanted.items():
        if name not in NOT_ON_PYPI:
            pin = pinned[_normalized(CONDA_TO_PYPI.get(name, name))]
            assert f"{pin}.".startswith(f"{version}."), f"{name}: {version}, constraints: {pin}"
    for requirement in pip:
        name, version = requirement.split("==")
        assert pinned[_normalized(name)] == version, requirement


def test_the_conda_environment_has_every_runtime_dependency() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    required = {_normalized(re.split(r"[^\w.-]", line)[0]) for line in project["dependencies"]}
    conda, pip = dependencies()
    named = {_normalized(CONDA_TO_PYPI.get(name, name)) for name in map(_name, conda + pip)}
    assert required <= named, f"add to environment.yml: {sorted(required - named)}"


def _name(requirement: str) -> str:
    return re.split(r"[=<>]", requirement)[0]


def test_the_tests_do_not_lean_on_a_conda_of_this_machine() -> None:
    assert shutil.which("conda", path=path_without_conda()) is None

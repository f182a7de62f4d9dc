"""The lock file of code versions: no change of code passes unsaid, and tidying costs nothing."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import REPOSITORY
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_json
from selfpose3d.parameters import load_parameters, with_settings
from selfpose3d.plan import planning
from selfpose3d.plan.closures import path_of
from selfpose3d.plan.code_versions import (
    LOCK,
    Code,
    changed,
    code_versions,
    explained,
    read_lock,
    renewed,
    settle,
    status,
)
from selfpose3d.plan.keys import LEFT_OUT, node_id, own_code, roots

FILES = {
    "numbers.py": "SCALE = 2\n",
    "first.py": "from toy.numbers import SCALE\n",
    "second.py": "from toy.numbers import SCALE\n",
    "third.py": "",
}
KINDS = {"one": ["toy.first"], "two": ["toy.second"], "three": ["toy.third"]}


def code_in(folder: Path, kinds: dict[str, list[str]] = KINDS) -> Code:
    return Code(folder / "src" / "toy", kinds, [])


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """The lock file of a little package that is up to date; the kind ``two`` is of version 4."""
    folder = tmp_path / "src" / "toy"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    path = tmp_path / "lock.json"
    write_json(
        path, {"kinds": {"two": {"version": 4, "since": "before", "roots": []}}, "modules": {}}
    )
    settle(path, code_in(tmp_path), [], ["all"])
    return path


def versions(lock: Path) -> dict[str, int]:
    return {kind: each["version"] for kind, each in read_lock(lock)["kinds"].items()}


def edit(lock: Path, name: str, text: str) -> Code:
    """The code once a file of the little package is another."""
    (lock.parent / "src" / "toy" / name).write_text(text)
    return code_in(lock.parent)


@pytest.fixture(scope="module")
def own() -> Code:
    return own_code()


def test_the_lock_file_says_of_all_code_whether_it_changed_results(own: Code) -> None:
    lock = read_lock(LOCK)
    changes = changed(lock, own)
    assert not changes, explained(changes)
    assert lock == renewed(lock, own), status(lock, own)


def test_every_kind_that_has_a_key_has_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()

    def recorded(kind: str, name: str, *depends_on: Any) -> str:
        asked.add(kind)
        return node_id(kind, name, *depends_on)

    monkeypatch.setattr(planning, "node_id", recorded)
    files = [REPOSITORY / "params.yaml", REPOSITORY / "config/study.yaml"]
    over = {"footage.centre_refinement": True}
    plan = planning.make_plan(with_settings(load_parameters(files), over, "test"))
    assert {f"train_{stage.stage}" for stage in plan.stages.values()} < asked
    assert {"labels", "reconstructions", "render_studio", "refined_cameras"} < asked
    assert asked <= set(code_versions()) == set(roots())


def test_what_is_left_out_is_there_and_is_in_no_closure(own: Code) -> None:
    left_out = {name.removesuffix(".__init__") for name in LEFT_OUT}
    assert left_out <= set(own.package)
    assert not set().union(*own.closures.values()) & (left_out | set(LEFT_OUT))


LOADED = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*(name for name in sys.modules if name.partition(".")[0] == "selfpose3d"))
"""


@pytest.mark.parametrize("kind", ["scene_pose2sim_demo", "predict_trust"])
def test_the_closure_is_what_python_loads(own: Code, kind: str) -> None:
    """But for each ``__init__`` above them that is empty, and what the tables load. These steps
    import nothing late."""
    step, place = own.roots[kind]
    assert step.startswith("selfpose3d.pipeline:")
    modules = {
        name
        for name in loaded_with(place.partition(":")[0]) - loaded_with("selfpose3d.methods")
        if name != "selfpose3d" and not is_empty(path_of(name, own.folder))
        if f"{name}.__init__" not in LEFT_OUT
        if not any(f"{name}.".startswith(f"{each}.") for each in LEFT_OUT)
    }
    below = own.closures[kind] - {step}
    assert {each.partition(":")[0] for each in below} == modules


def loaded_with(module: str) -> set[str]:
    command = [sys.executable, "-c", LOADED, module]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def is_empty(module: Path) -> bool:
    """Whether there is nothing in it but a docstring."""
    return len(ast.parse(module.read_text()).body) <= 1


def test_tidying_changes_nothing(lock: Path) -> None:
    code = edit(lock, "numbers.py", "# the scale\nSCALE = (2)\n")
    assert changed(read_lock(lock), code) == {}
    assert status(read_lock(lock), code).endswith("The lock file is up to date.")


def test_a_change_is_told_with_its_kinds_files_and_commands(lock: Path) -> None:
    code = edit(lock, "numbers.py", "SCALE = 3\n")
    changes = changed(read_lock(lock), code)
    assert changes == {"one": ["src/toy/numbers.py"], "two": ["src/toy/numbers.py"]}
    told = status(read_lock(lock), code)
    assert "one, two: src/toy/numbers.py" in told
    assert "selfpose3d code-version --raise one --raise two" in told
    assert "selfpose3d code-version --same all" in told


@pytest.mark.parametrize(
    ("raised", "same", "expected"),
    [
        ([], ["all"], {"one": 1, "two": 4, "three": 1}),
        (["two"], ["one"], {"one": 1, "two": 5, "three": 1}),
        (["all"], ["one"], {"one": 1, "two": 5, "three": 1}),
        (["three"], ["all"], {"one": 1, "two": 4, "three": 2}),
        (["all"], [], {"one": 2, "two": 5, "three": 1}),
    ],
)
def test_what_is_said_settles_it(
    lock: Path, raised: list[str], same: list[str], expected: dict[str, int]
) -> None:
    code = edit(lock, "numbers.py", "SCALE = 3\n")
    settle(lock, code, raised, same)
    assert versions(lock) == expected
    assert changed(read_lock(lock), code) == {}


@pytest.mark.parametrize(
    ("raised", "same", "said"),
    [
        (["one"], [], "nothing is said of two"),
        (["one", "two"], ["one"], "one in both"),
        (["four"], ["all"], "four: no kind of node; known are one, three, two"),
    ],
)
def test_what_is_half_said_is_refused_and_nothing_written(
    lock: Path, raised: list[str], same: list[str], said: str
) -> None:
    before = lock.read_text()
    with pytest.raises(InputError, match=said):
        settle(lock, edit(lock, "numbers.py", "SCALE = 3\n"), raised, same)
    assert lock.read_text() == before


def merged(lock: Path, files: tuple[str, str], raised: list[str]) -> tuple[bool, str]:
    """Whether git merges the lock files of two branches, each with another changed file, and the
    merged text or what is in conflict."""
    base = lock.read_text()
    for branch, name in zip(("ours", "theirs"), files, strict=True):
        lock.write_text(base)
        settle(lock, edit(lock, name, f"{FILES[name]}MORE = 1\n"), raised, ["all"])
        shutil.copy(lock, lock.with_name(branch))
        edit(lock, name, FILES[name])
    lock.write_text(base)
    command = ["git", "merge-file", "--stdout", "ours", "lock.json", "theirs"]
    done = subprocess.run(command, cwd=lock.parent, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout


def test_two_branches_that_raise_one_version_conflict(lock: Path) -> None:
    """Otherwise both would go on with one number for different code."""
    clean, text = merged(lock, ("first.py", "numbers.py"), ["one"])
    assert not clean
    assert '"since"' in text.partition("<<<<<<<")[2].partition("=======")[0]


def test_two_branches_that_tidy_different_files_merge(lock: Path) -> None:
    clean, text = merged(lock, ("first.py", "third.py"), [])
    assert clean
    lock.write_text(text)
    edit(lock, "first.py", f"{FILES['first.py']}MORE = 1\n")
    assert changed(read_lock(lock), edit(lock, "third.py", "MORE = 1\n")) == {}


def test_a_step_that_begins_elsewhere_is_a_change(lock: Path) -> None:
    code = code_in(lock.parent, {**KINDS, "one": ["toy.second"]})
    changes = changed(read_lock(lock), code)
    assert list(changes) == ["one"]
    assert "begins at toy.second" in explained(changes)


def test_a_kind_that_is_new_asks_to_be_written_down(lock: Path) -> None:
    code = code_in(lock.parent, {**KINDS, "four": ["toy.third"]})
    assert list(changed(read_lock(lock), code)) == ["four"]
    settle(lock, code, [], ["four"])
    assert versions(lock)["four"] == 1


def test_code_that_is_gone_is_cleared_away(lock: Path) -> None:
    code = code_in(lock.parent, {"three": ["toy.third"]})
    assert changed(read_lock(lock), code) == {}
    assert "--same all" in status(read_lock(lock), code)
    settle(lock, code, [], ["all"])
    assert list(read_lock(lock)["modules"]) == ["toy.third"]


def test_another_file_is_no_lock_file(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "params.yaml", tmp_path / "lock.json")
    with pytest.raises(InputError, match="not valid JSON"):
        read_lock(tmp_path / "lock.json")
    write_json(tmp_path / "lock.json", {"detections": 2})
    with pytest.raises(InputError, match="no lock file of code versions"):
        read_lock(tmp_path / "lock.json")

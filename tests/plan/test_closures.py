"""Closures: what counts as the code behind a result, and what its hash is of."""

import ast
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfpose3d.errors import InputError
from selfpose3d.plan.closures import closures_of, digest_of, path_of, read_package

FILES = {
    "__init__.py": '__version__ = "1"\n',
    "step.py": """
        '''Makes results.'''
        from toy.shapes import Box
        from toy.tools.numbers import double  # a comment


        def run(value: int) -> int:
            '''Twice the value.'''
            from toy.lazy import late

            return double(value) + late(Box())


        def other() -> int:
            from toy.unrelated import nothing

            return nothing
    """,
    "shapes/__init__.py": """
        from toy.shapes.box import Box
        from toy.shapes.ball import Ball

        __all__ = ["Ball", "Box"]
    """,
    "shapes/box.py": "class Box:\n    pass\n",
    "shapes/ball.py": "class Ball:\n    pass\n",
    "tools/__init__.py": "",
    "tools/numbers.py": "from toy.tools.constants import TWO\ndef double(x): return TWO * x\n",
    "tools/constants.py": "TWO = 2\n",
    "lazy.py": "from toy.errors import ToyError\n\ndef late(box):\n    return 0\n",
    "errors.py": "from toy.unrelated import nothing\n\nclass ToyError(ValueError):\n    pass\n",
    "unrelated.py": "nothing = 0\n",
}
STEP = {"step", "shapes", "shapes.box", "tools.numbers", "tools.constants", "lazy"}


def write_package(folder: Path, changes: Mapping[str, str] = {}) -> Path:
    """The package ``toy``, some of its files replaced or added."""
    for name, text in {**FILES, **changes}.items():
        path = folder / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder / "toy"


def closure(folder: Path, root: str = "toy.step:run") -> set[str]:
    """The names in a closure, without the package's own."""
    found = closures_of({"kind": [root]}, read_package(folder), ["toy.errors"])
    return {name.removeprefix("toy.") for name in found["kind"]}


def digests(folder: Path) -> dict[str, str]:
    package = read_package(folder)
    return {name: digest_of(name, package) for name in [*package, "toy.step:run"]}


def moved(folder: Path, changes: Mapping[str, str]) -> set[str]:
    """What has another hash once some files are changed."""
    before = digests(write_package(folder))
    after = digests(write_package(folder, changes))
    return {name for name in after if after[name] != before.get(name)}


def test_a_closure_has_what_is_imported_anywhere_and_nothing_else(tmp_path: Path) -> None:
    folder = write_package(tmp_path)
    assert closure(folder) == (STEP - {"step"}) | {"step:run"}
    assert closure(folder, "toy.step") == STEP | {"unrelated"}
    assert closure(folder, "toy.tools.constants") == {"tools.constants"}


@pytest.mark.parametrize(
    "text",
    [
        "import toy.shapes\nshape = toy.shapes.Box()\n",
        "from toy import shapes\nshape = shapes.Box()\n",
        "from toy.shapes import *\nshape = Box()\n",
    ],
)
def test_where_names_cannot_be_told_all_that_is_exported_counts(tmp_path: Path, text: str) -> None:
    folder = write_package(tmp_path, {"tools/constants.py": text})
    assert closure(folder, "toy.tools.constants") == {
        "tools.constants", "shapes", "shapes.box", "shapes.ball",
    }  # fmt: skip


def test_a_package_that_runs_code_counts_for_what_lies_in_it(tmp_path: Path) -> None:
    folder = write_package(tmp_path, {"tools/__init__.py": "import toy.unrelated\n\nset_up()\n"})
    assert closure(folder) == (STEP - {"step"}) | {"step:run", "tools", "unrelated"}


def test_a_name_that_is_exported_from_elsewhere_moves_the_closure(tmp_path: Path) -> None:
    changed = {"shapes/__init__.py": "from toy.shapes.ball import Ball as Box\n"}
    folder = write_package(tmp_path, changed)
    assert {"shapes", "shapes.ball"} < closure(folder)
    assert "shapes.box" not in closure(folder)
    assert moved(tmp_path, changed) == {"toy.shapes"}


def test_tidying_leaves_the_hash(tmp_path: Path) -> None:
    tidy = {
        "step.py": FILES["step.py"].replace("a comment", "another").replace("Twice", "2 x"),
        "shapes/box.py": '"""A module."""\n\n\nclass Box:\n    """With six sides."""\n',
        "tools/constants.py": 'TWO = (\n    2\n)\n"""The number two."""\n',
    }
    assert moved(tmp_path, tidy) == set()


def test_a_constant_far_away_moves_its_hash(tmp_path: Path) -> None:
    assert moved(tmp_path, {"tools/constants.py": "TWO = 3\n"}) == {"toy.tools.constants"}


def test_of_a_definition_only_what_it_uses_counts(tmp_path: Path) -> None:
    other = FILES["step.py"].replace("return nothing", "return 1 + nothing")
    assert moved(tmp_path, {"step.py": other}) == {"toy.step"}
    own = FILES["step.py"].replace("return double", "return -double")
    assert moved(tmp_path, {"step.py": own}) == {"toy.step", "toy.step:run"}
    used = "LIMIT = {limit}\n\ndef run():\n    return helped()\n\ndef helped():\n    return LIMIT\n"
    for limit in (1, 2):
        write_package(tmp_path / str(limit), {"step.py": used.format(limit=limit)})
    assert (
        digests(tmp_path / "1/toy")["toy.step:run"] != digests(tmp_path / "2/toy")["toy.step:run"]
    )


def code() -> st.SearchStrategy[str]:
    """Little modules: assignments and functions with numbers, texts and names in them."""
    values = st.one_of(st.integers(), st.text(max_size=5), st.floats(allow_nan=False), st.none())
    lines = st.builds(lambda name, value: f"{name} = {value!r}", st.sampled_from("abc"), values)
    functions = st.builds(lambda line: f"def f(x=1, *, y: int = 2):\n    {line}\n", lines)
    return st.lists(st.one_of(lines, functions), min_size=1, max_size=4).map("\n".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=code(), second=code())
def test_hashes_are_equal_where_the_code_is(tmp_path: Path, first: str, second: str) -> None:
    """``ast.unparse`` writes code anew in a layout of its own."""
    tidied = f"# tidied\n{ast.unparse(ast.parse(first))}"
    for name, text in {"first": first, "second": second, "tidied": tidied}.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    package = read_package(tmp_path)
    hashes = {
        path.stem: digest_of(f"{tmp_path.name}.{path.stem}", package) for path in tmp_path.iterdir()
    }
    assert hashes["first"] == hashes["tidied"]
    assert (hashes["first"] == hashes["second"]) == (
        ast.dump(ast.parse(first)) == ast.dump(ast.parse(second))
    )


@pytest.mark.parametrize(
    ("root", "said"),
    [("toy.gone", "no module toy.gone"), ("toy.step:gone", "defines no gone")],
)
def test_a_root_that_is_not_there_is_named(tmp_path: Path, root: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        closure(write_package(tmp_path), root)


def test_relative_imports_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"toy\.lazy: a relative import"):
        closure(write_package(tmp_path, {"lazy.py": "from . import errors\n"}))


def test_the_path_of_a_module_is_its_file(tmp_path: Path) -> None:
    folder = write_package(tmp_path)
    paths = {path_of(name, folder) for name in read_package(folder)}
    assert paths == set(folder.rglob("*.py"))
    assert path_of("toy.step:run", folder) == folder / "step.py"

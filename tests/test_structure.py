"""The arrows between the rooms (ARCHITECTURE.md), and what every rule of the workflow has."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import REPOSITORY, run_snakemake, tool_path

PACKAGE = REPOSITORY / "src" / "selfpose3d"
WORKFLOW = REPOSITORY / "workflow"

FOUNDATION = {"errors", "progress", "geometry", "skeletons"}
COMMON = FOUNDATION | {"files", "config", "fetch"}
MAY_IMPORT = {
    "errors": set(),
    "skeletons": set(),
    "progress": {"errors"},
    "geometry": {"errors"},
    "files": FOUNDATION,
    "fetch": {"errors", "progress", "files"},
    "config": {"errors", "files"},
    "experiments": {"errors", "files", "config", "training"},
    "parameters_file": {"errors", "files", "config"},
    "datasets": COMMON,
    "pseudo2d": COMMON,
    "models": COMMON,
    "training": COMMON | {"datasets", "pseudo2d", "models", "inference", "baselines"},
    "inference": COMMON | {"datasets", "pseudo2d", "models", "baselines"},
    "baselines": COMMON | {"datasets", "pseudo2d", "models"},
    "evaluation": {"errors", "files", "skeletons", "geometry"},
    "reporting": {"errors", "files", "skeletons", "geometry"},
}
"""Which rooms of the package a room may import, besides itself."""

COMMAND_LINE = {"cli", "pipeline", "__init__", "__main__"}
"""What may import all."""

NEVER_SEE_THE_TRUTH = ("training", "inference", "models", "pseudo2d", "baselines")
SUPERVISED_BY_DESIGN = {
    Path("pseudo2d/ground_truth.py"): {"pseudo2d/estimator.py"},
    Path("pseudo2d/quality.py"): {"pipeline.py"},
    Path("training/supervised.py"): {"pipeline.py"},
}
"""What may hold the truth, and by whom alone it may be imported: the estimator of the paper's
table 3, the report on the labels of the test sequences, and the baseline VoxelPose."""

ESTIMATOR = Path("pseudo2d/estimator.py")
ESTIMATORS_WORDS = {"ground_truth", "project_truth"}


def modules() -> list[Path]:
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


def imports(module: Path) -> Iterator[str]:
    """The full names of what a module imports, wherever in it."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import in line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(module: Path) -> set[str]:
    own = (name.split(".") for name in imports(module))
    return {parts[1] for parts in own if parts[0] == "selfpose3d" and len(parts) > 1}


def test_every_room_has_its_arrows() -> None:
    assert {room(module) for module in modules()} - set(MAY_IMPORT) <= COMMAND_LINE


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_lies_below_it(name: str) -> None:
    wrong = {
        str(module): sorted(extra)
        for module in modules()
        if room(module) == name and (extra := rooms_imported(module) - MAY_IMPORT[name] - {name})
    }
    assert not wrong


def test_one_module_knows_mlflow_and_only_the_command_line_knows_that_module() -> None:
    recording = Path("reporting/recording.py")
    named = {module: list(imports(module)) for module in modules()}
    assert {
        module for module, names in named.items() if any(n.split(".")[0] == "mlflow" for n in names)
    } == {recording}
    knows = {m for m, names in named.items() if any("reporting.recording" in n for n in names)}
    assert {room(module) for module in knows} == {"cli", "pipeline"}


def mentions_of_truth(module: Path) -> list[str]:
    """Names, attributes, imports and texts outside docstrings that speak of the truth."""
    tree = ast.parse((PACKAGE / module).read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node) is not None
        if isinstance(node.body[0], ast.Expr)
    }
    said = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            said.append(node.id)
        elif isinstance(node, ast.Attribute):
            said.append(node.attr)
        elif isinstance(node, ast.arg):
            said.append(node.arg)
        elif isinstance(node, ast.alias):
            said.append(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said += [] if id(node) in docstrings else [node.value]
    return [text for text in said if re.search(r"ground.?truth|(^|[_/])truth", text, re.IGNORECASE)]


def allowed_words(module: Path) -> set[str]:
    """The estimators' switch may name the one that is supervised by design."""
    return ESTIMATORS_WORDS if module == ESTIMATOR else set()


@pytest.mark.parametrize("module", sorted(SUPERVISED_BY_DESIGN), ids=str)
def test_what_holds_the_truth_is_imported_where_it_may_be(module: Path) -> None:
    name = "selfpose3d." + ".".join(module.with_suffix("").parts)
    importers = {
        str(other)
        for other in modules()
        if any(imported == name or imported.startswith(f"{name}.") for imported in imports(other))
    }
    assert importers <= SUPERVISED_BY_DESIGN[module]


@pytest.mark.parametrize("name", NEVER_SEE_THE_TRUTH)
def test_the_truth_never_reaches_what_learns(name: str) -> None:
    wrong = {
        str(module): found
        for module in modules()
        if room(module) == name and module not in SUPERVISED_BY_DESIGN
        if (found := set(mentions_of_truth(module)) - allowed_words(module))
    }
    assert not wrong


def rule_blocks() -> dict[str, set[str]]:
    """Every rule of the workflow with the keywords it has; inherited ones included."""
    blocks: dict[str, set[str]] = {}
    pattern = re.compile(
        r"^(?:rule (\w+)|use rule (\w+) as (\w+) with):\n((?:    .*\n|\n)+)", re.MULTILINE
    )
    for path in [WORKFLOW / "Snakefile", *sorted((WORKFLOW / "rules").glob("*.smk"))]:
        for match in pattern.finditer(path.read_text() + "\n"):
            own = set(re.findall(r"^    (\w+):", match[4], re.MULTILINE))
            blocks[match[1] or match[3]] = own | blocks.get(match[2] or "", set())
    return blocks


def test_every_rule_has_all_its_parts() -> None:
    blocks = rule_blocks()
    working = {name: parts for name, parts in blocks.items() if "output" in parts}
    assert len(working) > 15
    needed = {"log", "benchmark", "conda", "threads", "resources", "message"}
    incomplete = {name: sorted(needed - parts) for name, parts in working.items() if needed - parts}
    assert not incomplete
    targets = set(blocks) - set(working)
    assert all({"input", "message"} <= blocks[name] for name in targets)


SOURCES = {"studio_bake", "prepare_footage", "fetch_weights", "describe", "mlflow_store"}
"""Rules at the start of the graph: they need no file."""


def test_every_rule_but_the_sources_has_inputs() -> None:
    assert {name for name, parts in rule_blocks().items() if "input" not in parts} == SOURCES


def test_training_asks_for_a_gpu_and_never_for_the_truth() -> None:
    text = (WORKFLOW / "rules" / "training.smk").read_text()
    assert "gpu=1" in text
    assert "truth" not in re.sub(r'"""(?:.|\n)*?"""', "", text)


def test_the_workflow_is_free_of_lint(tmp_path: Path) -> None:
    status, output = run_snakemake("--lint", workdir=tmp_path)
    assert status == 0, output


@pytest.mark.parametrize(
    "command",
    [
        ["snakefmt", "--check", "workflow"],
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
    ],
    ids=lambda command: command[0] + command[1][:7] if len(command) > 1 else command[0],
)
def test_the_linters_have_nothing_to_say(command: list[str]) -> None:
    folder = next(
        Path(path) for path in tool_path().split(":") if (Path(path) / command[0]).exists()
    )
    done = subprocess.run(
        [folder / command[0], *command[1:]],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

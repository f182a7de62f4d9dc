"""The arrows between the rooms (ARCHITECTURE.md), and what every rule of the workflow has."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

from conftest import REPOSITORY, run_snakemake, tool_path
from selfpose3d.detection import ESTIMATORS
from selfpose3d.errors import InputError
from selfpose3d.methods import STAGES
from selfpose3d.parameters import Parameters
from selfpose3d.pipeline import train_stage
from selfpose3d.plan.keys import roots
from selfpose3d.tables import Step

PACKAGE = REPOSITORY / "src" / "selfpose3d"
WORKFLOW = REPOSITORY / "workflow"

LOWEST = {"errors", "tables"}
FOUNDATION = {"errors", "geometry", "skeletons"}
MAY_IMPORT = {
    "errors": set(),
    "chains": set(),
    "skeletons": {"errors"},
    "seeds": set(),
    "progress": set(),
    "tables": {"errors"},
    "geometry": {"errors"},
    "files": FOUNDATION,
    "fetch": LOWEST | {"files", "progress"},
    "keypoints": FOUNDATION | {"files", "progress", "tables"},
    "parameters": LOWEST | {"files", "skeletons"},
    "studio": FOUNDATION | {"files", "parameters", "progress"},
    "synthetic": {"files", "geometry", "skeletons"},
    "calibrations": LOWEST | {"files", "geometry"},
    "sources": FOUNDATION
    | LOWEST
    | {"calibrations", "fetch", "files", "keypoints", "parameters", "progress"},
    "reconstruction": FOUNDATION | {"files", "parameters", "progress"},
    "detection": FOUNDATION
    | LOWEST
    | {"fetch", "files", "keypoints", "networks", "parameters", "progress", "reconstruction"},
    "rig": FOUNDATION | {"calibrations", "files", "keypoints", "reconstruction"},
    "networks": {"errors", "fetch"},
    "training": FOUNDATION
    | {"detection", "files", "parameters", "progress", "reconstruction", "seeds"},
    "methods": FOUNDATION
    | LOWEST
    | {"detection", "files", "networks", "parameters", "progress", "reconstruction", "seeds"}
    | {"training"},
    "plan": LOWEST
    | {"calibrations", "detection", "fetch", "files", "methods", "parameters", "sources"},
    "evaluation": FOUNDATION | {"files"},
    "reporting": {"chains", "errors", "files", "geometry", "parameters"},
}
"""The rooms of the package that a room imports, besides itself: all of them, and no others. What a
table names as a ``Step`` is imported when it is run, and no arrow."""

COMMAND_LINE = {"cli", "pipeline", "__init__", "__main__"}
"""What may import all."""

RECORDING = Path("reporting/recording.py")
"""The one module that knows MLflow."""

NEVER_SEE_THE_TRUTH = ("training", "methods", "networks", "detection", "reconstruction")
SUPERVISED_BY_DESIGN: dict[Path, set[str]] = {
    Path("detection/ground_truth.py"): set(),
    Path("detection/quality.py"): {"pipeline.py"},
    Path("methods/voxels/supervised.py"): set(),
}
"""What may hold the truth, and by whom alone it may be imported: the estimator of the paper's
table 3, the report on the labels of the test sequences, and the baseline VoxelPose. Only entries
of the tables that are marked for it name the first and the last."""

MAY_SAY_TRUTH = {
    Path("detection/__init__.py"): {
        "ground_truth",
        "selfpose3d.detection.ground_truth:detect_from_truth",
    },
    Path("detection/entry.py"): {"uses_truth"},
    Path("methods/entry.py"): {"truth"},
}
"""The tables and their protocols: they say who is given the truth, and read none."""


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


def importers_of(module: Path) -> set[str]:
    """The modules that import a module or something of it."""
    name = "selfpose3d." + ".".join(module.with_suffix("").parts)
    return {
        str(other)
        for other in modules()
        if any(imported == name or imported.startswith(f"{name}.") for imported in imports(other))
    }


def test_every_room_has_its_arrows() -> None:
    assert {room(module) for module in modules()} - COMMAND_LINE == set(MAY_IMPORT)


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_lies_below_it(name: str) -> None:
    wrong = {
        str(module): sorted(extra)
        for module in modules()
        if room(module) == name and (extra := rooms_imported(module) - MAY_IMPORT[name] - {name})
    }
    assert not wrong


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_every_arrow_is_there(name: str) -> None:
    drawn = set().union(*(rooms_imported(module) for module in modules() if room(module) == name))
    assert not MAY_IMPORT[name] - drawn


def test_the_arrows_have_no_circle() -> None:
    order = tuple(TopologicalSorter(MAY_IMPORT).static_order())
    assert set(order) == set(MAY_IMPORT)


def test_only_recording_knows_mlflow_and_only_the_command_line_knows_recording() -> None:
    knows_mlflow = {
        module
        for module in modules()
        if any(name.split(".")[0] == "mlflow" for name in imports(module))
    }
    assert knows_mlflow == {RECORDING}
    assert {room(Path(module)) for module in importers_of(RECORDING)} <= COMMAND_LINE


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


@pytest.mark.parametrize("module", sorted(SUPERVISED_BY_DESIGN), ids=str)
def test_what_holds_the_truth_is_imported_where_it_may_be(module: Path) -> None:
    assert importers_of(module) <= SUPERVISED_BY_DESIGN[module]


@pytest.mark.parametrize("name", NEVER_SEE_THE_TRUTH)
def test_the_truth_never_reaches_what_learns(name: str) -> None:
    wrong = {
        str(module): found
        for module in modules()
        if room(module) == name and module not in SUPERVISED_BY_DESIGN
        if (found := set(mentions_of_truth(module)) - MAY_SAY_TRUTH.get(module, set()))
    }
    assert not wrong


def place_of(step: Step) -> Path:
    """The module of a step, as a path within the package."""
    return Path(*step.module.split(".")[1:]).with_suffix(".py")


def test_what_the_tables_mark_is_all_that_holds_the_truth() -> None:
    """A stage that is not supervised, or an estimator that does not use the truth, has no code of
    those that may hold it."""
    stages = {name: place_of(stage.train) in SUPERVISED_BY_DESIGN for name, stage in STAGES.items()}
    assert stages == {name: stage.supervised for name, stage in STAGES.items()}
    marked = {
        name: place_of(one.detect) in SUPERVISED_BY_DESIGN for name, one in ESTIMATORS.items()
    }
    assert marked == {name: one.uses_truth for name, one in ESTIMATORS.items()}
    assert set(stages.values()) == set(marked.values()) == {True, False}


@pytest.mark.parametrize("name", sorted(STAGES))
def test_a_stage_is_handed_the_truth_where_it_is_marked_and_nowhere_else(
    name: str, tmp_path: Path
) -> None:
    supervised = STAGES[name].supervised
    truth = [] if supervised else [tmp_path / "truth.parquet"]
    said = "needs --truth" if supervised else "learns without 3D truth"
    with pytest.raises(InputError, match=f"the stage '{name}' {said}"):
        train_stage(Parameters(), name, [], tmp_path, None, [], None, truth, tmp_path / "out")


RULE = re.compile(
    r"^( *)(?:rule(?: (\w+))?|use rule (\w+) as (\w+) with):\n((?:\1    .*\n|\n)+)", re.MULTILINE
)
NAMED = re.compile(r"^ +name:\s+(?:f\"(.+)\"|(\w+))$", re.MULTILINE)
"""Of a rule that is made in a loop, after its table: a pattern, or the loop's variable."""


def rule_blocks() -> dict[str, set[str]]:
    """Every rule of the workflow with the keywords it has; inherited ones included."""
    blocks: dict[str, set[str]] = {}
    for path in [WORKFLOW / "Snakefile", *sorted((WORKFLOW / "rules").glob("*.smk"))]:
        text = path.read_text() + "\n"
        found = list(RULE.finditer(text))
        assert len(found) == len(re.findall(r"^ *(?:use )?rule\b", text, re.MULTILINE)), path
        for indent, name, base, renamed, block in (match.groups() for match in found):
            own = set(re.findall(rf"^{indent}    (\w+):", block, re.MULTILINE))
            blocks[name or renamed or _name_in(block)] = own | blocks.get(base or "", set())
    return blocks


def _name_in(block: str) -> str:
    named = NAMED.search(block)
    assert named, block
    return named[1] or f"{{{named[2]}}}"


def test_rules_are_made_from_the_tables() -> None:
    assert {name for name in rule_blocks() if "{" in name} == {
        "prepare_{source}",
        "train_{stage.name}",
        "{table}",
    }


def test_every_rule_has_all_its_parts() -> None:
    blocks = rule_blocks()
    working = {name: parts for name, parts in blocks.items() if "output" in parts}
    assert len(working) > 15
    needed = {"log", "benchmark", "conda", "threads", "resources", "message"}
    incomplete = {name: sorted(needed - parts) for name, parts in working.items() if needed - parts}
    assert not incomplete
    targets = set(blocks) - set(working)
    assert all({"input", "message"} <= blocks[name] for name in targets)


def test_rules_without_a_key_in_their_paths_show_the_version_of_their_code() -> None:
    """Snakemake runs a job again whose ``params`` changed."""
    texts = [path.read_text() for path in sorted((WORKFLOW / "rules").glob("*.smk"))]
    shown = {
        (match[1], match[2])
        for text in texts
        for match in re.finditer(r'(?s)rule (\w+):(?:(?!\nrule ).)*?version=CODE\["(\w+)"\]', text)
    }
    assert shown == {
        (kind, kind) for kind in ("evaluate", "label_quality", "heatmap_quality", "reprojection")
    }
    assert {kind for kind, _ in shown} <= set(roots())


STARTS = {"studio_bake", "describe", "mlflow_store"}
"""Rules at the start of the graph: they need no file."""


def test_every_rule_but_the_first_has_inputs() -> None:
    assert {name for name, parts in rule_blocks().items() if "input" not in parts} == STARTS


def test_training_asks_for_a_gpu_and_never_for_the_truth() -> None:
    text = (WORKFLOW / "rules" / "training.smk").read_text()
    assert "gpu=of_stage(" in text
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


def test_functions_are_short() -> None:
    lines = {
        f"{path.relative_to(PACKAGE)}: {node.name}": node.end_lineno - node.lineno + 1
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None
    }
    assert {name for name, length in lines.items() if length > 60} == set()
    assert median(lines.values()) <= 9


def test_a_job_that_runs_no_network_starts_without_torch() -> None:
    """``import torch`` takes longer than most of these jobs."""
    steps = ("pipeline", "detection.filters", "reconstruction.training_free", "evaluation.metrics")
    names = ", ".join(f"selfpose3d.{name}" for name in (*steps, "rig.checking", "reporting.report"))
    code = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY / "src", check=False)
    assert done.returncode == 0

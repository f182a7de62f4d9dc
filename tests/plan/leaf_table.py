"""Which results get another key when a parameter changes, leaf by leaf of params.yaml.

    PYTHONPATH=src:tests python tests/plan/leaf_table.py    # writes the table anew

Each leaf is changed alone, and the plan is made anew. A reviewer reads in ``leaf_table.md`` what a
change of it makes again, downstream results included.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from selfpose3d.errors import InputError
from selfpose3d.parameters import Parameters, leaves, load_parameters, merge, parse_parameters
from selfpose3d.plan.nodes import Plan
from selfpose3d.plan.planning import make_plan

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_suffix(".md")
SUPERVISED = {"supervised": {"title": "VoxelPose", "method": "voxelpose"}}
"""Laid over params.yaml, so that every method's stages are in the plan."""
ONE_VALUE = ("heatmaps.stride",)
"""Leaves that have one value only."""
NO_NODES = ("seeds", "run", "experiments", "tables", "mlflow")
"""Sections that say which nodes there are, or what is done with results afterwards."""
FOOTAGE = {"pose2sim_demo"}
EXTRAS = ("rtmlib", "torchvision", "transformers")
OF_FILES = ("files", "joints", "image_size", "first")
VIDEOS = {"data": {"source": "videos"}, "videos": {"train": {"a": "x"}, "test": {"b": "y"}}}
WITHOUT_IMAGES: dict[str, Any] = {
    "heatmaps": {"source": "estimator"},
    "train": {stage: {"soft_attention": False} for stage in ("pose_l2", "pose_l1", "finetune")},
    "experiments": {"images": {"set": {"heatmaps.source": "estimator"}}},
}
"""So that no experiment looks at images, where data have none."""
CHOSEN_FOR: Mapping[str, dict[str, Any]] = {
    "panoptic": {"data": {"source": "panoptic"}},
    "shelf": {"data": {"source": "shelf"}},
    "campus": {"data": {"source": "campus"}},
    "mvor": {
        "data": {"source": "mvor"},
        "mvor": {"train": {"a": [1]}, "test": {"mvor_test": [2, 3]}},
    },
    "videos": VIDEOS,
    "keypoints": {
        "data": {"source": "keypoints_with_truth"},
        "keypoints": {"calibration": "x.toml", "truth": "x.json", "train": ["a"], "test": ["b"]},
        "estimator": {"name": "file"},
        **WITHOUT_IMAGES,
    },
    "inference": {
        "inference": {"people": "people/{sequence}.json"},
        "experiments": {"elsewhere": {"title": "Made elsewhere", "method": "file"}},
    },
    **{f"estimator.{name}": {"estimator": {"name": name}} for name in EXTRAS},
    **{f"estimator.{name}": {"estimator": {"name": "file"}} for name in OF_FILES},
    "labels.noise_seed": {"labels": {"noise": 1.0}},
    "data.frame_rate": VIDEOS,
}
"""With what chosen the leaves of a section, or a leaf, are changed; all others with params.yaml as
it is."""
OTHER: Mapping[str, Any] = {
    "data.source": "panoptic",
    "labels.skeleton": "coco17",
    "data.cameras": ["00_00", "00_01", "00_02"],
    "data.network_size": [512, 288],
    "estimator.name": "file",
    "estimator.files": "people/{sequence}.json",
    **{f"estimator.{name}.source": "weights" for name in EXTRAS},
    **{f"estimator.{name}.sha256": {"a": "0" * 64} for name in EXTRAS},
    "estimator.rtmlib.model": "rtmo",
    "estimator.rtmlib.mode": "lightweight",
    "estimator.joints": "body25b",
    "estimator.image_size": "videos",
    "estimator.first": 1,
    "footage.name": "none",
    "shelf.train": {"shelf_train": [[0, 99]]},
    "shelf.test": {"shelf_test": [[300, 400]]},
    "campus.train": {"campus_train": [[0, 99]]},
    "campus.test": {"campus_test": [[350, 470]]},
    "mvor.train": {"a": [4]},
    "mvor.test": {"mvor_test": [2]},
    "videos.train": {"a": "elsewhere"},
    "videos.test": {"b": "elsewhere"},
    "keypoints.calibration": "y.toml",
    "keypoints.truth": "y.json",
    "keypoints.train": ["c"],
    "keypoints.test": ["c"],
    "compute.accelerator": "cpu",
    "inference.people": "elsewhere/{sequence}.json",
}
"""Other values of leaves whose type does not say which are allowed."""
COLUMNS = (
    *("rendered", "scenes", "detections", "rig checks", "labels", "reconstructions", "stages"),
    "predictions",
)


def base_of(section: str) -> Parameters:
    """The parameters that a section's leaves are changed in."""
    given = load_parameters([REPOSITORY / "params.yaml"]).model_dump(mode="json")
    files = {"estimator": {"files": "labels/{sequence}.json"}}
    own = merge(CHOSEN_FOR.get(section, {}), {"experiments": SUPERVISED, **files})
    return parse_parameters(merge(given, own), "leaf table")


def keys_by_role(plan: Plan) -> dict[str, dict[str, str]]:
    """Ids of a plan's nodes by what they are for, whatever their keys: column, role, id."""

    def role(scene: Any) -> str:
        return "footage" if scene.source in FOOTAGE else str(scene.split)

    found: dict[str, dict[str, str]] = {column: {} for column in COLUMNS}
    for scene in plan.scenes.values():
        found["scenes"][f"{role(scene)} {scene.sequence}"] = scene.id
        if scene.host:
            found["rendered"][f"{role(scene)} {scene.sequence}"] = scene.host.id
    for each in plan.detections.values():
        found["detections"][f"{role(each.scene)} {each.scene.sequence}"] = each.id
    for check in plan.rig_checks.values():
        scene = check.detections.scene
        found["rig checks"][f"{role(scene)} {scene.sequence}"] = check.id
    for labels in plan.labels.values():
        found["labels"][f"{role(labels.scenes[0])} {labels.kind}"] = labels.id
    for people in plan.reconstructions.values():
        found["reconstructions"][role(people.labels.scenes[0])] = people.id
    for stage in plan.stages.values():
        source = stage.id.removeprefix(f"{stage.stage}-").partition("-")[0]
        labels = stage.labels.kind if stage.stage.startswith("pose") else ""
        found["stages"][f"{stage.stage} {source} {labels}".strip()] = stage.id
    for run in plan.experiments.values():
        found["predictions"][run.name] = run.id
    return found


def other_values(dotted: str, value: Any) -> Iterator[Any]:
    """Values to try in the place of a leaf's."""
    if dotted in OTHER:
        yield OTHER[dotted]
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value * 2, value + 4, value * 0.5, value + 0.1)
    elif isinstance(value, list | tuple) and value:
        first, *rest = value
        yield from ([each, *rest] for each in other_values("", first))
        yield list(value[:-1])
        yield [other for each in value for other in [next(other_values("", each))]]
    elif value is None:
        yield from (1, 0.5)
    else:
        named = (
            "none",
            "soft",
            "hard",
            "step",
            "generic",
            "one",
            "constant",
            "augmented",
            "pose_resnet18",
            "all",
        )
        yield from (*named, "estimator", "keep", "32-true", f"{value}_2")


def changed_leaf(base: Parameters, path: tuple[str, ...], value: Any) -> Parameters:
    """The parameters with another value at a leaf; a stage's length in epochs for iterations."""
    dotted = ".".join(path)
    for other in other_values(dotted, value):
        over: Any = {path[-1]: other}
        if path[0] == "train" and path[-1] == "epochs":
            over["iterations"] = None
        for part in reversed(path[:-1]):
            over = {part: over}
        try:
            changed = parse_parameters(merge(base.model_dump(mode="json"), over), dotted)
        except InputError:
            continue
        if changed != base:
            return changed
    raise AssertionError(f"no other value of {dotted} was found; name one in OTHER")


def plan_of(parameters: Parameters) -> dict[str, dict[str, str]]:
    """The ids of the nodes of all experiments that the data allow."""
    return keys_by_role(make_plan(parameters))


def cell(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What of a column got another key: splits, stages and experiments whose every node did by
    their name, single nodes of others in full."""
    moved = {name for name in before if after.get(name) != before[name]}
    if moved and len(moved) == len(before):
        return "all"
    groups: dict[str, list[str]] = {}
    for name in before:
        groups.setdefault(name.split()[0], []).append(name)
    whole = [group for group, names in groups.items() if moved.issuperset(names)]
    single = [name for name in moved if name.split()[0] not in whole]
    return ", ".join(sorted([*whole, *single]))


def rows() -> Iterator[tuple[str, list[str]]]:
    """Each leaf, and what of each column gets another key."""
    bases = {name: base_of(name) for name in ("", *CHOSEN_FOR)}
    before = {name: plan_of(base) for name, base in bases.items()}
    for path, _, _ in leaves(bases[""]):
        dotted = ".".join(path)
        if path[0] in NO_NODES or dotted in ONE_VALUE:
            continue
        name = next((each for each in CHOSEN_FOR if f"{dotted}.".startswith(f"{each}.")), "")
        value: Any = bases[name].model_dump(mode="json")
        for part in path:
            value = value[part]
        try:
            after = plan_of(changed_leaf(bases[name], path, value))
        except InputError:
            yield dotted, ["", "", "", "", "", "refused", "refused"]
            continue
        yield dotted, [cell(before[name][c], after[c]) for c in COLUMNS]


def table(progress: Callable[[str], None] = lambda leaf: None) -> str:
    """The table in Markdown."""
    lines = [
        "# What a changed parameter makes anew",
        "",
        "Made by `tests/plan/leaf_table.py`: each leaf of `params.yaml` is changed alone. A cell",
        "names the results that get another key, all that follow from them included; an empty cell",
        'means that they are kept, "refused" that no whole method is left. Leaves of a',
        "source's section are changed with its data chosen, those of an extra with this estimator.",
        "",
        "| leaf | " + " | ".join(COLUMNS) + " |",
        "|---" * (1 + len(COLUMNS)) + "|",
    ]
    for leaf, cells in rows():
        progress(leaf)
        lines.append(f"| `{leaf}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table())

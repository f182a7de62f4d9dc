"""Ids of nodes: a readable name, and a key of all that a result depends on."""

import hashlib
import json
from pathlib import Path
from typing import Any

from selfpose3d.calibrations import CALIBRATIONS
from selfpose3d.detection import ESTIMATORS
from selfpose3d.methods import METHODS, STAGES
from selfpose3d.plan.code_versions import Code, code_versions
from selfpose3d.sources import SOURCES

LEFT_OUT: dict[str, str] = {
    "selfpose3d.errors": "It says what went wrong; a step that fails has no result.",
    "selfpose3d.progress": "It only tells how far a step is.",
    "selfpose3d.parameters": "The values that a step reads are in its key.",
    "selfpose3d.fetch": "What it brings is checked by SHA-256, or is what the host has.",
    "selfpose3d.tables": "It finds the code that a table names, which is a root.",
    "selfpose3d.methods.__init__": "The table of methods; the code that it names is a root.",
    "selfpose3d.methods.entry": "It says what is given to a method, and computes nothing.",
    "selfpose3d.sources.__init__": "The table of sources; the code that it names is a root.",
    "selfpose3d.sources.entry": "It says what is given to a source, and computes nothing.",
    "selfpose3d.detection.__init__": "The table of estimators; the code that it names is a root.",
    "selfpose3d.detection.entry": "It says what an estimator is, and computes nothing.",
    "selfpose3d.calibrations.entry": "It says what a format is, and computes nothing.",
    **{
        f"selfpose3d.methods.{path.parent.name}.__init__": "Entries of the table of methods."
        for path in Path(__file__).parents[1].glob("methods/*/__init__.py")
    },
}
"""The modules that can't change a result, each with the reason. The name of a package stands for
all in it, with ``.__init__`` for that module alone."""


def roots() -> dict[str, tuple[str, ...]]:
    """The roots of each kind of node (``plan.closures``), which are where its code begins, from the
    tables.

    The version of a kind is in the lock file (``plan.code_versions``) and part of the key, so that
    no older result passes for a new one. What installed packages add is theirs to look after.
    """
    readers = tuple(entry.read.place for entry in CALIBRATIONS.values())
    tables = {
        "scene": ("prepare_scene", {name: each.prepare for name, each in SOURCES.items()}),
        "detect": ("detect_people", {name: each.detect for name, each in ESTIMATORS.items()}),
        "train": ("train_stage", {name: each.train for name, each in STAGES.items()}),
        "predict": ("predict_people", {name: each.predict for name, each in METHODS.items()}),
    }
    named: dict[str, tuple[str, ...]] = {
        f"{step}_{name}": (f"selfpose3d.pipeline:{function}", place.place)
        for step, (function, entries) in tables.items()
        for name, place in entries.items()
        if _is_ours(place.place)
    }
    named["scene_videos"] += tuple(filter(_is_ours, readers))
    return named | {
        "render_studio": ("selfpose3d.studio.bodies", "selfpose3d.studio.sequence"),
        "refined_cameras": ("selfpose3d.pipeline:refine_scene",),
        "rig_check": ("selfpose3d.pipeline:check_rig_folder",),
        "labels": ("selfpose3d.pipeline:label_sequences",),
        "consensus_labels": ("selfpose3d.pipeline:agree_on_labels",),
        "reconstructions": ("selfpose3d.pipeline:reconstruct_sequences",),
        "evaluate": (
            "selfpose3d.pipeline:evaluate_people",
            "selfpose3d.pipeline:measure_agreement",
        ),
        "label_quality": ("selfpose3d.pipeline:measure_labels",),
        "heatmap_quality": ("selfpose3d.pipeline:measure_heatmaps",),
        "reprojection": ("selfpose3d.pipeline:report_reprojection",),
    }


def _is_ours(place: str) -> bool:
    return place.startswith("selfpose3d.")


def own_code() -> Code:
    """The code of this package, and where that of each kind of node begins."""
    return Code(Path(__file__).parents[1], roots(), LEFT_OUT)


def node_id(kind: str, name: str, *depends_on: Any) -> str:
    """``name`` and a key of what a node depends on, the version of its kind's code included.

    Args:
        kind: of ``roots``; a kind that the lock file doesn't have is of version 1.
        name: readable, what the id begins with.
        depends_on: as JSON holds it.
    """
    text = json.dumps([code_versions().get(kind, 1), *depends_on], sort_keys=True)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

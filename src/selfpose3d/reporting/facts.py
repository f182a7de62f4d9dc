"""Tables of measured facts, with readable names and units: pseudo labels, reprojection.

The modules that make the numbers define them: ``detection.quality``, ``evaluation.heatmap_quality``
and ``evaluation.reprojection``.
"""

from collections.abc import Callable, Mapping
from typing import Any

Format = Callable[[Any], str]
Columns = Mapping[str, tuple[str, Format]]
"""The printed name of each fact and the format of its value, by key."""


def _count(value: int) -> str:
    return f"{value:,}"


def _percent(value: float) -> str:
    return f"{value:.1f} %"


def _share(value: float) -> str:
    return _percent(100 * value)


def _pixels(value: float) -> str:
    return f"{value:.1f} px"


def _millimetres(value: float) -> str:
    return f"{value:.0f} mm"


def _mean(value: float) -> str:
    return f"{value:.2f}"


ERRORS: Columns = {
    "median_error": ("median error, of the height", _percent),
    "mean_error": ("mean error, of the height", _percent),
}
AGREEMENT: Columns = {
    "reprojection_mm": ("reprojection at the people", _millimetres),
    "reprojection_px": ("in the images", _pixels),
    "explained": ("2D people explained", _percent),
    "people_2d": ("2D people", _count),
    "people_per_frame": ("people per frame", _mean),
    "frames": ("frames", _count),
}
"""The figures of people without truth (``evaluation.reprojection.agreement``)."""
OF_CAMERAS = ("reprojection_mm", "reprojection_px", "explained", "people_2d")
"""The keys of the agreement that each camera has as well."""
LABELS: Columns = {
    "images": ("pictures", _count),
    "people": ("people in them", _count),
    "recall": ("found people", _share),
    "false_positives": ("surplus labels", _count),
    "duplicates": ("surplus labels of a person already labelled", _count),
    "joints": ("joints compared", _count),
    **ERRORS,
    "pck": ("PCK", _percent),
    "swapped_people": ("swapped people", _share),
    "own_side": ("limb joints on their own side", _share),
}
"""The facts of label quality and of learnt heatmaps."""
BY_JOINT: Columns = {**ERRORS, "pck": ("PCK", _percent), "own_side": ("own side", _share)}
BY_SCORE: Columns = {"share": ("of the joints", _share), **ERRORS}
REPROJECTION: Columns = {
    "images": ("pictures", _count),
    "labels": ("labels", _count),
    "explained": ("explained", _share),
    "people_in_view": ("people in view", _count),
    "found": ("with a label", _share),
    "median_px": ("median error", _pixels),
    "mean_px": ("mean error", _pixels),
    "median_height": ("median error, of the height", _percent),
    "mean_height": ("mean error, of the height", _percent),
}


def label_tables(quality: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tables of labels and learnt heatmaps: overall, by the joint's score, and by joint.

    Args:
        quality: measured facts by title.

    Returns:
        tables as ``{"name", "columns", "rows"}``, cells as text.
    """
    whole = _table("", quality, LABELS)
    scores = {
        title: {f"{row['from']:g} to {row['to']:g}": row for row in facts.get("by_score", ())}
        for title, facts in quality.items()
    }
    joints = {title: _by_joint(facts) for title, facts in quality.items()}
    turned = {**whole, "columns": ["", *quality], "rows": _turned(whole)}
    parts = [("By the joint's score", scores, BY_SCORE), ("By joint", joints, BY_JOINT)]
    tables = [turned, *(_side_by_side(name, part, columns) for name, part, columns in parts)]
    return [table for table in tables if table["rows"]]


def agreement_tables(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The metrics of people without truth by camera and by sequence; tables as in
    ``label_tables``."""
    cameras = {"all cameras": metrics, **metrics["cameras"]}
    return [
        _table("By camera", cameras, {name: AGREEMENT[name] for name in OF_CAMERAS}),
        _table("By sequence", metrics["per_sequence"], AGREEMENT),
    ]


def reprojection_tables(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A reprojection report by camera, frame and joint; tables as in ``label_tables``."""
    cameras = {"all cameras": report["all"], **report["cameras"]}
    joints = {_words(name): {"median_height": value} for name, value in report["joints"].items()}
    counts = {n: {"frames": frames} for n, frames in report["people_per_frame"].items()}
    return [
        _table("By camera", cameras, REPROJECTION),
        _table("By joint", joints, REPROJECTION),
        _table("By number of 3D people", counts, {"frames": ("frames", _count)}),
    ]


def _by_joint(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    sides = facts.get("own_side_by_joint", {})
    return {
        _words(joint): {**row, **({"own_side": sides[joint]} if joint in sides else {})}
        for joint, row in facts.get("by_joint", {}).items()
    }


def _side_by_side(
    name: str, parts: Mapping[str, Mapping[str, Mapping[str, Any]]], columns: Columns
) -> dict[str, Any]:
    """One table of the rows of several titles; each column is headed by its title."""
    rows: dict[str, dict[str, Any]] = {}
    headed = {}
    for title, part in parts.items():
        for row, facts in part.items():
            rows.setdefault(row, {}).update({f"{title}: {key}": facts[key] for key in facts})
        for key, (text, show) in columns.items():
            headed[f"{title}: {key}"] = (f"{title}: {text}", show)
    return _table(name, rows, headed)


def _table(name: str, rows: Mapping[str, Mapping[str, Any]], columns: Columns) -> dict[str, Any]:
    """A table with the given rows and those of the columns for which a row has a value."""
    known = [key for key in columns if any(key in row for row in rows.values())]
    cells = [
        [title, *("–" if row.get(key) is None else columns[key][1](row[key]) for key in known)]
        for title, row in rows.items()
    ]
    return {"name": name, "columns": ["", *(columns[key][0] for key in known)], "rows": cells}


def _turned(table: Mapping[str, Any]) -> list[list[str]]:
    """The rows of a table with rows and columns exchanged."""
    return [list(row) for row in zip(*[table["columns"], *table["rows"]], strict=True)][1:]


def _words(key: str) -> str:
    return key.replace("_", " ")

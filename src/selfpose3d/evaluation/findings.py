"""Sentences on a comparison of 3D people with the 2D people, and on what in it is bad."""

from collections.abc import Mapping
from typing import Any

POOR = 0.6
"""Share of explained 2D people below which they are called few. On MVOR, 0.82 are explained with
the right calibration, and 0.37 with R and t in the other direction."""
FAR_MM = 60.0
"""Median reprojection, mm at the people's distance, above which it is called large: 3.5 % of a
person's height. Estimators of 2D people miss joints by 1 to 2 % of it."""
CROWDED = 1.5
"""3D people per frame over the most 2D people per image of a camera, above which some are called
doubled: people of one camera are then in 3D more than once."""
LOOK = (
    "Look at the calibration (direction of R and t, units, names of the cameras) and at the size "
    "of the images that the 2D people are given in; selfpose3d check-rig says which camera is off"
)


def findings(report: Mapping[str, Any], dropped: str, limit: str) -> list[str]:
    """Four lines on frames, people, cameras and what was dropped, and the report's warnings.

    Args:
        report: of ``reprojection_report``.
        dropped: what the labels' thresholds dropped, in words.
        limit: the limit that keeps 2D people from being one in 3D, in words.
    """
    everything, cameras = report["all"], report["cameras"]
    counts = _people_per_frame(report)
    per_frame = ", ".join(f"{people} in {frames}" for people, frames in counts.items())
    unexplained = everything["labels"] - everything["matched"]
    nobodys = f"{unexplained} of {everything['labels']} 2D people are nobody's in 3D ({limit})"
    return [
        f"{report['frames']} frames, {len(cameras)} cameras, {everything['labels']} 2D people",
        f"{total_people(report)} people in 3D; people per frame: {per_frame} frames",
        "median reprojection and share of 2D people explained: "
        + "; ".join(f"{name} {_camera(row)}" for name, row in cameras.items()),
        f"{dropped}; {nobodys}",
        *(f"warning: {sentence}" for sentence in report["warnings"]),
    ]


def warnings_of(report: Mapping[str, Any]) -> list[str]:
    """Sentences on what is bad in a reprojection report, by ``POOR``, ``FAR_MM`` and ``CROWDED``.

    Args:
        report: ``all``, ``cameras``, ``frames`` and ``people_per_frame`` of
            ``reprojection_report``.
    """
    of_all = _faults(report["all"])
    of_cameras = {name: _faults(row) for name, row in report["cameras"].items()}
    told = [f"All cameras: {of_all}. {LOOK}."] if of_all else []
    told += [f"Camera {name}: {faults}." for name, faults in of_cameras.items() if faults]
    most = max((_per_image(row) for row in report["cameras"].values()), default=0.0)
    people = total_people(report) / max(report["frames"], 1)
    if people > CROWDED * most:
        told.append(
            f"There are {people:.1f} people per frame in 3D, and no camera shows more than "
            f"{most:.1f} per image: some may be there more than once. Are two cameras exchanged, "
            "or is one out of step?"
        )
    return told


def _faults(row: Mapping[str, Any]) -> str:
    """What is bad in the figures of a camera, or of all; "" if nothing is."""
    if not row["labels"]:
        return "there are no 2D people" if row["images"] else "no image was looked at"
    faults = []
    if row["explained"] < POOR:
        faults.append(
            f"only {row['explained']:.0%} of the 2D people are explained by a 3D person "
            f"(less than {POOR:.0%})"
        )
    if row["median_mm"] is not None and row["median_mm"] > FAR_MM:
        faults.append(
            f"joints of the 2D people lie {row['median_mm']:.0f} mm ({row['median_px']:.1f} px) "
            f"beside the projections of the 3D people (median; more than {FAR_MM:.0f} mm)"
        )
    return "; ".join(faults)


def _people_per_frame(report: Mapping[str, Any]) -> dict[int, int]:
    """Numbers of frames by how many people they hold."""
    return {int(people): frames for people, frames in report["people_per_frame"].items()}


def total_people(report: Mapping[str, Any]) -> int:
    """The number of 3D people that a reprojection report counts over all frames."""
    return sum(people * frames for people, frames in _people_per_frame(report).items())


def _per_image(row: Mapping[str, Any]) -> float:
    return row["labels"] / row["images"] if row["images"] else 0.0


def _camera(row: Mapping[str, Any]) -> str:
    if row["median_px"] is None:
        return "no people matched"
    explained = row["explained"] or 0.0
    return f"{row['median_px']:.1f} px, {row['median_mm']:.0f} mm, {explained:.0%}"

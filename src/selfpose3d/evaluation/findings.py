"""What a reconstruction found, in a few lines of text for the terminal."""

from collections.abc import Mapping
from typing import Any

POOR = 0.6
"""Share of explained 2D people below which the calibration or the pixels are suspicious."""


def findings(report: Mapping[str, Any], dropped: str, limit: str) -> list[str]:
    """Four lines on frames, people, cameras and what was dropped, and a warning where it is due.

    Args:
        report: of ``reprojection_report``.
        dropped: what the labels' thresholds dropped, in words.
        limit: the limit that keeps 2D people from being one in 3D, in words.
    """
    everything, cameras = report["all"], report["cameras"]
    counts = {int(people): frames for people, frames in report["people_per_frame"].items()}
    total = sum(people * frames for people, frames in counts.items())
    per_frame = ", ".join(f"{people} in {frames}" for people, frames in counts.items())
    unexplained = everything["labels"] - everything["matched"]
    nobodys = f"{unexplained} of {everything['labels']} 2D people are nobody's in 3D ({limit})"
    lines = [
        f"{report['frames']} frames, {len(cameras)} cameras, {everything['labels']} 2D people",
        f"{total} people in 3D; people per frame: {per_frame} frames",
        "median reprojection and share of 2D people explained: "
        + "; ".join(f"{name} {_camera(row)}" for name, row in cameras.items()),
        f"{dropped}; {nobodys}",
    ]
    if (everything["explained"] or 0.0) < POOR:
        lines.append(
            f"warning: only {everything['explained'] or 0.0:.0%} of the 2D people are explained; "
            "look at the calibration (direction of R and t, units, names of the cameras) and at "
            "the size of the images that the 2D people are given in"
        )
    return lines


def _camera(row: Mapping[str, Any]) -> str:
    if row["median_px"] is None:
        return "no people matched"
    explained = row["explained"] or 0.0
    return f"{row['median_px']:.1f} px, {row['median_mm']:.0f} mm, {explained:.0%}"

"""Metrics of files of predictions against files of truth, and remarks for their reader."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.evaluation.alignment import AXES, can_align
from selfpose3d.evaluation.measures import measure
from selfpose3d.evaluation.metrics import Metrics, mean_distances
from selfpose3d.evaluation.seen import views_that_see
from selfpose3d.files.poses2d import Views
from selfpose3d.files.poses3d import Frames, People3D, read_poses3d, skeleton_of
from selfpose3d.files.scenes import Scene

UNITS = {1000: "metres", 100: "decimetres", 10: "centimetres"}
"""The unit of the smaller people if the larger ones are in mm, by the ratio of their sizes."""
_NEAR = 1.5
"""Factor by which people of the same unit may differ in size between two files."""
_CLEARLY = 0.7
"""Mean cosine of people's trunks with an axis, from which they stand along it."""
_ONE_PLACE = 0.03
"""Mean distance of two people's joints, over the size of people, below which they are one."""


def evaluate_files(
    predictions: Sequence[Path],
    truths: Sequence[Path],
    takes: Sequence[tuple[Scene, Views]] = (),
    align: bool = False,
) -> tuple[Metrics, list[str]]:
    """Evaluate files of predictions against files of truth (Parquet or JSON).

    Args:
        predictions: files of 3D people.
        truths: files of the ground truth.
        takes: scenes with their 2D people, to tell by how many views somebody is seen.
        align: measure as well with joint definitions aligned.

    Returns:
        the metrics (``measures.measure``), and lines of text on them.

    Raises:
        InputError: a file can't be read, two files hold the same frame, or the predictions are
            of another data set than the truth.
    """
    try:
        predicted, true = _named_alike(_read_all(predictions), _read_all(truths))
        seen = views_that_see(true, takes) if takes else None
        metrics = measure(predicted, true, seen, align)
    except InputError as error:
        where = f"{_names(predictions)} against {_names(truths)}"
        raise InputError(f"{where}: {error}") from error
    return metrics, [*remarks(predicted, true, metrics), *offset_lines(metrics)]


def remarks(predictions: Frames, truth: Frames, metrics: Metrics) -> list[str]:
    """Lines of text to print beside the metrics.

    Args:
        predictions: people by (sequence, frame), world mm.
        truth: the same, of the ground truth.
        metrics: result of ``evaluate`` for both.
    """
    counted = {key for key, people in truth.items() if people.valid.any()}
    missed, left_out = len(counted - set(predictions)), len(set(predictions) - counted)
    lines = [
        f"evaluated {metrics['frames']} frames and {metrics['people']} people of the truth, "
        f"{metrics['predictions']} predictions"
    ]
    if missed:
        lines.append(
            f"{missed} of these frames are not among the predictions: all their people are missed"
        )
    lines += _left_out_joints(predictions, truth, metrics)
    absent = sum(int((~people.valid).sum()) for people in predictions.values())
    if absent:
        lines.append(
            f"{absent} joints of the predictions are not valid and were left out; AP and MPJPE are "
            "means over the others, and no longer those of whole people"
        )
    lines += _completed_joints(metrics)
    if left_out:
        lines.append(f"left out {left_out} predicted frames: the truth has nobody in them")
    return [
        *lines,
        *_wrong_unit(predictions, truth, metrics),
        *_wrong_axes(predictions, truth),
        *_doubled(predictions, "predictions"),
        *_doubled(truth, "truth"),
    ]


def offset_lines(metrics: Metrics) -> list[str]:
    """The table of the joints' offsets as lines of text; none where nothing was aligned."""
    found = metrics.get("aligned")
    if not found:
        return []
    columns = (*AXES, "offset", "before", "after")
    heading = "".join(f"{name:>9}" for name in columns)
    rows = [
        f"{joint:<18}" + "".join(f"{_mm(row[name]):>9}" for name in columns)
        for joint, row in found["offsets"].items()
    ]
    means = f"{'MPJPE':<18}{'':>36}{_mm(metrics['MPJPE']):>9}{_mm(found['MPJPE']):>9}"
    title = "offsets of joints in the body's frame, and mean errors, mm"
    return [title, f"{'':<18}{heading}", *rows, means]


def _mm(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _completed_joints(metrics: Metrics) -> list[str]:
    """A line on the joints that were completed and not measured, where that is told."""
    measured = metrics["measured"]
    if measured is None:
        return []
    return [
        f"{100 * (1 - measured['share']):.1f}% of the predictions' joints were completed from the "
        f"rest of the body; MPJPE of the measured joints alone is {_mm(measured['MPJPE'])} mm"
    ]


def _left_out_joints(predictions: Frames, truth: Frames, metrics: Metrics) -> list[str]:
    """A line on the joints that are compared, where each side has some that the other lacks."""
    own, true = skeleton_of(predictions, "the predictions"), skeleton_of(truth, "the truth")
    compared = tuple(metrics["joints"])
    if compared in (own.joints, true.joints):
        return []
    lacking = [joint for joint in true.joints if joint not in compared]
    return [
        f"compared {len(compared)} joints that both have; the predictions have no {lacking} of the "
        "truth"
    ]


def _wrong_unit(predictions: Frames, truth: Frames, metrics: Metrics) -> list[str]:
    """A warning where nobody matches and people of the two sides differ in size by 10, 100, 1000.

    Two sides in the same wrong unit match, so that there is no warning.
    """
    sides = {"predictions": _size(predictions), "truth": _size(truth)}
    small, large = sorted(sides, key=lambda side: sides[side])
    if metrics["MPJPE"] is not None or sides[small] <= 0:
        return []
    ratio = sides[large] / sides[small]
    return [
        f"warning: nobody matches, and people of the {large} are about {factor} times as large as "
        f"those of the {small}: is the {small} file in {unit}? Both must be in mm"
        for factor, unit in UNITS.items()
        if factor / _NEAR < ratio < factor * _NEAR
    ]


def _wrong_axes(predictions: Frames, truth: Frames) -> list[str]:
    """A warning where people of the two sides stand along different axes."""
    own, true = _standing(predictions), _standing(truth)
    if None in (own, true) or own == true:
        return []
    return [
        f"warning: people of the predictions stand along {own}, and those of the truth along "
        f"{true}: are axes exchanged in one of the files? z must point up in both"
    ]


def _standing(frames: Frames) -> str | None:
    """The axis along which people stand, from hips to shoulders; None where none is clear."""
    trunks = [_trunks(people) for people in frames.values() if len(people)]
    trunks_N3 = np.concatenate([np.zeros((0, 3)), *trunks])
    if not len(trunks_N3):
        return None
    mean = (trunks_N3 / np.linalg.norm(trunks_N3, axis=-1, keepdims=True)).mean(0)
    axis = int(np.abs(mean).argmax())
    return ("-" * int(mean[axis] < 0) + "xyz"[axis]) if abs(mean[axis]) > _CLEARLY else None


def _trunks(people: People3D) -> NDArray[np.float64]:
    """(N, 3) from the middle of the hips to that of the shoulders, of people who have them."""
    if not can_align(people.skeleton):
        return np.zeros((0, 3))
    chosen = list(people.skeleton.trunk)
    shoulders, hips = people.joints[:, chosen[:2]].mean(1), people.joints[:, chosen[2:]].mean(1)
    trunks: NDArray[np.float64] = (shoulders - hips)[people.valid[:, chosen].all(1)]
    return trunks[np.linalg.norm(trunks, axis=-1) > 0]


def _doubled(frames: Frames, side: str) -> list[str]:
    """A warning where people lie in the place of another of the same frame."""
    near = _ONE_PLACE * _size(frames)
    doubled = {key: _in_one_place(each, near) for key, each in frames.items() if len(each) > 1}
    count, total = sum(doubled.values()), sum(map(len, frames.values()))
    first = next((key for key, number in doubled.items() if number), None)
    return [
        f"warning: {count} of {total} people of the {side} lie within {near:.3g} mm of another "
        f"in the same frame, first in {first}: is somebody in the file twice?"
    ] * (first is not None)


def _in_one_place(people: People3D, distance: float) -> int:
    """How many people of a frame have another before them within a mean distance of joints."""
    near = mean_distances(people, people) < distance
    return int(np.tril(near, -1).any(1).sum())


def _size(frames: Frames) -> float:
    """The median extent of people, over their valid joints; 0 where there is nobody."""
    extents = [
        np.linalg.norm(np.ptp(joints[valid], axis=0))
        for people in frames.values()
        for joints, valid in zip(people.joints, people.valid, strict=True)
        if valid.any()
    ]
    return float(np.median(extents)) if extents else 0.0


def _named_alike(predictions: Frames, truth: Frames) -> tuple[Frames, Frames]:
    """Both sides, the one that names no sequence with the other's name where that has one only."""
    sides = (predictions, truth)
    names = [{sequence for sequence, _ in side} for side in sides]
    (own, other) = (list(each) for each in names)
    if len(own) == len(other) == 1 and own != other and "" in (*own, *other):
        name = max(own[0], other[0])
        predictions, truth = (
            {(name, frame): people for (_, frame), people in side.items()} for side in sides
        )
    return predictions, truth


def _read_all(paths: Iterable[Path]) -> Frames:
    frames: dict[tuple[str, int], People3D] = {}
    for path in paths:
        read = read_poses3d(path)
        doubled = sorted(frames.keys() & read.keys())
        if doubled:
            raise InputError(f"{path}: frame {doubled[0]} is in another of the given files, too")
        frames.update(read)
    return frames


def _names(paths: Sequence[Path]) -> str:
    return (
        str(paths[0]) if len(paths) == 1 else f"{len(paths)} files ({', '.join(map(str, paths))})"
    )

"""Reprojection of 3D people onto 2D labels, for data without ground truth.

A small error says that people and labels agree, not that either is right. A person's height in
an image is that of 1700 mm at the depth of the root: predictions always have one, and limbs do
not move it. Letters: P people, L labels, J joints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from selfpose3d.errors import InputError
from selfpose3d.evaluation.findings import total_people, warnings_of
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.files.scenes import Scene
from selfpose3d.geometry.cameras import Camera, in_image, project
from selfpose3d.geometry.people import MIN_JOINTS_IN_VIEW, STATURE_MM, height_in_pixels
from selfpose3d.skeletons import Skeleton, common_skeleton

MATCH = 0.2
"""Mean error, relative to the person's height, below which a label belongs to a person."""
CONFIDENT = 0.3
"""Lowest score of a label's joint whose error counts."""


@dataclass
class _Tally:
    """Counts and errors of one camera, in pixels and relative to the person's height."""

    images: int = 0
    labels: int = 0
    matched: int = 0
    people_in_view: int = 0
    people_in_view_matched: int = 0

    def __post_init__(self) -> None:
        self.pixels: list[NDArray[np.float64]] = []
        self.shares: list[NDArray[np.float64]] = []
        self.joints: list[NDArray[np.int64]] = []


@dataclass(frozen=True)
class _Compared:
    """A sequence's people against its labels: each camera's tally, and how many people each frame
    has."""

    tallies: Mapping[str, _Tally]
    counts: Sequence[int]
    skeleton: Skeleton


def reprojection_report(scene: Scene, labels: Views, people: Frames) -> dict[str, Any]:
    """Compare reconstructed people with the labels of the same frames.

    Args:
        scene: scene with the cameras of the stored frames and the sequence's name.
        labels: people by (frame, camera name), pixels of the stored frames.
        people: 3D people by (sequence, frame), world mm.

    Returns:
        JSON-ready. ``all`` and ``cameras`` by name hold ``images``, ``labels``, ``matched``,
        ``explained`` (share of the labels matched by a person), ``people_in_view`` and ``found``
        (share of those that have a label), ``median_px``, ``mean_px``, ``median_height`` and
        ``mean_height`` (% of a person's height), and ``median_mm`` at the people's distance.
        ``joints`` holds ``median_height`` by joint,
        ``people_per_frame`` the number of frames by how many people they hold, ``frames`` how
        many frames were compared, ``warnings`` sentences on what is bad (``findings.warnings_of``).

    Raises:
        InputError: no frame is in both, or the labels name a camera that the scene lacks.
    """
    return _report([_compared(scene, labels, people)])


def agreement(takes: Sequence[tuple[Scene, Views]], people: Frames) -> dict[str, Any]:
    """Figures of people without truth: how well they agree with the labels of some sequences.

    Args:
        takes: scenes, each with its labels.
        people: 3D people by (sequence, frame), world mm.

    Returns:
        ``metrics.json``. ``reprojection_mm`` and ``reprojection_px``: median distance of confident
        joints from the projections, at the people's distance and in the stored frames; None where
        nobody is matched. ``explained``: percent of the 2D people who are matched by a 3D person.
        ``people_per_frame``: mean number of 3D people. ``cameras`` has the first three by name,
        over all sequences, and ``per_sequence`` all four by sequence; ``people_2d``, ``people``,
        ``frames`` and ``sequences`` are the counts behind them, and ``warnings`` as in
        ``reprojection_report``.

    Raises:
        InputError: see ``reprojection_report``, for any of the sequences.
    """
    compared = {scene.name: _compared(scene, labels, people) for scene, labels in takes}
    whole = _report(list(compared.values()))
    return {
        **_figures(whole),
        "sequences": len(compared),
        "cameras": {name: _headline(row) for name, row in whole["cameras"].items()},
        "per_sequence": {name: _figures(_report([one])) for name, one in compared.items()},
        "warnings": whole["warnings"],
    }


def _figures(report: Mapping[str, Any]) -> dict[str, Any]:
    frames, people = report["frames"], total_people(report)
    counts = {"people_per_frame": people / frames, "people": people, "frames": frames}
    return _headline(report["all"]) | counts


def _headline(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "reprojection_mm": row["median_mm"],
        "reprojection_px": row["median_px"],
        "explained": None if row["explained"] is None else 100 * row["explained"],
        "people_2d": row["labels"],
    }


def _compared(scene: Scene, labels: Views, people: Frames) -> _Compared:
    frames = [frame for frame in scene.frames if (scene.name, frame) in people]
    _check(scene, labels, frames)
    compared = [people[scene.name, frame] for frame in frames]
    of_labels = [seen.skeleton for seen in labels.values()]
    of_people = [present.skeleton for present in compared]
    skeleton = common_skeleton([*of_labels, *of_people], f"labels and people of {scene.name}")
    tallies = {camera.name: _Tally() for camera in scene.cameras}
    for frame in frames:
        for camera in scene.cameras:
            seen = labels.get((frame, camera.name))
            if seen is not None:
                _compare(people[scene.name, frame], seen, camera, tallies[camera.name])
    return _Compared(tallies, [len(present) for present in compared], skeleton)


def _report(parts: Sequence[_Compared]) -> dict[str, Any]:
    """The report on some sequences together; cameras of one name are one."""
    counts = [count for part in parts for count in part.counts]
    everything = [tally for part in parts for tally in part.tallies.values()]
    names = dict.fromkeys(name for part in parts for name in part.tallies)
    by_camera = {
        name: [part.tallies[name] for part in parts if name in part.tallies] for name in names
    }
    skeleton = common_skeleton([part.skeleton for part in parts], "labels and people")
    report = {
        "frames": len(counts),
        "people_per_frame": {str(n): counts.count(n) for n in sorted(set(counts))},
        "all": _summary(everything),
        "cameras": {name: _summary(tallies) for name, tallies in by_camera.items()},
        "joints": _by_joint(everything, skeleton),
    }
    return {**report, "warnings": warnings_of(report)}


def _check(scene: Scene, labels: Views, frames: Sequence[int]) -> None:
    strange = {camera for _, camera in labels} - {camera.name for camera in scene.cameras}
    if strange:
        raise InputError(f"{scene.folder}: labels of cameras {sorted(strange)}, not in the scene")
    if not any((frame, camera.name) in labels for frame in frames for camera in scene.cameras):
        raise InputError(
            f"{scene.folder}: no frame of it is in both the labels and the 3D people; "
            f"give those of the sequence {scene.name!r}"
        )


def _compare(people: People3D, labels: People2D, camera: Camera, tally: _Tally) -> None:
    projected, depth = project(camera, people.joints)
    height = height_in_pixels(camera.K[0, 0], people.skeleton.roots(depth[..., None])[..., 0])
    used = np.broadcast_to(np.isfinite(projected).all(axis=-1), people.valid.shape) & people.valid
    person, label = matched_labels(projected, used, height, labels)
    pixels, share = _errors(projected, height, labels)
    confident = (labels.scores[label] >= CONFIDENT) & used[person]
    tally.images += 1
    tally.labels += len(labels)
    tally.matched += len(label)
    in_view = in_image(camera, projected).sum(axis=-1) >= MIN_JOINTS_IN_VIEW
    tally.people_in_view += int(in_view.sum())
    tally.people_in_view_matched += int(in_view[person].sum())
    tally.pixels.append(pixels[person, label][confident])
    tally.shares.append(share[person, label][confident])
    tally.joints.append(np.nonzero(confident)[1])


def matched_labels(
    projected: NDArray[np.float64],
    used: NDArray[np.bool_],
    height: NDArray[np.float64],
    labels: People2D,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """People and labels of an image who lie near one another (``MATCH``), one to one.

    Args:
        projected: (P, J, 2) joints of people in the image, px.
        used: (P, J) which of them count.
        height: (P,) of the people in the image, px.
        labels: of the image, in the same joints.

    Returns:
        indices of the people, and of their labels.
    """
    _, share = _errors(projected, height, labels)
    cost = _costs(share, used, labels)
    person, label = linear_sum_assignment(np.minimum(cost, 1.0))
    near = cost[person, label] < MATCH
    return person[near], label[near]


def _errors(
    projected: NDArray[np.float64], height: NDArray[np.float64], labels: People2D
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(P, L, J) distances in pixels, and in shares of each person's height."""
    pixels = np.linalg.norm(projected[:, None] - labels.points[None], axis=-1)
    return pixels, pixels / height[:, None, None]


def _costs(
    share: NDArray[np.float64], used: NDArray[np.bool_], labels: People2D
) -> NDArray[np.float64]:
    """(P, L) mean over the joints that both have, weighted by the label's scores; 1 without."""
    weight = labels.scores[None] * used[:, None]
    total = weight.sum(axis=-1)
    mean = (np.where(weight > 0, share, 0.0) * weight).sum(axis=-1) / np.maximum(total, 1e-9)
    return np.where(total > 0, mean, 1.0)


def _summary(tallies: Sequence[_Tally]) -> dict[str, Any]:
    labels = sum(tally.labels for tally in tallies)
    in_view = sum(tally.people_in_view for tally in tallies)
    pixels = np.concatenate([np.zeros(0), *(part for t in tallies for part in t.pixels)])
    heights = 100 * np.concatenate([np.zeros(0), *(part for t in tallies for part in t.shares)])
    return {
        "images": sum(tally.images for tally in tallies),
        "labels": labels,
        "matched": sum(tally.matched for tally in tallies),
        "explained": _share(sum(tally.matched for tally in tallies), labels),
        "people_in_view": in_view,
        "found": _share(sum(tally.people_in_view_matched for tally in tallies), in_view),
        "median_px": float(np.median(pixels)) if len(pixels) else None,
        "mean_px": float(pixels.mean()) if len(pixels) else None,
        "median_height": float(np.median(heights)) if len(heights) else None,
        "mean_height": float(heights.mean()) if len(heights) else None,
        "median_mm": float(np.median(heights)) * STATURE_MM / 100 if len(heights) else None,
    }


def _by_joint(tallies: Sequence[_Tally], skeleton: Skeleton) -> dict[str, float | None]:
    heights = 100 * np.concatenate([np.zeros(0), *(part for t in tallies for part in t.shares)])
    joints = np.concatenate([np.zeros(0, int), *(part for t in tallies for part in t.joints)])
    of_joint = [heights[joints == joint] for joint in range(len(skeleton))]
    medians = [float(np.median(errors)) if len(errors) else None for errors in of_joint]
    return dict(zip(skeleton.joints, medians, strict=True))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None

"""The world of a rig, by its people: which way is up, how tall people are, which side is left.

Letters: B bodies (one person at one knot), J joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfpose3d.files.space import proposed_space
from selfpose3d.geometry.people import STATURE_MM
from selfpose3d.rig.bundle import Sightings

LENGTHS_MM = {
    ("shoulder", "hip"): 505.0,
    ("hip", "knee"): 415.0,
    ("knee", "ankle"): 405.0,
    ("shoulder", "elbow"): 290.0,
    ("elbow", "wrist"): 250.0,
}
"""Bones of a person of 1.7 m, the same on both sides."""
_FEWEST = 5


@dataclass(frozen=True)
class World:
    """The world's axes and units, as the people show them.

    Args:
        stature: median height of a person by the lengths of bones, mm if the world is in mm; NaN
            where too few bones are seen.
        up: (3,) unit vector from people's feet or hips to their shoulders, mean over people.
        upright: length of the mean of these unit vectors: 1 if everybody stands alike.
        facing: share of people who look to where their front is, by left and right; NaN where too
            few noses or ankles are seen.
        centre: (3,) of the proposed space, mm.
        size: (3,) of the proposed space, mm.
    """

    stature: float
    up: NDArray[np.float64]
    upright: float
    facing: float
    centre: NDArray[np.float64]
    size: NDArray[np.float64]


def unknown_world() -> World:
    """The world of which the people show nothing."""
    nothing = np.full(3, np.nan)
    return World(float("nan"), nothing, 0.0, float("nan"), nothing, nothing)


def world_of(points: NDArray[np.float64], sightings: Sightings, joints: Sequence[str]) -> World:
    """Measure the world by people's triangulated joints (N, 3); without any, all is NaN."""
    if not len(points):
        return unknown_world()
    bodies = _bodies(points, sightings, len(joints))
    named = {name: bodies[:, index] for index, name in enumerate(joints)}
    ups = _unit(_middle(named, "shoulder") - _feet(named))
    mean = np.nanmean(ups, axis=0) if np.isfinite(ups).any() else np.full(3, np.nan)
    length = float(np.linalg.norm(mean))
    centre, size = proposed_space(bodies, joints)
    return World(
        stature=_stature(named),
        up=mean / max(length, 1e-9),
        upright=length,
        facing=_facing(named),
        centre=centre,
        size=size,
    )


def _bodies(
    points: NDArray[np.float64], sightings: Sightings, n_joints: int
) -> NDArray[np.float64]:
    """(B, J, 3) the points by person and knot, NaN where there is none."""
    keys = np.stack([sightings.person, sightings.knot], axis=1)
    _, body = np.unique(keys, axis=0, return_inverse=True)
    bodies = np.full((int(body.max(initial=-1)) + 1, n_joints, 3), np.nan)
    bodies[body.ravel(), sightings.joint] = points
    return bodies


def _middle(named: dict[str, NDArray[np.float64]], joint: str) -> NDArray[np.float64]:
    middle: NDArray[np.float64] = (named[f"left_{joint}"] + named[f"right_{joint}"]) / 2
    return middle


def _feet(named: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """(B, 3) the middle of the ankles, or of the hips where they are not seen."""
    hips = _middle(named, "hip")
    if "left_ankle" not in named or "right_ankle" not in named:
        return hips
    ankles = _middle(named, "ankle")
    return np.where(np.isfinite(ankles), ankles, hips)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def _stature(named: dict[str, NDArray[np.float64]]) -> float:
    shares = []
    for (a, b), length in LENGTHS_MM.items():
        for side in ("left", "right"):
            if f"{side}_{a}" in named and f"{side}_{b}" in named:
                bone = np.linalg.norm(named[f"{side}_{a}"] - named[f"{side}_{b}"], axis=-1)
                bone = bone[np.isfinite(bone)]
                shares += [float(np.median(bone)) / length] if len(bone) >= _FEWEST else []
    return STATURE_MM * float(np.median(shares)) if shares else float("nan")


def _facing(named: dict[str, NDArray[np.float64]]) -> float:
    """Share of bodies whose nose lies in front, as left and right say it."""
    up = _middle(named, "shoulder") - _middle(named, "hip")
    left = named["left_shoulder"] - named["right_shoulder"]
    front = np.cross(left, up)
    if "nose" not in named:
        return float("nan")
    ahead = ((named["nose"] - _middle(named, "shoulder")) * front).sum(-1)
    ahead = ahead[np.isfinite(ahead)]
    return float((ahead > 0).mean()) if len(ahead) >= _FEWEST else float("nan")

"""The joints of a file's points: told by the user, by the file, or by their number."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.skeletons import SKELETONS, Skeleton

BY_COUNT = {
    17: ("coco17",),
    18: ("coco18",),
    25: ("body25", "body25b"),
    26: ("halpe26",),
    33: ("blazepose33",),
    133: ("coco133",),
    136: ("halpe136",),
}
"""The joint sets of so many points that 2D estimators write."""

CLEARLY = 0.8
"""The bones of the right one of two joint sets are shorter than this share of the other one's."""
ENOUGH = 1000
"""People who are looked at, at most."""


def joint_order(
    people: NDArray[np.float32],
    n_joints: int,
    told: str | None,
    named: Sequence[str] | None,
    where: str,
) -> Skeleton:
    """The skeleton of people (N, J, 3) of a file.

    Args:
        people: x, y, score.
        n_joints: J; 0 where there is nobody.
        told: name of a joint set that the user tells.
        named: the joints' names, where the file tells them.
        where: the file, for messages.

    Raises:
        InputError: no set of so many joints is known, or two are and the people do not tell.
    """
    if told is not None:
        if told not in SKELETONS or (n_joints and len(SKELETONS[told]) != n_joints):
            sizes = {name: len(skeleton) for name, skeleton in SKELETONS.items()}
            raise InputError(
                f"{where}: joints {told!r}, but people of {n_joints} joints; known are {sizes}"
            )
        return SKELETONS[told]
    own = _named(named)
    if own is not None and len(own) == n_joints:
        return own
    if not n_joints:
        return SKELETONS["coco17"]
    if n_joints not in BY_COUNT:
        raise InputError(
            f"{where}: {n_joints} key points a person; known are {sorted(BY_COUNT)}; choose "
            "another model of your estimator"
        )
    return _fitting(people, BY_COUNT[n_joints], where)


def _named(names: Sequence[str] | None) -> Skeleton | None:
    """The skeleton of a file's own names, if sides can be told by them."""
    joints = tuple(name.strip().lower().replace(" ", "_") for name in names or ())
    sides = [{n[len(s) :] for n in joints if n.startswith(s)} for s in ("left_", "right_")]
    good = len(set(joints)) == len(joints) and sides[0] == sides[1]
    return Skeleton(joints) if joints and good and Skeleton(joints).has_a_root else None


def _fitting(people: NDArray[np.float32], names: Sequence[str], where: str) -> Skeleton:
    """The joint set whose bones are clearly the shortest."""
    if len(names) == 1:
        return SKELETONS[names[0]]
    lengths = {name: _bone_length(people[:ENOUGH], SKELETONS[name]) for name in names}
    first, second = sorted(names, key=lambda name: lengths[name])[:2]
    if lengths[first] < CLEARLY * lengths[second]:
        return SKELETONS[first]
    raise InputError(
        f"{where}: people of {people.shape[1]} points are of {' or '.join(names)}, and these do "
        f"not tell which; say so: --joints {names[0]}, or estimator.joints: {names[0]}"
    )


def _bone_length(people: NDArray[np.float32], skeleton: Skeleton) -> float:
    """Mean length of the bones whose two joints are there, over the person's extent."""
    points, there = people[..., :2], people[..., 2] > 0
    starts, ends = np.array(skeleton.bones).T
    known = there[:, starts] & there[:, ends]
    lengths = np.linalg.norm(points[:, starts] - points[:, ends], axis=-1)
    low = np.where(there[..., None], points, np.inf).min(1)
    high = np.where(there[..., None], points, -np.inf).max(1)
    with np.errstate(invalid="ignore"):
        extent = np.linalg.norm(high - low, axis=-1)
    usable = known.any(1) & np.isfinite(extent) & (extent > 0)
    if not usable.any():
        return np.inf
    shares = (lengths * known).sum(1)[usable] / known.sum(1)[usable] / extent[usable]
    return float(np.median(shares))

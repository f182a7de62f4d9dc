"""Lengths of bones against those of a standing person: who is possible, and of which size.

Letters: P people, J joints, B long bones.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from selfpose3d.reconstruction.body_prior import WHOLE, standing_joints
from selfpose3d.skeletons import Skeleton

LARGEST_MISFIT = 1.0
"""A bone's length is wrong by a factor of e at most."""


@dataclass(frozen=True)
class LongBones:
    """The long bones of a skeleton of which a standing person's length is known.

    Args:
        ends: (2, B) joints.
        lengths: (B,) in a person of 1.7 m, mm.
    """

    ends: NDArray[np.int64]
    lengths: NDArray[np.float64]


@cache
def long_bones(skeleton: Skeleton) -> LongBones:
    """The long bones of a skeleton; none where it has none that are known."""
    named = [[skeleton.joints[end] for end in bone] for bone in skeleton.long_bones]
    ends = [[skeleton.index(joint) for joint in bone] for bone in named if WHOLE.has(*bone)]
    array = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    joints = standing_joints(skeleton)
    return LongBones(array, np.linalg.norm(joints[array[0]] - joints[array[1]], axis=-1))


def bone_misfit(
    joints: NDArray[np.float64], weights: NDArray[np.float64], bones: LongBones
) -> NDArray[np.float64]:
    """How far bones' lengths are from a standing person's.

    Args:
        joints: (P, J, 3) mm.
        weights: (P, J) of the joints; 0 where a joint is not known.
        bones: of the skeleton.

    Returns:
        (P,) mean of the logarithms of the ratios, either way, weighted by the lower weight of the
        bones' ends and by their length; 0 where nothing has weight.
    """
    start, end = bones.ends
    difference = joints[:, start] - joints[:, end]
    squared = np.einsum("pbx,pbx->pb", difference, difference)
    logarithm = np.abs(np.log(np.maximum(squared, 1.0) / bones.lengths**2)) / 2
    weight = np.minimum(weights[:, start], weights[:, end]) * bones.lengths
    wrong = np.minimum(logarithm, LARGEST_MISFIT) * weight
    misfit: NDArray[np.float64] = wrong.sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
    return misfit

"""A check that a scene's calibration is in millimetres, by the size of its people.

Cameras may stand at any distance from each other, people are of one size. Told are units that are
wrong by a factor of three or more either way, centimetres, inches or tenths of a millimetre. Not
told are smaller factors, scenes with fewer than ``ENOUGH`` people of whom trunk and legs are seen
by enough views, and rigs scaled up so far that no labels meet within the association's limits.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.reconstruction.standing import standing_bone
from selfpose3d.skeletons import Skeleton, converted

_LEGS = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle"))
MEASURED = Skeleton(("neck", "mid_hip", *_LEGS))
"""The joints between which people are measured."""
TRUNK_AND_LEGS = np.array([(0, 1), (2, 3), (3, 4), (5, 6), (6, 7)])
"""The longest bones, on which errors of joints have the least effect."""
STANDING_LENGTHS = np.array(
    [np.linalg.norm(standing_bone(MEASURED.joints[joint])) for _, joint in TRUNK_AND_LEGS]
)
"""(5,) lengths of these bones in a person of about 1.7 m, mm."""
NECK_TO_ANKLE_MM = float(STANDING_LENGTHS[:3].sum())

SMALLEST_MM, LARGEST_MM = 500.0, 2500.0
"""Plausible medians of people's lengths from neck to ankle, mm: a toddler's to a giant's."""
ENOUGH = 5
"""Fewest people to judge by; fewer may all be mistakes."""
_FEWEST_BONES = 3


def necks_to_ankles(
    joints: NDArray[np.float64], supported: NDArray[np.bool_], skeleton: Skeleton
) -> NDArray[np.float64]:
    """Lengths of people from neck to ankle when stretched out, by their trunks and legs.

    Args:
        joints: (P, J, 3) mm.
        supported: (P, J) joints that are measured, not completed.
        skeleton: the J joints.

    Returns:
        (P',) mm, of the people of whom three of the five bones or more are supported.
    """
    starts, ends = TRUNK_AND_LEGS.T
    joints, there = converted(
        joints, supported.astype(float), skeleton, MEASURED, both_sides=True, partly=True
    )
    lengths = np.linalg.norm(joints[:, ends] - joints[:, starts], axis=-1)
    known = (there[:, starts] > 0) & (there[:, ends] > 0)
    enough = known.sum(axis=1) >= _FEWEST_BONES
    shares = np.where(known, lengths / STANDING_LENGTHS, np.nan)[enough]
    return NECK_TO_ANKLE_MM * np.nanmedian(shares, axis=1)


def check_stature(lengths: NDArray[np.float64], scene: Path) -> None:
    """Refuse a scene whose people are not of human size.

    Args:
        lengths: (N,) of everybody from neck to ankle, mm.
        scene: the folder, for the message.

    Raises:
        InputError: there are ``ENOUGH`` people, and their median is no size of a person.
    """
    if len(lengths) < ENOUGH:
        return
    middle = float(np.median(lengths))
    if SMALLEST_MM <= middle <= LARGEST_MM:
        return
    factor = NECK_TO_ANKLE_MM / middle
    in_cm = 10 / 1.6 < factor < 10 * 1.6
    remedy = (
        "are the calibration's translations in cm (multiply t by 10)?"
        if in_cm
        else f"are the calibration's translations in mm (t times {factor:.2g} would make them "
        "people), and is it the calibration of these videos?"
    )
    raise InputError(
        f"{scene}: people are {middle:.0f} mm tall from neck to ankle (median of {len(lengths)}), "
        f"not about {NECK_TO_ANKLE_MM:.0f}: {remedy} Correct the calibration that this scene was "
        "made with, and delete the scene"
    )

"""Findings of an examination of a rig: kinds of faults, each with its cameras and its amount."""

from collections.abc import Mapping
from dataclasses import dataclass, field

KINDS: Mapping[str, str] = {
    "pose": "is not where the calibration says",
    "bumped": "was moved during the recording",
    "exchanged": "are exchanged",
    "time offset": "is out of step",
    "frames lost": "falls out of step during the recording",
    "principal point": "has a wrong principal point",
    "focal length": "has a wrong focal length",
    "another image size": "has intrinsics of another image size",
    "people's image size": "have people in pixels of another image size",
    "undistorted twice": "shows frames without distortion, but its calibration has some",
    "mirrored image": "shows mirrored images",
    "image upside down": "shows images upside down",
    "sides exchanged": "has people with left and right exchanged",
    "inverted": "has extrinsics in another direction",
    "units": "world in other units than mm",
    "gravity": "world whose z is not up",
    "handedness": "world in which left is right",
    "no agreement": "cameras that do not agree at all",
    "not examined": "people of whom too little is there to tell anything",
}
"""Kinds of faults and what each is."""


@dataclass(frozen=True)
class Finding:
    """One fault.

    Args:
        kind: one of ``KINDS``.
        cameras: names; none if it is of the whole rig.
        px: how far it moves the image at the people (median), px of the camera's image.
        mm: the same at the people's distance, mm.
        amount: how large the fault is, by quantity: ``degrees``, ``mm``, ``frames``, ``factor``,
            ``x_px``, ``y_px``, ``stature``, ``share``; and ``from_frame`` or ``until_frame``.
        what: which variant of the kind it is, in words.
    """

    kind: str
    cameras: tuple[str, ...]
    px: float | None = None
    mm: float | None = None
    amount: Mapping[str, float] = field(default_factory=dict)
    what: str = ""

"""An examination's findings in whole sentences."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from selfpose3d.files.space import in_space, space_text
from selfpose3d.rig.examination import EXPLAINED, Examination
from selfpose3d.rig.findings import Finding

Tell = Callable[[Finding], str]
Space = tuple[Sequence[float], Sequence[float]]
"""Centre and side lengths, mm."""
MOST_OUTSIDE = 0.05
"""Share of the people's joints that may lie outside the space: an estimator's mistakes lie
anywhere."""
_CLOSELY = f"to {EXPLAINED:.0%} of their height"
"""Which share is told: that of a finished reconstruction lets errors be larger."""


def sentences(found: Examination, space: Space | None = None) -> list[str]:
    """The result, then the faults with their remedies, then figures of each camera.

    Args:
        found: by ``examine``, or ``unexamined``.
        space: in which people are looked for, where that is known.
    """
    told = [_verdict(found), *(TELL[one.kind](one) for one in found.findings)]
    return [*told, *_cameras(found), *_world(found), *_outside(found, space)]


def _verdict(found: Examination) -> str:
    share = f"3D people explain {found.explained:.0%} of the 2D people {_CLOSELY}"
    if not found.figures:
        return "Warning: the rig could not be checked."
    if not found.findings:
        return f"No fault was found: {share}."
    count = len(found.findings)
    faults = "1 fault was" if count == 1 else f"{count} faults were"
    after = f"; with the faults undone, {found.explained_after:.0%}"
    return f"Warning: {faults} found. As calibrated, {share}{after}."


def _cameras(found: Examination) -> list[str]:
    told = []
    for name, one in found.figures.items():
        if not one.people:
            told.append(f"Camera {name} shows nobody.")
        elif not np.isfinite(one.px):
            told.append(f"Camera {name}: none of its {one.people} 2D people fits the others.")
        else:
            told.append(
                f"Camera {name}: {one.explained:.0%} of its {one.people} 2D people are explained "
                f"{_CLOSELY}; their joints lie {one.px:.1f} px ({one.mm:.0f} mm at the people) "
                "beside the projections (median)."
            )
    return told


def _world(found: Examination) -> list[str]:
    world = found.world
    told = []
    if np.isfinite(world.stature):
        told.append(f"People are {world.stature / 1000:.2f} m tall by their bones (median).")
    if np.isfinite(world.centre).all():
        told.append(f"A space that holds all people, mm: {space_text(world.centre, world.size)}")
    return told


def _outside(found: Examination, space: Space | None) -> list[str]:
    """A warning where people leave the space in which they are looked for."""
    if space is None or not len(found.points):
        return []
    share = 1 - float(in_space(*space, found.points).mean())
    if share <= MOST_OUTSIDE:
        return []
    return [
        f"Warning: {share:.0%} of the people's joints lie outside the space of the parameters, "
        f"{space_text(*space)}. Networks look for nobody there: set the space above."
    ]


def _who(one: Finding) -> str:
    if len(one.cameras) == 1:
        return f"camera {one.cameras[0]}"
    return f"cameras {', '.join(one.cameras[:-1])} and {one.cameras[-1]}"


def _subject(one: Finding) -> str:
    who = _who(one)
    return who[0].upper() + who[1:]


def _effect(one: Finding) -> str:
    """How far a fault moves the image."""
    if one.px is None:
        return "which moves the people out of its image"
    return f"which moves the image by {one.px:.1f} px at the people ({one.mm:.0f} mm there)"


def _since(one: Finding) -> str:
    amount = one.amount
    if "from_frame" in amount:
        return f"from frame {amount['from_frame']:.0f} on"
    return f"until frame {amount['until_frame']:.0f}"


def _pose(one: Finding) -> str:
    return (
        f"{_subject(one)} does not stand as its calibration says: it is turned by "
        f"{one.amount['degrees']:.1f} degrees and stands {one.amount['mm']:.0f} mm off, "
        f"{_effect(one)}. Calibrate it again, or let --refine find its pose."
    )


def _bumped(one: Finding) -> str:
    return (
        f"{_subject(one)} was moved during the recording: {_since(one)} it is turned by "
        f"{one.amount['degrees']:.1f} degrees and stands {one.amount['mm']:.0f} mm off, "
        f"{_effect(one)}. Cut the recording there, and calibrate both parts."
    )


def _exchanged(one: Finding) -> str:
    return (
        f"{_subject(one)} are exchanged: each fits with the other's calibration. Exchange "
        "their names in the calibration, or those of their videos."
    )


def _late(one: Finding) -> str:
    frames = one.amount["frames"]
    way = "lags behind the others" if frames > 0 else "is ahead of the others"
    return (
        f"{_subject(one)} {way} by {abs(frames):.1f} frames, {_effect(one)}. Cut "
        f"{abs(frames):.0f} frames from the start of {'its video' if frames > 0 else 'the others'}."
    )


def _lost(one: Finding) -> str:
    frames = one.amount["frames"]
    way = "lags behind the others" if frames > 0 else "is ahead of the others"
    return (
        f"{_subject(one)} falls out of step: {_since(one)} it {way} by {abs(frames):.1f} "
        f"frames, {_effect(one)}. Frames were lost or doubled there; restore them by the time "
        "stamps of the recording, or cut it there."
    )


def _principal_point(one: Finding) -> str:
    return (
        f"The principal point of {_who(one)} is wrong, {_effect(one)}: the people ask for "
        f"({one.amount['x_px']:.0f}, {one.amount['y_px']:.0f}) px. Is it of another image size, or "
        "does K hold it in its last row?"
    )


def _focal_length(one: Finding) -> str:
    return (
        f"The focal length of {_who(one)} is wrong, {_effect(one)}: the people ask for "
        f"{one.amount['factor']:.3f} times its value. Was it zoomed or refocused, or is K of "
        "another image size?"
    )


def _image_size(one: Finding) -> str:
    return (
        f"The intrinsics of {_who(one)} are of another image size: the people ask for "
        f"{one.amount['factor']:.2f} times K's focal length and principal point. Scale K to the "
        "size of the images in which the people were found."
    )


def _peoples_size(one: Finding) -> str:
    size = f", as if they had been found in images of {one.what}" if one.what else ""
    return (
        f"The 2D people of all cameras are in pixels of another image size: theirs is about "
        f"{one.amount['factor']:.2f} times the calibration's{size}. Give the size of the images in "
        "which they were found: --image-size (estimator.image_size)."
    )


def _undistorted(one: Finding) -> str:
    return (
        f"The images of {_who(one)} have no distortion, but the calibration says they have, "
        f"{_effect(one)}. The frames were undistorted already: set the distortion to zero."
    )


def _mirrored(one: Finding) -> str:
    return (
        f"The images of {_who(one)} are mirrored left to right. Mirror the video, as recording "
        "programs of front cameras can."
    )


def _upside_down(one: Finding) -> str:
    return (
        f"The images of {_who(one)} are upside down. Turn the video by 180 degrees; players obey "
        "the rotation in its metadata, estimators may not."
    )


def _sides(one: Finding) -> str:
    return (
        f"The 2D people of {_who(one)} have left and right exchanged. Is its joints' order that of "
        "the other cameras?"
    )


def _inverted(one: Finding) -> str:
    return (
        f"The extrinsics of {_who(one)} are in another direction than x_cam = R x_world + t: "
        f"{one.what}. Invert them in the calibration."
    )


def _units(one: Finding) -> str:
    stature, factor = one.amount["stature"], one.amount["factor"]
    named = {10.0: "centimetres", 1000.0: "metres", 25.4: "inches", 304.8: "feet"}
    unit = next((name for value, name in named.items() if abs(factor / value - 1) < 0.2), None)
    guess = f"its unit seems to be {unit}" if unit else "the rig's scale is wrong"
    return (
        f"The world is not in mm: people would be {stature:.4g} mm tall, and {guess}. Multiply all "
        f"translations by {next((v for v, n in named.items() if n == unit), factor):.4g}."
    )


def _gravity(one: Finding) -> str:
    axis = f" The world's {one.what} axis points up." if one.what else ""
    return (
        f"The world's z axis does not point up: people stand {one.amount['degrees']:.0f} degrees "
        f"away from it.{axis} Turn the world so that z is up."
    )


def _handedness(one: Finding) -> str:
    return (
        f"Left is right: {one.amount['share']:.0%} of the people would look backwards. All images "
        "are mirrored, or left and right joints are exchanged in all 2D people."
    )


def _not_examined(one: Finding) -> str:
    why = one.what.rstrip(".")
    return f"{why[0].upper()}{why[1:]}."


def _no_agreement(one: Finding) -> str:
    return (
        f"{_subject(one)} do not agree, and no single fault explains it. Are the 2D people "
        "of these cameras, of one recording and in step?"
    )


TELL: Mapping[str, Tell] = {
    "pose": _pose,
    "bumped": _bumped,
    "exchanged": _exchanged,
    "time offset": _late,
    "frames lost": _lost,
    "principal point": _principal_point,
    "focal length": _focal_length,
    "another image size": _image_size,
    "people's image size": _peoples_size,
    "undistorted twice": _undistorted,
    "mirrored image": _mirrored,
    "image upside down": _upside_down,
    "sides exchanged": _sides,
    "inverted": _inverted,
    "units": _units,
    "gravity": _gravity,
    "handedness": _handedness,
    "no agreement": _no_agreement,
    "not examined": _not_examined,
}
"""The sentences of each kind of fault."""

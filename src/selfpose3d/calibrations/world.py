"""Conversion of cameras from a calibration's world into ours: mm, z up.

Formats that fix unit and axes tell them. Of the others, a unit is taken if it alone makes a
plausible rig; axes are taken as z up unless the pictures speak against it. Where that does not
decide, the message names the option with which a user does.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from selfpose3d.calibrations.checks import check_cameras, check_directions, common_place
from selfpose3d.calibrations.entry import World
from selfpose3d.errors import InputError
from selfpose3d.files.scenes import check_rig
from selfpose3d.geometry.cameras import Camera

MM_PER: dict[str, float] = {"mm": 1.0, "cm": 10.0, "m": 1000.0}

TURNS: dict[str, NDArray[np.float64]] = {
    "z": np.eye(3),
    "-z": np.diag([1.0, -1.0, -1.0]),
    "y": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
    "-y": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "x": np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
    "-x": np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]),
}
"""``x_ours = turn @ x_file``, by the file's axis that points up."""
LEVEL = "level"

_DISTANCE_M = (0.8, 20.0)
"""Smallest and largest distance of the cameras from what they look at, or from each other. A unit
that leads to another distance is not guessed; nor is any where two units would do (8 to 20 m)."""
_USUAL_EXTENT_M = (0.2, 50.0)
"""Smallest and largest distance between the two cameras that are farthest apart, in the unit that
a format usually has."""
_UPRIGHT = 0.5
"""Cosine of the angle up to which a picture's top shows where up is (60 degrees)."""


def in_our_world(
    cameras: Sequence[Camera], where: str, told: World, asked: World, usual_units: str = ""
) -> tuple[Camera, ...]:
    """The cameras of a file in mm and with z up, the rig checked.

    Args:
        cameras: as the file has them, ``x_cam = R x_world + t`` in its world.
        where: the file.
        told: unit and axes that the file or its format tells.
        asked: unit and axes that the user tells; they win.
        usual_units: the unit that the format usually has, taken if the rig is plausible in it.

    Raises:
        InputError: the rig can't be, or unit or axes must be told.
    """
    _check_words(asked)
    if len(cameras) < 2:
        check_rig(cameras, where)
    check_cameras(cameras, where)
    check_directions(cameras, where)
    units = asked.units or told.units or _plausible_units(cameras, where, usual_units)
    up = asked.up or told.up
    if up is None:
        _check_up(cameras, where)
    turn = _level_turn(cameras, where) if up == LEVEL else TURNS[up or "z"]
    moved = tuple(turned(camera, MM_PER[units], turn) for camera in cameras)
    check_rig(moved, where)
    return moved


def turned(camera: Camera, mm_per_unit: float, turn: NDArray[np.float64]) -> Camera:
    """A camera of a world in another unit that is turned by ``x_ours = turn @ x_file``."""
    return replace(camera, R=camera.R @ turn.T, t=camera.t * mm_per_unit)


def in_their_world(camera: Camera, units: str, up: str) -> Camera:
    """A camera of ours in a world with this unit and the axis that points up."""
    return turned(camera, 1 / MM_PER[units], TURNS[up].T)


def _check_words(asked: World) -> None:
    for option, value, known in (
        ("units", asked.units, list(MM_PER)),
        ("up", asked.up, [*TURNS, LEVEL]),
    ):
        if value is not None and value not in known:
            raise InputError(f"--{option} {value}: it is one of {known}")


def _plausible_units(cameras: Sequence[Camera], where: str, usual: str) -> str:
    centres = np.stack([camera.centre for camera in cameras])
    extent = float(np.linalg.norm(centres[:, None] - centres[None], axis=-1).max())
    if usual:
        low, high = _USUAL_EXTENT_M
        if low <= extent * MM_PER[usual] / 1000 <= high:
            return usual
    place = common_place(centres, np.stack([camera.R[2] for camera in cameras]))
    far = extent if place is None else float(np.linalg.norm(centres - place, axis=-1).mean())
    metres = {unit: far * mm / 1000 for unit, mm in MM_PER.items()}
    fitting = [unit for unit, m in metres.items() if _DISTANCE_M[0] <= m <= _DISTANCE_M[1]]
    if len(fitting) == 1:
        return fitting[0]
    would_be = ", ".join(f"{m:.3g} m in {unit}" for unit, m in metres.items())
    what = "each other" if place is None else "what they look at"
    raise InputError(
        f"{where}: the unit of its translations isn't told, and the cameras stand {far:.4g} from "
        f"{what}: {would_be}. Say which it is: {_convert(where, '--units mm')} (or cm, or m)"
    )


def _check_up(cameras: Sequence[Camera], where: str) -> None:
    """Refuse a world that is a camera's own, and one in which the pictures' tops are not up z."""
    centres = np.stack([camera.centre for camera in cameras])
    near = 1e-6 * float(np.ptp(centres, axis=0).max())
    level = f"{_convert(where, f'--up {LEVEL}')} turns the world until the pictures' rows are level"
    for camera, centre in zip(cameras, centres, strict=True):
        if np.abs(camera.R - np.eye(3)).max() < 1e-6 and np.abs(centre).max() <= near:
            raise InputError(
                f"{where}: the world is that of camera {camera.name}, which stands at its origin "
                f"and looks along z; z must point up. {level} (--up=-y does for a camera that is "
                "itself level)"
            )
    up = _seeming_up(cameras)
    if up not in ("z", None):
        raise InputError(
            f"{where}: all pictures have their top towards {up} of the world: {up} seems to point "
            f"up, and z must. {_convert(where, f'--up={up}')} turns it; --up {LEVEL} turns it "
            "until the pictures' rows are level; --up=z keeps the axes, for cameras that look "
            "straight down"
        )


def _convert(where: str, option: str) -> str:
    """The command that says what a file doesn't; its result takes the file's place."""
    return (
        f"selfpose3d calibration convert {where} cameras.json {option} (to be put or named in the "
        "place of this file; selfpose3d reconstruct and check-rig take the option, too)"
    )


def _seeming_up(cameras: Sequence[Camera]) -> str | None:
    """The axis to which all pictures' tops point, if there is one."""
    tops_V3 = np.stack([-camera.R[1] for camera in cameras])
    least = {name: float((tops_V3 @ turn[2]).min()) for name, turn in TURNS.items()}
    best = max(least, key=lambda name: least[name])
    return best if least[best] > _UPRIGHT else None


def _level_turn(cameras: Sequence[Camera], where: str) -> NDArray[np.float64]:
    """The smallest turn that brings up to z, up being square to the rows of all pictures."""
    _, sizes, axes = np.linalg.svd(np.stack([camera.R[0] for camera in cameras]))
    up = axes[2]
    tops = np.stack([-camera.R[1] for camera in cameras]) @ up
    up, tops = (up, tops) if tops.sum() > 0 else (-up, -tops)
    if sizes[1] < 0.1 or tops.min() < _UPRIGHT / 2:
        raise InputError(
            f"{where}: --up {LEVEL} needs cameras that stand upright and look in different "
            "directions; name the axis that points up instead"
        )
    across = np.cross(up, [0.0, 0.0, 1.0])
    if up[2] < -1 + 1e-12:
        return TURNS["-z"]
    skew = np.array(
        [[0, -across[2], across[1]], [across[2], 0, -across[0]], [-across[1], across[0], 0]]
    )
    turn: NDArray[np.float64] = np.eye(3) + skew + skew @ skew / (1 + up[2])
    return turn

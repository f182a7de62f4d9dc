"""CMU Panoptic: ``calibration_<sequence>.json``, HD, VGA and Kinect cameras, cm, y down."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, World
from selfpose3d.calibrations.values import camera_of, check_lenses, name, part, size
from selfpose3d.calibrations.world import MM_PER, TURNS, in_our_world, in_their_world, turned
from selfpose3d.errors import naming
from selfpose3d.files.atomic import write_json
from selfpose3d.files.text import read_json_text
from selfpose3d.geometry.cameras import Camera

UNITS, UP = "cm", "-y"


def read_panoptic(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """All cameras of a calibration, of every type.

    Raises:
        InputError: not such a file, or not a usable rig.
    """
    content = read_json_text(path)
    rows = content.get("cameras") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not any(isinstance(r, dict) and "distCoef" in r for r in rows):
        raise OtherFormatError(f"{path}: no cameras with 'distCoef', as CMU Panoptic's have")
    with naming(path):
        cameras = [_as_written(row) for row in rows]
    return in_our_world(cameras, str(path), World(units=UNITS, up=UP), asked)


def camera_from_panoptic(row: Any) -> Camera:
    """One entry of the calibration: t in cm and y down to mm and z up, t kept a translation.

    Raises:
        InputError: it lacks a value, or one is wrong.
    """
    return turned(_as_written(row), MM_PER[UNITS], TURNS[UP])


def _as_written(row: Any) -> Camera:
    called = name(part(row, "name", "a camera"), "a camera")
    where = f"camera {called}"
    return camera_of(
        called,
        size(part(row, "resolution", where), f"{where}: resolution"),
        part(row, "K", where),
        part(row, "distCoef", where),
        part(row, "R", where),
        part(row, "t", where),
    )


def write_panoptic(path: Path, cameras: Sequence[Camera]) -> None:
    """Write a calibration, all cameras of type "hd": cm, y down."""
    check_lenses(cameras, ("brown 5",), "CMU Panoptic")
    rows = [
        {
            "name": camera.name,
            "type": "hd",
            "resolution": [camera.width, camera.height],
            "panel": 0,
            "node": number,
            "K": camera.K.tolist(),
            "distCoef": camera.distortion[:5].tolist(),
            "R": camera.R.tolist(),
            "t": camera.t.reshape(3, 1).tolist(),
        }
        for number, camera in enumerate(in_their_world(camera, UNITS, UP) for camera in cameras)
    ]
    write_json(path, {"cameras": rows})

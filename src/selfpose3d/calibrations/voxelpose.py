"""VoxelPose and its followers (Shelf, Campus): JSON by camera, mm; ``T`` is the camera's centre.

``x_cam = R (x_world - T)``; fx, fy, cx, cy; k = k1, k2, k3; p = p1, p2. The images' size is not in
the file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, World
from selfpose3d.calibrations.values import (
    array,
    camera_of,
    check_lenses,
    intrinsics,
    name,
    part,
    rotation,
    told_size,
)
from selfpose3d.calibrations.world import in_our_world
from selfpose3d.errors import naming
from selfpose3d.files.atomic import write_json
from selfpose3d.files.text import read_json_text
from selfpose3d.geometry.cameras import Camera


def read_voxelpose(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The cameras of a file, named by their keys.

    Raises:
        InputError: not such a file, or not a usable rig; or the sizes of the images must be told.
    """
    content = read_json_text(path)
    rows = content if isinstance(content, dict) else {}
    if not any(isinstance(row, dict) and {"fx", "R", "T"} <= set(row) for row in rows.values()):
        raise OtherFormatError(f"{path}: no cameras with 'fx', 'R' and 'T', as VoxelPose's have")
    with naming(path):
        cameras = [_camera(name(key, "a key"), row, asked) for key, row in rows.items()]
    return in_our_world(cameras, str(path), World(units="mm"), asked)


def _camera(called: str, row: Any, asked: World) -> Camera:
    where = f"camera {called}"
    focal_and_centre = [part(row, key, where) for key in ("fx", "fy", "cx", "cy")]
    fx, fy, cx, cy = array(focal_and_centre, (4,), f"{where}: fx, fy, cx, cy")
    k = array(part(row, "k", where), (3,), f"{where}: k")
    p = array(part(row, "p", where), (2,), f"{where}: p")
    R = rotation(part(row, "R", where), f"{where}: R")
    centre = array(part(row, "T", where), (3,), f"{where}: T")
    measured = told_size(called, asked, where, "Files of VoxelPose have none: ")
    distortion = np.array([k[0], k[1], p[0], p[1], k[2]])
    return camera_of(called, measured, intrinsics(fx, fy, cx, cy), distortion, R, -R @ centre)


def write_voxelpose(path: Path, cameras: Sequence[Camera]) -> None:
    """Write one object per camera; the images' sizes are lost."""
    check_lenses(cameras, ("brown 5",), "VoxelPose")
    write_json(path, {camera.name: _row(camera) for camera in cameras})


def _row(camera: Camera) -> dict[str, Any]:
    k1, k2, p1, p2, k3 = camera.distortion[:5].tolist()
    return {
        "R": camera.R.tolist(),
        "T": camera.centre.reshape(3, 1).tolist(),
        "fx": float(camera.K[0, 0]),
        "fy": float(camera.K[1, 1]),
        "cx": float(camera.K[0, 2]),
        "cy": float(camera.K[1, 2]),
        "k": [[k1], [k2], [k3]],
        "p": [[p1], [p2]],
    }

"""TOML tables of cameras: Pose2Sim, anipose, FreeMoCap, Caliscope.

One table per camera, with ``size``, ``matrix``, ``distortions``, ``rotation`` (Rodrigues' vector or
a matrix) and ``translation``, world to camera. Pose2Sim and Caliscope use metres; anipose the unit
of its board; FreeMoCap mm, and often the world of its first camera. Caliscope has its tables in
``[cameras.N]``, and names videos ``cam_N`` (before: ``port_N``).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, Size, World
from selfpose3d.calibrations.values import (
    array,
    camera_of,
    name,
    numbers,
    part,
    rotation_vector,
    size,
)
from selfpose3d.calibrations.world import in_our_world, in_their_world
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_text
from selfpose3d.files.text import read_toml_text
from selfpose3d.geometry.cameras import Camera

_Rows = Mapping[str, Mapping[str, Any]]
_SMALLEST_SQUARE_MM = 10.0


def read_pose2sim(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The cameras of a TOML file of camera tables.

    Raises:
        InputError: not such a file, or not a usable rig; or its unit or axes must be told.
    """
    tables = read_toml_text(path)
    try:
        rows = _rows(tables)
        halved = _sizes_are_halved(rows)
        cameras = [_camera(key, row, asked, halved) for key, row in rows.items()]
    except InputError as error:
        raise type(error)(f"{path}: {error}") from error
    metadata = tables.get("metadata")
    told = _told(metadata if isinstance(metadata, dict) else {})
    usual = "m" if "cameras" in tables or any("fisheye" in row for row in rows.values()) else ""
    return in_our_world(cameras, str(path), told, asked, usual)


def _rows(tables: Mapping[str, Any]) -> _Rows:
    """The tables of the cameras by name."""
    inner = tables.get("cameras")
    if isinstance(inner, dict):
        return _caliscope_rows(inner)
    rows = {key: row for key, row in tables.items() if key != "metadata"}
    if not any(isinstance(row, dict) and "matrix" in row for row in rows.values()):
        raise OtherFormatError("no tables of cameras, with a 'matrix' each")
    strange = [key for key, row in rows.items() if not isinstance(row, dict)]
    if strange:
        raise InputError(
            f"these are settings of a project, {strange[:3]}, and not a calibration alone; take "
            "the file that its program writes after calibrating (Caliscope: camera_array.toml)"
        )
    return rows


def _caliscope_rows(tables: Mapping[str, Any]) -> _Rows:
    used = {}
    for key, row in tables.items():
        if not isinstance(row, dict):
            raise InputError(f"cameras.{key} is not a table")
        if not row.get("ignore", False):
            used[f"port_{key}" if "port" in row else f"cam_{key}"] = row
    return used


def _camera(key: str, row: Mapping[str, Any], asked: World, halved: bool) -> Camera:
    called = name(row.get("name", key), f"table {key}")
    where = f"camera {called}"
    fisheye = row.get("fisheye", False) is True
    return camera_of(
        called,
        _size(row, called, asked, halved),
        part(row, "matrix", where),
        part(row, "distortions", where),
        part(row, "rotation", where),
        part(row, "translation", where),
        "fisheye" if fisheye else "brown",
    )


def _size(row: Mapping[str, Any], called: str, asked: World, halved: bool) -> Size:
    where = f"camera {called}"
    if not halved:
        return size(part(row, "size", where), f"{where}: size")
    known = asked.size_of(called)
    if known is None:
        raise InputError(
            f"{where}: size = {row['size']} is twice the principal point, as Pose2Sim writes it "
            "where it does not know the size. K is right: correct the sizes to those of the videos"
        )
    return known


def _sizes_are_halved(rows: _Rows) -> bool:
    """Whether all sizes are twice the principal point, and no sizes that videos have."""
    try:
        sizes = np.array([array(row["size"], (2,), "") for row in rows.values()])
        centres = np.array([array(row["matrix"], (3, 3), "")[:2, 2] for row in rows.values()])
    except (InputError, KeyError):
        return False
    odd = bool((sizes % 2 != 0).any()) or len(np.unique(sizes, axis=0)) > 1
    return odd and np.allclose(sizes, 2 * centres, atol=1e-3)


def _told(metadata: Mapping[str, Any]) -> World:
    """Unit and axes as our writer leaves them; FreeMoCap's board has its squares in mm."""
    units, up = metadata.get("units"), metadata.get("up")
    square = metadata.get("charuco_square_size")
    if isinstance(square, int | float) and square >= _SMALLEST_SQUARE_MM:
        units = "mm"
    return World(
        units=units if units in ("mm", "cm", "m") else None,
        up=up if up in ("z", "y", "-y") else None,
    )


def write_pose2sim(path: Path, cameras: Sequence[Camera]) -> None:
    """Write a ``Calib.toml`` as Pose2Sim does: metres, z up."""
    tables = [_table(in_their_world(camera, "m", "z")) for camera in cameras]
    metadata = '[metadata]\nadjusted = false\nerror = 0.0\nunits = "m"\nup = "z"\n'
    write_text(path, "\n".join([*tables, metadata]))


def _table(camera: Camera) -> str:
    k = camera.distortion
    short = camera.lens == "brown" and len(k) == 5 and k[4] == 0
    values = {
        "name": camera.name,
        "size": [float(camera.width), float(camera.height)],
        "matrix": camera.K.tolist(),
        "distortions": numbers(k[:4] if short else k, camera.name).tolist(),
        "rotation": rotation_vector(camera.R),
        "translation": camera.t.tolist(),
        "fisheye": camera.lens == "fisheye",
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"[{json.dumps(camera.name)}]", *lines, ""])

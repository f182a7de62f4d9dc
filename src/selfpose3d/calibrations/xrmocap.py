"""xrmocap: a folder with one JSON file per camera, metres.

``intrinsic`` (3 x 3 or 4 x 4), ``extrinsic_r``, ``extrinsic_t``, ``world2cam``, ``width``,
``height``, ``name``, k1 to k6, p1, p2 (Brown, although its class is called fisheye); ``convention``
must be "opencv".
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, World
from selfpose3d.calibrations.values import array, camera_of, check_lenses, name, part, rotation
from selfpose3d.calibrations.values import size as size_of
from selfpose3d.calibrations.world import in_our_world, in_their_world
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_text
from selfpose3d.files.text import read_json_text
from selfpose3d.geometry.cameras import Camera

_ORDER = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")


def read_xrmocap(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The cameras of a folder's files, or of those beside the given one.

    Raises:
        InputError: not such files, or not a usable rig; or its unit must be told.
    """
    folder = path if path.is_dir() else path.parent
    contents = {file: _content(file) for file in sorted(folder.glob("*.json"))}
    rows = {file: row for file, row in contents.items() if _is_camera(row)}
    if not rows or (path.is_file() and path not in rows):
        raise OtherFormatError(f"{path}: no 'intrinsic' and 'extrinsic_r', as xrmocap's files have")
    series = {_series(file) for file in rows}
    strange = [file.name for file in contents if file not in rows and _series(file) in series]
    if strange:
        raise InputError(f"{folder}: {strange} belong to these cameras, and can't be read")
    cameras = []
    for file in sorted(rows):
        try:
            cameras.append(_camera(rows[file], file.stem))
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
    return in_our_world(cameras, str(path), World(), asked, "m")


def _content(file: Path) -> Any:
    """What a file holds; None of what is no JSON, as other files in the folder may be."""
    try:
        return read_json_text(file)
    except InputError:
        return None


def _series(file: Path) -> str:
    """What the files of one rig have in common: the name without its number."""
    return file.stem.rstrip("0123456789")


def _is_camera(row: Any) -> bool:
    return isinstance(row, dict) and {"intrinsic", "extrinsic_r", "extrinsic_t"} <= set(row)


def _camera(row: dict[str, Any], stem: str) -> Camera:
    called = name(row.get("name", stem), "name")
    where = f"camera {called}"
    if row.get("convention", "opencv") != "opencv":
        raise InputError(
            f"{where}: convention {row['convention']!r}; convert it to 'opencv' with xrprimer"
        )
    K = np.asarray(row["intrinsic"], dtype=object)
    square = (4, 4) if K.size == 16 else (3, 3)
    R = rotation(row["extrinsic_r"], f"{where}: extrinsic_r")
    t = array(row["extrinsic_t"], (3,), f"{where}: extrinsic_t")
    if row.get("world2cam", True) is not True:
        R, t = R.T, -R.T @ t
    return camera_of(
        called,
        size_of([part(row, "width", where), part(row, "height", where)], f"{where}: width, height"),
        array(row["intrinsic"], square, f"{where}: intrinsic")[:3, :3],
        [row.get(key, 0.0) for key in _ORDER],
        R,
        t,
    )


def write_xrmocap(path: Path, cameras: Sequence[Camera]) -> None:
    """Write a folder of ``fisheye_param_<number>.json``: metres, z up."""
    check_lenses(cameras, ("brown 5", "brown 8"), "xrmocap")
    for number, camera in enumerate(in_their_world(camera, "m", "z") for camera in cameras):
        text = json.dumps(_row(camera), indent=1, allow_nan=False)
        write_text(path / f"fisheye_param_{number:02d}.json", f"{text}\n")


def _row(camera: Camera) -> dict[str, Any]:
    K = np.eye(4)
    K[:3, :3] = camera.K
    coefficients = np.pad(camera.distortion, (0, 8 - len(camera.distortion))).tolist()
    return {
        "class_name": "FisheyeCameraParameter",
        "convention": "opencv",
        "name": camera.name,
        "width": camera.width,
        "height": camera.height,
        "world2cam": True,
        "intrinsic": K.tolist(),
        "extrinsic_r": camera.R.tolist(),
        "extrinsic_t": camera.t.tolist(),
        **dict(zip(_ORDER, coefficients, strict=True)),
    }

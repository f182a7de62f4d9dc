"""EasyMocap: ``intri.yml`` and ``extri.yml``, OpenCV's FileStorage, metres.

``K_<name>``, ``dist_<name>`` (or ``D_<name>``) and, in newer files, ``H_<name>`` and ``W_<name>``;
``R_<name>`` (Rodrigues' vector) or ``Rot_<name>``, and ``T_<name>``, world to camera.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, Size, World
from selfpose3d.calibrations.storage import read_storage, yaml_text
from selfpose3d.calibrations.values import (
    camera_of,
    check_lenses,
    name,
    part,
    rotation_vector,
    size,
    told_size,
)
from selfpose3d.calibrations.world import in_our_world, in_their_world
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_text
from selfpose3d.geometry.cameras import Camera

INTRINSICS, EXTRINSICS = "intri.yml", "extri.yml"


def read_easymocap(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The cameras of a folder with both files, or of either of these.

    Raises:
        InputError: not such files, or not a usable rig; or the sizes of the images must be told.
    """
    folder = path if path.is_dir() else path.parent
    there = [file for file in (INTRINSICS, EXTRINSICS) if (folder / file).is_file()]
    if not there or not (path.is_dir() or path.name in there):
        raise OtherFormatError(f"{folder}: there is no {INTRINSICS} with an {EXTRINSICS}")
    inner, outer = (read_storage(folder / file) for file in (INTRINSICS, EXTRINSICS))
    try:
        names = [name(each, "names") for each in _names(inner)]
        cameras = [_camera(called, inner, outer, asked) for called in names]
    except InputError as error:
        raise type(error)(f"{folder}: {error}") from error
    return in_our_world(cameras, str(folder), World(), asked, "m")


def _names(inner: Mapping[str, Any]) -> list[Any]:
    names = inner.get("names")
    if isinstance(names, list):
        return names
    return [key.removeprefix("K_") for key in inner if key.startswith("K_")]


def _camera(
    called: str, inner: Mapping[str, Any], outer: Mapping[str, Any], asked: World
) -> Camera:
    distortion = inner.get(f"dist_{called}", inner.get(f"D_{called}", []))
    turn = f"Rot_{called}" if f"R_{called}" not in outer else f"R_{called}"
    return camera_of(
        called,
        _size(called, inner, asked),
        part(inner, f"K_{called}", INTRINSICS),
        distortion,
        part(outer, turn, EXTRINSICS),
        part(outer, f"T_{called}", EXTRINSICS),
    )


def _size(called: str, inner: Mapping[str, Any], asked: World) -> Size:
    keys = (f"W_{called}", f"H_{called}")
    if set(keys) <= set(inner):
        return size([inner[key] for key in keys], f"{INTRINSICS}: {', '.join(keys)}")
    remedy = f"Add {keys[0]} and {keys[1]} to {INTRINSICS} (newer versions of EasyMocap do), or "
    return told_size(called, asked, f"camera {called}", remedy)


def write_easymocap(path: Path, cameras: Sequence[Camera]) -> None:
    """Write both files into a folder: metres, z up."""
    check_lenses(cameras, ("brown 5", "brown 8"), "EasyMocap")
    inner: dict[str, Any] = {"names": [camera.name for camera in cameras]}
    outer: dict[str, Any] = {"names": [camera.name for camera in cameras]}
    for camera in (in_their_world(camera, "m", "z") for camera in cameras):
        called = camera.name
        inner |= {f"K_{called}": camera.K, f"dist_{called}": camera.distortion}
        inner |= {f"H_{called}": camera.height, f"W_{called}": camera.width}
        outer |= {
            f"R_{called}": np.array(rotation_vector(camera.R)).reshape(3, 1),
            f"Rot_{called}": camera.R,
            f"T_{called}": camera.t.reshape(3, 1),
        }
    write_text(path / INTRINSICS, yaml_text(inner))
    write_text(path / EXTRINSICS, yaml_text(outer))

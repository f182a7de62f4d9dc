"""MVOR: ``camma_mvor_2018.json``, ``cameras_info``, mm; the room has z up.

World to camera i is the inverse of ``extrinsics[i]``, whose world is the first camera's;
``firstCamToRoomRef`` takes that to the room. Distortion is k1, k2, k3, p1, p2. The images' folders
are ``cam1`` to ``cam3``; ``dataset_info`` has the number of each camera's id.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, World
from selfpose3d.calibrations.values import (
    array,
    camera_of,
    check_lenses,
    intrinsics,
    name,
    part,
    size,
)
from selfpose3d.calibrations.world import in_our_world
from selfpose3d.errors import InputError, naming
from selfpose3d.files.atomic import write_json
from selfpose3d.files.text import read_json_text
from selfpose3d.geometry.cameras import Camera


def read_mvor(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The cameras of MVOR's annotations, in the room.

    Raises:
        InputError: not such a file, or not a usable rig.
    """
    return mvor_cameras(read_json_text(path), path, asked)


def mvor_cameras(content: Any, path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The cameras of what MVOR's annotations hold; see ``read_mvor``."""
    if not isinstance(content, dict) or "cameras_info" not in content:
        raise OtherFormatError(f"{path}: there is no 'cameras_info', as in MVOR's annotations")
    with naming(path):
        cameras = _cameras(content)
    return in_our_world(cameras, str(path), World(units="mm", up="z"), asked)


def _cameras(content: Mapping[str, Any]) -> list[Camera]:
    given = part(content["cameras_info"], "camParams", "cameras_info")
    rows, poses, ids = (_list(given, key) for key in ("intrinsics", "extrinsics", "ids"))
    if not len(rows) == len(poses) == len(ids):
        raise InputError(
            f"{len(rows)} intrinsics, {len(poses)} extrinsics and {len(ids)} ids of cameras"
        )
    to_room = _pose(part(given, "firstCamToRoomRef", "camParams"), "firstCamToRoomRef")
    numbers = _numbers(content)
    names = [f"cam{numbers[i]}" if i in numbers else i for i in map(str, ids)]
    return [
        _camera(name(called, "ids"), row, to_room @ _pose(pose, f"extrinsics of {called}"))
        for called, row, pose in zip(names, rows, poses, strict=True)
    ]


def _numbers(content: Mapping[str, Any]) -> Mapping[str, Any]:
    info = content.get("dataset_info")
    numbers = info.get("camid_2_num") if isinstance(info, dict) else None
    return numbers if isinstance(numbers, dict) else {}


def _list(given: Any, key: str) -> list[Any]:
    found = part(given, key, "camParams")
    if not isinstance(found, list):
        raise InputError(f"camParams: {key} is not a list")
    return found


def _pose(value: Any, where: str) -> NDArray[np.float64]:
    """(4, 4) rigid."""
    return array(value, (4, 4), where)


def _camera(called: str, row: Any, to_room: NDArray[np.float64]) -> Camera:
    where = f"camera {called}"
    fx, fy = array(part(row, "focallength", where), (2,), f"{where}: focallength")
    cx, cy = array(part(row, "principalpoint", where), (2,), f"{where}: principalpoint")
    k1, k2, k3, p1, p2 = array(part(row, "distortion", where), (5,), f"{where}: distortion")
    R = to_room[:3, :3].T
    return camera_of(
        called,
        size(part(row, "imagesize", where), f"{where}: imagesize"),
        intrinsics(fx, fy, cx, cy),
        [k1, k2, p1, p2, k3],
        R,
        -R @ to_room[:3, 3],
    )


def write_mvor(path: Path, cameras: Sequence[Camera]) -> None:
    """Write the cameras alone, without annotations, in MVOR's form."""
    check_lenses(cameras, ("brown 5",), "MVOR")
    to_first = _from_camera(cameras[0])
    poses = [np.linalg.inv(to_first) @ _from_camera(camera) for camera in cameras]
    given = {
        "firstCamToRoomRef": to_first.ravel().tolist(),
        "intrinsics": [_row(camera) for camera in cameras],
        "extrinsics": [pose.ravel().tolist() for pose in poses],
        "ids": [camera.name for camera in cameras],
    }
    write_json(path, {"cameras_info": {"camParams": given}})


def _from_camera(camera: Camera) -> NDArray[np.float64]:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = camera.R.T, camera.centre
    return pose


def _row(camera: Camera) -> dict[str, Any]:
    k1, k2, p1, p2, k3 = camera.distortion[:5].tolist()
    return {
        "serialnumber": camera.name,
        "skew_value": 0,
        "distortion": [k1, k2, k3, p1, p2],
        "principalpoint": camera.K[:2, 2].tolist(),
        "focallength": [float(camera.K[0, 0]), float(camera.K[1, 1])],
        "imagesize": [camera.width, camera.height],
    }

"""4D Association and its followers: JSON by camera, metres.

``K`` and ``RT`` (3 x 4), or ``R`` (matrix or Rodrigues' vector) and ``T``, as flat lists, world to
camera; ``imgSize``; ``distCoeff``, which older files lack.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, World
from selfpose3d.calibrations.values import array, camera_of, check_lenses, name, part, size
from selfpose3d.calibrations.world import in_our_world, in_their_world
from selfpose3d.errors import naming
from selfpose3d.files.atomic import write_json
from selfpose3d.files.text import read_json_text
from selfpose3d.geometry.cameras import Camera


def read_association4d(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The cameras of a file, named by their keys.

    Raises:
        InputError: not such a file, or not a usable rig; or its unit must be told.
    """
    content = read_json_text(path)
    rows = content if isinstance(content, dict) else {}
    if not any(isinstance(row, dict) and {"K", "imgSize"} <= set(row) for row in rows.values()):
        raise OtherFormatError(f"{path}: no cameras with 'K' and 'imgSize', as 4D Association's")
    with naming(path):
        cameras = [_camera(name(key, "a key"), row) for key, row in rows.items()]
    return in_our_world(cameras, str(path), World(), asked, "m")


def _camera(called: str, row: Any) -> Camera:
    where = f"camera {called}"
    if isinstance(row, dict) and "RT" in row:
        pose = array(row["RT"], (3, 4), f"{where}: RT")
        R, t = pose[:, :3], pose[:, 3]
    else:
        R, t = part(row, "R", where), part(row, "T", where)
    measured = size(part(row, "imgSize", where), f"{where}: imgSize")
    return camera_of(called, measured, part(row, "K", where), row.get("distCoeff", []), R, t)


def write_association4d(path: Path, cameras: Sequence[Camera]) -> None:
    """Write one object per camera: metres, z up."""
    check_lenses(cameras, ("brown 5", "brown 8"), "4D Association")
    moved = [in_their_world(camera, "m", "z") for camera in cameras]
    rows = {
        camera.name: {
            "K": camera.K.ravel().tolist(),
            "R": camera.R.ravel().tolist(),
            "T": camera.t.tolist(),
            "imgSize": [camera.width, camera.height],
            "distCoeff": camera.distortion.tolist(),
            "rectifyAlpha": 0.0,
        }
        for camera in moved
    }
    write_json(path, rows)

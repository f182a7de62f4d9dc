"""mv3dpose: ``dataset.json`` and ``cameras/camera00/frame000000000.json``, one file per frame.

``dataset.json`` has ``scale_to_mm``. A frame's file has ``K``, ``rvec`` and ``tvec`` (world to
camera), ``distCoef`` (``discCoef`` where mv3dpose itself wrote it), ``w`` and ``h``. Cameras are
named as their folders. Those that move from frame to frame are refused.
"""

from pathlib import Path
from typing import Any

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, World
from selfpose3d.calibrations.values import camera_of, numbers, part, size
from selfpose3d.calibrations.world import in_our_world
from selfpose3d.errors import InputError
from selfpose3d.files.text import read_json_text
from selfpose3d.geometry.cameras import Camera

SETTINGS = "dataset.json"


def read_mv3dpose(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The cameras of a data set's folder, or of its ``dataset.json``.

    Raises:
        InputError: not such files, cameras that move, or not a usable rig; or axes must be told.
    """
    settings = path / SETTINGS if path.is_dir() else path
    content = read_json_text(settings) if settings.is_file() else None
    if settings.name != SETTINGS or not isinstance(content, dict) or "scale_to_mm" not in content:
        raise OtherFormatError(f"{path}: no {SETTINGS} with scale_to_mm, as mv3dpose has it")
    (scale,) = numbers([content["scale_to_mm"]], f"{settings}: scale_to_mm")
    folders = sorted(each for each in (settings.parent / "cameras").glob("*") if each.is_dir())
    cameras = [_camera(folder, float(scale)) for folder in folders]
    return in_our_world(cameras, str(path), World(units="mm"), asked)


def _camera(folder: Path, scale: float) -> Camera:
    """The camera of a folder's files, which are all alike."""
    files = sorted(folder.glob("frame*.json"))
    if not files:
        raise InputError(f"{folder}: there is no frame000000000.json; write the camera into it")
    rows = {file: read_json_text(file) for file in files}
    first, row = next(iter(rows.items()))
    moved = next((file for file, other in rows.items() if other != row), None)
    if moved is not None:
        raise InputError(
            f"{moved}: the camera is not the one of {first.name}; cameras that move can't be used: "
            "choose frames in which they stand still, and leave the files of these alone"
        )
    try:
        return _of_row(folder.name, row, scale)
    except InputError as error:
        raise InputError(f"{first}: {error}") from error


def _of_row(called: str, row: Any, scale: float) -> Camera:
    if isinstance(row, dict) and "P" in row:
        raise InputError(
            f"camera {called} is a projection matrix P; its K, rvec and tvec are needed "
            "(cv2.decomposeProjectionMatrix makes them)"
        )
    where = f"camera {called}"
    lens = row.get("distCoef", row.get("discCoef", [])) if isinstance(row, dict) else []
    sides = [part(row, "w", where), part(row, "h", where)]
    shift = numbers(part(row, "tvec", where), f"{where}: tvec")
    turn = part(row, "rvec", where)
    return camera_of(
        called, size(sides, f"{where}: w, h"), part(row, "K", where), lens, turn, scale * shift
    )

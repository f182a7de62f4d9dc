"""Ours: ``cameras.json``, OpenCV cameras, mm, z up (ARCHITECTURE.md, "cameras.json")."""

from pathlib import Path

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, World
from selfpose3d.calibrations.world import in_our_world
from selfpose3d.files.scenes import cameras_of
from selfpose3d.files.text import read_json_text
from selfpose3d.geometry.cameras import Camera


def read_ours(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The cameras of a cameras.json, with what a person may have got wrong looked for.

    That z is up is taken from the file's ``convention``, which our writer leaves; without it the
    cameras are asked.

    Raises:
        InputError: with the camera, the key and the value that is wrong.
    """
    content = read_json_text(path)
    rows = content.get("cameras") if isinstance(content, dict) else content
    theirs = isinstance(rows, list) and any(isinstance(r, dict) and "distCoef" in r for r in rows)
    if not isinstance(rows, list) or theirs:
        raise OtherFormatError(
            f'{path}: there is no list of cameras; write {{"cameras": [{{"name": ...}}, ...]}}'
        )
    tells_axes = isinstance(content, dict) and "z up" in str(content.get("convention"))
    told = World(units="mm", up="z" if tells_axes else None)
    return in_our_world(cameras_of(content, str(path)), str(path), told, asked)

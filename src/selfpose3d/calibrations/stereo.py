"""A pair of cameras as OpenCV's sample ``stereo_calib`` writes it, in the unit of its board.

``intrinsics.yml`` has the matrices ``M1`` and ``M2`` and the lenses ``D1`` and ``D2``;
``extrinsics.yml`` has ``R`` and ``T``, from the first camera to the second, beside what rectifies
images, which is not used. Others write all into one file, or ``K1`` for ``M1``. The world is that
of the first camera. The files name no cameras: the first is called left, the second right.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, Size, World
from selfpose3d.calibrations.storage import SUFFIXES, first_node, read_storage
from selfpose3d.calibrations.values import camera_of, size, told_size
from selfpose3d.calibrations.world import in_our_world
from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera

NAMES = ("left", "right")
_MATRICES = (("M1", "K1", "cameraMatrix1"), ("M2", "K2", "cameraMatrix2"))
_LENSES = (("D1", "d1", "distCoeffs1"), ("D2", "d2", "distCoeffs2"))
_ROTATION, _TRANSLATION, _SIZE = ("R",), ("T", "t"), ("size", "image_size", "imageSize")


def read_stereo(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The two cameras of a file, or of two files that lie in one folder.

    Raises:
        InputError: not such files, or not a usable rig; or unit, axes or sizes must be told.
    """
    inner, outer = _halves(path)
    turn, shift = first_node(outer, _ROTATION), first_node(outer, _TRANSLATION)
    if turn is None or shift is None:
        raise InputError(
            f"{path}: there are M1 and M2, and no R and T from the first camera to the second; put "
            "the extrinsics.yml of the same calibration beside it"
        )
    try:
        first = _camera(0, inner, np.eye(3), np.zeros(3), asked)
        cameras = (first, _camera(1, inner, turn, shift, asked))
    except InputError as error:
        raise type(error)(f"{path}: {error}") from error
    return in_our_world(cameras, str(path), World(), asked)


def _halves(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The nodes with the cameras' matrices, and those with R and T, of one file or of two.

    Raises:
        InputError: no file, or more than one, has a half.
    """
    own = {} if path.is_dir() else read_storage(path)
    if _is_inner(own) and _is_outer(own):
        return own, own
    folder = path if path.is_dir() else path.parent
    contents = _contents(folder) if path.is_dir() or _is_inner(own) or _is_outer(own) else {}
    inner = [file for file, content in contents.items() if _is_inner(content)]
    outer = [file for file, content in contents.items() if _is_outer(content)]
    if not inner:
        raise OtherFormatError(f"{path}: no pair of cameras with M1 and M2, as stereo_calib has it")
    for files in (inner, outer):
        if len(files) > 1:
            names = [file.name for file in files]
            raise InputError(f"{folder}: {names} are of several pairs of cameras; leave one there")
    return contents[inner[0]], contents[outer[0]] if outer else {}


def _contents(folder: Path) -> dict[Path, Mapping[str, Any]]:
    """The nodes of the files in a folder that have any."""
    contents: dict[Path, Mapping[str, Any]] = {}
    for file in sorted(each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES):
        with suppress(OtherFormatError):
            contents[file] = read_storage(file)
    return contents


def _is_inner(nodes: Mapping[str, Any]) -> bool:
    return all(first_node(nodes, keys) is not None for keys in _MATRICES)


def _is_outer(nodes: Mapping[str, Any]) -> bool:
    return all(first_node(nodes, keys) is not None for keys in (_ROTATION, _TRANSLATION))


def _camera(number: int, inner: Mapping[str, Any], turn: Any, shift: Any, asked: World) -> Camera:
    lens = first_node(inner, _LENSES[number])
    return camera_of(
        NAMES[number],
        _size(NAMES[number], inner, asked),
        first_node(inner, _MATRICES[number]),
        [] if lens is None else lens,
        turn,
        shift,
    )


def _size(called: str, inner: Mapping[str, Any], asked: World) -> Size:
    told = first_node(inner, _SIZE)
    if told is not None:
        return size(told, "size")
    return told_size(called, asked, f"camera {called}", "Add a node size, or ")

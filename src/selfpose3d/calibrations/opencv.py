"""OpenCV's FileStorage, YAML or XML: one file per camera, or one with all.

A camera is a set of nodes: ``camera_matrix``, ``distortion_coefficients``, ``image_width``,
``image_height``, and its place in the world as ``R`` and ``T`` or ``rvec`` and ``tvec`` (the usual
other names are known too); ``fisheye_model`` is 1 for that lens. Files of one camera are named as
it; a file with all has a sequence ``cameras`` of such sets, each with its ``name``, or a set under
each camera's name. Unit and axes are not told, but by files that we write (``units``, ``up``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, Size, World
from selfpose3d.calibrations.storage import SUFFIXES, first_node, read_storage, xml_text, yaml_text
from selfpose3d.calibrations.values import camera_of, name, numbers, size, told_size
from selfpose3d.calibrations.world import MM_PER, TURNS, in_our_world
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_text
from selfpose3d.geometry.cameras import Camera

_MATRIX = ("camera_matrix", "cameraMatrix", "Camera_Matrix", "K", "mtx", "intrinsic_matrix")
_DISTORTION = (
    "distortion_coefficients",
    "Distortion_Coefficients",
    "distCoeffs",
    "dist_coeffs",
    "dist_coeff",
    "dist",
    "D",
)
_ROTATION = ("R", "rvec", "rotation_matrix", "rotation_vector", "rotation")
_TRANSLATION = ("T", "t", "tvec", "translation_vector", "translation")


def read_opencv(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The cameras of a file, or of the files of a folder.

    Raises:
        InputError: not such files, or not a usable rig; or unit or axes must be told.
    """
    sets: dict[str, Mapping[str, Any]] = {}
    told = World()
    for file in _files(path):
        content = read_storage(file)
        sets.update(_sets(content, file.stem))
        told = _told(content)
    if not sets:
        raise OtherFormatError(
            f"{path}: no camera with a node {_MATRIX[0]!r}, as OpenCV's FileStorage has it"
        )
    try:
        cameras = [_camera(called, nodes, asked) for called, nodes in sets.items()]
    except InputError as error:
        raise type(error)(f"{path}: {error}") from error
    return in_our_world(cameras, str(path), told, asked)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)


def _sets(content: Mapping[str, Any], stem: str) -> dict[str, Mapping[str, Any]]:
    """The nodes of every camera of a file, by name."""
    if first_node(content, _MATRIX) is not None:
        return {stem: content}
    rows = content.get("cameras")
    if isinstance(rows, list):
        inner = {name(_text(row, "name"), "cameras"): row for row in rows}
        if len(inner) < len(rows):
            raise InputError(f"{stem}: cameras appear more than once, {list(inner)}")
    else:
        inner = {key: row for key, row in content.items() if isinstance(row, Mapping)}
    return {key: row for key, row in inner.items() if first_node(row, _MATRIX) is not None}


def _camera(called: str, nodes: Mapping[str, Any], asked: World) -> Camera:
    where = f"camera {called}"
    rotation, translation = first_node(nodes, _ROTATION), first_node(nodes, _TRANSLATION)
    if rotation is None or translation is None:
        raise InputError(
            f"{where}: its place in the world isn't there; add nodes 'R' (or 'rvec') and 'T' (or "
            "'tvec'), x_cam = R x_world + T"
        )
    distortion = first_node(nodes, _DISTORTION)
    fisheye = _text(nodes, "fisheye_model").strip() not in ("", "0")
    return camera_of(
        called,
        _size(called, nodes, asked),
        first_node(nodes, _MATRIX),
        [] if distortion is None else distortion,
        rotation,
        translation,
        "fisheye" if fisheye else "brown",
    )


def _size(called: str, nodes: Mapping[str, Any], asked: World) -> Size:
    where = f"camera {called}"
    if {"image_width", "image_height"} <= set(nodes):
        return size([nodes["image_width"], nodes["image_height"]], f"{where}: image_width, height")
    for key in ("image_size", "size", "resolution"):
        if key in nodes:
            return size(nodes[key], f"{where}: {key}")
    return told_size(called, asked, where, "Add nodes image_width and image_height, or ")


def _text(nodes: Any, key: str) -> str:
    value = nodes.get(key, "") if isinstance(nodes, Mapping) else ""
    return value if isinstance(value, str) else ""


def _told(content: Mapping[str, Any]) -> World:
    units, up = _text(content, "units"), _text(content, "up")
    return World(units=units if units in MM_PER else None, up=up if up in TURNS else None)


def write_opencv(path: Path, cameras: Sequence[Camera]) -> None:
    """Write one file with all cameras, XML or YAML by its suffix: mm, z up."""
    content = {"units": "mm", "up": "z", "cameras": [_nodes(camera) for camera in cameras]}
    write_text(path, (xml_text if path.suffix.lower() == ".xml" else yaml_text)(content))


def _nodes(camera: Camera) -> dict[str, Any]:
    return {
        "name": camera.name,
        "image_width": camera.width,
        "image_height": camera.height,
        "fisheye_model": int(camera.lens == "fisheye"),
        "camera_matrix": camera.K,
        "distortion_coefficients": numbers(camera.distortion, camera.name),
        "R": camera.R,
        "T": np.asarray(camera.t).reshape(3, 1),
    }

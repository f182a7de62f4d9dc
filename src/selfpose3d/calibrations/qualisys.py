"""Qualisys: ``.qca.txt`` (XML), mm, z up.

Intrinsics are in units of 1/64 px of the sensor, from whose principal point the part that is filmed
(``fov_video``) is taken off; the distortion coefficients are divided by 64 too, as Pose2Sim does.
The rotation is world to camera, the position the camera's centre.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, World
from selfpose3d.calibrations.values import (
    attributes,
    camera_of,
    check_lenses,
    intrinsics,
    name,
    size,
)
from selfpose3d.calibrations.world import in_our_world
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import write_text
from selfpose3d.files.text import read_xml_text
from selfpose3d.geometry.cameras import Camera

QUALISYS_UNITS_PER_PIXEL = 64.0
QUALISYS_TO_OPENCV = np.diag([1.0, -1.0, -1.0])
"""A Qualisys camera looks along -z with y up; an OpenCV camera along z with y down."""

_COEFFICIENTS = (
    "radialDistortion1",
    "radialDistortion2",
    "tangentalDistortion1",
    "tangentalDistortion2",
    "radialDistortion3",
)
_INTRINSICS = ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV")
_FIELD = ("left", "top", "right", "bottom")
_CENTRE = ("x", "y", "z")
_ROTATION = tuple(f"r{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3))


def read_qualisys(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The video cameras of a Qualisys calibration, named by their serial.

    Marker cameras, whose model is neither "none" nor of video, are left out.

    Raises:
        InputError: not such a file, or not a usable rig.
    """
    root = read_xml_text(path)
    rows = root.findall("cameras/camera")
    if root.tag != "calibration" or not rows:
        raise OtherFormatError(f"{path}: not a Qualisys calibration (no cameras/camera in it)")
    models = [row.attrib.get("model", "none") for row in rows]
    films = [row for row, model in zip(rows, models, strict=True) if _is_video(model)]
    if not films:
        raise InputError(
            f"{path}: not a Qualisys calibration of video cameras (their models are "
            f"{sorted(set(models))}); give those that film the model 'video'"
        )
    try:
        cameras = [_qualisys_camera(row) for row in films]
    except InputError as error:
        raise InputError(f"{path}: not a Qualisys calibration ({error})") from error
    return in_our_world(cameras, str(path), World(units="mm"), asked)


def _is_video(model: str) -> bool:
    return any(word in model.lower() for word in ("video", "none"))


def _qualisys_camera(row: ElementTree.Element) -> Camera:
    called = name(row.attrib.get("serial"), "serial")
    fx, fy, cx, cy = _values(row, "intrinsic", _INTRINSICS) / QUALISYS_UNITS_PER_PIXEL
    distortion = _values(row, "intrinsic", _COEFFICIENTS) / QUALISYS_UNITS_PER_PIXEL
    left, top, right, bottom = _values(row, "fov_video", _FIELD)
    R = QUALISYS_TO_OPENCV @ _values(row, "transform", _ROTATION).reshape(3, 3)
    return camera_of(
        called,
        size([right - left + 1, bottom - top + 1], f"camera {called}: fov_video"),
        intrinsics(fx, fy, cx - left, cy - top),
        distortion,
        R,
        -R @ _values(row, "transform", _CENTRE),
    )


def _values(row: ElementTree.Element, part: str, keys: Sequence[str]) -> np.ndarray:
    return attributes(row, part, keys, f"camera {row.get('serial')}")


def write_qualisys(path: Path, cameras: Sequence[Camera]) -> None:
    """Write a ``.qca.txt`` of video cameras."""
    check_lenses(cameras, ("brown 5",), "Qualisys")
    root = ElementTree.Element("calibration")
    inner = ElementTree.SubElement(root, "cameras")
    for camera in cameras:
        _add_camera(inner, camera)
    ElementTree.indent(root)
    write_text(path, ElementTree.tostring(root, encoding="unicode") + "\n")


def _add_camera(parent: ElementTree.Element, camera: Camera) -> None:
    row = ElementTree.SubElement(
        parent, "camera", {"active": "1", "serial": camera.name, "model": "none"}
    )
    K = camera.K
    intrinsic = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    inner = np.array([*intrinsic, *camera.distortion[:5]]) * QUALISYS_UNITS_PER_PIXEL
    turn = (QUALISYS_TO_OPENCV @ camera.R).ravel()
    for part, keys, values in (
        ("fov_video", _FIELD, [0, 0, camera.width - 1, camera.height - 1]),
        ("transform", (*_ROTATION, *_CENTRE), [*turn, *camera.centre]),
        ("intrinsic", (*_INTRINSICS, *_COEFFICIENTS), inner),
    ):
        texts = [repr(float(value)) for value in values]
        ElementTree.SubElement(row, part, dict(zip(keys, texts, strict=True)))

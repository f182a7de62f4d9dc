"""OptiTrack: Motive's ``.mcal`` (XML in UTF-16), metres, y up.

``IntrinsicStandardCameraModel`` is OpenCV's lens of five coefficients; ``Extrinsic`` has the
camera's centre and, row by row, its axes in the world, of a camera that looks along -z with y up.
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
from selfpose3d.calibrations.world import in_our_world, in_their_world
from selfpose3d.errors import naming
from selfpose3d.files.atomic import whole_file
from selfpose3d.files.text import read_xml_text
from selfpose3d.geometry.cameras import Camera

UNITS, UP = "m", "y"
_TO_OPENCV = np.diag([1.0, -1.0, -1.0])
_MODEL = "IntrinsicStandardCameraModel"
_INTRINSICS = ("HorizontalFocalLength", "VerticalFocalLength", "LensCenterX", "LensCenterY")
_COEFFICIENTS = ("k1", "k2", "TangentialX", "TangentialY", "k3")
_SIZE = ("ImagerPixelWidth", "ImagerPixelHeight")
_CENTRE = ("X", "Y", "Z")
_AXES = tuple(f"OrientMatrix{index}" for index in range(9))


def read_optitrack(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """All cameras of a calibration of Motive, named by their serial.

    Raises:
        InputError: not such a file, or not a usable rig.
    """
    root = read_xml_text(path)
    rows = root.findall("Calibration/Cameras/Camera")
    if not rows:
        raise OtherFormatError(f"{path}: not a calibration of Motive (no Calibration/Cameras)")
    with naming(path):
        cameras = [_camera(row) for row in rows]
    return in_our_world(cameras, str(path), World(units=UNITS, up=UP), asked)


def _camera(row: ElementTree.Element) -> Camera:
    called = name(row.get("Serial"), "Serial")
    fx, fy, cx, cy = _values(row, _MODEL, _INTRINSICS)
    R = _TO_OPENCV @ _values(row, "Extrinsic", _AXES).reshape(3, 3).T
    return camera_of(
        called,
        size(_values(row, "Attributes", _SIZE), f"camera {called}: {_SIZE}"),
        intrinsics(fx, fy, cx, cy),
        _values(row, _MODEL, _COEFFICIENTS),
        R,
        -R @ _values(row, "Extrinsic", _CENTRE),
    )


def _values(row: ElementTree.Element, part: str, keys: Sequence[str]) -> np.ndarray:
    hint = "; export it from Motive 2.2 or newer" if part == _MODEL else ""
    return attributes(row, part, keys, f"camera {row.get('Serial')}", hint)


def write_optitrack(path: Path, cameras: Sequence[Camera]) -> None:
    """Write the cameras alone in the form of a ``.mcal``."""
    check_lenses(cameras, ("brown 5",), "OptiTrack")
    root = ElementTree.Element("calibrationProfile", {"version": "1"})
    outer = ElementTree.SubElement(root, "Calibration")
    inner = ElementTree.SubElement(outer, "Cameras", {"Count": str(len(cameras))})
    for camera in cameras:
        _add_camera(inner, in_their_world(camera, UNITS, UP))
    ElementTree.indent(root)
    text = '<?xml version="1.0" encoding="UTF-16"?>\n'
    with whole_file(path) as temporary:
        temporary.write_text(text + ElementTree.tostring(root, encoding="unicode"), "utf-16")


def _add_camera(parent: ElementTree.Element, camera: Camera) -> None:
    row = ElementTree.SubElement(parent, "Camera", {"Serial": camera.name})
    K = camera.K
    sizes = {_SIZE[0]: str(camera.width), _SIZE[1]: str(camera.height)}
    ElementTree.SubElement(row, "Attributes", sizes)
    lens = [K[0, 0], K[1, 1], K[0, 2], K[1, 2], *camera.distortion[:5]]
    pose = [*camera.centre, *(_TO_OPENCV @ camera.R).T.ravel()]
    for part, keys, values in (
        (_MODEL, (*_INTRINSICS, *_COEFFICIENTS), lens),
        ("Extrinsic", (*_CENTRE, *_AXES), pose),
    ):
        texts = [repr(float(value)) for value in values]
        ElementTree.SubElement(row, part, dict(zip(keys, texts, strict=True)))

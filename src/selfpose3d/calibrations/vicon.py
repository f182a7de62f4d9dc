"""Vicon: ``.xcp`` (XML), mm.

``ORIENTATION`` is the quaternion x y z w of world to camera, ``POSITION`` the camera's centre;
``FOCAL_LENGTH`` over ``PIXEL_ASPECT_RATIO`` is that of the rows. Vicon's lens goes the other way
than OpenCV's: it takes distorted pixels to straight ones, by a polynomial about a centre
(``VICON_RADIAL2``, or ``VICON_RADIAL``). A Brown lens is fitted to its inverse, and refused if it
does not follow it to 0.1 px. Only cameras that film are read.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from selfpose3d.calibrations.entry import UNTOLD, OtherFormatError, Size, World
from selfpose3d.calibrations.values import (
    array,
    camera_of,
    check_lenses,
    intrinsics,
    name,
    numbers,
    size,
)
from selfpose3d.calibrations.world import in_our_world
from selfpose3d.errors import InputError, naming
from selfpose3d.files.atomic import write_text
from selfpose3d.files.text import read_xml_text
from selfpose3d.geometry.cameras import Camera
from selfpose3d.geometry.lenses import distort

_MAX_FIT_PX = 0.1


def read_vicon(path: Path, asked: World = UNTOLD) -> tuple[Camera, ...]:
    """The video cameras of a Vicon calibration, named by their device id.

    Raises:
        InputError: not such a file, or not a usable rig; a lens that has no equal here.
    """
    root = read_xml_text(path)
    rows = root.findall("Camera")
    if not rows or rows[0].find("KeyFrames") is None:
        raise OtherFormatError(f"{path}: not a Vicon calibration (no Camera with KeyFrames in it)")
    films = [row for row in rows if _films(row)]
    if not films:
        kinds = sorted({row.get("TYPE", "") for row in rows})
        raise InputError(
            f"{path}: no video camera among its {len(rows)} (their TYPE is {kinds}); give those "
            "that film a TYPE with 'Video'"
        )
    with naming(path):
        cameras = [_camera(row) for row in films]
    return in_our_world(cameras, str(path), World(units="mm"), asked)


def _films(row: ElementTree.Element) -> bool:
    return "video" in row.get("TYPE", "").lower() or row.get("ISDV") == "2"


def _camera(row: ElementTree.Element) -> Camera:
    called = name(row.get("DEVICEID"), "DEVICEID")
    where = f"camera {called}"
    frame = row.find("KeyFrames/KeyFrame")
    if frame is None:
        raise InputError(f"{where} is not calibrated: it has no KeyFrame")
    measured = size(_numbers(row, "SENSOR_SIZE", 2, where), f"{where}: SENSOR_SIZE")
    focal = _numbers(frame, "FOCAL_LENGTH", 1, where)[0]
    aspect = numbers(row.get("PIXEL_ASPECT_RATIO", "1"), f"{where}: PIXEL_ASPECT_RATIO")[0]
    quaternion = _numbers(frame, "ORIENTATION", 4, where)
    if focal <= 0 or aspect <= 0 or not quaternion.any():
        raise InputError(f"{where}: FOCAL_LENGTH, aspect ratio or ORIENTATION is 0 or negative")
    K = intrinsics(focal, focal / aspect, *_numbers(frame, "PRINCIPAL_POINT", 2, where))
    R = Rotation.from_quat(quaternion).as_matrix()
    t = -R @ _numbers(frame, "POSITION", 3, where)
    return camera_of(called, measured, K, _distortion(frame, K, measured, where), R, t)


def _numbers(row: ElementTree.Element, key: str, count: int, where: str) -> NDArray[np.float64]:
    if row.get(key) is None:
        raise InputError(f"{where} has no {key}")
    return array(row.get(key, "").split(), (count,), f"{where}: {key}")


def _distortion(
    frame: ElementTree.Element, K: NDArray[np.float64], size: Size, where: str
) -> NDArray[np.float64]:
    """(5,) of the Brown lens that undoes Vicon's polynomial, in pixels, over the image."""
    centre, radial = _polynomial(frame, K, where)
    if not radial.any():
        return np.zeros(5)
    focal = K[[0, 1], [0, 1]]
    grid = np.stack(np.meshgrid(*(np.linspace(0, side - 1, 15) for side in size)), axis=-1)
    pixels = grid.reshape(-1, 2)
    square = ((pixels - centre) ** 2).sum(-1, keepdims=True)
    powers = np.concatenate([square, square**2, square**3], axis=-1)
    straight = (pixels - centre) * (1 + powers @ radial)[:, None] + centre
    straight, wanted = (straight - K[:2, 2]) / focal, (pixels - K[:2, 2]) / focal
    if not np.isfinite(straight).all() or np.abs(straight).max() > 10:
        raise InputError(f"{where}: VICON_RADIAL2 {radial.tolist()} takes pixels out of the view")

    def missed(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        apart: NDArray[np.float64] = (distort("brown", coefficients, straight) - wanted) * focal
        return apart.ravel()

    found = least_squares(missed, np.zeros(5), max_nfev=50)
    worst = float(np.abs(found.fun).max())
    if worst > _MAX_FIT_PX:
        raise InputError(
            f"{where}: no lens of OpenCV's follows VICON_RADIAL2 {radial.tolist()} better than "
            f"{worst:.2g} px; undistort its video first, and set VICON_RADIAL2 to 0"
        )
    return np.asarray(found.x, dtype=np.float64)


def _polynomial(
    frame: ElementTree.Element, K: NDArray[np.float64], where: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre (2,) in px and coefficients (3,) in px^-2, px^-4, px^-6."""
    text = frame.get("VICON_RADIAL2", "").split()
    if text:
        values = array(text[1:6], (5,), f"{where}: VICON_RADIAL2")
        return values[:2], values[2:]
    old = numbers(frame.get("VICON_RADIAL", "0 0").split(), f"{where}: VICON_RADIAL")
    return K[:2, 2], np.pad(old[:3], (0, max(0, 3 - len(old))))


def write_vicon(path: Path, cameras: Sequence[Camera]) -> None:
    """Write a ``.xcp`` of video cameras without distortion."""
    check_lenses(cameras, (), "Vicon")
    root = ElementTree.Element("Cameras")
    for camera in cameras:
        _add_camera(root, camera)
    ElementTree.indent(root)
    write_text(path, ElementTree.tostring(root, encoding="unicode") + "\n")


def _add_camera(parent: ElementTree.Element, camera: Camera) -> None:
    K = camera.K
    row = ElementTree.SubElement(parent, "Camera")
    row.attrib |= {"DEVICEID": camera.name, "TYPE": "Video", "ISDV": "2"}
    row.set("PIXEL_ASPECT_RATIO", repr(float(K[0, 0] / K[1, 1])))
    row.set("SENSOR_SIZE", f"{camera.width} {camera.height}")
    frame = ElementTree.SubElement(ElementTree.SubElement(row, "KeyFrames"), "KeyFrame")
    for key, values in (
        ("FOCAL_LENGTH", [K[0, 0]]),
        ("PRINCIPAL_POINT", K[:2, 2]),
        ("ORIENTATION", Rotation.from_matrix(camera.R).as_quat()),
        ("POSITION", camera.centre),
    ):
        frame.set(key, " ".join(repr(float(value)) for value in values))
    centre = " ".join(repr(float(value)) for value in K[:2, 2])
    frame.set("VICON_RADIAL2", f"Vicon3Parameter {centre} 0 0 0")

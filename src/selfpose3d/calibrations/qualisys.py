"""Qualisys: ``.qca.txt`` (XML), mm, z up."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from selfpose3d.errors import InputError
from selfpose3d.files.scenes import check_rig
from selfpose3d.geometry.cameras import Camera

QUALISYS_UNITS_PER_PIXEL = 64.0
QUALISYS_TO_OPENCV = np.diag([1.0, -1.0, -1.0])
"""A Qualisys camera looks along -z with y up; an OpenCV camera along z with y down."""


def read_qualisys(path: Path) -> tuple[Camera, ...]:
    """The cameras of a Qualisys calibration (``.qca.txt``, XML), named by their serial.

    Intrinsics are in units of 1/64 px; the distortion coefficients are divided by 64 too, as
    Pose2Sim does; the file's rotation is world to camera, its position the camera's centre in mm,
    z up.

    Raises:
        InputError: not such a file, or not a usable rig.
    """
    try:
        rows = ElementTree.parse(path).getroot().findall("cameras/camera")
        cameras = tuple(_qualisys_camera(row) for row in rows)
    except (OSError, ElementTree.ParseError, KeyError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a Qualisys calibration ({error})") from error
    check_rig(cameras, str(path))
    return cameras


def _qualisys_camera(row: ElementTree.Element) -> Camera:
    inner, outer, view = (
        _attributes(row, part) for part in ("intrinsic", "transform", "fov_video")
    )
    fx, fy, cx, cy = (
        inner[key] / QUALISYS_UNITS_PER_PIXEL
        for key in ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV")
    )
    distortion = [
        inner[key] / QUALISYS_UNITS_PER_PIXEL
        for key in (
            "radialDistortion1",
            "radialDistortion2",
            "tangentalDistortion1",
            "tangentalDistortion2",
            "radialDistortion3",
        )
    ]
    rotation = [[outer[f"r{i}{j}"] for j in (1, 2, 3)] for i in (1, 2, 3)]
    R = QUALISYS_TO_OPENCV @ np.array(rotation)
    centre = np.array([outer["x"], outer["y"], outer["z"]])
    return Camera(
        name=row.attrib["serial"],
        width=int(view["right"] - view["left"]) + 1,
        height=int(view["bottom"] - view["top"]) + 1,
        K=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
        distortion=np.array(distortion),
        R=R,
        t=-R @ centre,
    )


def _attributes(row: ElementTree.Element, part: str) -> dict[str, float]:
    element = row.find(part)
    if element is None:
        raise ValueError(f"camera {row.attrib.get('serial')} has no <{part}>")
    return {key: float(value) for key, value in element.attrib.items() if key != "model"}

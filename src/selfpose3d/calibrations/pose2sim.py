"""Pose2Sim: ``Calib.toml``, metres, Rodrigues vectors, world to camera."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from selfpose3d.errors import InputError
from selfpose3d.files.scenes import check_rig, five_coefficients
from selfpose3d.geometry.cameras import Camera

MM_PER_M = 1000.0


def read_pose2sim(path: Path) -> tuple[Camera, ...]:
    """The cameras of a Pose2Sim ``Calib.toml`` (metres, Rodrigues vectors, world to camera).

    Raises:
        InputError: not such a file, a fisheye or another lens model, or not a usable rig.
    """
    try:
        tables = tomllib.loads(Path(path).read_text())
        rows = [row for key, row in tables.items() if key != "metadata"]
        cameras = tuple(_pose2sim_camera(row) for row in rows)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a Pose2Sim calibration ({error!r})") from error
    check_rig(cameras, str(path))
    return cameras


def _pose2sim_camera(row: Mapping[str, Any]) -> Camera:
    if row.get("fisheye"):
        raise InputError(f"camera {row['name']} is a fisheye; undistort its videos first")
    return Camera(
        name=row["name"],
        width=int(row["size"][0]),
        height=int(row["size"][1]),
        K=np.array(row["matrix"]),
        distortion=five_coefficients(row["distortions"], f"camera {row['name']}: distortions"),
        R=np.asarray(cv2.Rodrigues(np.array(row["rotation"], dtype=float))[0], dtype=np.float64),
        t=np.array(row["translation"], dtype=float) * MM_PER_M,
    )

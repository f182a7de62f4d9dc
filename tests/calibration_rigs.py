"""Rigs and calibration files for tests: who stands where, through which lenses."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from selfpose3d.calibrations import CALIBRATIONS
from selfpose3d.calibrations.storage import yaml_text
from selfpose3d.files.atomic import write_json, write_text
from selfpose3d.geometry.cameras import Camera, project

LENSES: dict[str, tuple[str, list[float]]] = {
    "none": ("brown", [0.0] * 5),
    "brown 5": ("brown", [-0.12, 0.05, 0.001, -0.0008, 0.01]),
    "brown 8": ("brown", [0.3, -0.2, 0.0009, -0.0004, 0.05, 0.4, -0.1, 0.02]),
    "fisheye": ("fisheye", [-0.03, 0.012, -0.006, 0.001]),
}
HOLDS = {
    "cameras.json": tuple(LENSES),
    "Pose2Sim": tuple(LENSES),
    "OpenCV": tuple(LENSES),
    "EasyMocap": ("none", "brown 5", "brown 8"),
    "4DAssociation": ("none", "brown 5", "brown 8"),
    "xrmocap": ("none", "brown 5", "brown 8"),
    "Qualisys": ("none", "brown 5"),
    "OptiTrack": ("none", "brown 5"),
    "Panoptic": ("none", "brown 5"),
    "VoxelPose": ("none", "brown 5"),
    "MVOR": ("none", "brown 5"),
    "Vicon": ("none",),
}
"""The lenses that each format holds."""

FILES = {
    "cameras.json": "cameras.json",
    "Pose2Sim": "Calib.toml",
    "OpenCV": "rig.yml",
    "EasyMocap": "easymocap",
    "4DAssociation": "calibration.json",
    "xrmocap": "camera_parameters",
    "Qualisys": "rig.qca.txt",
    "OptiTrack": "rig.mcal",
    "Panoptic": "calibration_rig.json",
    "VoxelPose": "calibration_rig.json",
    "MVOR": "camma_mvor_rig.json",
    "Vicon": "rig.xcp",
}
"""What a calibration of each format may be called."""


def ring(
    lens: str = "brown 5",
    count: int = 4,
    radius: float = 4000.0,
    height: float = 1800.0,
    width: int = 640,
    tall: int = 384,
    turn: float = 0.3,
) -> list[Camera]:
    """Cameras in a ring about the origin that look at the people in its middle; mm, z up."""
    model, coefficients = LENSES[lens]
    cameras = []
    for index in range(count):
        angle = turn + 2 * np.pi * index / count
        centre = np.array([radius * np.cos(angle), radius * np.sin(angle), height + 80 * index])
        ahead = np.array([0.0, 0.0, 900.0]) - centre
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(ahead, right), ahead])
        K = np.array(
            [[520.0 + 3 * index, 0, width / 2 + 3.5], [0, 521.0, tall / 2 - 4.25], [0, 0, 1]]
        )
        cameras.append(
            Camera(
                f"cam{index + 1:02d}", width, tall, K, np.array(coefficients), R, -R @ centre,
                model,  # type: ignore[arg-type]
            )
        )  # fmt: skip
    return cameras


def in_world(cameras: Sequence[Camera], turn: np.ndarray, scale: float) -> list[Camera]:
    """The cameras in a world ``x = turn @ x_ours * scale``."""
    return [replace(camera, R=camera.R @ turn.T, t=camera.t * scale) for camera in cameras]


def people(rng: np.random.Generator, count: int = 60) -> np.ndarray:
    return rng.uniform([-1200, -1200, 0], [1200, 1200, 1900], (count, 3))


def as_stereo_calib(folder: Path, cameras: Sequence[Camera], together: bool = False) -> Path:
    """The first two cameras in metres, as OpenCV's sample writes them; or all in one file."""
    pair = cameras[:2]
    turn = pair[1].R @ pair[0].R.T
    shift = (pair[1].t - turn @ pair[0].t) / 1000
    inner = {f"M{n}": camera.K for n, camera in enumerate(pair, 1)}
    inner |= {f"D{n}": camera.distortion[None] for n, camera in enumerate(pair, 1)}
    outer = {"R": turn, "T": shift.reshape(3, 1), "R1": np.eye(3), "Q": np.eye(4)}
    if together:
        named = {key.replace("M", "K"): value for key, value in inner.items()}
        write_text(folder / "stereo.yml", yaml_text(named | outer))
        return folder / "stereo.yml"
    write_text(folder / "intrinsics.yml", yaml_text(inner))
    write_text(folder / "extrinsics.yml", yaml_text(outer))
    return folder


def as_mv3dpose(folder: Path, cameras: Sequence[Camera], frames: int = 2) -> Path:
    """A data set in metres."""
    write_json(folder / "dataset.json", {"n_cameras": len(cameras), "scale_to_mm": 1000})
    for number, camera in enumerate(cameras):
        row = {
            "K": camera.K.tolist(),
            "rvec": cv2.Rodrigues(camera.R)[0].ravel().tolist(),
            "tvec": (camera.t / 1000).tolist(),
            "distCoef": camera.distortion.tolist(),
            "w": camera.width,
            "h": camera.height,
        }
        for frame in range(frames):
            name = f"frame{frame:09d}.json"
            write_json(folder / "cameras" / f"camera{number:02d}" / name, row)
    return folder


READ_ALONE = {"stereo": as_stereo_calib, "mv3dpose": as_mv3dpose}
"""Formats that are not written, and their files as their programs write them."""


def write(name: str, folder: Path, cameras: Sequence[Camera]) -> Path:
    """A calibration of a format, and where it is."""
    if name in READ_ALONE:
        return READ_ALONE[name](folder, cameras)
    path = folder / FILES[name]
    step = CALIBRATIONS[name].write
    assert step is not None
    step.load()(path, cameras)
    return path


def assert_same_projections(one: Sequence[Camera], other: Sequence[Camera], px: float) -> None:
    """Of people that the cameras see, and that the cameras are called alike."""
    points = people(np.random.default_rng(0))
    assert [camera.name for camera in one] == [camera.name for camera in other]
    for first, second in zip(one, other, strict=True):
        assert (first.width, first.height) == (second.width, second.height)
        pixels, depth = project(first, points)
        assert np.isfinite(pixels).all()
        np.testing.assert_allclose(project(second, points)[0], pixels, atol=px)
        np.testing.assert_allclose(project(second, points)[1], depth, atol=max(1e-6, px))

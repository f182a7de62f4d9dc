"""A small sequence in the CMU Panoptic host's layout, for tests."""

import json
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT, N_FRAMES = 160, 96, 8
CAMERAS = ("00_03", "00_06", "00_12")
VGA_CAMERAS = ("01_01", "01_02")
SEQUENCE = "170101_tiny1"
FIRST = 2
"""The first annotated frame."""


def look_at(centre_cm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R and t (cm) of a camera that looks at (0, -90, 0) in Panoptic's world, y down."""
    ahead = np.array([0.0, -90.0, 0.0]) - centre_cm
    ahead /= np.linalg.norm(ahead)
    right = np.cross([0.0, 1.0, 0.0], ahead)
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(ahead, right), ahead])
    return R, -R @ centre_cm


def calibration() -> dict[str, Any]:
    cameras = []
    for index, name in enumerate(CAMERAS):
        angle = 2 * np.pi * index / len(CAMERAS)
        R, t = look_at(np.array([300 * np.cos(angle), -200.0, 300 * np.sin(angle)]))
        cameras.append(
            {
                "name": name,
                "type": "hd",
                "panel": 0,
                "node": int(name[3:]),
                "resolution": [WIDTH, HEIGHT],
                "K": [[140.0, 0, 79.5], [0, 141.0, 47.5], [0, 0, 1]],
                "distCoef": [-0.2, 0.1, 0.001, -0.002, 0.01],
                "R": R.tolist(),
                "t": t.reshape(3, 1).tolist(),
            }
        )
    vga = {**cameras[0], "name": "01_01", "type": "vga"}
    return {"cameras": [vga, *cameras]}


def body(person: int, x_cm: float, root_confidence: float = 0.9) -> dict[str, Any]:
    joints = np.zeros((19, 4))
    joints[:, 0] = x_cm + np.arange(19)
    joints[:, 1] = -90 - np.arange(19)
    joints[:, 2] = 10.0
    joints[:, 3] = 0.9
    joints[2, 3] = root_confidence
    joints[5, 3] = 0.05
    return {"id": person, "joints19": joints.ravel().tolist()}


def bodies(frame: int) -> list[dict[str, Any]]:
    """Nobody in frame 4; in the others one person, and one without a valid root."""
    return [] if frame == 4 else [body(7, float(frame)), body(8, 0.0, root_confidence=0.1)]


def colour(camera: int, frame: int) -> tuple[int, int, int]:
    """RGB that tells a frame from its neighbours and a camera from the others."""
    return 30 * frame + 10, 200 - 80 * camera, 128


def image(camera: int, frame: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), colour(camera, frame), dtype=np.uint8)


def write_video(
    path: Path, images: list[np.ndarray], rate: float = 30.0, codec: str = "mp4v"
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = images[0].shape[:2]
    fourcc = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(path), fourcc, rate, (width, height))
    assert writer.isOpened(), path
    for rgb in images:
        writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    writer.release()


def write_sequence(root: Path) -> Path:
    """Write what the host serves; returns the sequence's folder."""
    folder = root / SEQUENCE
    poses = folder / "hdPose3d_stage1_coco19"
    poses.mkdir(parents=True)
    (folder / f"calibration_{SEQUENCE}.json").write_text(json.dumps(calibration()))
    for frame in range(FIRST, N_FRAMES):
        scene = {"univTime": 1000.0 * frame, "bodies": bodies(frame)}
        (poses / f"body3DScene_{frame:08d}.json").write_text(json.dumps(scene))
    with tarfile.open(folder / "hdPose3d_stage1_coco19.tar", "w") as archive:
        archive.add(poses, poses.name)
    for index, name in enumerate(CAMERAS):
        frames = [image(index, frame) for frame in range(N_FRAMES)]
        write_video(folder / "videos" / "hd_shared_crf20" / f"hd_{name}.mp4", frames)
    return folder


def write_vga(folder: Path) -> None:
    """Write what the host serves of two VGA cameras, with poses of other frames than the HD
    cameras', and a Kinect in the calibration."""
    rig = calibration()
    second, kinect = rig["cameras"][2:]
    rig["cameras"] += [
        {**second, "name": "01_02", "type": "vga", "panel": 1},
        {**kinect, "name": "50_01", "type": "kinect-color", "panel": 50},
    ]
    (folder / f"calibration_{SEQUENCE}.json").write_text(json.dumps(rig))
    poses = folder / "vgaPose3d_stage1_coco19"
    poses.mkdir()
    for frame in range(3, N_FRAMES):
        scene = {"univTime": 900.0 * frame, "fpsType": "vga_25", "bodies": [body(5, 2.0 * frame)]}
        (poses / f"body3DScene_{frame:08d}.json").write_text(json.dumps(scene))
    with tarfile.open(folder / "vgaPose3d_stage1_coco19.tar", "w") as archive:
        archive.add(poses, poses.name)
    for index, name in enumerate(VGA_CAMERAS):
        frames = [image(index, frame) for frame in range(N_FRAMES)]
        write_video(folder / "videos" / "vga_shared_crf10" / f"vga_{name}.mp4", frames)


def extract_images(folder: Path) -> None:
    """Write hdImgs beside the videos, as the data set's own scripts do."""
    for index, name in enumerate(CAMERAS):
        (folder / "hdImgs" / name).mkdir(parents=True)
        for frame in range(N_FRAMES):
            path = folder / "hdImgs" / name / f"{name}_{frame:08d}.jpg"
            cv2.imwrite(str(path), cv2.cvtColor(image(index, frame), cv2.COLOR_RGB2BGR))

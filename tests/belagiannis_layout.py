"""Tiny copies of Shelf and Campus in the form of their archives, for tests."""

import tarfile
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

from selfpose3d.geometry.cameras import Camera
from selfpose3d.skeletons import SKELETONS
from selfpose3d.synthetic.scenes import BODY, random_people, ring

N_FRAMES = 8
FOLDERS = {"shelf": "Shelf", "campus": "CampusSeq1"}
SIZES = {"shelf": (1032, 776), "campus": (360, 288)}
COUNTS = {"shelf": 5, "campus": 3}
N_ACTORS = 3
JOINTS = SKELETONS["shelf14"].joints


def cameras(source: str) -> list[Camera]:
    """The rig, without distortion."""
    made = ring(COUNTS[source], *SIZES[source])
    return [
        Camera(f"Camera{n}", c.width, c.height, c.K, np.zeros(5), c.R, c.t)
        for n, c in enumerate(made)
    ]


def is_present(actor: int, frame: int) -> bool:
    """Actor 1 is away in frame 4, actor 2 up to frame 5."""
    return not (actor == 1 and frame == 4) and not (actor == 2 and frame <= 5)


def joints_m(actor: int, frame: int) -> np.ndarray:
    """(14, 3) m."""
    body = random_people(np.random.default_rng([actor, frame]), 1)[0]
    head = {"upper_neck": body[BODY.index("neck")] + [0, 0, 60]}
    head["head_top"] = head["upper_neck"] + [0, 0, 240]
    rows = [head[name] if name in head else body[BODY.index(name)] for name in JOINTS]
    return np.array(rows) / 1000


def colour(camera: int, frame: int) -> tuple[int, int, int]:
    """RGB that tells a frame from its neighbours and a camera from the others."""
    return 30 * frame + 10, 230 - 50 * camera, 128


def image_path(source: str, camera: int, frame: int) -> str:
    """Within the data set's folder."""
    names = {"shelf": f"img_{frame:06d}.png", "campus": f"campus4-c{camera}-{frame:05d}.png"}
    return f"Camera{camera}/{names[source]}"


def write_folder(root: Path, source: str) -> Path:
    """Write what the archive holds; returns the data set's folder."""
    folder = root / FOLDERS[source]
    (folder / "Calibration").mkdir(parents=True)
    width, height = SIZES[source]
    for number, camera in enumerate(cameras(source)):
        P = camera.K @ np.column_stack([camera.R, camera.t / 1000])
        separator = "," if source == "shelf" else " "
        np.savetxt(folder / "Calibration" / f"P{number}.txt", P, "%.6f", separator)
        for frame in range(N_FRAMES):
            path = folder / image_path(source, number, frame)
            path.parent.mkdir(exist_ok=True)
            rgb = np.full((height, width, 3), colour(number, frame), np.uint8)
            cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    write_truth(folder / "actorsGT.mat")
    return folder


def write_truth(path: Path, n_frames: int = N_FRAMES) -> None:
    """Cells of cells, as MATLAB writes them: (1, actors), in each (frames, 1)."""
    actors = np.empty((1, N_ACTORS), dtype=object)
    for actor in range(N_ACTORS):
        frames = np.empty((n_frames, 1), dtype=object)
        for frame in range(n_frames):
            present = is_present(actor, frame)
            frames[frame, 0] = joints_m(actor, frame) if present else np.zeros((1, 0))
        actors[0, actor] = frames
    savemat(path, {"actor3D": actors})


def write_archive(folder: Path) -> Path:
    """Pack a data set's folder as its host has it, beside it."""
    path = folder.with_name(f"{folder.name}.tar.bz2")
    with tarfile.open(path, "w:bz2") as archive:
        archive.add(folder, folder.name)
    return path

"""A rig and its 2D people out of a folder: a scene, or a calibration with files of 2D people."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from selfpose3d.calibrations import read_calibration_of
from selfpose3d.detection.keypoint_files import read_keypoint_files
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json
from selfpose3d.files.poses2d import Views, read_poses2d
from selfpose3d.files.scenes import Scene, read_scene
from selfpose3d.geometry.cameras import Camera

PEOPLE = ("people.parquet", "people.json", "people")
"""Names of the 2D people in a folder, if no other is given."""


@dataclass(frozen=True)
class Seen:
    """What an examination needs.

    Args:
        cameras: of the rig.
        views: 2D people by (frame, camera name), px of the cameras' images.
        times: of the frames, s, by frame.
    """

    cameras: tuple[Camera, ...]
    views: Views
    times: Mapping[int, float]


def read_seen(folder: Path, people: Path | None, rate: float) -> Seen:
    """Read a rig and its 2D people.

    Args:
        folder: a scene; or a folder with a calibration, its 2D people in it or elsewhere.
        people: labels or detections of ours (Parquet), COCO results, or a folder of OpenPose's
            files; None for the one of ``PEOPLE`` that lies in the folder.
        rate: frames per second, where the folder is not a scene.

    Raises:
        InputError: there is no calibration, there are no people, or they can't be read.
    """
    found = people or _people_in(folder)
    if (folder / "scene.json").exists():
        scene = read_scene(folder)
    else:
        cameras = read_calibration_of(folder)
        frames = tuple(_frames_of(found))
        times = tuple(frame / rate for frame in frames)
        size = (cameras[0].width, cameras[0].height)
        scene = Scene.calibrated(folder, folder.name, "keypoints", cameras, frames, times, size)
    return Seen(
        scene.cameras, _people(found, scene), dict(zip(scene.frames, scene.times, strict=True))
    )


def _people_in(folder: Path) -> Path:
    found = [folder / name for name in PEOPLE if (folder / name).exists()]
    if len(found) != 1:
        raise InputError(
            f"{folder}: {len(found)} of {list(PEOPLE)} lie there; name the 2D people with --people"
        )
    return found[0]


def _people(path: Path, scene: Scene) -> Views:
    if path.suffix == ".parquet":
        return read_poses2d(path)
    return read_keypoint_files(path, scene)


def _frames_of(people: Path) -> list[int]:
    """The frames that files of 2D people name, ascending."""
    if people.suffix == ".parquet":
        frames = {frame for frame, _ in read_poses2d(people)}
    elif people.is_dir():
        names = [re.search(r"(\d+)_keypoints\.json$", p.name) for p in people.glob("*/*.json")]
        frames = {int(name[1]) for name in names if name is not None}
    else:
        frames = _frames_of_coco(people)
    if not frames:
        raise InputError(f"{people}: names no frames; are these 2D people?")
    return sorted(frames)


def _frames_of_coco(path: Path) -> set[int]:
    rows = read_json(path)
    names = [row.get("file_name") for row in rows if isinstance(row, dict)] if rows else []
    found = [re.search(r"(\d+)(?:\.\w+)?$", name) for name in names if isinstance(name, str)]
    if len(found) != len(rows) or None in found:
        raise InputError(
            f"{path}: without a scene, every entry names its image: 'file_name': "
            "'<camera>/<frame>.jpg'. Prepare a scene, or name the images"
        )
    return {int(match[1]) for match in found if match is not None}

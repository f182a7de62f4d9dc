"""A rig and its 2D people out of a folder: a scene, or a calibration with files of 2D people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfpose3d.calibrations.conversion import read_calibration
from selfpose3d.calibrations.entry import UNTOLD, World
from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import Views, read_poses2d
from selfpose3d.files.scenes import View, read_scene
from selfpose3d.geometry.cameras import Camera
from selfpose3d.keypoints.reading import NOTHING_TOLD, Told, read_people

PEOPLE = ("people.parquet", "people.json", "people")
"""Names of the 2D people in a folder, if no other is given."""


@dataclass(frozen=True)
class Seen:
    """The inputs of an examination.

    Args:
        cameras: of the rig.
        views: 2D people by (frame, camera name), px of the cameras' images.
        times: of the frames, s, by frame.
    """

    cameras: tuple[Camera, ...]
    views: Views
    times: Mapping[int, float]


def read_seen(
    folder: Path, people: Path | None, rate: float, told: Told = NOTHING_TOLD, world: World = UNTOLD
) -> Seen:
    """Read a rig and its 2D people.

    Args:
        folder: a scene; or a folder with a calibration, its 2D people in it or elsewhere; or the
            calibration itself.
        people: labels or detections of ours (Parquet), or 2D people in any known format
            (docs/people2d.md); None for the one of ``PEOPLE`` that lies in the folder.
        rate: frames per second, where the folder is not a scene.
        told: what the user says of the 2D people.
        world: what the user says of the calibration.

    Raises:
        InputError: there is no calibration, there are no people, or they can't be read; or the
            user says something of a scene, or of people, which tell everything.
    """
    found = people or _people_in(folder)
    if (folder / "scene.json").exists():
        if world != UNTOLD:
            raise InputError(f"{folder}: a scene tells all; leave --units, --up and --size away")
        scene = read_scene(folder)
        times = dict(zip(scene.frames, scene.times, strict=True))
        return Seen(
            scene.cameras, _people(found, scene.views, scene.frames, scene.name, told), times
        )
    cameras = read_calibration(folder, None, world)[1]
    sizes = [View(camera.name, camera.width, camera.height) for camera in cameras]
    views = _people(found, sizes, None, folder.name, told)
    return Seen(cameras, views, {frame: frame / rate for frame in sorted({f for f, _ in views})})


def _people_in(folder: Path) -> Path:
    found = [folder / name for name in PEOPLE if (folder / name).exists()]
    if len(found) != 1:
        raise InputError(
            f"{folder}: name the 2D people with --people; {len(found)} of {list(PEOPLE)} lie there"
        )
    return found[0]


def _people(
    path: Path, views: Sequence[View], frames: Sequence[int] | None, name: str, told: Told
) -> Views:
    if path.suffix != ".parquet":
        return read_people(path, views, frames, name, told)
    if told != NOTHING_TOLD:
        raise InputError(
            f"{path}: labels and detections tell all; leave --joints, --image-size and --first away"
        )
    return read_poses2d(path)

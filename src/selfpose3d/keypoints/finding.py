"""The files of 2D people in a folder: one per image, one per camera, or one for all."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfpose3d.errors import InputError
from selfpose3d.keypoints.images import camera_of

_FRAME = re.compile(r"^(?:(.*?)[_\-.]?)?(\d+)(?:_keypoints)?\.json$")


@dataclass(frozen=True)
class Files:
    """The files of a camera, or of all.

    Args:
        camera: whose they are; None: of all.
        paths: the files.
        frames: the frame of each; None: one file has many.
    """

    camera: str | None
    paths: Sequence[str]
    frames: Sequence[int] | None

    def parts(self, count: int) -> "list[Files]":
        """The files in parts of so many, each of one image."""
        frames = self.frames or ()
        starts = range(0, len(self.paths), count)
        return [
            Files(self.camera, self.paths[i : i + count], frames[i : i + count]) for i in starts
        ]


def find_files(path: Path, cameras: Sequence[str]) -> list[Files]:
    """The files of 2D people that a path names.

    ::

        <file>                                    all cameras, or the one that it is named after
        <folder>/<camera>.json                    one file per camera
        <folder>/<camera>/..._<frame>_keypoints.json, <folder>/<camera>_json/<camera>_<frame>.json
        <folder>/<camera>_<frame>_keypoints.json  one file per image

    Raises:
        InputError: there is nothing of this kind, or two kinds for one camera.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder of 2D people")
    if path.is_file():
        return [Files(camera_of(path.stem, cameras), [str(path)], None)]
    found = [*_camera_folders(path, cameras), *_camera_files(path, cameras)]
    _check_once(found, path)
    if not found:
        raise InputError(_nothing(path, cameras))
    order = {camera: place for place, camera in enumerate(cameras)}
    return sorted(found, key=lambda files: order[str(files.camera)])


def _json_files(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(each.name for each in entries if each.name.endswith(".json"))


def _camera_folders(folder: Path, cameras: Sequence[str]) -> Iterator[Files]:
    for inner in sorted(each for each in folder.iterdir() if each.is_dir()):
        camera = camera_of(inner.name, cameras)
        names = _json_files(inner) if camera is not None else []
        if len(names) == 1 and not _FRAME.match(names[0]):
            yield Files(camera, [str(inner / names[0])], None)
        elif names:
            yield _an_image_each(inner, camera, names)


def _an_image_each(folder: Path, camera: str | None, names: Sequence[str]) -> Files:
    matches = [_FRAME.match(name) for name in names]
    frames = []
    for name, match in zip(names, matches, strict=True):
        if match is None:
            raise InputError(
                f"{folder / name}: the name lacks the frame; '..._<frame>_keypoints.json' or "
                "'<frame>.json' is expected"
            )
        frames.append(int(match[2]))
    if len(set(frames)) < len(frames):
        doubled = next(frame for frame in frames if frames.count(frame) > 1)
        both = [name for name, frame in zip(names, frames, strict=True) if frame == doubled]
        raise InputError(f"{folder}: {both[:2]} are both of frame {doubled}; leave one there")
    return Files(camera, [f"{folder}{os.sep}{name}" for name in names], frames)


def _camera_files(folder: Path, cameras: Sequence[str]) -> Iterator[Files]:
    """Files beside each other: one per camera, or one per image."""
    images: dict[str, list[str]] = defaultdict(list)
    for name in _json_files(folder):
        whole = camera_of(name.removesuffix(".json"), cameras)
        match = _FRAME.match(name)
        camera = camera_of(match[1] or "", cameras) if match else None
        if whole is not None:
            yield Files(whole, [str(folder / name)], None)
        elif camera is not None:
            images[camera].append(name)
    for camera, names in images.items():
        yield _an_image_each(folder, camera, names)


def _check_once(found: Sequence[Files], path: Path) -> None:
    cameras = [files.camera for files in found]
    for camera in cameras:
        if cameras.count(camera) > 1:
            both = [files.paths[0] for files in found if files.camera == camera]
            raise InputError(f"{path}: two sets of people of camera {camera}: {both}; leave one")


def _nothing(path: Path, cameras: Sequence[str]) -> str:
    there = sorted(each.name for each in path.iterdir())[:6]
    return (
        f"{path}: holds no 2D people of the cameras {list(cameras)}; expected are "
        "<camera>/..._<frame>_keypoints.json, <camera>_json/<camera>_<frame>.json or one "
        f"<camera>.json each, named as the calibration names the cameras. It holds {there}"
    )

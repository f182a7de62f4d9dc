"""Recordings of cameras: a video each, or a folder of numbered images each."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.scenes import Size, read_image
from selfpose3d.progress import tell
from selfpose3d.sources.preparation import Image

VIDEO_SUFFIXES = (
    *(".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm"),
    *(".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".wmv", ".3gp"),
)
"""Endings of the videos that are looked for in a folder."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Endings of the images that are looked for in a camera's folder."""

SUBFOLDERS = ("images", "videos")
"""Names of subfolders that may hold the recordings; the first that has any is taken if none lie in
the folder itself."""

LONGEST_STEP = 1.6
"""Time between two frames of a video, over the usual one, from which frames are missing."""

_QUIET = ("OPENCV_FFMPEG_LOGLEVEL", "-8")
"""The variable by which OpenCV's ffmpeg prints nothing; it is read when the first video is opened.
What ffmpeg says of a file that it can't decode names neither the file nor a remedy."""


class Recording(Protocol):
    """The frames of one camera: its file or folder, their size in px, their rate per second."""

    path: Path
    width: int
    height: int
    rate: float

    def numbers(self) -> tuple[int, ...]:
        """The frames' numbers, ascending."""

    def stamps(self) -> NDArray[np.float64]:
        """(F,) time stamps of all frames, s."""

    def read(self, frames: Sequence[int]) -> Iterator[tuple[int, Image]]:
        """Yield (frame number, (H, W, 3) RGB image) of ascending frame numbers."""


class Video:
    """A video read from its beginning to its end, so that frame numbers, from 0, are exact.

    Seeking lands on neighbouring frames in many files. A turn that the file asks for is made, by
    every version of OpenCV.

    Args:
        path: of the video file.

    Raises:
        InputError: it can't be read, or holds no frame.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file() or not path.stat().st_size:
            raise InputError(f"{path}: {_absent(path)}")
        reader = self._opened()
        if not reader.isOpened():
            raise InputError(
                f"{path}: no video can be opened in its {path.stat().st_size} bytes. A recording "
                "that was not closed (a power cut) lacks its index; ffmpeg or untrunc may repair a "
                "copy of it. Keep the original"
            )
        if not reader.grab():
            raise InputError(
                f"{path}: its codec {_codec(reader)} can't be decoded by this OpenCV "
                f"({cv2.__version__}), or no frame is in it. Move it into a folder 'originals' "
                "beside it, and write a copy in another codec in its place: ffmpeg -i "
                f"originals/{path.name} -c:v libx264 -crf 16 {path.stem}.mp4"
            )
        self.width = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.rate = float(reader.get(cv2.CAP_PROP_FPS))
        self.turn = round(reader.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        reader.release()

    def numbers(self) -> tuple[int, ...]:
        """The frames' numbers, from 0."""
        return tuple(range(len(self._stamps)))

    def stamps(self) -> NDArray[np.float64]:
        """(F,) time stamps of all frames, s, by reading them; what the file says may be wrong."""
        return self._stamps

    @cached_property
    def _stamps(self) -> NDArray[np.float64]:
        reader = self._opened()
        stamps = []
        while reader.grab():
            stamps.append(reader.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        reader.release()
        return np.array(stamps)

    def read(self, frames: Sequence[int]) -> Iterator[tuple[int, Image]]:
        """Yield (frame number, RGB image) of ascending frame numbers."""
        reader = self._opened()
        try:
            position = -1
            for frame in frames:
                while position < frame:
                    if not reader.grab():
                        raise InputError(
                            f"{self.path}: ends after {position + 1} frames, frame {frame} is "
                            "wanted; the file is cut short or not of this sequence: copy or fetch "
                            "it again"
                        )
                    position += 1
                ok, image = reader.retrieve()
                if not ok:
                    raise InputError(
                        f"{self.path}: frame {frame} can't be decoded; copy or fetch it again"
                    )
                yield frame, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        finally:
            reader.release()

    def _opened(self) -> cv2.VideoCapture:
        """A reader that turns frames in every version of OpenCV, and leaves messages to us."""
        os.environ.setdefault(*_QUIET)
        reader = cv2.VideoCapture(str(self.path))
        reader.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        return reader


def _absent(path: Path) -> str:
    if path.is_symlink():
        return f"a link to {path.readlink()}, which is not there; mount or correct it"
    if path.is_file():
        return "an empty file; copy the recording again"
    return "there is no such video"


def _codec(reader: cv2.VideoCapture) -> str:
    code = int(reader.get(cv2.CAP_PROP_FOURCC))
    name = code.to_bytes(4, "little", signed=True).decode("latin-1")
    return name if name.isprintable() else f"{code:#x}"


class ImageFolder:
    """The images of one camera; a frame's number is the last number in the name of its file.

    Args:
        path: of the folder.
        rate: frames per second, which images do not tell.

    Raises:
        InputError: an image has no number, or two have the same, or the first can't be read.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self.path, self.rate = path, rate
        self._files = _by_number(images_in(path), path)
        first = read_image(self._files[min(self._files)])
        self.height, self.width = first.shape[:2]

    def numbers(self) -> tuple[int, ...]:
        """The numbers of the images, ascending."""
        return tuple(sorted(self._files))

    def stamps(self) -> NDArray[np.float64]:
        """(F,) numbers over the rate, s."""
        return np.array(self.numbers()) / self.rate

    def read(self, frames: Sequence[int]) -> Iterator[tuple[int, Image]]:
        """Yield (frame number, RGB image)."""
        for frame in frames:
            yield frame, read_image(self._files[frame])


def _by_number(paths: Sequence[Path], folder: Path) -> dict[int, Path]:
    numbered: dict[int, Path] = {}
    for path in paths:
        numbers = re.findall(r"\d+", path.stem)
        if not numbers:
            raise InputError(f"{path}: its name holds no number, so that its frame is not known")
        before = numbered.setdefault(int(numbers[-1]), path)
        if before != path:
            raise InputError(
                f"{folder}: {before.name} and {path.name} are both of frame {int(numbers[-1])}; "
                "move the ones that are not the camera's own elsewhere"
            )
    return numbered


def images_in(folder: Path) -> list[Path]:
    """The images that lie in a folder itself."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def recordings_in(folder: Path) -> list[Path]:
    """The videos and the folders of images that lie in a folder, or else in one of
    ``SUBFOLDERS``."""
    for place in (folder, *(folder / name for name in SUBFOLDERS)):
        inside = sorted(place.iterdir()) if place.is_dir() else []
        found = [path for path in inside if _is_recording(path)]
        if found:
            return found
    return []


def _is_recording(path: Path) -> bool:
    if path.is_dir():
        return path.name not in SUBFOLDERS and bool(images_in(path))
    return path.suffix.lower() in VIDEO_SUFFIXES


def camera_of(recording: Path) -> str:
    """The name of the camera that made a recording."""
    return recording.name if recording.is_dir() else recording.stem


def by_camera(recordings: Sequence[Path], where: str) -> dict[str, Path]:
    """Recordings by the names of their cameras.

    Raises:
        InputError: two are of one camera.
    """
    found: dict[str, Path] = {}
    for path in recordings:
        before = found.setdefault(camera_of(path), path)
        if before != path:
            raise InputError(
                f"{where}: {before.name} and {path.name} are both of the camera "
                f"{camera_of(path)!r}; move the one that is not the camera's own recording "
                "elsewhere"
            )
    return found


def opened(path: Path, rate: float) -> Recording:
    """A recording; ``rate`` is of images, in frames per second."""
    return ImageFolder(path, rate) if path.is_dir() else Video(path)


def sizes_of(recordings: Mapping[str, Recording]) -> dict[str, Size]:
    """Width and height of recordings, px, by camera."""
    return {name: (each.width, each.height) for name, each in recordings.items()}


def tell_turns(recordings: Sequence[Recording]) -> None:
    """Say which videos are turned, as their files ask for: the calibration must be of the turned
    frames, and not all programs turn them."""
    for each in recordings:
        if isinstance(each, Video) and each.turn:
            tell(
                f"{each.path}: the file asks for its frames to be turned by {each.turn} degrees, "
                f"and they are ({each.width}x{each.height}). The calibration and any 2D people "
                "must be of the turned frames, as players show them; some programs ignore the turn"
            )


def common_frames(recordings: Sequence[Recording]) -> tuple[int, ...]:
    """The numbers of the frames of synchronised recordings.

    Raises:
        InputError: they have not the same frames, or one has a gap in its time stamps that the
            others lack: its camera dropped frames, and is out of step from there on.
    """
    numbers = {each.path: each.numbers() for each in recordings}
    if len({len(each) for each in numbers.values()}) > 1:
        listed = ", ".join(f"{path}: {len(each)}" for path, each in numbers.items())
        raise InputError(
            f"unequal frame counts ({listed}); synchronise the recordings and cut them to one "
            "length"
        )
    if len(set(numbers.values())) > 1:
        listed = ", ".join(f"{path}: {each[0]} to {each[-1]}" for path, each in numbers.items())
        raise InputError(
            f"the numbers of the frames differ ({listed}; videos count from 0); number them alike"
        )
    _check_gaps({each.path: each.stamps() for each in recordings})
    return next(iter(numbers.values()))


def _check_gaps(stamps: Mapping[Path, NDArray[np.float64]]) -> None:
    steps_VF = np.stack([np.diff(times) for times in stamps.values()])
    if not steps_VF.size:
        return
    usual, of_frame = np.median(steps_VF), np.median(steps_VF, axis=0)
    gaps_VF = steps_VF > LONGEST_STEP * np.maximum(usual, of_frame)
    for path, gaps, steps in zip(stamps, gaps_VF, steps_VF, strict=True):
        if gaps.any():
            frame = int(gaps.argmax())
            raise InputError(
                f"{path}: {1000 * steps[frame]:.0f} ms lie between the frames {frame} and "
                f"{frame + 1}, by their time stamps, and {1000 * usual:.1f} ms between others: the "
                "camera dropped frames, and is out of step with the other cameras from there on. "
                "Fill the gaps (ffmpeg -i IN -vf fps=RATE OUT repeats a frame for each that is "
                "missing) and cut all videos to one length again"
            )


def common_rate(recordings: Sequence[Recording]) -> float:
    """The recordings' frames per second; with differing ones they can't be synchronous."""
    rates = [each.rate for each in recordings]
    if min(rates) <= 0 or max(rates) > 1.01 * min(rates):
        listed = ", ".join(f"{each.path}: {each.rate:g}" for each in recordings)
        raise InputError(f"frame rates differ or are unknown ({listed}); bring them to one rate")
    return rates[0]

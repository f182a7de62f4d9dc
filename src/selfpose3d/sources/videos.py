"""Own cameras: a folder of synchronised videos and their calibration.

::

    <folder>/<camera>.mp4 ...      one a camera, of equal length (also .avi, .mov, .mkv)
    <folder>/cameras.json          our convention, or another of the table of calibrations
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from selfpose3d.calibrations import read_calibration_of
from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera
from selfpose3d.sources import VIDEO_SUFFIXES
from selfpose3d.sources.entry import PrepareInputs
from selfpose3d.sources.preparation import (
    SceneInProgress,
    Size,
    Video,
    check_cameras,
    check_in_step,
    chosen_cameras,
)


def prepare_own_videos(inputs: PrepareInputs) -> None:
    """Make a folder of videos a scene: the one that ``videos.<split>`` names for the sequence."""
    data = inputs.parameters.data
    folders = getattr(inputs.parameters.videos, inputs.split)
    if inputs.sequence not in folders:
        raise InputError(
            f"--sequence {inputs.sequence}: videos.{inputs.split} names {sorted(folders)}; give "
            "one of them, or the other --split"
        )
    prepare_videos(
        folder=Path(folders[inputs.sequence]),
        name=inputs.sequence,
        cameras=data.cameras,
        every=getattr(data, f"{inputs.split}_every"),
        stored_size=data.stored_size,
        network_size=data.network_size,
        scene=inputs.scene,
    )


def prepare_videos(
    folder: Path,
    name: str,
    cameras: tuple[str, ...] | None,
    every: int,
    stored_size: Size,
    network_size: Size,
    scene: Path,
) -> None:
    """Make a folder of videos a scene.

    Args:
        folder: the videos and their calibration.
        name: of the sequence.
        cameras: names; None for all, which must then all have a video.
        every: take every n-th frame.
        stored_size: width and height of the stored frames, px.
        network_size: width and height of the network's input, px.
        scene: the scene folder to write.

    Raises:
        InputError: with the file, what is wrong with it, and the remedy.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder of videos")
    videos = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in VIDEO_SUFFIXES}
    rig = read_calibration_of(folder, _sizes(videos))
    if cameras is None:
        check_cameras([camera.name for camera in rig], list(videos), str(folder))
    chosen = chosen_cameras(rig, cameras, str(folder))
    write_from_videos(
        chosen,
        [videos.get(camera.name, folder / f"{camera.name}.mp4") for camera in chosen],
        name,
        "videos",
        every,
        stored_size,
        network_size,
        scene,
    )


def _sizes(videos: Mapping[str, Path]) -> dict[str, Size]:
    """Width and height of the videos that can be read, by name."""
    sizes = {}
    for name, path in videos.items():
        with suppress(InputError):
            video = Video(path)
            sizes[name] = (video.width, video.height)
    return sizes


def write_from_videos(
    cameras: Sequence[Camera],
    paths: Sequence[Path],
    name: str,
    source: str,
    every: int,
    stored_size: Size,
    network_size: Size,
    scene: Path,
) -> None:
    """Write every n-th frame of synchronised videos, one a camera, as a scene."""
    videos = [Video(path) for path in paths]
    frames = tuple(range(0, check_in_step(videos), every))
    making = SceneInProgress(
        scene=scene,
        name=name,
        source=source,
        cameras=tuple(cameras),
        frames=frames,
        times=tuple(frame / _rate(videos) for frame in frames),
        stored_size=stored_size,
        network_size=network_size,
    )
    making.start()
    for camera, video in zip(cameras, videos, strict=True):
        if not making.has(camera.name):
            making.add(camera.name, video.read(frames))
    making.finish()


def _rate(videos: Sequence[Video]) -> float:
    """The videos' common frame rate; differing ones can't be synchronous."""
    rates = [video.rate for video in videos]
    if min(rates) <= 0 or max(rates) > 1.01 * min(rates):
        listed = ", ".join(f"{video.path}: {video.rate:g}" for video in videos)
        raise InputError(f"frame rates differ or are unknown ({listed}); bring them to one rate")
    return rates[0]

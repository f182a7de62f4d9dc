"""Own cameras: a folder of synchronised recordings and their calibration.

::

    <folder>/<camera>.mp4 ...            one per camera, of equal length, or
    <folder>/<camera>/000000.jpg ...     the numbered images of one camera
    <folder>/cameras.json                our convention, or another of the table of calibrations

The recordings may also lie in ``images/`` or ``videos/`` below the folder.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from selfpose3d.calibrations import calibration_files, read_calibration_of
from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera
from selfpose3d.progress import tell
from selfpose3d.sources.entry import PrepareInputs
from selfpose3d.sources.preparation import SceneInProgress, Size, check_cameras, chosen_cameras
from selfpose3d.sources.recordings import (
    Recording,
    by_camera,
    common_frames,
    common_rate,
    opened,
    recordings_in,
    sizes_of,
    tell_turns,
)

WELL_FILLED = 2 / 3
"""Share of the stored frames that images fill, below which a better size is named."""


def prepare_own_videos(inputs: PrepareInputs) -> None:
    """Make a folder of videos a scene: the one that ``videos.<split>`` names for the sequence."""
    data = inputs.parameters.data
    prepare_videos(
        folder=Path(inputs.own_part("videos")),
        name=inputs.sequence,
        cameras=data.cameras,
        every=getattr(data, f"{inputs.split}_every"),
        rate=data.frame_rate,
        stored_size=data.stored_size,
        network_size=data.network_size,
        scene=inputs.scene,
    )


def prepare_videos(
    folder: Path,
    name: str,
    cameras: tuple[str, ...] | None,
    every: int,
    rate: float,
    stored_size: Size,
    network_size: Size,
    scene: Path,
) -> None:
    """Make a folder of recordings a scene.

    Args:
        folder: the recordings and their calibration.
        name: of the sequence.
        cameras: names; None for all, which must then all have a recording.
        every: take every n-th frame.
        rate: frames per second of images; videos tell theirs.
        stored_size: width and height of the stored frames, px.
        network_size: width and height of the network's input, px.
        scene: the scene folder to write.

    Raises:
        InputError: with the file, what is wrong with it, and the remedy.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder of videos")
    paths = by_camera(recordings_in(folder), str(folder))
    readable = _readable(paths, rate)
    rig = read_calibration_of(folder, sizes_of(readable))
    if cameras is None:
        check_cameras([camera.name for camera in rig], list(paths), _with_others(folder, paths))
    chosen = chosen_cameras(rig, cameras, str(folder))
    lacking = [camera.name for camera in chosen if camera.name not in paths]
    if lacking:
        raise InputError(
            f"{_with_others(folder, paths)}: no video and no folder of images of {lacking}; put "
            "them there, or leave these names out of data.cameras"
        )
    recordings = [readable.get(c.name) or opened(paths[c.name], rate) for c in chosen]
    _tell_better_sizes(chosen, stored_size, network_size)
    write_recordings(chosen, recordings, name, "videos", every, stored_size, network_size, scene)


def _tell_better_sizes(cameras: Sequence[Camera], stored: Size, network: Size) -> None:
    """Say by how little the stored frames are filled, where another size is filled better."""
    filled = _filled(cameras, stored)
    shape = math.exp(np.mean([math.log(camera.width / camera.height) for camera in cameras]))
    better, small = (_of_shape(shape, *size) for size in (stored, network))
    if filled < WELL_FILLED and _filled(cameras, better) > filled + 0.1:
        first = cameras[0]
        tell(
            f"Images of {first.width}x{first.height} px fill {filled:.0%} of the stored frames of "
            f"{stored[0]}x{stored[1]} px (the mean over cameras), and people in them are small. "
            f"More would be seen with data: {{stored_size: {list(better)}, network_size: "
            f"{list(small)}}}"
        )


def _filled(cameras: Sequence[Camera], stored: Size) -> float:
    """The share of stored frames that images fill, the mean over cameras."""
    scales = [min(stored[0] / each.width, stored[1] / each.height) for each in cameras]
    areas = [s**2 * each.width * each.height for s, each in zip(scales, cameras, strict=True)]
    return float(np.mean(areas)) / (stored[0] * stored[1])


def _of_shape(shape: float, width: int, height: int) -> Size:
    """A size of about as many px with this ratio of width to height, in multiples of 32."""
    sides = (math.sqrt(width * height * shape), math.sqrt(width * height / shape))
    return max(1, round(sides[0] / 32)) * 32, max(1, round(sides[1] / 32)) * 32


def _readable(paths: Mapping[str, Path], rate: float) -> dict[str, Recording]:
    """The recordings that can be read, by name."""
    readable = {}
    for name, path in paths.items():
        with suppress(InputError):
            readable[name] = opened(path, rate)
    return readable


def _with_others(folder: Path, recordings: Mapping[str, Path]) -> str:
    """The folder, with the files in it that are taken for nothing."""
    taken = {*recordings.values(), *calibration_files(folder)}
    others = [
        path.name for path in sorted(folder.iterdir()) if path not in taken and path.is_file()
    ]
    said = f" (neither recordings nor calibrations by their names: {others})" if others else ""
    return f"{folder}{said}"


def write_recordings(
    cameras: Sequence[Camera],
    recordings: Sequence[Recording],
    name: str,
    source: str,
    every: int,
    stored_size: Size,
    network_size: Size,
    scene: Path,
) -> None:
    """Write every n-th frame of synchronised recordings, one per camera, as a scene."""
    tell_turns(recordings)
    frames, rate = common_frames(recordings)[::every], common_rate(recordings)
    making = SceneInProgress(
        scene=scene,
        name=name,
        source=source,
        cameras=tuple(cameras),
        frames=frames,
        times=tuple(frame / rate for frame in frames),
        stored_size=stored_size,
        network_size=network_size,
    )
    making.start()
    recorded = {camera.name: each for camera, each in zip(cameras, recordings, strict=True)}
    for camera in making.lacking:
        making.add(camera.name, recorded[camera.name].read(frames))
    making.finish()

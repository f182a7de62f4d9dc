"""CMU Panoptic (Joo et al. 2015), from its host, from a local copy, or in its layout.

The host serves, for each sequence::

    <url>/<sequence>/calibration_<sequence>.json
    <url>/<sequence>/hdPose3d_stage1_coco19.tar
    <url>/<sequence>/videos/hd_shared_crf20/hd_00_NN.mp4

A ``file://`` address may hold the same, or what the data set's own scripts extract:
``hdPose3d_stage1_coco19/body3DScene_XXXXXXXX.json`` and ``hdImgs/00_NN/00_NN_XXXXXXXX.jpg``.

Panoptic's world is in centimetres with y down; ours is (x, z, -y) in millimetres with z up.
Frames are chosen as published: every n-th annotated frame, and of those the ones with at least
one body whose mid-hip is valid.
"""

import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfpose3d.calibrations.panoptic import UNITS, UP, camera_from_panoptic
from selfpose3d.calibrations.world import MM_PER, TURNS
from selfpose3d.errors import InputError
from selfpose3d.fetch.http import Kind, Patience, fetch, in_parallel, local_path
from selfpose3d.files.atomic import read_json
from selfpose3d.files.poses3d import People3D, write_poses3d
from selfpose3d.files.scenes import read_image
from selfpose3d.geometry.cameras import Camera
from selfpose3d.parameters import Panoptic
from selfpose3d.skeletons import SKELETONS
from selfpose3d.sources.entry import PrepareInputs
from selfpose3d.sources.preparation import (
    Image,
    SceneInProgress,
    Size,
    check_cameras,
    chosen_cameras,
    downloads,
)
from selfpose3d.sources.recordings import Video

AXES = TURNS[UP].T
"""``x_ours = x_panoptic @ AXES`` for row vectors; ``R_ours = R_panoptic @ AXES``."""
MIN_CONFIDENCE = 0.1
FRAMES_PER_SECOND = 29.97
JOINTS_19 = SKELETONS["panoptic19"]
POSES = "hdPose3d_stage1_coco19"
_POSE_FILE = re.compile(r"body3DScene_(\d+)\.json$")


def prepare_panoptic(inputs: PrepareInputs) -> None:
    """Fetch a sequence from ``panoptic.url`` and make it a scene and its truth."""
    given = inputs.parameters.panoptic
    cameras = inputs.parameters.data.cameras or given.cameras
    _prepare(inputs, given.url, cameras, given)


def prepare_rendered(inputs: PrepareInputs) -> None:
    """Make what the studio rendered in the layout of the Panoptic host a scene and its truth."""
    assert inputs.host is not None
    url = inputs.host.resolve().as_uri()
    _prepare(inputs, url, inputs.parameters.data.cameras, Panoptic())


def _prepare(
    inputs: PrepareInputs, url: str, cameras: tuple[str, ...] | None, fetching: Panoptic
) -> None:
    assert inputs.truth is not None
    data = inputs.parameters.data
    prepare_sequence(
        url=url,
        sequence=inputs.sequence,
        cameras=cameras,
        every=getattr(data, f"{inputs.split}_every"),
        stored_size=data.stored_size,
        network_size=data.network_size,
        scene=inputs.scene,
        truth=inputs.truth,
        retries=fetching.retries,
        timeout=fetching.timeout,
        parallel=fetching.parallel,
    )


def prepare_sequence(
    url: str,
    sequence: str,
    cameras: tuple[str, ...] | None,
    every: int,
    stored_size: Size,
    network_size: Size,
    scene: Path,
    truth: Path,
    retries: int,
    timeout: float,
    parallel: int,
) -> None:
    """Fetch a sequence and make it a scene; the 3D truth goes to a file of its own.

    Each camera's video is fetched, its wanted frames are taken, and it is deleted; a run that was
    killed goes on with the camera, and within the file, where it stopped.

    Args:
        url: http(s):// or file:// address of the data set.
        sequence: its name there.
        cameras: names ("00_03"); None for all HD cameras, which must then all have images.
        every: take every n-th annotated frame.
        stored_size: width and height of the stored frames, px.
        network_size: width and height of the network's input, px.
        scene: the scene folder to write.
        truth: the file of the 3D truth, Parquet.
        retries: attempts without progress after which a download is given up.
        timeout: seconds without a byte before a retry.
        parallel: cameras at a time.

    Raises:
        InputError: with the file or address, what is wrong with it, and the remedy.
    """
    host = _Host(url.rstrip("/"), sequence, downloads(scene), Patience(retries, timeout))
    calibration = host.file(f"calibration_{sequence}.json", "json")
    rig = read_calibration(calibration)
    if cameras is None and host.folder is not None:
        check_cameras([c.name for c in rig], host.cameras_with_images(), str(host.folder))
    people, times = read_poses(host.poses(), every)
    making = SceneInProgress(
        scene=scene,
        name=sequence,
        source="panoptic",
        cameras=chosen_cameras(rig, cameras, str(calibration)),
        frames=tuple(people),
        times=tuple(times[frame] for frame in people),
        stored_size=stored_size,
        network_size=network_size,
    )
    making.start()
    lacking = [camera.name for camera in making.cameras if not making.has(camera.name)]
    in_parallel(partial(_add_camera, making, host), lacking, parallel)
    write_poses3d(truth, {(sequence, frame): bodies for frame, bodies in people.items()})
    making.finish()


def _add_camera(making: SceneInProgress, host: "_Host", camera: str) -> None:
    folder = host.image_folder(camera)
    if folder is not None:
        making.add(camera, _read_images(folder, camera, making.frames))
        return
    video = host.file(f"videos/hd_shared_crf20/hd_{camera}.mp4", "mp4")
    try:
        making.add(camera, Video(video).read(making.frames))
    except InputError:
        host.give_up(video)
        raise
    host.give_up(video)


def _read_images(folder: Path, camera: str, frames: Iterable[int]) -> Iterator[tuple[int, Image]]:
    for frame in frames:
        png = folder / f"{camera}_{frame:08d}.png"
        yield frame, read_image(png if png.is_file() else png.with_suffix(".jpg"))


class _Host:
    """A sequence at an address.

    Args:
        url: of the data set.
        sequence: its name.
        downloads: where fetched files go.
        patience: retries and timeout.
    """

    def __init__(self, url: str, sequence: str, downloads: Path, patience: Patience) -> None:
        self.url = f"{url}/{sequence}"
        self.downloads = downloads
        self.patience = patience
        self.folder = local_path(self.url)
        if self.folder is not None and not self.folder.is_dir():
            raise InputError(f"{self.folder}: there is no such sequence; correct {url}")

    def file(self, name: str, kind: Kind) -> Path:
        """Fetch a file of the sequence."""
        target = self.downloads / Path(name).name
        return fetch(f"{self.url}/{name}", target, kind, self.patience)

    def give_up(self, file: Path) -> None:
        """Remove a file that was fetched, read to its end or found bad; a local copy's stays."""
        if file.parent == self.downloads:
            file.unlink()

    def poses(self) -> Path:
        """The tar file of the poses, or their folder in a local copy."""
        if self.folder is not None and (self.folder / POSES).is_dir():
            return self.folder / POSES
        return self.file(f"{POSES}.tar", "tar")

    def image_folder(self, camera: str) -> Path | None:
        """The extracted images of a camera in a local copy."""
        if self.folder is None or not (self.folder / "hdImgs").is_dir():
            return None
        return self.folder / "hdImgs" / camera

    def cameras_with_images(self) -> list[str]:
        """Names of the cameras that a local copy has images or videos of."""
        assert self.folder is not None
        if (self.folder / "hdImgs").is_dir():
            return sorted(p.name for p in (self.folder / "hdImgs").iterdir() if p.is_dir())
        videos = (self.folder / "videos" / "hd_shared_crf20").glob("hd_*.mp4")
        return sorted(path.stem.removeprefix("hd_") for path in videos)


def read_calibration(path: Path) -> tuple[Camera, ...]:
    """The HD cameras of ``calibration_<sequence>.json``, in our convention.

    Raises:
        InputError: not such a file, singular intrinsics, or not a rotation.
    """
    values = read_json(path)
    try:
        rows = [row for row in values["cameras"] if row["type"] == "hd"]
        cameras = tuple(camera_from_panoptic(row) for row in rows)
    except (KeyError, TypeError, ValueError) as error:
        what = str(error) if isinstance(error, InputError) else f"not a calibration ({error!r})"
        raise InputError(f"{path}: {what}") from error
    if not cameras:
        raise InputError(f"{path}: holds no camera of type 'hd'; fetch it again")
    return cameras


def points_from_panoptic(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) in cm with y down to (..., 3) in mm with z up."""
    moved: NDArray[np.float64] = (points @ AXES) * MM_PER[UNITS]
    return moved


def read_poses(path: Path, every: int) -> tuple[dict[int, People3D], dict[int, float]]:
    """The bodies of every n-th annotated frame that has any.

    Args:
        path: the tar file, or the folder, of ``body3DScene_XXXXXXXX.json``.
        every: n.

    Returns:
        people, and time in seconds, by frame.
    """
    people: dict[int, People3D] = {}
    times: dict[int, float] = {}
    for frame, where, text in _annotations(path, every):
        try:
            scene = json.loads(text)
            bodies = _bodies(scene["bodies"])
            time = float(scene.get("univTime", 1000 * frame / FRAMES_PER_SECOND)) / 1000
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where}: not a pose file ({error!r}); fetch it again") from error
        if len(bodies):
            people[frame], times[frame] = bodies, time
    if not people:
        raise InputError(f"{path}: no body in any of its frames; fetch it again or lower 'every'")
    return people, times


def _annotations(path: Path, every: int) -> Iterator[tuple[int, str, bytes]]:
    """(frame, file name, content) of every n-th pose file, by ascending frame."""
    if path.is_dir():
        files = {int(m[1]): p for p in path.rglob("*.json") if (m := _POSE_FILE.search(p.name))}
        for frame in sorted(files)[::every]:
            yield frame, str(files[frame]), files[frame].read_bytes()
        return
    try:
        with tarfile.open(path) as archive:
            members = {int(m[1]): i for i in archive if (m := _POSE_FILE.search(i.name))}
            for frame in sorted(members)[::every]:
                content = archive.extractfile(members[frame])
                if content is not None:
                    yield frame, f"{path}:{members[frame].name}", content.read()
    except (tarfile.TarError, EOFError) as error:
        raise InputError(
            f"{path}: a broken archive ({error}); move it away and fetch it again"
        ) from error


def _bodies(rows: list[dict[str, Any]]) -> People3D:
    """The bodies of a frame; a joint of low confidence is invalid, a body without root dropped."""
    joints = np.array([row["joints19"] for row in rows], dtype=float)
    joints = joints.reshape(-1, len(JOINTS_19), 4)
    valid = joints[..., 3] > MIN_CONFIDENCE
    kept = JOINTS_19.has_root(valid)
    return People3D(
        joints=points_from_panoptic(joints[kept, :, :3]),
        scores=np.ones(int(kept.sum())),
        valid=valid[kept],
        ids=np.array([row["id"] for row in rows], dtype=np.int64)[kept],
        skeleton=JOINTS_19,
    )

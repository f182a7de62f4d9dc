"""Shelf and Campus (Belagiannis et al., CVPR 2014), from their host or from a local copy.

The host serves ``<url>/Shelf.tar.bz2`` and ``<url>/CampusSeq1.tar.bz2``, in which lie::

    Shelf/Camera0..4/img_000000.png                 CampusSeq1/Camera0..2/campus4-c0-00000.png
    Shelf/Calibration/P0..4.txt                     CampusSeq1/Calibration/P0..2.txt
    Shelf/actorsGT.mat                              CampusSeq1/actorsGT.mat

``P*.txt`` are projection matrices, of cameras without lens distortion, in a world with z up, in
metres; they are taken apart into K, R and t. VoxelPose's ``calibration_shelf.json`` and
``calibration_campus.json`` hold the same cameras, to a hundredth of a pixel, and are read where the
matrices are not there. ``actorsGT.mat`` holds 14 joints of each actor in metres; an actor who is
absent from a frame, or not annotated, has none. Frames are counted from 0.
"""

import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from scipy.linalg import rq

from selfpose3d.calibrations.entry import World
from selfpose3d.calibrations.values import array, camera_of
from selfpose3d.calibrations.voxelpose import read_voxelpose
from selfpose3d.calibrations.world import MM_PER, in_our_world
from selfpose3d.errors import InputError, naming
from selfpose3d.fetch.archives import Archive, unpacked
from selfpose3d.fetch.http import Patience
from selfpose3d.files.poses3d import People3D, write_poses3d
from selfpose3d.geometry.cameras import Camera
from selfpose3d.parameters import Belagiannis
from selfpose3d.skeletons import SKELETONS
from selfpose3d.sources.entry import PrepareInputs
from selfpose3d.sources.preparation import SceneInProgress, Size, chosen_cameras

FRAMES_PER_SECOND = 25.0
UNITS, UP = "m", "z"
JOINTS_14 = SKELETONS["shelf14"]
TRUTH = "actorsGT.mat"
_UNREADABLE = (
    *(ValueError, KeyError, TypeError, AttributeError, IndexError, NameError, OSError),
    *(OverflowError, MemoryError, NotImplementedError, MatReadError, struct.error, zlib.error),
)
"""Errors that a broken MATLAB file raises."""
LOADING_SECONDS = 60
"""Time after which a MATLAB file of some MB can't be read."""


@dataclass(frozen=True)
class Layout:
    """The differences between the two data sets.

    Args:
        source: name in the table of sources.
        archive: on the host.
        image: path of an image, of ``camera`` and ``frame``.
        calibration: VoxelPose's file of the cameras.
        size: width and height of all images, px.
        n_cameras: how many there are, ``Camera0`` and on.
    """

    source: str
    archive: Archive
    image: str
    calibration: str
    size: Size
    n_cameras: int

    def path(self, folder: Path, camera: str, frame: int) -> Path:
        """The image of a camera."""
        return folder / self.image.format(camera=camera.removeprefix("Camera"), frame=frame)


SHELF = Layout(
    "shelf",
    Archive("Shelf.tar.bz2", "Shelf"),
    "Camera{camera}/img_{frame:06d}.png",
    "calibration_shelf.json",
    (1032, 776),
    5,
)
CAMPUS = Layout(
    "campus",
    Archive("CampusSeq1.tar.bz2", "CampusSeq1"),
    "Camera{camera}/campus4-c{camera}-{frame:05d}.png",
    "calibration_campus.json",
    (360, 288),
    3,
)


def prepare_shelf(inputs: PrepareInputs) -> None:
    """Make frames of Shelf a scene and its truth."""
    _prepare(inputs, SHELF, inputs.parameters.shelf)


def prepare_campus(inputs: PrepareInputs) -> None:
    """Make frames of Campus a scene and its truth."""
    _prepare(inputs, CAMPUS, inputs.parameters.campus)


def _prepare(inputs: PrepareInputs, layout: Layout, given: Belagiannis) -> None:
    assert inputs.truth is not None
    data, name = inputs.parameters.data, inputs.sequence
    ranges, every = inputs.own_part(layout.source), getattr(data, f"{inputs.split}_every")
    frames = tuple(frame for first, last in ranges for frame in range(first, last + 1))[::every]
    patience = Patience(given.retries, given.timeout)
    folder = unpacked(layout.archive, given.url, inputs.cache, patience)
    people = read_actors(folder / TRUTH, frames)
    making = SceneInProgress(
        scene=inputs.scene,
        name=name,
        source=layout.source,
        cameras=chosen_cameras(read_rig(folder, layout), data.cameras, str(folder)),
        frames=frames,
        times=tuple(frame / FRAMES_PER_SECOND for frame in frames),
        stored_size=data.stored_size,
        network_size=data.network_size,
    )
    making.start()
    making.add_images(lambda camera, frame: layout.path(folder, camera, frame))
    write_poses3d(inputs.truth, {(name, frame): each for frame, each in people.items()})
    making.finish()


def read_rig(folder: Path, layout: Layout) -> tuple[Camera, ...]:
    """The cameras of a data set, ``Camera0`` and on: of its matrices, or of VoxelPose's file.

    Raises:
        InputError: neither is there, or one can't be used.
    """
    matrices = [folder / "Calibration" / f"P{number}.txt" for number in range(layout.n_cameras)]
    given = folder / layout.calibration
    if not matrices[0].is_file() and given.is_file():
        cameras = read_voxelpose(given, World(size=layout.size))
        return tuple(replace(camera, name=f"Camera{camera.name}") for camera in cameras)
    cameras = tuple(
        _camera_of_matrix(f"Camera{number}", path, layout.size)
        for number, path in enumerate(matrices)
    )
    return in_our_world(cameras, str(folder / "Calibration"), World(units=UNITS, up=UP), World())


def _camera_of_matrix(name: str, path: Path, size: Size) -> Camera:
    """The camera of a file with twelve numbers, which spaces, commas or lines keep apart."""
    if not path.is_file():
        raise InputError(
            f"{path}: there is no such file; unpack the archive's folder Calibration, or put "
            "VoxelPose's calibration (calibration_shelf.json, calibration_campus.json) beside it"
        )
    with naming(path):
        numbers = path.read_text(errors="replace").replace(",", " ").replace(";", " ").split()
        K, R, t = taken_apart(array(numbers, (3, 4), "the projection matrix"))
        return camera_of(name, size, K, [], R, t)


def taken_apart(
    P: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """K (3, 3) without skew, R (3, 3) and t (3,) of a projection matrix (3, 4), up to its scale.

    Raises:
        InputError: it is of no camera whose pixels are upright.
    """
    scale = np.linalg.norm(P[2, :3]) * np.sign(np.linalg.det(P[:, :3]))
    if not abs(scale) > 0:
        raise InputError("the projection matrix is singular")
    K, R = rq(P[:, :3] / scale)
    signs = np.diag(np.sign(np.diag(K)))
    K, R = K @ signs, signs @ R
    t = np.linalg.solve(K, P[:, 3] / scale)
    if abs(K[0, 1]) > 1.0:
        raise InputError(f"the projection matrix has a skew of {K[0, 1]:.3g} px, and none is known")
    K[0, 1] = 0.0
    return K, R, t


def read_actors(path: Path, frames: Sequence[int]) -> dict[int, People3D]:
    """The annotated actors of frames, identified by their number from 0, in our world.

    Raises:
        InputError: the file is missing or broken, or has fewer frames.
    """
    actors = _actors(path)
    with naming(path):
        return {frame: _people(actors, frame) for frame in frames}


def _actors(path: Path) -> list[Any]:
    """The cells of all frames, actor by actor."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; it holds the truth: get it anew")
    _check_loads(path)
    try:
        actors = [cells.ravel() for cells in loadmat(str(path))["actor3D"].ravel()]
    except _UNREADABLE as error:
        raise InputError(f"{path}: not the truth of actors ({error!r}); get it anew") from error
    if not actors or any(cells.dtype != object for cells in actors):
        raise InputError(f"{path}: 'actor3D' holds no cells of frames for each actor; get it anew")
    return actors


def _check_loads(path: Path) -> None:
    """Load a MATLAB file in a process of its own: of a damaged one scipy may never come back, or
    bring its process down.

    Raises:
        InputError: so it does.
    """
    code = "import sys; from scipy.io import loadmat; loadmat(sys.argv[1])"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            capture_output=True,
            timeout=LOADING_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{path}: a damaged file, which can't be read; get it anew") from None
    if done.returncode < 0:
        raise InputError(f"{path}: a damaged file, which breaks its reader; get it anew")


def _people(actors: Sequence[Any], frame: int) -> People3D:
    present = {number: _joints(cells, number, frame) for number, cells in enumerate(actors)}
    known = {number: joints for number, joints in present.items() if joints is not None}
    joints = np.array(list(known.values()), dtype=np.float64).reshape(-1, len(JOINTS_14), 3)
    valid = np.asarray(np.isfinite(joints).all(-1))
    return People3D(
        joints=np.where(valid[..., None], joints, 0.0) * MM_PER[UNITS],
        scores=np.ones(len(joints)),
        valid=valid,
        ids=np.array(list(known), dtype=np.int64),
        skeleton=JOINTS_14,
    )


def _joints(cells: Any, actor: int, frame: int) -> NDArray[np.float64] | None:
    """(14, 3) m of an actor; none where the actor isn't annotated."""
    if frame >= len(cells):
        raise InputError(f"actor {actor} has {len(cells)} frames, frame {frame} is wanted")
    joints = np.asarray(cells[frame])
    if joints.size <= 1:
        return None
    return array(joints, (len(JOINTS_14), 3), f"actor {actor}, frame {frame}")

"""The making of a scene from calibrated images, which all sources share.

The scene grows in a hidden folder beside its final place, one camera after the other, each whole
or not at all; a run that was killed goes on there, and the scene appears when it is complete.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, whole_folder, write_json
from selfpose3d.files.poses3d import People3D
from selfpose3d.files.scenes import Scene, Size, check_rig, read_image, write_image, write_scene
from selfpose3d.geometry.cameras import Camera, letterbox, letterboxed
from selfpose3d.progress import tell, track

Image = NDArray[np.uint8]


JPEG_QUALITY = 95


@dataclass(frozen=True)
class SceneInProgress:
    """A scene being made.

    Args:
        scene: its final folder.
        name: of the sequence.
        source: what made it.
        cameras: at the size of the source's images.
        frames: ids of the wanted frames, ascending.
        times: of the frames, in seconds.
        stored_size: width and height of the stored frames, px.
        network_size: width and height of the network's input, px.
    """

    scene: Path
    name: str
    source: str
    cameras: tuple[Camera, ...]
    frames: tuple[int, ...]
    times: tuple[float, ...]
    stored_size: Size
    network_size: Size

    @property
    def folder(self) -> Path:
        """The folder in which the scene is written before it is complete."""
        return work_folder(self.scene)

    def start(self) -> None:
        """Open the folder; what an earlier run left is kept if it was for the same scene."""
        check_rig(self.cameras, self.name)
        if not self.frames:
            raise InputError(f"{self.name}: no frames are wanted; lower 'every' or check the data")
        plan, path = self._plan(), self.folder / "plan.json"
        self._sweep()
        if not path.is_file() or read_json(path) != plan:
            shutil.rmtree(self.folder / "frames", ignore_errors=True)
            write_json(path, plan)

    @property
    def lacking(self) -> list[Camera]:
        """The cameras whose frames are not in yet."""
        return [each for each in self.cameras if not (self.folder / "frames" / each.name).is_dir()]

    def add(self, camera: str, images: Iterable[tuple[int, Image]]) -> None:
        """Write the frames of a camera at both sizes.

        Args:
            camera: its name.
            images: the wanted frames in their order, as (frame id, (H, W, 3) RGB).

        Raises:
            InputError: a frame is missing, or an image isn't of the calibrated size.
        """
        view = [c.name for c in self.cameras].index(camera)
        source = self.cameras[view]
        writer = _NetworkFrames(
            self.folder / "network.npy", len(self.frames), len(self.cameras), self.network_size
        )
        with whole_folder(self.folder / "frames" / camera) as folder, writer as network:
            steps = track(images, f"{self.name} {camera}", len(self.frames), "frames")
            got = 0
            for index, (frame, image) in enumerate(steps):
                _check_image(image, source, self.name, frame)
                stored = warped(image, self._stored_affine(source), self.stored_size)
                write_image(folder / f"{frame:08d}.jpg", stored, JPEG_QUALITY)
                small = warped(image, self._network_affine(source), self.network_size)
                network.put(index, view, small)
                got += 1
            if got != len(self.frames):
                raise InputError(
                    f"{self.name}, camera {camera}: {got} of {len(self.frames)} frames are there; "
                    "fetch or extract its images again"
                )

    def add_images(self, path_of: Callable[[str, int], Path]) -> None:
        """Write the frames of all cameras that lack them, from one file per image.

        Args:
            path_of: the file of a camera's frame.

        Raises:
            InputError: an image is missing, unreadable or not of the calibrated size.
        """
        for camera in self.lacking:
            paths = ((frame, path_of(camera.name, frame)) for frame in self.frames)
            self.add(camera.name, ((frame, read_image(path)) for frame, path in paths))

    def finish(self) -> None:
        """Put the complete scene in its place."""
        if self.lacking:
            names = [camera.name for camera in self.lacking]
            raise ValueError(f"{self.name}: cameras {names} were not added")
        stored = [letterboxed(camera, *self.stored_size) for camera in self.cameras]
        facts = (self.name, self.source, stored, self.frames, self.times, self.network_size)
        scene = Scene.calibrated(self.folder, *facts)
        views = tuple(
            replace(view, source=(camera.width, camera.height))
            for view, camera in zip(scene.views, self.cameras, strict=True)
        )
        write_scene(replace(scene, views=views))
        shutil.rmtree(downloads(self.scene), ignore_errors=True)
        (self.folder / "plan.json").unlink()
        if self.scene.exists():
            shutil.rmtree(self.scene)
        self.folder.replace(self.scene)

    def _sweep(self) -> None:
        """Remove what writers that were killed left behind."""
        for path in [*self.folder.glob(".*"), *self.folder.glob("frames/.*")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _stored_affine(self, camera: Camera) -> NDArray[np.float64]:
        return letterbox(camera.width, camera.height, *self.stored_size)

    def _network_affine(self, camera: Camera) -> NDArray[np.float64]:
        """By way of the stored frame, as the cameras of the network's frames are made."""
        onward = _square(letterbox(*self.stored_size, *self.network_size))
        both: NDArray[np.float64] = (onward @ _square(self._stored_affine(camera)))[:2]
        return both

    def _plan(self) -> dict[str, object]:
        return {
            "cameras": [
                [c.name, c.width, c.height, *(x.ravel().tolist() for x in (c.K, c.R, c.t))]
                for c in self.cameras
            ],
            "frames": list(self.frames),
            "sizes": [list(self.stored_size), list(self.network_size)],
        }


def work_folder(scene: Path) -> Path:
    """The hidden folder beside a scene in which it grows."""
    return scene.parent / f".{scene.name}.partial"


def downloads(scene: Path) -> Path:
    """The folder of a scene's downloads until the scene is complete."""
    return work_folder(scene) / "download"


def warped(image: Image, affine: NDArray[np.float64], size: Size) -> Image:
    """An image under an axis-aligned affine, black outside; shrunk by area, without aliasing.

    Args:
        image: (H, W, 3).
        affine: (2, 3) of pixel coordinates, image to result.
        size: width and height of the result.
    """
    height, width = image.shape[:2]
    new_width, new_height = round(width * affine[0, 0]), round(height * affine[1, 1])
    if new_width < width or new_height < height:
        image = np.asarray(cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_AREA))
        affine = (_square(affine) @ np.linalg.inv(_resize_affine(width, height, image)))[:2]
    return np.asarray(cv2.warpAffine(image, affine, size, flags=cv2.INTER_LINEAR), dtype=np.uint8)


def _resize_affine(width: int, height: int, resized: Image) -> NDArray[np.float64]:
    """(3, 3) map of pixel coordinates of ``cv2.resize``: the images' outer edges coincide."""
    x, y = resized.shape[1] / width, resized.shape[0] / height
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _square(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([affine, [[0.0, 0.0, 1.0]]])


class _NetworkFrames:
    """``network.npy``, written frame by frame at their places; safe from several threads."""

    def __init__(self, path: Path, n_frames: int, n_views: int, size: Size) -> None:
        self.path = path
        self.shape = (n_frames, n_views, size[1], size[0], 3)

    def __enter__(self) -> "_NetworkFrames":
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        with os.fdopen(os.dup(self.file), "r+b") as start:
            header = {"descr": "|u1", "fortran_order": False, "shape": self.shape}
            npy.write_array_header_1_0(start, header)
            self.offset = start.tell()
        os.ftruncate(self.file, self.offset + int(np.prod(self.shape)))
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.file)

    def put(self, frame: int, view: int, image: Image) -> None:
        """Write one (H, W, 3) image."""
        place = self.offset + (frame * self.shape[1] + view) * image.nbytes
        os.pwrite(self.file, image.tobytes(), place)


def check_cameras(calibrated: Sequence[str], seen: Sequence[str], where: str) -> None:
    """Refuse cameras with images but no calibration, and the other way round."""
    lacking, unseen = sorted(set(seen) - set(calibrated)), sorted(set(calibrated) - set(seen))
    if lacking or unseen:
        raise InputError(
            f"{where}: cameras without a calibration: {lacking or 'none'}; calibrated cameras "
            f"without images: {unseen or 'none'}. Names must agree; remove what is too much, or "
            "name the wanted cameras in data.cameras"
        )


def chosen_cameras(
    cameras: Sequence[Camera], names: Sequence[str] | None, where: str
) -> tuple[Camera, ...]:
    """The named cameras, in that order (all for None); an unknown name is an ``InputError``."""
    if names is None:
        return tuple(cameras)
    by_name = {camera.name: camera for camera in cameras}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise InputError(
            f"{where}: there is no camera {missing}; it has {sorted(by_name)}. "
            "Correct data.cameras or the calibration"
        )
    return tuple(by_name[name] for name in names)


def ids_apart(people: Mapping[int, People3D], where: str) -> dict[int, People3D]:
    """People by frame of whom no two of one frame share an id; it is said where two did.

    The first one keeps the id. A further one has the same other id in all frames, beyond the ids
    that there are.

    Args:
        people: of a sequence.
        where: the file that they are from.
    """
    doubled = {frame: found for frame, each in people.items() if (found := _doubled(each.ids))}
    if not doubled:
        return dict(people)
    beyond = 1 + int(np.ptp(np.concatenate([each.ids for each in people.values()])))
    frame, ids = next(iter(doubled.items()))
    tell(
        f"{where}: in {len(doubled)} frame(s) several people have one id (frame {frame}: {ids}); "
        f"all are kept, and the further ones are told by ids that are greater by {beyond}"
    )
    return {
        frame: replace(each, ids=each.ids + beyond * _earlier(each.ids))
        for frame, each in people.items()
    }


def _doubled(ids: NDArray[np.int64]) -> list[int]:
    """The ids that are there more than once."""
    found, counts = np.unique(ids, return_counts=True)
    doubled: list[int] = found[counts > 1].tolist()
    return doubled


def _earlier(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each id stands before itself in the list."""
    same = ids[:, None] == ids
    return np.asarray(np.tril(same, -1).sum(axis=1), dtype=np.int64)


def _check_image(image: Image, camera: Camera, name: str, frame: int) -> None:
    height, width = image.shape[:2]
    if (width, height) != (camera.width, camera.height):
        raise InputError(
            f"{name}, camera {camera.name}, frame {frame}: the image is {width}x{height}, its "
            f"calibration is for {camera.width}x{camera.height}; use the images that were "
            "calibrated, or scale K and the size in the calibration"
        )

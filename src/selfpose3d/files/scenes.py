"""A scene: one sequence, in the same form for every source.

Folder ``<scene>/``::

    scene.json                  name, source, frame ids, time stamps, the views and their sizes
    cameras.json                cameras of the stored frames (OpenCV convention, mm, z up)
    frames/<camera>/<frame>.jpg stored frames, what 2D estimators see
    network.npy                 (F, V, H, W, 3) uint8 RGB, the frames at network size

A scene may lack its images (``frames`` and ``network.npy``), or its calibration
(``cameras.json``); who needs what it lacks is refused. It does not contain the truth (see
``files.poses3d``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, short, write_json
from selfpose3d.geometry.cameras import Camera, letterboxed
from selfpose3d.geometry.lenses import COEFFICIENTS, Lens

BLANK = 40
"""Brightness of the frames to draw on where a scene has no images."""
MIN_RIG_MM, MAX_RIG_MM = 200.0, 200_000.0
"""Smallest and largest extent of a rig, between its two cameras that are farthest apart."""

MAX_SIDE_PX = 100_000
"""Longest side of an image."""


Size = tuple[int, int]
"""Width and height, px."""


@dataclass(frozen=True)
class View:
    """A view of a scene.

    Args:
        name: of the view.
        width: of the stored frames, px.
        height: of the stored frames, px.
        source: width and height of the images that they were made of; None: not known.
    """

    name: str
    width: int
    height: int
    source: Size | None = None


@dataclass(frozen=True)
class Scene:
    """A sequence of synchronised frames from several views.

    Args:
        folder: folder of the scene.
        name: name of the sequence.
        source: origin of the data ("studio", "panoptic", ...).
        views: in their order.
        rig: cameras at the size of the stored frames, one per view; None: not calibrated.
        frames: ids of the frames, ascending.
        times: times of the frames, s.
        network_size: of the networks' input.
        has_images: frames are stored.
    """

    folder: Path
    name: str
    source: str
    views: tuple[View, ...]
    rig: tuple[Camera, ...] | None
    frames: tuple[int, ...]
    times: tuple[float, ...]
    network_size: Size
    has_images: bool = True

    @staticmethod
    def calibrated(
        folder: Path,
        name: str,
        source: str,
        cameras: Sequence[Camera],
        frames: Sequence[int],
        times: Sequence[float],
        network_size: Size,
    ) -> "Scene":
        """A scene of calibrated cameras, at the size of the stored frames."""
        rig = tuple(cameras)
        views = tuple(View(camera.name, camera.width, camera.height) for camera in rig)
        return Scene(folder, name, source, views, rig, tuple(frames), tuple(times), network_size)

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The calibrated cameras.

        Raises:
            InputError: there are none.
        """
        if self.rig is None:
            raise InputError(
                f"{self.folder}: this scene has no calibration, and this method needs one; choose "
                "a method that needs none, or give a calibration"
            )
        return self.rig

    def image_path(self, camera: str, frame: int) -> Path:
        """The file of a camera's stored frame."""
        return self.folder / "frames" / camera / f"{frame:08d}.jpg"

    def read_image(self, camera: str, frame: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB, as stored."""
        self._need_images()
        return read_image(self.image_path(camera, frame))

    def picture(self, view: View | Camera, frame: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB to draw on: the stored frame, or a blank one where there are no images."""
        if self.has_images:
            return self.read_image(view.name, frame)
        return np.full((view.height, view.width, 3), BLANK, dtype=np.uint8)

    def _need_images(self) -> None:
        if not self.has_images:
            raise InputError(
                f"{self.folder}: this scene has 2D people and no images; choose what needs none "
                "(estimator.name: file, heatmaps.source: estimator, and "
                "train.pose_l2.soft_attention: false, as attn_net_2d looks at images)"
            )

    @cached_property
    def network_frames(self) -> NDArray[np.uint8]:
        """(F, V, H, W, 3) RGB at network size, mapped from disk."""
        self._need_images()
        path = self.folder / "network.npy"
        try:
            frames: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path}: {error}; prepare the scene again") from error
        width, height = self.network_size
        expected = (len(self.frames), len(self.views), height, width)
        if frames.shape[:4] != expected:
            raise InputError(
                f"{path}: holds {frames.shape[:4]} frames, views, rows and columns, the scene has "
                f"{expected}; prepare the scene again"
            )
        return frames

    def network_cameras(self) -> tuple[Camera, ...]:
        """The cameras at network size."""
        return tuple(letterboxed(camera, *self.network_size) for camera in self.cameras)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) RGB uint8; an unreadable one is an ``InputError``."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) if Path(path).is_file() else None
    if image is None:
        size = Path(path).stat().st_size if Path(path).is_file() else None
        what = "there is no such file" if size is None else f"{size} bytes, not a readable image"
        raise InputError(f"{path}: {what}; fetch or extract this frame again")
    return np.asarray(image, dtype=np.uint8)


def write_image(path: Path, image: NDArray[np.uint8], quality: int = 95) -> None:
    """Write an RGB (H, W, 3) image by its suffix (JPEG or PNG)."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else []
    ok, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), flags)
    if not ok:
        raise ValueError(f"{path}: OpenCV can't write {image.shape} as {path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())


def write_cameras(path: Path, cameras: Sequence[Camera]) -> None:
    """Write cameras.json."""
    rows = [
        {
            "name": camera.name,
            "width": camera.width,
            "height": camera.height,
            "K": camera.K.tolist(),
            "distortion": camera.distortion.tolist(),
            "R": camera.R.tolist(),
            "t": camera.t.tolist(),
            **({} if camera.lens == "brown" else {"lens": camera.lens}),
        }
        for camera in cameras
    ]
    write_json(path, {"convention": "x_cam = R x_world + t; mm; z up", "cameras": rows})


def read_cameras(path: Path) -> tuple[Camera, ...]:
    """Read cameras.json, ours or written by hand, and check the rig's units.

    ``{"cameras": [...]}``, or the bare list, of objects with name, width, height (px), K (3x3 px),
    distortion (see ``lens_coefficients``; may be left out), R (3x3) and t (mm); ``lens`` is
    "fisheye" for such a lens, and may be left out otherwise.

    Raises:
        InputError: with the file, the camera, the key and the value that is wrong.
    """
    cameras = cameras_of(read_json(path), str(path))
    check_rig(cameras, str(path))
    return cameras


def cameras_of(content: Any, where: str) -> tuple[Camera, ...]:
    """The cameras of what cameras.json holds, each value checked, the rig not."""
    rows = content.get("cameras") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise InputError(
            f'{where}: there is no list of cameras; write {{"cameras": [{{"name": ...}}, ...]}}'
        )
    try:
        return tuple(_camera(row, number) for number, row in enumerate(rows))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _camera(row: Any, number: int) -> Camera:
    """One camera of cameras.json, each of its values checked."""
    name = row.get("name") if isinstance(row, dict) else None
    if not isinstance(name, str) or not name or "/" in name:
        raise InputError(
            f"camera {number} (from 0): an object with a 'name' is expected, a text without '/', "
            f"as the video's file is called; got {short(row)}"
        )
    where = f"camera {name}"
    needed = {"name", "width", "height", "K", "R", "t"}
    missing, strange = needed - set(row), set(row) - needed - {"distortion", "lens"}
    if missing or strange:
        raise InputError(
            f"{where}: lacks the keys {sorted(missing) or 'none'}, has the unknown keys "
            f"{sorted(strange) or 'none'}; a camera has {sorted(needed)} and may have 'distortion' "
            "and 'lens'"
        )
    lens = row.get("lens", "brown")
    if lens not in COEFFICIENTS:
        raise InputError(f"{where}: lens is {short(lens)}; known are {sorted(COEFFICIENTS)}")
    t = _numbers(row["t"], f"{where}: t")
    if t.size != 3:
        raise InputError(f"{where}: t holds {short(row['t'])}; three numbers are expected, in mm")
    return Camera(
        name=name,
        width=_whole(row["width"], f"{where}: width"),
        height=_whole(row["height"], f"{where}: height"),
        K=_square(row["K"], f"{where}: K", "[[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in px"),
        distortion=lens_coefficients(row.get("distortion", []), lens, f"{where}: distortion"),
        R=_square(row["R"], f"{where}: R", "a rotation matrix; cv2.Rodrigues makes it of a vector"),
        t=t.ravel(),
        lens=lens,
    )


def lens_coefficients(values: Any, lens: Lens, where: str) -> NDArray[np.float64]:
    """The coefficients of a lens in OpenCV's order: (5,) or (8,) of Brown's, (4,) of a fisheye.

    Of Brown's, four mean that k3 is 0, and none that there is no distortion; twelve or fourteen
    are taken if those of the thin prism and of the tilt are 0. The values do not tell whether four
    coefficients are of the fisheye model: the file must.

    Raises:
        InputError: other than numbers, or coefficients of another model.
    """
    given = _numbers(values, where).ravel()
    said = f"{where} holds {len(given)} coefficients, {short(given.tolist())}"
    if lens == "fisheye":
        if len(given) != 4:
            raise InputError(f"{said}; OpenCV's fisheye model has four, k1 k2 k3 k4")
        return given
    if len(given) in (12, 14) and not given[8:].any():
        given = given[:8]
    if len(given) not in (0, 4, 5, 8):
        raise InputError(
            f"{said}; known is OpenCV's model of five, k1 k2 p1 p2 k3 (four: k3 is 0; none: no "
            "distortion), and of eight, with k4 k5 k6. Refit with five, or undistort the videos "
            "and leave distortion out"
        )
    return np.pad(given, (0, max(0, 5 - len(given))))


def _square(value: Any, where: str, meaning: str) -> NDArray[np.float64]:
    matrix = _numbers(value, where)
    if matrix.shape != (3, 3):
        raise InputError(
            f"{where} holds {short(value)}; three rows of three numbers are expected: {meaning}"
        )
    return matrix


def _numbers(value: Any, where: str) -> NDArray[np.float64]:
    """An array of plain numbers; text that looks like numbers is refused."""
    try:
        numbers = np.array(value)
    except ValueError:
        numbers = np.array(None)
    if numbers.ndim == 0 or (numbers.size and numbers.dtype.kind not in "iuf"):
        raise InputError(
            f"{where} holds {short(value)}; lists of plain numbers are expected, without "
            "quotes and of one length"
        )
    if not np.isfinite(numbers).all():
        raise InputError(
            f"{where} holds {short(value)}, not finite numbers; calibrate this camera again, or "
            "leave it out of the file"
        )
    return numbers.astype(np.float64)


def _whole(value: Any, where: str) -> int:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain or not 0 < value <= MAX_SIDE_PX or value % 1:
        raise InputError(
            f"{where} is {short(value)}; a whole number of pixels is expected, without quotes"
        )
    return int(value)


def check_rig(cameras: Sequence[Camera], where: str) -> None:
    """Refuse a rig with fewer than two cameras, with repeated names, or in the wrong unit."""
    names = [camera.name for camera in cameras]
    if len(cameras) < 2:
        raise InputError(f"{where}: {len(cameras)} camera(s) {names}; at least two are needed")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"{where}: cameras {doubled} appear more than once")
    centres = np.stack([camera.centre for camera in cameras])
    extent = float(np.linalg.norm(centres[:, None] - centres[None], axis=-1).max())
    if not MIN_RIG_MM <= extent <= MAX_RIG_MM:
        raise InputError(
            f"{where}: the cameras stand up to {extent:.4g} mm apart, outside "
            f"[{MIN_RIG_MM:.0f}, {MAX_RIG_MM:.0f}]; translations must be in mm "
            "(metres x 1000, centimetres x 10), and t is a translation, not the camera's centre"
        )


def write_scene(scene: Scene) -> None:
    """Write scene.json and, where there is a rig, cameras.json; the caller writes the frames."""
    if scene.rig is not None:
        write_cameras(scene.folder / "cameras.json", scene.rig)
    write_json(
        scene.folder / "scene.json",
        {
            "name": scene.name,
            "source": scene.source,
            "views": [_view_row(view) for view in scene.views],
            "network_size": list(scene.network_size),
            "images": scene.has_images,
            "frames": list(scene.frames),
            "times": list(scene.times),
        },
    )


def _view_row(view: View) -> list[Any]:
    own: list[Any] = [] if view.source is None else [list(view.source)]
    return [view.name, view.width, view.height, *own]


def _view(name: str, width: int, height: int, source: Sequence[int] | None = None) -> View:
    return View(name, width, height, None if source is None else (source[0], source[1]))


def read_scene(folder: Path) -> Scene:
    """Read a scene folder."""
    folder = Path(folder)
    facts: dict[str, Any] = read_json(folder / "scene.json")
    needed = {"name", "source", "views", "network_size", "images", "frames", "times"}
    missing = needed - set(facts)
    if missing:
        raise InputError(f"{folder / 'scene.json'}: lacks {sorted(missing)}; prepare it again")
    path, (width, height) = folder / "cameras.json", facts["network_size"]
    return Scene(
        folder=folder,
        name=facts["name"],
        source=facts["source"],
        views=tuple(_view(*view) for view in facts["views"]),
        rig=read_cameras(path) if path.exists() else None,
        frames=tuple(facts["frames"]),
        times=tuple(facts["times"]),
        network_size=(width, height),
        has_images=facts["images"],
    )

"""A sequence: people in the room, filmed, in the layout of the CMU Panoptic host."""

import json
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import whole_folder
from selfpose3d.geometry.cameras import Camera
from selfpose3d.parameters import Studio
from selfpose3d.progress import track
from selfpose3d.skeletons import COCO_17, SKELETONS, converted
from selfpose3d.studio.bodies import load_bodies, skinned
from selfpose3d.studio.clothing import Layer, Person, dress, vertex_normals
from selfpose3d.studio.motion import Track, joint_rotations, plan_motion, rotation_about
from selfpose3d.studio.raster import Canvas, Mesh, averaged, draw, shade_floor
from selfpose3d.studio.rig import Venue, read_venue
from selfpose3d.studio.room import (
    LIGHT_FROM,
    SHADOW_CELL_MM,
    View,
    box,
    floor_cell,
    light_on,
    see_room,
    shadow_shape,
)

TO_PANOPTIC = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""``x_panoptic = TO_PANOPTIC x``: from z up to Panoptic's y down."""
_NAME = re.compile(r"studio_(train|test)_(\d+)")
_SENSOR_NOISE = 2.2
_JPEG_QUALITY = 92
_STOOL_HALF_MM = 190.0


@dataclass(frozen=True)
class Instant:
    """The people at one moment.

    Args:
        meshes: to draw, world mm.
        joints: (P, 19, 3) Panoptic's joints19, mm, z up.
        shadow: (rows, columns) share of light left on the floor.
    """

    meshes: tuple[Mesh, ...]
    joints: NDArray[np.float64]
    shadow: NDArray[np.float32]


def render_sequence(studio: Studio, sequence: str, rig: Path, bodies: Path, host: Path) -> None:
    """Render a sequence into ``host/sequence`` as the Panoptic host would serve it.

    Depends on nothing but ``studio``, the name and the files given; appears whole or not at all.

    Args:
        studio: the parameters.
        sequence: studio_train_NN or studio_test_NN.
        rig: a rig file, see ``read_rig``.
        bodies: file written by ``bake_bodies``.
        host: the folder that stands for the host's root.
    """
    index, rng, frames = _stream(studio, sequence)
    venue = read_venue(rig)
    cast, tracks = _cast(studio, index, rng, frames, venue, bodies)
    views = see_room(venue, studio.seed)
    shots = [_Shot(view, camera, rng) for view, camera in zip(views, venue.cameras, strict=True)]
    stools = _stools(cast, tracks, rng)
    with whole_folder(host / sequence) as folder:
        _write_calibration(folder / f"calibration_{sequence}.json", venue.cameras)
        poses = []
        with _Videos(folder / "videos/hd_shared_crf20", venue.cameras, studio) as videos:
            for frame in track(range(frames), f"rendering {sequence}", unit="frames"):
                instant = instant_of(cast, tracks, frame * studio.frame_interval, venue)
                poses.append(instant.joints)
                videos.write([shot.take(instant, stools) for shot in shots])
        _write_poses(folder / "hdPose3d_stage1_coco19.tar", poses, studio.frame_interval)


def _stream(studio: Studio, sequence: str) -> tuple[int, np.random.Generator, int]:
    """A sequence's place in its split, random numbers that no other sequence shares, and its number
    of frames."""
    named = _NAME.fullmatch(sequence)
    if not named:
        raise InputError(
            f"there is no studio sequence '{sequence}'; they are called studio_train_00, ..., "
            "studio_test_00, ..."
        )
    split, index = named[1], int(named[2])
    frames = studio.train_frames if split == "train" else studio.test_frames
    seed = [studio.seed, ("train", "test").index(split), index]
    return index, np.random.default_rng(seed), frames


def _cast(
    studio: Studio, index: int, rng: np.random.Generator, frames: int, venue: Venue, bodies: Path
) -> tuple[list[Person], tuple[Track, ...]]:
    """The people of a sequence; their number rotates, so that each comes equally often."""
    low, high = studio.people
    if low > high:
        raise InputError(f"studio.people: {low} to {high}; the first must not exceed the second")
    count = low + index % (high - low + 1)
    tracks = plan_motion(rng, count, frames * studio.frame_interval, venue.area)
    model = load_bodies(bodies)
    return [dress(rng, model) for _ in tracks], tracks


def instant_of(
    cast: Sequence[Person], tracks: Sequence[Track], time: float, venue: Venue
) -> Instant:
    """Pose everybody at a time, their lowest point on the floor."""
    meshes: list[Mesh] = []
    joints = []
    for person, path in zip(cast, tracks, strict=True):
        layers, body = _placed(person, path, time)
        meshes += [_mesh(layer, vertices) for layer, vertices in layers]
        joints.append(joints19(person.body.model.regressor @ body))
    everybody = np.concatenate([mesh.vertices for mesh in meshes])
    return Instant(tuple(meshes), np.stack(joints), _shadow(everybody, venue))


def _placed(
    person: Person, path: Track, time: float
) -> tuple[list[tuple[Layer, NDArray[np.float64]]], NDArray[np.float64]]:
    """World vertices, mm, of each layer and of the bare body."""
    affines = person.body.bone_affines(joint_rotations(person.body, path.pose(time)))
    x, y = (np.interp(time, path.times, path.places[:, axis]) for axis in range(2))
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), np.interp(time, path.times, path.headings))
    posed = [skinned(layer.bone_weights, affines, layer.vertices) for layer in person.layers]
    body = skinned(person.body.model.bone_weights, affines, person.body.vertices)
    root = person.body.heads[0]
    lowest = min(vertices[:, 2].min() for vertices in posed)

    def place(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
        centred = vertices - np.array([root[0], root[1], lowest])
        return 1000.0 * centred @ turn.T + np.array([x, y, 0.0])

    return [(la, place(v)) for la, v in zip(person.layers, posed, strict=True)], place(body)


def _mesh(layer: Layer, vertices: NDArray[np.float64]) -> Mesh:
    """A layer in the light; less of it reaches what is near the floor."""
    light = light_on(vertex_normals(vertices, layer.triangles))
    light *= (0.82 + 0.18 * np.clip(vertices[:, 2:] / 900.0, 0, 1)).astype(np.float32)
    return Mesh(vertices, layer.triangles, layer.texels, layer.texture, light)


def joints19(coco: NDArray[np.float64]) -> NDArray[np.float64]:
    """(19, 3) Panoptic's joints from (17, 3) COCO joints."""
    joints, _ = converted(coco, np.ones(len(coco)), COCO_17, SKELETONS["panoptic19"])
    return joints


def _shadow(vertices: NDArray[np.float64], venue: Venue) -> NDArray[np.float32]:
    """Soft cast shadow along the main light, and a dark patch where feet touch the floor."""
    shape = shadow_shape(venue)
    fallen = vertices[:, :2] - vertices[:, 2:] * (LIGHT_FROM[:2] / LIGHT_FROM[2])
    fallen_map = cv2.dilate(_splat(fallen, shape, venue), np.ones((3, 3), np.uint8))
    near_map = _splat(vertices[vertices[:, 2] < 120.0, :2], shape, venue)
    cast = cv2.GaussianBlur(fallen_map, (0, 0), 60.0 / SHADOW_CELL_MM)
    near = cv2.GaussianBlur(near_map, (0, 0), 70.0 / SHADOW_CELL_MM)
    return np.asarray((1 - 0.38 * cast) * (1 - 0.45 * np.clip(near * 1.6, 0, 1)), np.float32)


def _splat(
    points: NDArray[np.float64], shape: tuple[int, int], venue: Venue
) -> NDArray[np.float32]:
    image = np.zeros(shape, np.float32)
    x, y = np.rint(floor_cell(points, venue)).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    image[y[inside], x[inside]] = 1.0
    return image


def _stools(
    cast: Sequence[Person], tracks: Sequence[Track], rng: np.random.Generator
) -> tuple[Mesh, ...]:
    """A stool under everybody who sits."""
    meshes: list[Mesh] = []
    for person, path in zip(cast, tracks, strict=True):
        if path.seated:
            _, body = _placed(person, path, 0.0)
            hips = joints19(person.body.model.regressor @ body)[2]
            tall = hips[2] - 95.0
            behind = np.array([-np.sin(path.headings[0]), np.cos(path.headings[0])])
            middle = hips[:2] + 40.0 * behind
            side = np.array([behind[1], -behind[0]])
            half = (side * _STOOL_HALF_MM, behind * _STOOL_HALF_MM)
            meshes += box(middle, half, float(tall), rng.uniform(50, 190, 3), rng)
    return tuple(meshes)


class _Shot:
    """One camera's view of a sequence, with its own gain and sensor noise."""

    def __init__(self, view: View, camera: Camera, rng: np.random.Generator) -> None:
        self.view = view
        self.camera = camera
        self.gain = float(rng.uniform(0.9, 1.08)) * rng.uniform(0.97, 1.03, 3)
        shape = (camera.height + 61, camera.width + 61, 3)
        self.noise = rng.normal(0, _SENSOR_NOISE, shape).astype(np.float32)
        self.rng = np.random.default_rng(rng.integers(1 << 62))

    def take(self, instant: Instant, stools: Sequence[Mesh]) -> NDArray[np.uint8]:
        """(H, W, 3) RGB picture."""
        canvas = Canvas(np.empty_like(self.view.empty.colour), self.view.empty.nearness.copy())
        shade_floor(self.view.empty.colour, self.view.floor, instant.shadow, canvas.colour)
        for mesh in (*stools, *instant.meshes):
            draw(canvas, self.view.camera, mesh)
        picture = averaged(canvas.colour, self.camera).astype(np.float32)
        row, column = self.rng.integers(0, 61, 2)
        height, width = picture.shape[:2]
        noise = self.noise[row : row + height, column : column + width]
        return np.clip(picture * self.gain.astype(np.float32) + noise, 0, 255).astype(np.uint8)


class _Videos:
    """One video per camera, written frame by frame.

    Motion JPEG: every frame stands for itself, so frame numbers are exact, and its quality is
    chosen here (OpenCV's own encoders offer no way to).
    """

    def __init__(self, folder: Path, cameras: Sequence[Camera], studio: Studio) -> None:
        folder.mkdir(parents=True)
        self.paths: list[Path] = []
        self.writers = []
        self.written = 0
        for camera in cameras:
            path = folder / f"hd_{camera.name}.mp4"
            writer = cv2.VideoWriter(
                str(path),
                cv2.CAP_FFMPEG,
                cv2.VideoWriter.fourcc(*"MJPG"),
                1 / studio.frame_interval,
                (camera.width, camera.height),
                [cv2.VIDEOWRITER_PROP_RAW_VIDEO, 1],
            )
            if not writer.isOpened():
                raise OSError(f"{path}: OpenCV can't write this video")
            self.paths.append(path)
            self.writers.append(writer)

    def write(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Append one RGB picture to each video."""
        for writer, picture in zip(self.writers, pictures, strict=True):
            bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
            _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
            writer.write(data.reshape(1, -1))
        self.written += 1

    def __enter__(self) -> "_Videos":
        return self

    def __exit__(self, *reason: object) -> None:
        for writer in self.writers:
            writer.release()
        if reason[0] is None:
            self._check()

    def _check(self) -> None:
        """Count the written frames, since OpenCV does not report a full disk."""
        for path in self.paths:
            count = int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))
            if count != self.written:
                raise OSError(
                    f"{path}: {count} of {self.written} frames were written; "
                    "is the disk full? Free some space and run the same command again"
                )


def _write_calibration(path: Path, cameras: Sequence[Camera]) -> None:
    """Panoptic's calibration: cm, y down."""
    rows: list[dict[str, Any]] = []
    for camera in cameras:
        panel, node = camera.name.split("_")
        rows.append(
            {
                "name": camera.name,
                "type": "hd",
                "resolution": [camera.width, camera.height],
                "panel": int(panel),
                "node": int(node),
                "K": camera.K.tolist(),
                "distCoef": camera.distortion.tolist(),
                "R": (camera.R @ TO_PANOPTIC.T).tolist(),
                "t": (camera.t / 10.0)[:, None].tolist(),
            }
        )
    path.write_text(json.dumps({"cameras": rows}, indent=1) + "\n")


def _write_poses(path: Path, poses: Sequence[NDArray[np.float64]], interval: float) -> None:
    """A tar of one JSON per frame: cm, y down, confidence 1."""
    with tarfile.open(path, "w") as archive:
        for frame, joints_P19_3 in enumerate(poses):
            bodies = [
                {"id": person, "joints19": _flat(joints)}
                for person, joints in enumerate(joints_P19_3)
            ]
            text = json.dumps(
                {"version": 0.7, "univTime": 1000 * interval * frame, "bodies": bodies}
            )
            name = f"hdPose3d_stage1_coco19/body3DScene_{frame:08d}.json"
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, BytesIO(text.encode()))


def _flat(joints_19_3: NDArray[np.float64]) -> list[float]:
    panoptic = joints_19_3 @ TO_PANOPTIC.T / 10.0
    rows = np.concatenate([panoptic, np.ones((len(panoptic), 1))], axis=1)
    return [round(float(value), 5) for value in rows.ravel()]

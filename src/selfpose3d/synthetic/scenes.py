"""Small synthetic scenes for tests: skeletons in a ring of cameras, noisy projections as labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from selfpose3d.files.poses2d import People2D
from selfpose3d.files.poses3d import People3D
from selfpose3d.files.scenes import Scene, write_scene
from selfpose3d.geometry.cameras import Camera, in_image, project
from selfpose3d.geometry.people import STATURE_MM
from selfpose3d.skeletons import SKELETONS, Skeleton, converted

STANDING = np.array(
    [
        (0, 0, 1450), (80, 0, 1600), (0, 0, 930),
        (0, 180, 1400), (20, 230, 1120), (60, 230, 880), (0, 100, 920), (20, 110, 500),
        (0, 110, 90),
        (0, -180, 1400), (20, -230, 1120), (60, -230, 880), (0, -100, 920), (20, -110, 500),
        (0, -110, 90),
    ],
    dtype=float,
)  # fmt: skip
"""(15, 3) mm, a person at the origin that faces along x; the joints of ``BODY``."""

BODY = SKELETONS["panoptic15"]
_FACE = np.array([(-20, 30, 40), (-100, 70, 20), (-20, -30, 40), (-100, -70, 20)], dtype=float)
"""(4, 3) mm, eyes and ears of the person from the nose."""


@dataclass(frozen=True)
class Synthetic:
    """A scene, its labels and the truth behind them."""

    scene: Scene
    views: dict[tuple[int, str], People2D]
    truth: dict[tuple[str, int], People3D]


def ring(
    count: int, width: int = 224, height: int = 160, radius: float = 4600.0, turn: float = 0.0
) -> list[Camera]:
    """Cameras on a circle, looking at the middle of the space."""
    cameras = []
    for i in range(count):
        angle = turn + 2 * np.pi * i / count
        z = 1800.0 + 300.0 * (i % 3)
        centre = np.array([radius * np.cos(angle), radius * np.sin(angle), z])
        forward = np.array([0, 0, 900.0]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        focal = 0.8 * width
        intrinsics = [[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]]
        distortion = np.array([-0.05, 0.01, 0, 0, 0])
        cameras.append(
            Camera(f"cam{i}", width, height, np.array(intrinsics), distortion, rotation,
                   -rotation @ centre)
        )  # fmt: skip
    return cameras


def random_people(rng: np.random.Generator, count: int, spread: float = 1500.0) -> np.ndarray:
    """(count, 15, 3) mm people, apart from each other."""
    places: list[np.ndarray] = []
    people = []
    while len(places) < count:
        place = rng.uniform(-spread, spread, 2)
        if any(np.linalg.norm(place - other) < 700 for other in places):
            continue
        places.append(place)
        body = STANDING + rng.normal(0, 25, STANDING.shape)
        for side in (3, 9):
            lift = rng.uniform(0, 600)
            body[side + 1] += [lift * 0.3, 0, lift * 0.4]
            body[side + 2] += [lift * 0.6, 0, lift]
        angle = rng.uniform(0, 2 * np.pi)
        c, s = np.cos(angle), np.sin(angle)
        body = (body * rng.uniform(0.92, 1.08)) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
        people.append(body + np.array([*place, 0.0]))
    return np.stack(people)


def with_faces(people: np.ndarray) -> np.ndarray:
    """(P, 19, 3) people with eyes and ears, of (P, 15, 3) without."""
    left = people[:, BODY.left[0]] - people[:, BODY.right[0]]
    left[:, 2] = 0.0
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    up = np.broadcast_to([0.0, 0.0, 1.0], left.shape)
    axes = np.stack([np.cross(left, up), left, up], axis=1)
    faces = people[:, BODY.index("nose"), None] + np.einsum("fa,pab->pfb", _FACE, axes)
    return np.concatenate([people, faces], axis=1)


def seen_people(
    camera: Camera,
    people: np.ndarray,
    rng: np.random.Generator,
    noise: float,
    missing: float,
    skeleton: Skeleton = BODY,
) -> People2D:
    """The 2D people of an imitated estimator in a view: noisy projections, some people missed."""
    pixels, depth = project(camera, people)
    inside = in_image(camera, pixels)
    height = camera.K[0, 0] * STATURE_MM / depth.mean(1)
    keep = (inside.sum(1) >= 8) & (rng.random(len(people)) >= missing)
    points = pixels + rng.normal(0, noise, pixels.shape) * height[:, None, None]
    scores = np.where(inside, rng.uniform(0.7, 1.0, inside.shape), 0.0)
    points = np.where(inside[..., None], points, 0.0)
    return People2D(points[keep], scores[keep], np.full(int(keep.sum()), 0.9), skeleton)


def draw_image(camera: Camera, people: np.ndarray) -> np.ndarray:
    """Coloured sticks, each side in its own colour."""
    image = np.full((camera.height, camera.width, 3), 90, np.uint8)
    for body in people:
        pixels, _ = project(camera, body)
        for a, b in BODY.bones:
            colour = (200, 60, 60) if 3 <= b < 9 else (60, 60, 200) if b >= 9 else (80, 200, 80)
            ends = [tuple(int(x) for x in pixels[j]) for j in (a, b)]
            cv2.line(image, ends[0], ends[1], colour, 3)
    return image


def make_scene(
    folder: Path,
    name: str,
    seed: int,
    cameras: Sequence[Camera],
    frames: int = 4,
    people: int = 2,
    noise: float = 0.01,
    missing: float = 0.05,
    skeleton: Skeleton = BODY,
) -> Synthetic:
    """Write a scene of standing people and say what is seen and what is true."""
    rng = np.random.default_rng(seed)
    numbers = list(range(0, 10 * frames, 10))
    times, size = [n / 30 for n in numbers], (cameras[0].width, cameras[0].height)
    scene = Scene.calibrated(folder, name, "synthetic", cameras, numbers, times, size)
    write_scene(scene)
    images, views, truth = [], {}, {}
    for number in numbers:
        bodies = random_people(rng, people)
        joints = bodies if skeleton == BODY else _in_skeleton(bodies, skeleton)
        truth[name, number] = People3D.predicted(joints, np.ones(people), skeleton)
        images.append([draw_image(camera, bodies) for camera in cameras])
        for camera in cameras:
            views[number, camera.name] = seen_people(camera, joints, rng, noise, missing, skeleton)
    np.save(folder / "network.npy", np.array(images))
    return Synthetic(scene, views, truth)


def _in_skeleton(bodies: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    whole = with_faces(bodies)
    return converted(whole, np.ones(whole.shape[:2]), SKELETONS["panoptic19"], skeleton)[0]


def reconstruction(truth: dict[tuple[str, int], People3D], seed: int) -> dict:
    """An imitated training-free reconstruction from the labels: the truth and some noise."""
    rng = np.random.default_rng(seed)
    return {
        key: People3D.predicted(people.joints + rng.normal(0, 20, people.joints.shape),
                                people.scores, people.skeleton)
        for key, people in truth.items()
    }  # fmt: skip

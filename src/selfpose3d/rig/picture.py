"""A drawing of a rig: cameras, people and the proposed space, from above and from the side."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.geometry.cameras import Camera
from selfpose3d.rig.examination import Examination

SIDE_PX = 640
"""Width and height of each of the two views."""
CORRECT, GIVEN, FAULTY = (40, 110, 60), (150, 150, 150), (200, 40, 40)
PEOPLE, SPACE, INK = (70, 120, 200), (190, 150, 60), (40, 40, 40)
_MOST_POINTS = 4000
_DEPTH = 0.12
"""How far a camera's pyramid is drawn, over the picture's extent."""


@dataclass(frozen=True)
class _Map:
    """The map from the world to a view's pixels.

    Args:
        axes: the two axes of the world that are seen, to the right and up.
        middle: (3,) what lies in the middle, mm.
        scale: px per mm.
    """

    axes: tuple[int, int]
    middle: NDArray[np.float64]
    scale: float

    def __call__(self, at: NDArray[np.float64]) -> NDArray[np.int32]:
        """(..., 2) pixels of points (..., 3)."""
        chosen = list(self.axes)
        flat = (np.asarray(at)[..., chosen] - self.middle[chosen]) * self.scale * [1, -1]
        return np.clip(flat + SIDE_PX / 2, -4000, 4000).round().astype(np.int32)


def draw(found: Examination) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: the rig from above (x to the right, y up) and from the side (x, z).

    Cameras are green; a camera with a fault is red where it stands by the people, and grey as it
    was calibrated. People's joints are blue, the proposed space is yellow.
    """
    return np.concatenate([_panel(found, axes) for axes in ((0, 1), (0, 2))], axis=1)


def _panel(found: Examination, axes: tuple[int, int]) -> NDArray[np.uint8]:
    image = np.full((SIDE_PX, SIDE_PX, 3), 255, dtype=np.uint8)
    shown = np.linspace(0, len(found.points) - 1, min(len(found.points), _MOST_POINTS))
    points = found.points[shown.astype(int)]
    place = _map(found, points, axes)
    _draw_space(image, found, place)
    for x, y in place(points):
        cv2.circle(image, (int(x), int(y)), 1, PEOPLE, -1, cv2.LINE_AA)
    _draw_cameras(image, found, place)
    title = f"from {'above' if axes == (0, 1) else 'the side'} ({'xyz'[axes[0]]}, {'xyz'[axes[1]]})"
    _write(image, title, (12, 22))
    _write(image, f"{SIDE_PX / place.scale / 1000:.3g} m wide", (12, SIDE_PX - 12))
    return image


def _map(found: Examination, points: NDArray[np.float64], axes: tuple[int, int]) -> _Map:
    centres = np.stack([camera.centre for camera in found.corrected])
    everything = np.concatenate([centres, points])
    low, high = everything.min(0), everything.max(0)
    return _Map(axes, (low + high) / 2, 0.78 * SIDE_PX / max(float((high - low).max()), 1e-9))


def _draw_space(image: NDArray[np.uint8], found: Examination, place: _Map) -> None:
    if np.isfinite(found.world.centre).all():
        half = found.world.size / 2
        a, b = place(np.stack([found.world.centre - half, found.world.centre + half]))
        cv2.rectangle(image, a.tolist(), b.tolist(), SPACE, 2, cv2.LINE_AA)


def _draw_cameras(image: NDArray[np.uint8], found: Examination, place: _Map) -> None:
    faulty = {name for one in found.findings for name in one.cameras}
    for given, right in zip(found.cameras, found.corrected, strict=True):
        if given.name in faulty:
            _pyramid(image, given, place, GIVEN)
        colour = FAULTY if given.name in faulty else CORRECT
        _pyramid(image, right, place, colour)
        x, y = place(right.centre)
        _write(image, given.name, (int(x) + 8, int(y) - 8), colour)


def _pyramid(
    image: NDArray[np.uint8], camera: Camera, place: _Map, colour: tuple[int, int, int]
) -> None:
    width, height = camera.width, camera.height
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=float)
    depth = _DEPTH * SIDE_PX / place.scale
    outline = place((corners @ np.linalg.inv(camera.K).T * depth - camera.t) @ camera.R)
    cv2.polylines(image, [outline], True, colour, 2, cv2.LINE_AA)
    for corner in outline:
        cv2.line(image, place(camera.centre).tolist(), corner.tolist(), colour, 1, cv2.LINE_AA)


def _write(
    image: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    colour: tuple[int, int, int] = INK,
) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)

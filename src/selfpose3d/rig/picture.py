"""A drawing of a rig: cameras, people and the proposed space, from above and from the side."""

from collections.abc import Sequence

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


def draw(found: Examination) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: the rig from above (x to the right, y up) and from the side (x, z).

    Cameras are green; a camera with a fault is red where it stands by the people, and grey as it
    was calibrated. People's joints are blue, the proposed space is yellow.
    """
    panels = [_panel(found, axes) for axes in ((0, 1), (0, 2))]
    return np.concatenate(panels, axis=1)


def _panel(found: Examination, axes: tuple[int, int]) -> NDArray[np.uint8]:
    image = np.full((SIDE_PX, SIDE_PX, 3), 255, dtype=np.uint8)
    points = (
        found.points[np.linspace(0, len(found.points) - 1, _MOST_POINTS).astype(int)]
        if len(found.points)
        else np.zeros((0, 3))
    )
    middle, scale = _frame(found, points)

    def place(at: NDArray[np.float64]) -> NDArray[np.int64]:
        flat = (np.asarray(at)[..., list(axes)] - middle[list(axes)]) * scale * [1, -1]
        return np.clip(flat + SIDE_PX / 2, -4000, 4000).round().astype(np.int64)

    _draw_space(image, found, place)
    for x, y in place(points):
        cv2.circle(image, (int(x), int(y)), 1, PEOPLE, -1, cv2.LINE_AA)
    _draw_cameras(image, found, place, _DEPTH * SIDE_PX / scale)
    title = f"from {'above' if axes == (0, 1) else 'the side'} ({'xyz'[axes[0]]}, {'xyz'[axes[1]]})"
    _write(image, title, (12, 22))
    _write(image, f"{SIDE_PX / scale / 1000:.3g} m wide", (12, SIDE_PX - 12))
    return image


def _frame(found: Examination, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """The middle of the picture in the world, and pixels per unit."""
    centres = np.stack([camera.centre for camera in found.corrected])
    everything = np.concatenate([centres, points])
    low, high = np.percentile(everything, [0, 100], axis=0)
    extent = max(float((high - low).max()), 1e-9)
    return (low + high) / 2, 0.78 * SIDE_PX / extent


def _draw_space(image: NDArray[np.uint8], found: Examination, place) -> None:  # type: ignore[no-untyped-def]
    if np.isfinite(found.world.centre).all():
        half = found.world.size / 2
        a, b = place(np.stack([found.world.centre - half, found.world.centre + half]))
        cv2.rectangle(image, a.tolist(), b.tolist(), SPACE, 2, cv2.LINE_AA)


def _draw_cameras(image: NDArray[np.uint8], found: Examination, place, depth: float) -> None:  # type: ignore[no-untyped-def]
    faulty = {name for one in found.findings for name in one.cameras}
    for given, right in zip(found.cameras, found.corrected, strict=True):
        if given.name in faulty:
            _pyramid(image, given, place, depth, GIVEN)
        colour = FAULTY if given.name in faulty else CORRECT
        _pyramid(image, right, place, depth, colour)
        x, y = place(right.centre)
        _write(image, given.name, (int(x) + 8, int(y) - 8), colour)


def _pyramid(image: NDArray[np.uint8], camera: Camera, place, depth: float, colour) -> None:  # type: ignore[no-untyped-def]
    width, height = camera.width, camera.height
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=float)
    world = (corners @ np.linalg.inv(camera.K).T * depth - camera.t) @ camera.R
    outline = place(world)
    cv2.polylines(image, [outline.astype(np.int32)], True, colour, 2, cv2.LINE_AA)
    for corner in outline:
        cv2.line(image, place(camera.centre).tolist(), corner.tolist(), colour, 1, cv2.LINE_AA)


def _write(
    image: NDArray[np.uint8], text: str, at: tuple[int, int], colour: Sequence[int] = INK
) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)

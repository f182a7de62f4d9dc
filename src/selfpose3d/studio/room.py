"""The room: floor, walls, posters and furniture, as seen once by each camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.geometry.cameras import Camera, undistort
from selfpose3d.studio.raster import Canvas, Mesh, draw, empty_canvas, enlarged
from selfpose3d.studio.rig import Venue

SHADOW_CELL_MM = 16.0
_TEXEL_MM = 12.0
_QUAD_MM = 300.0
LIGHT_FROM = np.array([0.42, 0.30, 0.86]) / np.linalg.norm([0.42, 0.30, 0.86])
"""Unit vector towards the main light."""
AMBIENT = np.array([0.62, 0.63, 0.66])
DIRECT = np.array([0.56, 0.54, 0.50])
FILL_FROM = np.array([-0.75, -0.55, 0.35]) / np.linalg.norm([-0.75, -0.55, 0.35])
FILL = np.array([0.13, 0.14, 0.16])


def light_on(normals: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, 3) RGB light on surfaces of unit normals (N, 3): sky, main light and a weak fill."""
    sky = 0.86 + 0.14 * normals[:, 2:3]
    main = np.clip(normals @ LIGHT_FROM, 0, 1)[:, None]
    fill = np.clip(normals @ FILL_FROM, 0, 1)[:, None]
    return (AMBIENT * sky + DIRECT * main + FILL * fill).astype(np.float32)


@dataclass(frozen=True)
class View:
    """A camera's picture of the empty room, at the size people are drawn at.

    Args:
        camera: the enlarged camera.
        empty: the room.
        floor: (H, W, 2) shadow-map cell (x, y) of each pixel, -1 where the floor is not seen.
    """

    camera: Camera
    empty: Canvas
    floor: NDArray[np.float32]


def _room_meshes(size: tuple[float, float, float], look: int, seed: int) -> tuple[Mesh, ...]:
    rng = np.random.default_rng((seed, 7919, look))
    wide, deep, high = size
    meshes = [_floor(rng, wide, deep, look)]
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array([wide, deep]) / 2
    tint = rng.uniform(0.88, 1.0, 3) * (205 if look % 2 == 0 else 180)
    for number in range(4):
        start, end = corners[number], corners[(number + 1) % 4]
        meshes += _wall(rng, start, end, high, tint * rng.uniform(0.94, 1.03))
    ceiling = np.full((64, 64, 3), 225.0)
    meshes.append(
        _quad((-wide / 2, -deep / 2, high), (wide, 0, 0), (0, deep, 0), ceiling, (0, 0, -1))
    )
    for number in range(4):
        start, end = corners[number], corners[(number + 1) % 4]
        meshes += _furniture(rng, start, end)
    return tuple(meshes)


def _floor(rng: np.random.Generator, wide: float, deep: float, look: int) -> Mesh:
    """Boards or tiles, with a worn finish."""
    rows, columns = int(deep / _TEXEL_MM), int(wide / _TEXEL_MM)
    y, x = np.mgrid[:rows, :columns]
    base = np.array([158.0, 124, 92]) if look % 2 == 0 else np.array([132.0, 136, 138])
    board = int((140 if look % 2 == 0 else 600) / _TEXEL_MM)
    length = int((1300 if look % 2 == 0 else 600) / _TEXEL_MM)
    row = y // board
    column = (x + (row * 37 % length if look % 2 == 0 else 0)) // length
    tone = rng.normal(0, 1, (row.max() + 1, column.max() + 1))[row, column]
    grain = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)), (0, 0), sigmaX=6, sigmaY=0.8)
    worn = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)), (0, 0), 25)
    shade = 1 + 0.055 * tone + 0.035 * grain / grain.std() + 0.03 * worn / worn.std()
    shade[(y % board == 0) | ((x + (row * 37 % length if look % 2 == 0 else 0)) % length == 0)] *= (
        0.8
    )
    origin = (-wide / 2, -deep / 2, 0)
    return _quad(origin, (wide, 0, 0), (0, deep, 0), base * shade[..., None], (0, 0, 1))


def _wall(
    rng: np.random.Generator,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    high: float,
    tint: NDArray[np.float64],
) -> list[Mesh]:
    """A painted wall with a skirting board, a door or window, and posters."""
    length = float(np.linalg.norm(end - start))
    rows, columns = int(high / _TEXEL_MM), int(length / _TEXEL_MM)
    worn = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)), (0, 0), 30)
    image = tint * (1 + 0.02 * worn / worn.std() + rng.normal(0, 0.008, (rows, columns)))[..., None]
    image[: int(110 / _TEXEL_MM)] = tint * 0.55
    place = rng.uniform(300, 1500)
    while place < length - 1500:
        kind = rng.choice(
            ["poster", "window", "door", "board", "gap"], p=[0.34, 0.2, 0.14, 0.16, 0.16]
        )
        width = {"poster": 700, "window": 1500, "door": 950, "board": 1900, "gap": 900}[kind]
        _PAINTERS[kind](rng, image, place, width)
        place += width + rng.uniform(350, 1100)
    along = (end - start) / length
    inwards = (-along[1], along[0], 0.0)
    return [_quad((*start, 0), (*(end - start), 0), (0, 0, high), image, inwards)]


def _patch(
    image: NDArray[np.float64], x: float, z: float, wide: float, tall: float
) -> tuple[slice, slice]:
    rows = slice(int(z / _TEXEL_MM), min(int((z + tall) / _TEXEL_MM), len(image) - 2))
    return rows, slice(int(x / _TEXEL_MM), int((x + wide) / _TEXEL_MM))


def _poster(rng: np.random.Generator, image: NDArray[np.float64], x: float, wide: float) -> None:
    where = _patch(image, x, rng.uniform(1150, 1400), wide, 1000)
    rows, columns = image[where].shape[:2]
    art = cv2.GaussianBlur(rng.uniform(0, 255, (rows, columns, 3)), (0, 0), rng.uniform(3, 9))
    art = np.clip((art - art.mean()) * 9 + rng.uniform(70, 190, 3), 10, 245)
    image[where] = cv2.copyMakeBorder(
        art[3:-3, 3:-3], 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=(235, 235, 230)
    )


def _window(rng: np.random.Generator, image: NDArray[np.float64], x: float, wide: float) -> None:
    where = _patch(image, x, 950, wide, 1500)
    rows, columns = image[where].shape[:2]
    sky = np.linspace(165, 222, rows)[:, None, None] * np.array([0.93, 0.98, 1.04])
    image[where] = np.broadcast_to(sky, (rows, columns, 3)) + rng.normal(0, 2, (rows, columns, 1))
    bars = np.zeros((rows, columns), bool)
    bars[:5], bars[-5:], bars[:, :5], bars[:, -5:] = True, True, True, True
    bars[:, columns // 2 - 3 : columns // 2 + 3] = True
    image[where][bars] = (238, 238, 234)


def _door(rng: np.random.Generator, image: NDArray[np.float64], x: float, wide: float) -> None:
    where = _patch(image, x, 0, wide, 2080)
    image[where] = rng.choice([[120, 82, 54], [205, 205, 200], [88, 104, 118]]) * rng.uniform(
        0.9, 1.1
    )
    image[where][:, :4] *= 0.7
    image[where][:, -4:] *= 0.7
    image[where][80:90, -14:-7] = 60


def _board(rng: np.random.Generator, image: NDArray[np.float64], x: float, wide: float) -> None:
    where = _patch(image, x, 1000, wide, 1150)
    white = rng.random() < 0.5
    image[where] = 238 if white else np.array([44, 74, 60])
    patch = image[where]
    for _ in range(5):
        line = np.cumsum(rng.integers(-7, 8, (30, 2)), axis=0) + np.array([15, len(patch) // 2])
        line[:, 0] += np.arange(30) * 4
        ink = (40, 60, 130) if white else (215, 215, 205)
        cv2.polylines(patch, [line.reshape(-1, 1, 2).astype(np.int32)], False, ink, 1)
    image[where] = patch


def _gap(rng: np.random.Generator, image: NDArray[np.float64], x: float, wide: float) -> None:
    """A bare piece of wall."""


_PAINTERS = {"poster": _poster, "window": _window, "door": _door, "board": _board, "gap": _gap}


def _furniture(
    rng: np.random.Generator, start: NDArray[np.float64], end: NDArray[np.float64]
) -> list[Mesh]:
    """Cupboards, shelves and boxes along a wall."""
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length
    inwards = np.array([-along[1], along[0]])
    meshes: list[Mesh] = []
    place = rng.uniform(500, 2500)
    while place < length - 1800:
        wide, deep, tall = (
            rng.uniform(600, 1500),
            rng.uniform(380, 600),
            rng.choice([450, 780, 1150, 1800]),
        )
        colour = rng.choice(
            [[148, 108, 70], [210, 208, 200], [74, 84, 96], [120, 50, 44], [70, 98, 84]]
        )
        middle = start + along * (place + wide / 2) + inwards * (deep / 2 + 10)
        meshes += box(
            middle, (along * wide / 2, inwards * deep / 2), float(tall), colour * 1.0, rng
        )
        place += wide + rng.uniform(800, 3200)
    return meshes


def box(
    middle: NDArray[np.float64],
    half: tuple[NDArray[np.float64], NDArray[np.float64]],
    tall: float,
    colour: NDArray[np.float64],
    rng: np.random.Generator,
    bottom: float = 0.0,
) -> list[Mesh]:
    """The five visible sides of a box that stands upright.

    Args:
        middle: (2,) x and y, mm.
        half: half of its two horizontal edges, (2,) each, mm.
        tall: height of its top, mm.
        colour: (3,) RGB.
        rng: for the grain and the doors' seams.
        bottom: height of its bottom, mm.
    """
    a, b = half
    meshes = []
    for edge, out in ((a, b), (b, -a), (-a, -b), (-b, a)):
        image = np.tile(colour, (24, 48, 1)) * (1 + rng.normal(0, 0.025, (24, 48, 1)))
        image[:1], image[-1:], image[:, 23:25] = colour * 0.7, colour * 0.7, colour * 0.78
        corner = middle + out - edge
        normal = out / np.linalg.norm(out)
        meshes.append(
            _quad((*corner, bottom), (*(2 * edge), 0), (0, 0, tall - bottom), image, (*normal, 0))
        )
    lid = np.tile(colour * 1.08, (8, 8, 1))
    corner = middle - a - b
    meshes.append(_quad((*corner, tall), (*(2 * a), 0), (*(2 * b), 0), lid, (0, 0, 1)))
    return meshes


def _quad(
    origin: tuple[float, ...],
    across: tuple[float, ...],
    up: tuple[float, ...],
    image: NDArray[np.float64],
    normal: tuple[float, ...],
) -> Mesh:
    """A textured parallelogram, cut up finely enough for the lens distortion."""
    edges = [np.array(edge, dtype=float) for edge in (across, up)]
    counts = [max(1, int(np.ceil(np.linalg.norm(edge) / _QUAD_MM))) for edge in edges]
    v, u = np.mgrid[: counts[1] + 1, : counts[0] + 1].reshape(2, -1)
    share = np.stack([u / counts[0], v / counts[1]], axis=1)
    vertices = np.array(origin, dtype=float) + share @ np.stack(edges)
    first = (np.arange(counts[1])[:, None] * (counts[0] + 1) + np.arange(counts[0])).ravel()
    over = first + counts[0] + 1
    triangles = np.concatenate(
        [np.stack([first, first + 1, over], 1), np.stack([first + 1, over + 1, over], 1)]
    )
    texels = share * (np.array([image.shape[1], image.shape[0]]) - 1)
    alpha = np.full((*image.shape[:2], 1), 255.0)
    texture = np.clip(np.concatenate([image, alpha], axis=2), 0, 255).astype(np.uint8)
    light = np.repeat(light_on(np.array([normal], dtype=float)), len(vertices), axis=0)
    return Mesh(
        vertices, triangles.astype(np.int32), texels[triangles].astype(np.float32), texture, light
    )


def see_room(venue: Venue, seed: int) -> tuple[View, ...]:
    """The empty room in every camera of a venue; drawn once per sequence.

    Args:
        venue: cameras and room.
        seed: seed of the room's furnishing.
    """
    meshes = _room_meshes(venue.room, venue.look, seed)
    return tuple(_view(enlarged(camera), meshes, venue) for camera in venue.cameras)


def _view(camera: Camera, meshes: tuple[Mesh, ...], venue: Venue) -> View:
    canvas = empty_canvas(camera)
    for mesh in meshes:
        draw(canvas, camera, mesh)
    return View(camera, canvas, _floor_cells(camera, canvas, venue))


def shadow_shape(venue: Venue) -> tuple[int, int]:
    """(rows, columns) of the shadow map, which covers the room's floor."""
    return int(venue.room[1] / SHADOW_CELL_MM), int(venue.room[0] / SHADOW_CELL_MM)


def floor_cell(points_N2: NDArray[np.float64], venue: Venue) -> NDArray[np.float64]:
    """(N, 2) shadow-map cell (x, y) of points of the floor, mm."""
    return (points_N2 + np.array(venue.room[:2]) / 2) / SHADOW_CELL_MM


def _floor_cells(camera: Camera, canvas: Canvas, venue: Venue) -> NDArray[np.float32]:
    """Shadow-map cell of each pixel: rays of every eighth pixel, interpolated, meet z = 0."""
    xs = np.linspace(0, camera.width - 1, camera.width // 8)
    ys = np.linspace(0, camera.height - 1, camera.height // 8)
    coarse = undistort(camera, np.stack(np.meshgrid(xs, ys), axis=-1)).astype(np.float32)
    maps = np.meshgrid(
        np.linspace(0, len(xs) - 1, camera.width, dtype=np.float32),
        np.linspace(0, len(ys) - 1, camera.height, dtype=np.float32),
    )
    rays = cv2.remap(coarse, maps[0], maps[1], cv2.INTER_LINEAR)
    down = rays @ camera.R[:2, 2].astype(np.float32) + np.float32(camera.R[2, 2])
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(down < -1e-3, -camera.centre[2] / down, np.inf).astype(np.float32)
        seen = np.abs(canvas.nearness * depth - 1) < 0.01
    depth = np.where(seen, depth, 0.0)[..., None]
    toward = rays @ camera.R[:2, :2].astype(np.float32) + camera.R[2, :2].astype(np.float32)
    cells = floor_cell(camera.centre[:2] + depth * toward, venue)
    return np.where(seen[..., None], cells, -1.0).astype(np.float32)

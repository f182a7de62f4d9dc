"""A z-buffer rasteriser: textured triangles seen through the full camera model.

Vertices are projected with the lens distortion, triangles are filled in distorted pixels; they
are small enough for their straight edges not to matter.
"""

import math
from dataclasses import dataclass

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from selfpose3d.geometry.cameras import Camera, project

SUPERSAMPLING = 1.5
"""Factor by which images are drawn larger and then averaged down, against jagged edges."""

_NEAR_MM = 50.0
_ASIDE = 1.7


@dataclass(frozen=True)
class Mesh:
    """A textured mesh.

    Args:
        vertices: (V, 3) world, mm.
        triangles: (T, 3) vertices.
        texels: (T, 3, 2) texture coordinates (x, y) of each corner, in texels.
        texture: (h, w, 4) RGBA uint8; where alpha is 0 there is nothing.
        light: (V, 3) what falls on each vertex, RGB, 1 for full.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]
    texels: NDArray[np.float32]
    texture: NDArray[np.uint8]
    light: NDArray[np.float32]


@dataclass(frozen=True)
class Canvas:
    """A picture being drawn.

    Args:
        colour: (H, W, 3) RGB uint8.
        nearness: (H, W) reciprocal depth, 1/mm; 0 where nothing was drawn.
    """

    colour: NDArray[np.uint8]
    nearness: NDArray[np.float32]

    def copy(self) -> "Canvas":
        """A copy to draw on, which leaves this canvas unchanged."""
        return Canvas(self.colour.copy(), self.nearness.copy())


def empty_canvas(camera: Camera) -> Canvas:
    """A black canvas of a camera's size."""
    shape = (camera.height, camera.width)
    return Canvas(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.float32))


def enlarged(camera: Camera) -> Camera:
    """The camera of the picture that is averaged down to ``camera``'s."""
    width, height = round(camera.width * SUPERSAMPLING), round(camera.height * SUPERSAMPLING)
    x, y = width / camera.width, height / camera.height
    affine = np.array([[x, 0.0, (x - 1) / 2], [0.0, y, (y - 1) / 2]])
    return camera.transformed(affine, width, height)


def averaged(colour: NDArray[np.uint8], camera: Camera) -> NDArray[np.uint8]:
    """(H, W, 3) picture of ``camera``'s size from an enlarged one."""
    size = (camera.width, camera.height)
    return np.asarray(cv2.resize(colour, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def draw(canvas: Canvas, camera: Camera, mesh: Mesh) -> None:
    """Draw a mesh onto a canvas of the camera's size, nearer surfaces hiding farther ones."""
    pixels, depth = project(camera, mesh.vertices)
    depth[~_near_image(camera, mesh.vertices) | np.isnan(pixels[:, 0])] = -1.0
    _fill(
        pixels.astype(np.float32),
        depth.astype(np.float32),
        mesh.triangles,
        mesh.texels,
        mesh.texture,
        mesh.light,
        canvas.colour,
        canvas.nearness,
    )


def _near_image(camera: Camera, vertices: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether vertices lie in front, and not so far aside that the distortion folds back."""
    corner = np.hypot(camera.width / camera.K[0, 0], camera.height / camera.K[1, 1]) / 2
    x, y, z = (vertices @ camera.R.T + camera.t).T
    near: NDArray[np.bool_] = (z > _NEAR_MM) & (np.hypot(x, y) < _ASIDE * corner * z)
    return near


@numba.njit(cache=True)
def _fill(  # type: ignore[no-untyped-def]
    pixels, depth, triangles, texels, texture, light, colour, nearness
):
    height, width = nearness.shape
    tall, wide = texture.shape[:2]
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        if depth[a] < _NEAR_MM or depth[b] < _NEAR_MM or depth[c] < _NEAR_MM:
            continue
        ax, ay, bx, by = pixels[a, 0], pixels[a, 1], pixels[b, 0], pixels[b, 1]
        cx, cy = pixels[c, 0], pixels[c, 1]
        left = max(0, math.ceil(min(ax, bx, cx)))
        right = min(width - 1, math.floor(max(ax, bx, cx)))
        top = max(0, math.ceil(min(ay, by, cy)))
        bottom = min(height - 1, math.floor(max(ay, by, cy)))
        area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy)
        if left > right or top > bottom or abs(area) < 1e-9:
            continue
        step_a, step_b = (by - cy) / area, (cy - ay) / area
        near_a, near_b, near_c = 1 / depth[a], 1 / depth[b], 1 / depth[c]
        for y in range(top, bottom + 1):
            row_a = ((cx - bx) * (y - cy) - (by - cy) * cx) / area
            row_b = ((ax - cx) * (y - cy) - (cy - ay) * cx) / area
            for x in range(left, right + 1):
                share_a = row_a + step_a * x
                share_b = row_b + step_b * x
                share_c = 1 - share_a - share_b
                if share_a < 0 or share_b < 0 or share_c < 0:
                    continue
                near = share_a * near_a + share_b * near_b + share_c * near_c
                if near <= nearness[y, x]:
                    continue
                wa, wb, wc = (
                    share_a * near_a / near,
                    share_b * near_b / near,
                    share_c * near_c / near,
                )
                u = wa * texels[t, 0, 0] + wb * texels[t, 1, 0] + wc * texels[t, 2, 0]
                v = wa * texels[t, 0, 1] + wb * texels[t, 1, 1] + wc * texels[t, 2, 1]
                i = min(max(int(v + 0.5), 0), tall - 1)
                j = min(max(int(u + 0.5), 0), wide - 1)
                if texture[i, j, 3] == 0:
                    continue
                nearness[y, x] = near
                for k in range(3):
                    lit = wa * light[a, k] + wb * light[b, k] + wc * light[c, k]
                    colour[y, x, k] = min(255.0, texture[i, j, k] * lit)


@numba.njit(cache=True)
def shade_floor(background, floor, shadow, colour):  # type: ignore[no-untyped-def]
    """Copy a background, its floor darkened by a shadow map.

    Args:
        background: (H, W, 3) uint8.
        floor: (H, W, 2) shadow-map cell (x, y) of each pixel; negative off the floor.
        shadow: (h, w) share of light that is left.
        colour: (H, W, 3) uint8, written.
    """
    height, width = shadow.shape
    for y in range(background.shape[0]):
        for x in range(background.shape[1]):
            u, v = floor[y, x, 0], floor[y, x, 1]
            light = 1.0
            if 0 <= u < width - 1 and 0 <= v < height - 1:
                j, i = int(u), int(v)
                fu, fv = u - j, v - i
                light = (1 - fv) * ((1 - fu) * shadow[i, j] + fu * shadow[i, j + 1]) + fv * (
                    (1 - fu) * shadow[i + 1, j] + fu * shadow[i + 1, j + 1]
                )
            for k in range(3):
                colour[y, x, k] = background[y, x, k] * light

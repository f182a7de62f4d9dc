"""The looks of a person: build, skin, face, hair and clothes, all from one seed.

Clothes are shells around the body, textured from the front and from the back like a paper doll:
a texture covers x (to the person's left) and z of the rest pose at ``TEXEL_M``, its left half
the front, its right half the back. Where a garment ends its texture is transparent.
"""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from selfpose3d.skeletons import COCO_17
from selfpose3d.studio.bodies import BodyModel, Phenotype, RestBody

TEXEL_M = 0.005
_LEFT_M, _TOP_M = -0.8, 1.4
_WIDE, _TALL = 320, 480

Colour = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Layer:
    """One textured shell of a person.

    Args:
        triangles: (T, 3) vertices.
        texels: (T, 3, 2) texture coordinates of their corners.
        texture: (h, w, 4) RGBA uint8.
        vertices: (N, 3) at rest, m, with the shell's thickness.
        bone_weights: (N, B) skinning weights.
    """

    triangles: NDArray[np.int32]
    texels: NDArray[np.float32]
    texture: NDArray[np.uint8]
    vertices: NDArray[np.float64]
    bone_weights: sp.csr_array


@dataclass(frozen=True)
class Person:
    """Somebody with a body and clothes.

    Args:
        body: body at rest.
        layers: skin, eyes, garments, hair.
    """

    body: RestBody
    layers: tuple[Layer, ...]


def dress(rng: np.random.Generator, model: BodyModel) -> Person:
    """A person with a random build, face, hair and clothes."""
    phenotype = _build(rng)
    body = model.shaped(phenotype)
    doll = _Doll(body, rng)
    woman = phenotype.gender > 0.5
    clothes = _clothes(doll, rng, woman)
    skin = doll.skin(_skin_colour(rng), woman, _covered(clothes))
    hair = _hair(doll, rng, woman, phenotype.age)
    layers = (skin, doll.eyes(), *clothes, *hair)
    return Person(body, tuple(layer for layer in layers if len(layer.triangles)))


def _build(rng: np.random.Generator) -> Phenotype:
    gender = rng.uniform(0.0, 0.2) if rng.random() < 0.5 else rng.uniform(0.8, 1.0)
    return Phenotype(
        gender=gender,
        age=rng.uniform(0.66, 0.92),
        muscle=rng.uniform(0.3, 0.75),
        weight=float(np.clip(rng.normal(0.5, 0.16), 0.2, 0.95)),
        height=float(np.clip(rng.normal(0.39, 0.065), 0.22, 0.58)),
    )


_SKIN_TONES = np.array(
    [(241, 205, 178), (228, 184, 150), (205, 155, 118), (170, 120, 85), (128, 86, 60), (92, 62, 46)]
)
_HAIR_COLOURS = np.array(
    [(28, 24, 22), (52, 36, 26), (84, 58, 38), (128, 92, 54), (186, 150, 98), (132, 74, 46)]
)
_GREY_HAIR = np.array((165, 163, 160))


def _skin_colour(rng: np.random.Generator) -> Colour:
    place = rng.uniform(0, len(_SKIN_TONES) - 1)
    low = int(place)
    mixed = _SKIN_TONES[low] + (place - low) * (_SKIN_TONES[low + 1] - _SKIN_TONES[low])
    return np.clip(mixed * rng.uniform(0.94, 1.05) + rng.normal(0, 3, 3), 25, 250)


def _cloth_colour(rng: np.random.Generator) -> Colour:
    """Clothes are often dull: black, white, grey, denim; sometimes bright."""
    if rng.random() < 0.35:
        return np.full(3, rng.choice([28.0, 55.0, 95.0, 150.0, 205.0, 232.0])) + rng.normal(0, 5, 3)
    hue, saturation, value = rng.uniform(0, 180), rng.uniform(50, 215), rng.uniform(60, 225)
    pixel = np.array([[[hue, saturation, value]]], np.uint8)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float64)


class _Doll:
    """Paints and cuts the shells of one body; x and z are texel coordinates at rest, m."""

    def __init__(self, body: RestBody, rng: np.random.Generator) -> None:
        self.body = body
        self.rng = rng
        self.x = np.broadcast_to(_LEFT_M + TEXEL_M * np.arange(_WIDE), (_TALL, _WIDE))
        self.z = np.broadcast_to((_TOP_M - TEXEL_M * np.arange(_TALL))[:, None], (_TALL, _WIDE))
        joints = body.model.regressor @ body.vertices
        self.joint = dict(zip(COCO_17.joints, joints, strict=True))
        self.arm = self._arm_coordinate()

    def head(self, bone: str) -> NDArray[np.float64]:
        """(3,) rest position of a bone's head."""
        return np.asarray(self.body.heads[self.body.model.bones.index(bone)])

    def _arm_coordinate(self) -> NDArray[np.float64]:
        """(h, w) 0 at the shoulder, 1 at the elbow, 2 at the wrist; below 0 off the arms."""
        points = [self.head(f"{bone}.L")[[0, 2]] for bone in ("upperarm01", "lowerarm01", "wrist")]
        texel = np.stack([np.abs(self.x), self.z], axis=-1)
        coordinate = np.full(self.x.shape, -1.0)
        for number, (start, end) in enumerate(itertools.pairwise(points)):
            way = end - start
            along = (texel - start) @ way / (way @ way)
            aside = np.abs((texel - start) @ np.array([-way[1], way[0]])) / np.linalg.norm(way)
            near = (aside < 0.16) & (along > (0.0 if number == 0 else -0.1))
            coordinate = np.where(near & (along < 3), along + number, coordinate)
        return coordinate

    def shell(self, part: str, texture: NDArray[np.uint8], thickness: float) -> Layer:
        """A layer over a part of the mesh, thickened along its normals (m)."""
        triangles = self.body.model.part_triangles[part]
        vertices = self.body.vertices
        normals = vertex_normals(vertices, triangles)
        back = _face_normals(vertices, triangles)[:, 1] > 0
        texels = np.stack(
            [
                (vertices[triangles, 0] - _LEFT_M) / TEXEL_M + _WIDE * back[:, None],
                (_TOP_M - vertices[triangles, 2]) / TEXEL_M,
            ],
            axis=-1,
        )
        low = np.where(back, _WIDE, 0)[:, None]
        texels[..., 0] = np.clip(texels[..., 0], low, low + _WIDE - 1)
        kept = _touched(texels, texture)
        used, corners = np.unique(triangles[kept], return_inverse=True)
        return Layer(
            triangles=corners.reshape(-1, 3).astype(np.int32),
            texels=texels[kept].astype(np.float32),
            texture=texture,
            vertices=vertices[used] + thickness * normals[used],
            bone_weights=self.body.model.bone_weights[used],
        )

    def fabric(self, front: Colour, back: Colour, mask: tuple[Mask, Mask]) -> NDArray[np.uint8]:
        """RGBA texture from front and back colours (h, w, 3) and where there is cloth."""
        colour = np.concatenate([front, back], axis=1) * self._folds()[..., None]
        alpha = 255.0 * np.concatenate(mask, axis=1)[..., None]
        return np.clip(np.concatenate([colour, alpha], axis=2), 0, 255).astype(np.uint8)

    def _folds(self) -> NDArray[np.float64]:
        """(h, 2w) soft creases and grain, around 1."""
        noise = self.rng.normal(0, 1, (_TALL, 2 * _WIDE))
        creases = cv2.GaussianBlur(noise, (0, 0), sigmaX=3.5, sigmaY=9)
        grain = cv2.GaussianBlur(noise[::-1], (0, 0), sigmaX=0.8)
        return 1 + 0.055 * creases / creases.std() + 0.025 * grain / grain.std()

    def skin(self, colour: Colour, woman: bool, covered: Mask) -> Layer:
        """The body with a face, left out where clothes cover it (h, 2w)."""
        front = np.broadcast_to(colour, (*self.x.shape, 3)).copy()
        back = front.copy()
        eye, nose = np.abs(self.joint["left_eye"]), self.joint["nose"]
        dark = colour * np.array([0.55, 0.42, 0.4])
        x, z = np.abs(self.x), self.z
        socket = ((x - eye[0]) / 0.024) ** 2 + ((z - eye[2]) / 0.013) ** 2
        _mix(front, colour * 0.72, 0.75 * np.exp(-(socket**2)))
        brow = ((x - eye[0]) / 0.023) ** 2 + ((z - eye[2] - 0.022) / 0.006) ** 2
        _mix(front, np.minimum(dark, 70), brow < 1)
        lips = (self.x / 0.027) ** 2 + ((z - nose[2] + 0.043) / 0.0085) ** 2
        _mix(front, colour * ((0.82, 0.5, 0.5) if woman else (0.78, 0.6, 0.58)), 1.0 * (lips < 1))
        nostrils = (self.x / 0.016) ** 2 + ((z - nose[2] + 0.012) / 0.006) ** 2
        _mix(front, colour * 0.68, 0.8 * np.exp(-(nostrils**2)))
        if not woman and self.rng.random() < 0.4:
            jaw = (z < nose[2] - 0.022) & (z > nose[2] - 0.105) & (x < 0.075) & (lips > 1)
            _mix(front, np.array([60.0, 48, 42]), self.rng.uniform(0.25, 0.75) * jaw)
        bare = (~covered[:, :_WIDE], ~covered[:, _WIDE:])
        return self.shell("skin", self.fabric(front, back, bare), 0.0)

    def eyes(self) -> Layer:
        """White eyeballs with a dark iris."""
        eye = np.abs(self.joint["left_eye"])
        front = np.full((*self.x.shape, 3), 225.0)
        iris = (np.abs(self.x) - eye[0]) ** 2 + (self.z - eye[2]) ** 2
        front[iris < 0.0075**2] = (48, 34, 26)
        everywhere = np.ones(self.x.shape, bool)
        return self.shell("eyes", self.fabric(front, front, (everywhere, everywhere)), 0.0)


def _mix(image: Colour, colour: Colour | tuple[float, ...], share: NDArray[np.float64]) -> None:
    image += np.asarray(share, dtype=np.float64)[..., None] * (np.asarray(colour) - image)


def _covered(clothes: list[Layer]) -> Mask:
    """(h, 2w) where clothes lie over the skin, a margin at their ends left out."""
    opaque = np.max([layer.texture[..., 3] for layer in clothes], axis=0)
    covered: Mask = cv2.erode(opaque, np.ones((9, 9), np.uint8)) > 0
    return covered


def _touched(texels_T32: NDArray[np.float64], texture: NDArray[np.uint8]) -> Mask:
    """Whether triangles show any opaque texel, with a small margin."""
    opaque = cv2.dilate(texture[..., 3], np.ones((9, 9), np.uint8)) > 0
    column = np.clip(np.rint(texels_T32[..., 0]), 0, texture.shape[1] - 1).astype(int)
    row = np.clip(np.rint(texels_T32[..., 1]), 0, texture.shape[0] - 1).astype(int)
    touched: Mask = opaque[row, column].any(1)
    return touched


def _face_normals(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32]
) -> NDArray[np.float64]:
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def vertex_normals(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32]
) -> NDArray[np.float64]:
    """(V, 3) unit normals, area-weighted over a vertex's triangles; 0 where it has none."""
    faces = _face_normals(vertices, triangles)
    corners = triangles.ravel()
    sums = [
        np.bincount(corners, np.repeat(faces[:, axis], 3), minlength=len(vertices))
        for axis in range(3)
    ]
    normals = np.stack(sums, axis=1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _pattern(doll: _Doll, rng: np.random.Generator) -> Colour:
    """(h, w, 3) a cloth: plain, stripes, checks, dots or two colours."""
    first, second = _cloth_colour(rng), _cloth_colour(rng)
    kind = rng.choice(
        ["plain", "hoops", "stripes", "checks", "plaid", "dots", "blocks"],
        p=[0.42, 0.15, 0.06, 0.1, 0.1, 0.07, 0.1],
    )
    period = rng.uniform(0.05, 0.12)
    across, up = (doll.x / period) % 1, (doll.z / period) % 1
    share = {
        "plain": 0.0 * across,
        "hoops": 1.0 * (up < 0.45),
        "stripes": 1.0 * (across < 0.4),
        "checks": 1.0 * ((across < 0.5) ^ (up < 0.5)),
        "plaid": 0.5 * (across < 0.4) + 0.5 * (up < 0.4),
        "dots": 1.0 * ((across - 0.5) ** 2 + (up - 0.5) ** 2 < 0.07),
        "blocks": 1.0 * (doll.z < doll.head("spine02")[2] + rng.uniform(-0.1, 0.15)),
    }[kind]
    return first + share[..., None] * (second - first)


def _clothes(doll: _Doll, rng: np.random.Generator, woman: bool) -> list[Layer]:
    hips = doll.head("upperleg01.L")[2]
    waist = hips + rng.uniform(0.10, 0.15)
    skirt = woman and rng.random() < 0.35
    cloth = _pattern(doll, rng)
    layers = [_shoes(doll, rng)]
    if skirt:
        below = cloth if rng.random() < 0.5 else _pattern(doll, rng)
        layers += _skirt(doll, rng, below, waist)
    else:
        layers.append(_trousers(doll, rng, waist))
    hem = waist - rng.uniform(0.02, 0.13) if not skirt else waist - 0.02
    layers.append(_top(doll, rng, cloth, hem))
    return layers


def _top(doll: _Doll, rng: np.random.Generator, cloth: Colour, hem: float) -> Layer:
    """A shirt, jumper or jacket, with what distinguishes its front from its back."""
    sleeve = rng.choice([0.28, 0.5, 0.62, 1.05, 1.9, 1.93], p=[0.08, 0.22, 0.2, 0.1, 0.2, 0.2])
    neck = doll.head("neck01")[2] + 0.035
    trunk = (doll.z > hem) & (doll.arm < sleeve)
    depth = rng.uniform(0.035, 0.085)
    opening = (doll.x / rng.uniform(0.062, 0.085)) ** 2
    front = trunk & (opening + ((doll.z - neck) / depth) ** 2 > 1) & (doll.z < neck)
    back = trunk & (opening + ((doll.z - neck) / 0.02) ** 2 > 1) & (doll.z < neck)
    colours = [cloth.copy(), cloth.copy()]
    _decorate(doll, rng, colours, hem, neck)
    cuff = (doll.arm > sleeve - 0.05) | (doll.z < hem + 0.018)
    for colour in colours:
        colour[cuff] *= 0.82
    loose = rng.uniform(0.004, 0.016)
    return doll.shell("tights", doll.fabric(colours[0], colours[1], (front, back)), loose)


def _decorate(
    doll: _Doll, rng: np.random.Generator, colours: list[Colour], hem: float, neck: float
) -> None:
    """A print on the chest, a placket or an open jacket in front; a number on the back."""
    ink = _cloth_colour(rng)
    chest = neck - 0.19
    kind = rng.choice(["nothing", "badge", "letters", "placket", "jacket"])
    if kind == "badge":
        disc = (doll.x / 0.085) ** 2 + ((doll.z - chest) / 0.085) ** 2
        colours[0][disc < 1] = ink
        colours[0][disc < 0.3] = _cloth_colour(rng)
    elif kind == "letters":
        _write(colours[0], "".join(rng.choice(list("ABCDEHKMNRSTUX"), 3)), chest, ink)
    elif kind == "placket":
        colours[0][np.abs(doll.x) < 0.014] *= 0.72
        buttons = (np.abs(doll.x) < 0.007) & (((doll.z - hem) / 0.08) % 1 < 0.13)
        colours[0][buttons] = ink
    elif kind == "jacket":
        colours[0][np.abs(doll.x) < 0.035 + 0.06 * np.clip((doll.z - hem) / 0.5, 0, 1)] = ink
    if rng.random() < 0.35:
        _write(colours[1][:, ::-1], str(rng.integers(1, 99)), chest, ink)


def _write(colour: Colour, text: str, height: float, ink: Colour) -> None:
    """Write across the middle of the front (as its onlooker reads: x to the right)."""
    (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.1, 4)
    corner = (int(-_LEFT_M / TEXEL_M - wide / 2), int((_TOP_M - height) / TEXEL_M + tall / 2))
    mask = np.zeros(colour.shape[:2], np.uint8)
    cv2.putText(mask, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 1.1, 255, 4)
    _mix(colour, ink, mask / 255.0)


def _trousers(doll: _Doll, rng: np.random.Generator, waist: float) -> Layer:
    knee, ankle = doll.head("lowerleg01.L")[2], doll.head("foot.L")[2]
    shorts = rng.random() < 0.25
    end = knee + rng.uniform(-0.02, 0.12) if shorts else ankle + rng.uniform(-0.02, 0.05)
    cloth = _cloth_colour(rng) * 0.8
    if not shorts and rng.random() < 0.4:
        cloth = np.array([62.0, 82, 118]) * rng.uniform(0.55, 1.35)
    front = np.broadcast_to(cloth, (*doll.x.shape, 3)).copy()
    if rng.random() < 0.5:
        front[(doll.z > waist - 0.035) & (doll.z < waist)] = (45, 36, 30)
    seam = (np.abs(doll.x) < 0.006) & (doll.z > doll.head("upperleg01.L")[2] - 0.08)
    front[seam] *= 0.75
    back = front.copy()
    pocket = (np.abs(np.abs(doll.x) - 0.08) < 0.05) & (np.abs(doll.z - waist + 0.13) < 0.055)
    inner = (np.abs(np.abs(doll.x) - 0.08) < 0.042) & (np.abs(doll.z - waist + 0.13) < 0.047)
    back[pocket & ~inner] *= 0.75
    mask = (doll.z < waist) & (doll.z > end) & (doll.arm < 1.0) & (np.abs(doll.x) < 0.42)
    loose = rng.uniform(0.0, 0.014)
    return doll.shell("tights", doll.fabric(front, back, (mask, mask)), loose)


def _skirt(doll: _Doll, rng: np.random.Generator, cloth: Colour, waist: float) -> list[Layer]:
    """A skirt, with or without tights below."""
    knee, ankle = doll.head("lowerleg01.L")[2], doll.head("foot.L")[2]
    end = knee + rng.uniform(-0.18, 0.1)
    mask = (doll.z < waist + 0.03) & (doll.z > end)
    layers = [doll.shell("skirt", doll.fabric(cloth, cloth, (mask, mask)), 0.012)]
    lowest = ankle if rng.random() < 0.5 else end + 0.04
    under = (doll.z < end + 0.1) & (doll.z > lowest)
    under &= (doll.arm < 1.0) & (np.abs(doll.x) < 0.42)
    dark = np.broadcast_to(_cloth_colour(rng) * 0.5, (*doll.x.shape, 3))
    return [doll.shell("tights", doll.fabric(dark, dark, (under, under)), -0.001), *layers]


def _shoes(doll: _Doll, rng: np.random.Generator) -> Layer:
    ankle = doll.head("foot.L")[2]
    top = ankle + rng.choice([-0.01, 0.02, 0.12], p=[0.4, 0.45, 0.15])
    sole = doll.body.vertices[:, 2].min() + 0.022
    colour = np.broadcast_to(_cloth_colour(rng) * rng.uniform(0.4, 0.95), (*doll.x.shape, 3)).copy()
    colour[doll.z < sole] = rng.choice([35.0, 215.0])
    mask = doll.z < top
    return doll.shell("tights", doll.fabric(colour, colour, (mask, mask)), 0.009)


def _hair(doll: _Doll, rng: np.random.Generator, woman: bool, age: float) -> list[Layer]:
    """Short, bobbed or long hair, or next to none."""
    colour = _HAIR_COLOURS[rng.integers(len(_HAIR_COLOURS))] * rng.uniform(0.8, 1.15)
    colour = colour + (_GREY_HAIR - colour) * np.clip((age - 0.74) * 5 * rng.random(), 0, 1)
    style = rng.choice(
        ["bald", "short", "bob", "long"],
        p=[0, 0.25, 0.35, 0.4] if woman else [0.12, 0.73, 0.1, 0.05],
    )
    eye, ear, nose = (doll.joint[name][2] for name in ("left_eye", "left_ear", "nose"))
    bottom = {"bald": ear + 0.3, "short": ear - 0.035, "bob": ear - 0.1, "long": ear - 0.1}[style]
    line = eye + rng.uniform(0.045, 0.062)
    side = 0.062 if style != "short" else 0.07
    front = (doll.z > line + 0.02 * (doll.x / 0.06)) | ((np.abs(doll.x) > side) & (doll.z > bottom))
    back = doll.z > min(bottom, nose - 0.02 if style == "short" else bottom)
    top = doll.body.vertices[:, 2].max()
    masks = ((doll.z > bottom) & front & (style != "bald"), back & (style != "bald"))
    narrow = np.abs(doll.x) < 0.13
    masks = (masks[0] & narrow, masks[1] & narrow)
    shade = 1 - 0.25 * np.clip((top - doll.z) / 0.25, 0, 1)
    strands = cv2.GaussianBlur(rng.normal(0, 1, (_TALL, _WIDE)), (0, 0), sigmaX=0.7, sigmaY=5)
    image = colour * (shade + 0.1 * strands / strands.std())[..., None]
    thickness = rng.uniform(0.006, 0.014) if style == "short" else rng.uniform(0.014, 0.022)
    layers = [doll.shell("skin", doll.fabric(image, image, masks), thickness)]
    if style == "long":
        fall = doll.z > ear - rng.uniform(0.18, 0.36)
        hidden = fall & (doll.z > line) & (doll.x > 1)
        layers.append(doll.shell("hair", doll.fabric(image, image, (hidden, fall)), 0.004))
    return layers

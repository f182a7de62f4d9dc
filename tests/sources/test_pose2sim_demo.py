"""The real footage's way in (from a stand-in wheel), own videos, and foreign calibrations."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from panoptic_layout import HEIGHT, WIDTH, calibration, image, write_video
from selfpose3d.calibrations.pose2sim import read_pose2sim
from selfpose3d.calibrations.qualisys import read_qualisys
from selfpose3d.errors import InputError
from selfpose3d.files.scenes import read_scene, write_cameras, write_image
from selfpose3d.geometry.cameras import Camera
from selfpose3d.parameters import Parameters
from selfpose3d.sources import SOURCES, pose2sim_demo
from selfpose3d.sources.entry import PrepareInputs
from selfpose3d.sources.panoptic import camera_from_panoptic
from selfpose3d.sources.videos import prepare_own_videos, prepare_videos

NAMES = ("cam01", "cam02", "cam03")


def rig() -> list[Camera]:
    rows = calibration()["cameras"][1:]
    return [camera_from_panoptic(row | {"name": n}) for row, n in zip(rows, NAMES, strict=True)]


def qualisys_text(cameras: list[Camera]) -> str:
    """Written from Qualisys' own conventions: y up, looking along -z, in 1/64 px."""
    rows = []
    for camera in cameras:
        Q = np.diag([1.0, -1.0, -1.0]) @ camera.R
        turn = " ".join(f'r{i + 1}{j + 1}="{Q[i, j]!r}"' for i in range(3) for j in range(3))
        turn = turn.replace("np.float64(", "").replace(")", "")
        x, y, z = camera.centre.tolist()
        k1, k2, p1, p2, k3 = (camera.distortion * 64).tolist()
        (fx, _, cx), (_, fy, cy), _ = (camera.K * 64).tolist()
        rows.append(
            f'<camera serial="{camera.name}" model="none">'
            f'<fov_video left="0" top="0" right="{WIDTH - 1}" bottom="{HEIGHT - 1}"/>'
            f'<transform {turn} x="{x}" y="{y}" z="{z}"/>'
            f'<intrinsic focalLengthU="{fx}" focalLengthV="{fy}" centerPointU="{cx}" '
            f'centerPointV="{cy}" radialDistortion1="{k1}" radialDistortion2="{k2}" '
            f'radialDistortion3="{k3}" tangentalDistortion1="{p1}" tangentalDistortion2="{p2}"/>'
            "</camera>"
        )
    return f"<calibration><cameras>{''.join(rows)}</cameras></calibration>"


def pose2sim_text(cameras: list[Camera], fisheye: bool = False) -> str:
    tables = []
    for camera in cameras:
        tables.append(
            f'[{camera.name}]\nname = "{camera.name}"\nsize = [{WIDTH}.0, {HEIGHT}.0]\n'
            f"matrix = {camera.K.tolist()}\ndistortions = {camera.distortion[:4].tolist()}\n"
            f"rotation = {cv2.Rodrigues(camera.R)[0].ravel().tolist()}\n"
            f"translation = {(camera.t / 1000).tolist()}\nfisheye = {str(fisheye).lower()}\n"
        )
    return "\n".join([*tables, "[metadata]\nadjusted = false\n"])


def assert_same(read: tuple[Camera, ...], expected: list[Camera], n_distortion: int) -> None:
    for one, other in zip(read, expected, strict=True):
        assert (one.name, one.width, one.height) == (other.name, other.width, other.height)
        for field in ("K", "R", "t"):
            np.testing.assert_allclose(getattr(one, field), getattr(other, field), atol=1e-6)
        np.testing.assert_allclose(one.distortion[:n_distortion], other.distortion[:n_distortion])


def test_qualisys_calibration(tmp_path: Path) -> None:
    path = tmp_path / "Calib.qca.txt"
    path.write_text(qualisys_text(rig()))
    assert_same(read_qualisys(path), rig(), 5)
    for text, said in (
        ("nonsense", "not valid XML"),
        ("<calibration/>", "not a Qualisys calibration"),
        (
            qualisys_text(rig()).replace("<intrinsic", "<other"),
            "not a Qualisys calibration .*cam01",
        ),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=rf"qca.txt: {said}"):
            read_qualisys(path)
    with pytest.raises(InputError, match=r"none.txt: there is no such file"):
        read_qualisys(tmp_path / "none.txt")


def test_pose2sim_calibration(tmp_path: Path) -> None:
    path = tmp_path / "Calib.toml"
    path.write_text(pose2sim_text(rig()))
    assert_same(read_pose2sim(path), rig(), 4)
    path.write_text(pose2sim_text(rig(), fisheye=True))
    assert {camera.lens for camera in read_pose2sim(path)} == {"fisheye"}
    for text, said in (
        (
            pose2sim_text(rig()).replace("distortions = [", "distortions = [0.1, 0.2, "),
            "camera cam01: distortion holds 6 coefficients.*undistort",
        ),
        ("[a]\nname = 'a'", "no tables of cameras"),
        ("= 3", "not valid TOML"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=f"Calib.toml: .*{said}"):
            read_pose2sim(path)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    for index, name in enumerate(NAMES):
        write_video(folder / f"{name}.mp4", [image(index, frame) for frame in range(6)])
    write_cameras(folder / "cameras.json", rig())
    return folder


def prepare(folder: Path, scene: Path, **over: Any) -> None:
    settings: dict[str, Any] = {
        "name": "mine",
        "cameras": None,
        "every": 2,
        "rate": 50.0,
        "stored_size": (80, 48),
        "network_size": (64, 32),
    }
    prepare_videos(folder, scene=scene, **(settings | over))


def test_own_videos_become_a_scene(videos: Path, tmp_path: Path) -> None:
    prepare(videos, tmp_path / "scene")
    scene = read_scene(tmp_path / "scene")
    assert (scene.name, scene.source, scene.frames) == ("mine", "videos", (0, 2, 4))
    np.testing.assert_allclose(scene.times, [0, 2 / 30, 4 / 30])
    assert scene.network_frames.shape == (3, 3, 32, 64, 3)
    for view, row in ((0, 1), (2, 2)):
        middle = scene.network_frames[row, view, 16, 32].astype(int)
        assert np.abs(middle - image(view, 2 * row)[0, 0]).max() < 12


def test_own_images_become_a_scene(videos: Path, tmp_path: Path) -> None:
    """Their numbers begin at 1, as ffmpeg writes them; their rate is the one that is given."""
    for index, name in enumerate(NAMES):
        (videos / f"{name}.mp4").unlink()
        for frame in range(6):
            write_image(videos / "images" / name / f"{frame + 1:06d}.png", image(index, frame))
    prepare(videos, tmp_path / "scene")
    scene = read_scene(tmp_path / "scene")
    assert scene.frames == (1, 3, 5)
    np.testing.assert_allclose(scene.times, [1 / 50, 3 / 50, 5 / 50])
    middle = scene.network_frames[1, 2, 16, 32].astype(int)
    assert np.abs(middle - image(2, 2)[0, 0]).max() < 12
    files = [Path(path).name for path in SOURCES["videos"].files(of_videos(videos), "a", "train")]
    assert sorted(files) == sorted(["cameras.json", *(f"{1 + n % 6:06d}.png" for n in range(18))])


CALIBRATIONS_OF_OTHERS = {"Calib.toml": pose2sim_text, "mine.qca.txt": qualisys_text}


@pytest.mark.parametrize("name", CALIBRATIONS_OF_OTHERS)
def test_a_foreign_calibration_beside_own_videos(videos: Path, tmp_path: Path, name: str) -> None:
    (videos / "cameras.json").unlink()
    known = r"cameras\.json \(cameras\.json\), \*\.toml \(Pose2Sim\), \*\.qca\.txt \(Qualisys\)"
    with pytest.raises(InputError, match=rf"mine: there is no calibration; put one there: {known}"):
        prepare(videos, tmp_path / "scene")
    (videos / name).write_text(CALIBRATIONS_OF_OTHERS[name](rig()))
    size = (WIDTH, HEIGHT)
    prepare(videos, tmp_path / "scene", cameras=("cam03", "cam01"), stored_size=size)
    assert_same(read_scene(tmp_path / "scene").cameras, [rig()[2], rig()[0]], 4)


def test_one_of_two_calibrations_is_not_guessed(videos: Path, tmp_path: Path) -> None:
    (videos / "cameras.json").unlink()
    for name in ("a.toml", "b.toml"):
        (videos / name).write_text(pose2sim_text(rig()))
    with pytest.raises(InputError, match=r"holds 2 Pose2Sim .*\['a\.toml', 'b\.toml'\]; leave one"):
        prepare(videos, tmp_path / "scene")


def of_videos(folder: Path) -> Parameters:
    return Parameters.model_validate({"videos": {"train": {"a": str(folder)}}})


def test_own_videos_are_taken_as_the_parameters_say(videos: Path, tmp_path: Path) -> None:
    data = {"stored_size": (80, 48), "network_size": (64, 32), "train_every": 3, "test_every": 2}
    given = {"data": data, "videos": {"train": {"a": str(videos)}, "test": {"b": str(videos)}}}
    parameters = Parameters.model_validate(given)
    for sequence, split, frames in (("a", "train", (0, 3)), ("b", "test", (0, 2, 4))):
        prepare_own_videos(PrepareInputs(parameters, sequence, split, tmp_path / sequence))
        scene = read_scene(tmp_path / sequence)
        assert (scene.name, scene.frames) == (sequence, frames)


def test_the_files_of_own_videos_are_the_videos_and_the_calibration(videos: Path) -> None:
    (videos / "notes.txt").write_text("not read")
    given = {"videos": {"train": {"a": str(videos)}, "test": {"b": str(videos / "nowhere")}}}
    parameters = Parameters.model_validate(given)
    files = [Path(path).name for path in SOURCES["videos"].files(parameters, "a", "train")]
    assert files == sorted(["cameras.json", *(f"{name}.mp4" for name in NAMES)])
    assert SOURCES["videos"].files(parameters, "b", "test") == (str(videos / "nowhere"),)


def test_own_videos_that_do_not_fit(videos: Path, tmp_path: Path) -> None:
    def refused(said: str, **over: Any) -> None:
        with pytest.raises(InputError, match=said):
            prepare(videos, tmp_path / "scene", **over)
        assert not (tmp_path / "scene").exists()

    frames = [image(0, frame) for frame in range(6)]
    write_video(videos / "cam01.mp4", frames[:5])
    refused(r"unequal frame counts .*cam01.mp4: 5, .*cam02.mp4: 6")
    write_video(videos / "cam01.mp4", frames, rate=25.0)
    refused(r"frame rates differ .*cam01.mp4: 25")
    write_video(videos / "cam01.mp4", [frame[:48] for frame in frames])
    refused("cam01, frame 0: the image is 160x48, its calibration is for 160x96")
    (videos / "cam01.mp4").write_bytes(b"")
    refused("cam01.mp4: an empty file; copy the recording again")
    (videos / "cam01.mp4").unlink()
    refused(r"calibrated cameras without images: \['cam01'\]")
    refused(r"no video and no folder of images of \['cam01'\]", cameras=("cam01", "cam02"))
    (videos / "cam01.xyz").touch()
    refused(r"neither recordings nor calibrations by their names: \['cam01.xyz'\].*without images")
    shutil.copy(videos / "cam02.mp4", videos / "cam09.mp4")
    refused(r"cameras without a calibration: \['cam09'\]")
    shutil.rmtree(videos)
    refused("no such folder of videos")


@pytest.fixture
def wheel(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip sees nothing but a small stand-in of the Pose2Sim wheel."""
    text = qualisys_text(rig()).encode()
    contents = {pose2sim_demo.CALIBRATION: text}
    for name in NAMES:
        member = f"Pose2Sim/Demo_MultiPerson/videos/{name}.mp4"
        contents[member] = (videos / f"{name}.mp4").read_bytes()
    index = tmp_path / "index"
    index.mkdir()
    with zipfile.ZipFile(index / "pose2sim-0.10.49-py3-none-any.whl", "w") as archive:
        for member, data in contents.items():
            archive.writestr(member, data)
        meta = "Metadata-Version: 2.1\nName: pose2sim\nVersion: 0.10.49\n"
        archive.writestr("pose2sim-0.10.49.dist-info/METADATA", meta)
        archive.writestr("pose2sim-0.10.49.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("pose2sim-0.10.49.dist-info/RECORD", "")
    hashes = {member: hashlib.sha256(data).hexdigest() for member, data in contents.items()}
    monkeypatch.setattr(pose2sim_demo, "FILES", hashes)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def test_footage_becomes_a_scene(wheel: Path, tmp_path: Path) -> None:
    arguments = (3, (80, 48), (64, 32), tmp_path / "scene", tmp_path / "cache")
    pose2sim_demo.prepare_pose2sim_demo(*arguments)
    scene = read_scene(tmp_path / "scene")
    assert (scene.name, scene.source, scene.frames) == ("pose2sim_demo", "pose2sim_demo", (0, 3))
    assert [camera.name for camera in scene.cameras] == list(NAMES)
    np.testing.assert_allclose(scene.cameras[1].t, rig()[1].t, atol=1e-6)
    shutil.rmtree(wheel)
    pose2sim_demo.prepare_pose2sim_demo(*arguments)
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(InputError, match=r"(?s)could not fetch Pose2Sim.*cache/.*cam02.mp4"):
        pose2sim_demo.prepare_pose2sim_demo(*arguments)


def test_own_calibration_is_documented_json(videos: Path) -> None:
    values = json.loads((videos / "cameras.json").read_text())
    assert set(values["cameras"][0]) == {"name", "width", "height", "K", "distortion", "R", "t"}

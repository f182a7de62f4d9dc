"""Every format: what is written is read as it was; and files as other programs write them."""

import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration_rigs import (
    FILES,
    HOLDS,
    LENSES,
    READ_ALONE,
    as_mv3dpose,
    as_stereo_calib,
    assert_same_projections,
    in_world,
    people,
    ring,
    write,
)
from selfpose3d.calibrations import (
    CALIBRATIONS,
    World,
    calibration_files,
    read_as,
    read_calibration_of,
)
from selfpose3d.calibrations.conversion import read_calibration
from selfpose3d.calibrations.stereo import NAMES
from selfpose3d.calibrations.vicon import read_vicon
from selfpose3d.calibrations.world import TURNS, turned
from selfpose3d.cli import main
from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera, project

PAIRS = [(name, lens) for name, lenses in HOLDS.items() for lens in lenses]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["calibration", *map(str, arguments)])
    return int(end.value.code or 0)


def test_every_format_is_tried() -> None:
    assert set(HOLDS) == set(FILES) == set(CALIBRATIONS) - set(READ_ALONE)


@given(
    pair=st.sampled_from(PAIRS),
    count=st.integers(2, 6),
    radius=st.floats(3000, 7000),
    height=st.floats(500, 3000),
    size=st.tuples(st.integers(500, 800), st.integers(350, 500)),
    turn=st.floats(-3, 3),
)
@settings(max_examples=120, deadline=None)
def test_what_is_written_is_read_with_the_same_projections(
    pair: tuple[str, str], count: int, radius: float, height: float, size: tuple[int, int],
    turn: float,
) -> None:  # fmt: skip
    name, lens = pair
    cameras = ring(lens, count, radius, height, *size, turn)
    with tempfile.TemporaryDirectory() as folder:
        path = write(name, Path(folder), cameras)
        found, read = read_calibration(path, None, World(size=size))
        assert found == name
        assert_same_projections(read, cameras, 1e-6)
        again = read_as(CALIBRATIONS[name], path, World(size=size))
    assert_same_projections(again, read, 0.0)


@pytest.mark.parametrize(
    ("name", "lens"), [(n, lens) for n in HOLDS for lens in LENSES if lens not in HOLDS[n]]
)
def test_a_lens_that_a_format_cannot_hold_is_not_written(
    tmp_path: Path, name: str, lens: str
) -> None:
    with pytest.raises(InputError, match=r"camera cam01: files of .* can't hold its lens"):
        write(name, tmp_path, ring(lens))
    assert not list(tmp_path.iterdir())


def opencv_nodes(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """What OpenCV reads of the first camera of our file."""
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    row = storage.getNode("cameras").at(0)
    found = row.getNode("camera_matrix").mat(), row.getNode("T").mat()
    storage.release()
    return found


@pytest.mark.parametrize("name", ["rig.yml", "rig.xml"])
def test_opencv_reads_what_we_write_and_we_what_it_writes(tmp_path: Path, name: str) -> None:
    cameras = ring("brown 8")
    CALIBRATIONS["OpenCV"].write.load()(tmp_path / name, cameras)  # type: ignore[union-attr]
    K, t = opencv_nodes(tmp_path / name)
    np.testing.assert_array_equal(K, cameras[0].K)
    np.testing.assert_array_equal(t.ravel(), cameras[0].t)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for camera in cameras:
        file = theirs / f"{camera.name}{Path(name).suffix}"
        storage = cv2.FileStorage(str(file), cv2.FILE_STORAGE_WRITE)
        storage.write("image_width", camera.width)
        storage.write("image_height", camera.height)
        storage.write("camera_matrix", camera.K)
        storage.write("distortion_coefficients", camera.distortion)
        storage.write("rvec", cv2.Rodrigues(camera.R)[0])
        storage.write("tvec", camera.t / 1000)
        storage.release()
    assert_same_projections(read_calibration(theirs, None, World())[1], cameras, 1e-6)
    assert_same_projections(read_calibration_of(theirs), cameras, 1e-6)


def test_opencv_without_a_place_in_the_world(tmp_path: Path) -> None:
    storage = cv2.FileStorage(str(tmp_path / "cam01.yml"), cv2.FILE_STORAGE_WRITE)
    storage.write("camera_matrix", ring()[0].K)
    storage.release()
    with pytest.raises(InputError, match=r"camera cam01: its place in the world isn't there.*tvec"):
        read_calibration(tmp_path / "cam01.yml", None, World())


def toml(cameras: list[Camera], more: str = "", **given: Any) -> str:
    """Tables as anipose writes them; ``given`` are further keys of each."""
    text = ""
    for index, camera in enumerate(cameras):
        values = {
            "name": camera.name,
            "size": [camera.width, camera.height],
            "matrix": camera.K.tolist(),
            "distortions": camera.distortion.tolist(),
            "rotation": cv2.Rodrigues(camera.R)[0].ravel().tolist(),
            "translation": camera.t.tolist(),
            **given,
        }
        rows = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        text += "\n".join([f"[cam_{index}]", *rows, "\n"])
    return text + more


@pytest.mark.parametrize(
    ("scale", "given", "more"),
    [
        (1.0, {}, "[metadata]\nerror = 0.0\n"),
        (0.1, {}, "[metadata]\nerror = 0.0\n"),
        (0.001, {}, ""),
        (0.001, {"fisheye": False}, "[metadata]\nadjusted = false\n"),
        (1.0, {"world_position": [0, 0, 0]}, "[metadata]\ncharuco_square_size = 51.0\n"),
    ],
    ids=["anipose mm", "anipose cm", "anipose m", "Pose2Sim", "FreeMoCap"],
)
def test_tables_of_every_program_are_read_in_their_unit(
    tmp_path: Path, scale: float, given: dict[str, Any], more: str
) -> None:
    cameras = ring()
    path = tmp_path / "calibration.toml"
    path.write_text(toml(in_world(cameras, np.eye(3), scale), more, **given))
    assert_same_projections(read_calibration_of(tmp_path), cameras, 1e-6)


def test_a_unit_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    cameras = ring(radius=1500.0, height=900.0)
    path = tmp_path / "calibration.toml"
    path.write_text(toml(cameras))
    with pytest.raises(InputError, match=r"unit .* isn't told, .* 15.1 m in cm.*--units mm"):
        read_calibration_of(tmp_path)
    assert_same_projections(read_calibration(path, None, World(units="mm"))[1], cameras, 1e-6)
    with pytest.raises(InputError, match=r"--units feet: it is one of \['mm', 'cm', 'm'\]"):
        read_calibration(path, None, World(units="feet"))


def test_caliscope(tmp_path: Path) -> None:
    text = toml(in_world(ring(), np.eye(3), 0.001)).replace("[cam_", "[cameras.")
    text = text.replace("name =", "cam_id = 0\nlabel =") + "[cameras.9]\nignore = true\n"
    (tmp_path / "camera_array.toml").write_text(text)
    named = [replace(camera, name=f"cam_{index}") for index, camera in enumerate(ring())]
    assert_same_projections(read_calibration_of(tmp_path), named, 1e-6)
    (tmp_path / "camera_array.toml").write_text(text + "[cameras.7]\nsize = [640, 480]\n")
    with pytest.raises(InputError, match="camera cam_7: there is no 'matrix'"):
        read_calibration_of(tmp_path)


def test_settings_of_a_project_are_no_calibration(tmp_path: Path) -> None:
    text = "CreationDate = 2023-05-06T11:12:27\ncamera_count = 4\n" + toml(ring())
    (tmp_path / "config.toml").write_text(text + "[capture_volume]\nstage = 2\n")
    with pytest.raises(InputError, match=r"settings of a project.*camera_array.toml"):
        read_calibration_of(tmp_path)


def easymocap(folder: Path, cameras: list[Camera], sizes: bool) -> None:
    """As EasyMocap's own writer does, six decimals."""

    def matrix(name: str, value: np.ndarray) -> str:
        data = ", ".join(f"{x:.6f}" for x in value.ravel())
        shape = f"rows: {value.shape[0]}\n  cols: {value.shape[1]}"
        return f"{name}: !!opencv-matrix\n  {shape}\n  dt: d\n  data: [{data}]\n"

    names = "%YAML:1.0\n---\nnames:\n" + "".join(f'  - "{camera.name}"\n' for camera in cameras)
    inner = outer = names
    for camera in cameras:
        inner += matrix(f"K_{camera.name}", camera.K)
        inner += matrix(f"dist_{camera.name}", camera.distortion[None])
        inner += f"H_{camera.name}: {camera.height}\nW_{camera.name}: {camera.width}\n" * sizes
        outer += matrix(f"R_{camera.name}", cv2.Rodrigues(camera.R)[0])
        outer += matrix(f"Rot_{camera.name}", camera.R)
        outer += matrix(f"T_{camera.name}", camera.t.reshape(3, 1) / 1000)
    (folder / "intri.yml").write_text(inner)
    (folder / "extri.yml").write_text(outer)


def test_easymocap_as_it_writes(tmp_path: Path) -> None:
    cameras = [replace(camera, name=f"0{i}") for i, camera in enumerate(ring())]
    easymocap(tmp_path, cameras, sizes=True)
    assert_same_projections(read_calibration_of(tmp_path), cameras, 0.01)
    easymocap(tmp_path, cameras, sizes=False)
    with pytest.raises(InputError, match=r"camera 00: the size .*Add W_00 and H_00.*--size"):
        read_calibration_of(tmp_path)
    sizes = {camera.name: (640, 384) for camera in cameras}
    assert_same_projections(read_calibration_of(tmp_path, sizes), cameras, 0.01)
    for name in ("intri.yml", "extri.yml"):
        read = read_calibration(tmp_path / name, None, World(size=(640, 384)))
        assert_same_projections(read[1], cameras, 0.01)
    (tmp_path / "extri.yml").unlink()
    with pytest.raises(InputError, match=r"extri.yml: there is no such file"):
        read_calibration_of(tmp_path, sizes)


def test_voxelpose_has_the_centre_where_others_have_a_translation(tmp_path: Path) -> None:
    cameras = ring()
    path = write("VoxelPose", tmp_path, cameras)
    row = json.loads(path.read_text())["cam02"]
    np.testing.assert_allclose(np.ravel(row["T"]), cameras[1].centre, atol=1e-9)
    point = np.array([100.0, 200.0, 1000.0])
    x, y, z = np.array(row["R"]) @ (point - np.ravel(row["T"]))
    plain = replace(cameras[1], distortion=np.zeros(5))
    seen = [row["fx"] * x / z + row["cx"], row["fy"] * y / z + row["cy"]]
    np.testing.assert_allclose(seen, project(plain, point)[0], atol=1e-9)


def test_4d_association_as_it_is_distributed(tmp_path: Path) -> None:
    cameras = ring("none")
    rows = {
        camera.name: {
            "K": camera.K.ravel().tolist(),
            "RT": np.c_[camera.R, camera.t / 1000].ravel().tolist(),
            "imgSize": [camera.width, camera.height],
        }
        for camera in cameras
    }
    (tmp_path / "calibration.json").write_text(json.dumps(rows))
    assert_same_projections(read_calibration_of(tmp_path), cameras, 1e-6)


def test_panoptic_has_cameras_of_every_type(tmp_path: Path) -> None:
    cameras = [
        replace(camera, name=name)
        for camera, name in zip(ring(), ("01_01", "00_00", "50_01", "50_02"), strict=True)
    ]
    path = write("Panoptic", tmp_path, cameras)
    content = json.loads(path.read_text())
    for row, kind in zip(content["cameras"], ("vga", "hd", "kinect-color", "hd"), strict=True):
        row["type"] = kind
    path.write_text(json.dumps(content))
    np.testing.assert_allclose(np.linalg.norm(content["cameras"][0]["t"]) * 10,
                               np.linalg.norm(cameras[0].t))  # fmt: skip
    assert_same_projections(read_calibration_of(tmp_path), cameras, 1e-6)


def test_mvor_goes_by_the_inverse_and_stands_in_the_room(tmp_path: Path) -> None:
    cameras = [replace(camera, name=f"cam{i}") for i, camera in enumerate(ring(), 1)]
    path = write("MVOR", tmp_path, cameras)
    content = json.loads(path.read_text())
    given = content["cameras_info"]["camParams"]
    room = np.array(given["firstCamToRoomRef"]).reshape(4, 4)
    point = np.array([100.0, 200.0, 1000.0, 1.0])
    in_second = np.linalg.inv(np.array(given["extrinsics"][1]).reshape(4, 4)) @ (
        np.linalg.inv(room) @ point
    )
    np.testing.assert_allclose(in_second[:3], cameras[1].R @ point[:3] + cameras[1].t, atol=1e-6)
    given["ids"] = ["1208", "1205", "1210", "1300"]
    content["dataset_info"] = {"camid_2_num": {"1208": 1, "1205": 2, "1210": 3, "1300": 4}}
    path.write_text(json.dumps(content))
    assert_same_projections(read_calibration_of(tmp_path), cameras, 1e-6)


def test_xrmocap_may_go_from_the_camera_to_the_world(tmp_path: Path) -> None:
    folder = write("xrmocap", tmp_path, ring())
    for file in folder.iterdir():
        row = json.loads(file.read_text())
        R, t = np.array(row["extrinsic_r"]), np.array(row["extrinsic_t"])
        row |= {"world2cam": False, "extrinsic_r": R.T.tolist(), "extrinsic_t": (-R.T @ t).tolist()}
        file.write_text(json.dumps(row))
    assert_same_projections(read_calibration_of(tmp_path), ring(), 1e-6)
    row["convention"] = "unity"
    file.write_text(json.dumps(row))
    with pytest.raises(InputError, match="convention 'unity'; convert it"):
        read_calibration_of(tmp_path)


def test_qualisys_crops_and_marker_cameras(tmp_path: Path) -> None:
    path = write("Qualisys", tmp_path, ring())
    text = path.read_text()
    text = text.replace('left="0.0" top="0.0"', 'left="100.0" top="24.0"')
    marker = text.split("<camera ")[1].replace("cam01", "99001").replace("none", "Oqus 700")
    path.write_text(text.replace("</cameras>", f"<camera {marker}</cameras>"))
    read = read_calibration_of(tmp_path)
    assert [camera.name for camera in read] == [camera.name for camera in ring()]
    assert (read[0].width, read[0].height) == (540, 360)
    np.testing.assert_allclose(ring()[0].K[:2, 2] - read[0].K[:2, 2], [100, 24])
    path.write_text(path.read_text().replace('model="none"', 'model="Oqus 700"'))
    with pytest.raises(InputError, match=r"their models are \['Oqus 700'\].*'video'"):
        read_calibration_of(tmp_path)


def vicon_projection(camera: Camera, radial: np.ndarray, point: np.ndarray) -> np.ndarray:
    """By Vicon's own model: the pixel that its polynomial takes to the straight one."""
    straight, _ = project(camera, point)
    centre = camera.K[:2, 2]
    offset = straight - centre
    distorted = offset
    for _ in range(200):
        distorted = offset / (1 + radial @ np.cumprod(np.full(3, distorted @ distorted)))
    return distorted + centre


def test_vicons_lens_is_followed_by_ours(tmp_path: Path) -> None:
    cameras = ring("none")
    path = write("Vicon", tmp_path, cameras)
    radial = np.array([3.0e-7, 1.0e-13, 0.0])
    path.write_text(path.read_text().replace(' 0 0 0"', ' 3.0e-7 1.0e-13 0"'))
    points = people(np.random.default_rng(1), 40)
    for camera, read in zip(cameras, read_vicon(path), strict=True):
        assert read.distortion.any()
        seen = [vicon_projection(camera, radial, point) for point in points]
        inside = (np.abs(np.array(seen) - [320, 192]) < [320, 192]).all(-1)
        np.testing.assert_allclose(project(read, points)[0][inside], np.array(seen)[inside],
                                   atol=0.1)  # fmt: skip
    path.write_text(path.read_text().replace('3.0e-7 1.0e-13 0"', '-4e-6 9e-11 -6e-16"'))
    with pytest.raises(InputError, match=r"VICON_RADIAL2 \[.*undistort"):
        read_vicon(path)
    path.write_text(path.read_text().replace("Video", "Vero").replace('ISDV="2"', ""))
    with pytest.raises(InputError, match=r"no video camera among its 4 \(their TYPE is \['Vero'"):
        read_vicon(path)


def test_optitrack_as_motive_writes(tmp_path: Path) -> None:
    path = write("OptiTrack", tmp_path, ring())
    data = path.read_bytes()
    assert data.startswith(b"\xff\xfe<\0")
    text = data.decode("utf-16").replace("UTF-16", "UTF-16LE")
    for encoded in (text.encode("utf-16"), text.encode("utf-16-le")):
        path.write_bytes(encoded)
        assert_same_projections(read_calibration_of(tmp_path), ring(), 1e-6)
    path.write_bytes(text.replace("StandardCameraModel", "").encode("utf-16"))
    with pytest.raises(InputError, match=r"cam01 has no <IntrinsicStandardCameraModel>; export it"):
        read_calibration_of(tmp_path)


@pytest.mark.parametrize("up", TURNS)
def test_every_axis_may_point_up(tmp_path: Path, up: str) -> None:
    cameras = ring()
    theirs = in_world(cameras, TURNS[up].T, 0.001)
    (tmp_path / "Calib.toml").write_text(toml(theirs, fisheye=False))
    if up != "z":
        with pytest.raises(
            InputError, match=rf"top towards {up} of the world.*--up={up} .*turns it"
        ):
            read_calibration_of(tmp_path)
    read = read_calibration(tmp_path / "Calib.toml", None, World(up=up))[1]
    assert_same_projections(read, cameras, 1e-6)


def test_the_world_of_a_camera_is_turned_level(tmp_path: Path) -> None:
    cameras = ring()
    first = cameras[0]
    own = [
        replace(camera, R=camera.R @ first.R.T, t=camera.t - camera.R @ first.R.T @ first.t)
        for camera in cameras
    ]
    (tmp_path / "calibration.toml").write_text(toml(own))
    with pytest.raises(InputError, match=r"the world is that of camera cam01.*--up level"):
        read_calibration_of(tmp_path)
    level = read_calibration(tmp_path / "calibration.toml", None, World(up="level"))[1]
    for camera, before in zip(level, cameras, strict=True):
        assert abs(camera.R[0, 2]) < 1e-9
        assert camera.centre[2] == pytest.approx(before.centre[2] - first.centre[2], abs=1e-6)


@pytest.mark.parametrize("option", ["level", "-y"])
def test_the_remedy_that_a_message_names_helps(tmp_path: Path, option: str) -> None:
    first = ring()[0]
    own = [
        replace(camera, R=camera.R @ first.R.T, t=camera.t - camera.R @ first.R.T @ first.t)
        for camera in ring()
    ]
    path = tmp_path / "calibration.toml"
    path.write_text(toml(own))
    assert run("convert", path, tmp_path / "cameras.json", "--up", option) == 0
    path.unlink()
    heights = [camera.centre[2] for camera in read_calibration_of(tmp_path)]
    assert (np.ptp(heights) < 500) == (option == "level")


def test_cameras_side_by_side_do_not_tell_what_is_level(tmp_path: Path) -> None:
    first = ring()[0]
    row = [replace(first, name=f"c{i}", t=first.t + np.array([900.0 * i, 0, 0])) for i in range(3)]
    (tmp_path / "calibration.toml").write_text(toml(row))
    with pytest.raises(InputError, match=r"--up level needs cameras .* different directions"):
        read_calibration(tmp_path / "calibration.toml", None, World("mm", up="level"))


@pytest.mark.parametrize("name", HOLDS)
def test_the_command_converts_every_format_to_ours_and_back(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cameras = ring("none")
    path = write(name, tmp_path / "in", cameras)
    ours = tmp_path / "out" / "cameras.json"
    assert run("convert", path, ours, "--size", "640x384") == 0
    assert "4 cameras, up to 8.0" in capsys.readouterr().out
    assert_same_projections(read_calibration_of(ours.parent), cameras, 1e-6)
    back = tmp_path / "back" / FILES[name]
    assert run("convert", ours, back, "--to", name.upper(), "--from", "cameras.json") == 0
    read = read_as(CALIBRATIONS[name], back, World(size=(640, 384)))
    assert_same_projections(read, cameras, 1e-6)


def test_the_command_says_what_it_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = write("cameras.json", tmp_path, ring())
    out = tmp_path / "out" / "x.json"
    for arguments, said in (
        ((tmp_path / "no.toml", out), "no.toml: there is no such file or folder"),
        ((ours, out), "name tells no format to write; say which with --to"),
        ((ours, tmp_path / "calibration.json"), "tells several formats to write.*'Panoptic'"),
        ((ours, out, "--to", "blender"), "blender: no format of calibrations; known are"),
        ((ours, out, "--size", "big"), "--size big: WIDTHxHEIGHT is expected"),
        ((ours, out, "--from", "Panoptic"), "no cameras with 'distCoef'"),
        ((ours, out, "--up", "w"), "--up w: it is one of"),
    ):
        assert run("convert", *arguments) == 1
        error = capsys.readouterr().err
        assert error.startswith("selfpose3d calibration convert: ")
        assert re.search(said, error), error
    assert not out.parent.exists()


def test_the_formats_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("formats") == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed[1:]] == list(CALIBRATIONS)
    assert "units" not in listed[0] and "lenses" in listed[0]


@pytest.mark.parametrize("together", [False, True])
def test_a_pair_as_stereo_calib_writes_it(tmp_path: Path, together: bool) -> None:
    path = as_stereo_calib(tmp_path, ring(), together)
    with pytest.raises(InputError, match=r"camera left: the size .*Add a node size.*--size"):
        read_calibration(path, None, World())
    with pytest.raises(InputError, match=r"the world is that of camera left.*--up level"):
        read_calibration(path, None, World(size=(640, 384)))
    name, pair = read_calibration(path, None, World(size=(640, 384), up="-y"))
    first, second = ring()[:2]
    moved = [replace(camera, R=camera.R @ first.R.T) for camera in (first, second)]
    moved = [replace(each, t=each.t - each.R @ first.t) for each in moved]
    moved = [turned(camera, 1, TURNS["-y"]) for camera in moved]
    named = [replace(camera, name=called) for camera, called in zip(moved, NAMES, strict=True)]
    points = np.random.default_rng(0).uniform([-900, 2500, -900], [900, 5000, 900], (40, 3))
    assert name == "stereo" and [camera.name for camera in pair] == ["left", "right"]
    for one, other in zip(pair, named, strict=True):
        np.testing.assert_allclose(project(one, points)[0], project(other, points)[0], atol=1e-6)


def test_half_a_pair_and_two_pairs_are_refused(tmp_path: Path) -> None:
    as_stereo_calib(tmp_path, ring())
    asked = World(size=(640, 384), up="-y")
    for half in ("intrinsics.yml", "extrinsics.yml"):
        assert len(read_calibration(tmp_path / half, None, asked)[1]) == 2
    as_stereo_calib(tmp_path, ring(), together=True)
    with pytest.raises(InputError, match=r"'stereo.yml'\] are of several pairs of cameras"):
        read_calibration(tmp_path, None, asked)
    (tmp_path / "stereo.yml").unlink()
    (tmp_path / "extrinsics.yml").unlink()
    with pytest.raises(InputError, match=r"no R and T .*put the extrinsics.yml"):
        read_calibration(tmp_path, None, asked)


def test_mv3dpose_as_it_is_laid_out(tmp_path: Path) -> None:
    cameras = [replace(camera, name=f"camera{n:02d}") for n, camera in enumerate(ring("brown 8"))]
    as_mv3dpose(tmp_path, cameras)
    assert_same_projections(read_calibration_of(tmp_path), cameras, 1e-6)
    settings = tmp_path / "dataset.json"
    assert_same_projections(read_calibration(settings, None, World())[1], cameras, 1e-6)
    assert len(calibration_files(tmp_path)) == 1 + 2 * len(cameras)
    moving = tmp_path / "cameras" / "camera01" / "frame000000001.json"
    row = json.loads(moving.read_text())
    moving.write_text(json.dumps(row | {"tvec": [0, 0, 1]}))
    with pytest.raises(InputError, match=r"camera01/frame000000001.json: .* cameras that move"):
        read_calibration_of(tmp_path)
    moving.unlink()
    first = moving.with_name("frame000000000.json")
    first.write_text(json.dumps({"P": [[1, 0, 0, 0]] * 3, "w": 640, "h": 384, "cid": 1}))
    with pytest.raises(InputError, match=r"projection matrix P; its K, rvec and tvec are needed"):
        read_calibration_of(tmp_path)

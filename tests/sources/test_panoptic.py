"""The Panoptic source: from a misbehaving host or a local copy to a scene and its truth."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts import Host
from panoptic_layout import (
    CAMERAS,
    HEIGHT,
    SEQUENCE,
    VGA_CAMERAS,
    WIDTH,
    body,
    calibration,
    colour,
    extract_images,
    write_sequence,
    write_vga,
    write_video,
)
from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import read_poses3d
from selfpose3d.files.scenes import read_scene
from selfpose3d.geometry.cameras import project
from selfpose3d.sources.panoptic import (
    camera_from_panoptic,
    points_from_panoptic,
    prepare_sequence,
    read_calibration,
    read_poses,
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sequence(tmp_path_factory.mktemp("original"))


@pytest.fixture
def sequence(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "host" / SEQUENCE))


def prepare(url: str, out: Path, **over: Any) -> Path:
    settings: dict[str, Any] = {
        "cameras": CAMERAS,
        "every": 1,
        "stored_size": (96, 64),
        "network_size": (64, 32),
        "retries": 3,
        "timeout": 1.0,
        "parallel": 2,
    }
    prepare_sequence(
        url=url,
        sequence=SEQUENCE,
        scene=out / "scene",
        truth=out / "truth" / "people.parquet",
        **(settings | over),
    )
    return out / "scene"


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_right_frames(scene: Path, cameras: tuple[str, ...] = CAMERAS) -> None:
    read = read_scene(scene)
    for view, camera in enumerate(read.cameras):
        index = cameras.index(camera.name)
        for row, frame in enumerate(read.frames):
            stored = read.read_image(camera.name, frame)
            assert stored.shape == (64, 96, 3)
            for centre in (stored[32, 48], read.network_frames[row, view, 16, 32]):
                assert np.abs(centre.astype(int) - colour(index, frame)).max() < 12


def test_scene_from_a_host(sequence: Path, tmp_path: Path) -> None:
    with Host(sequence.parent) as host:
        scene = prepare(host.url, tmp_path)
    read = read_scene(scene)
    assert read.frames == (2, 3, 5, 6, 7)
    assert read.times == (2.0, 3.0, 5.0, 6.0, 7.0)
    assert read.network_frames.shape == (5, 3, 32, 64, 3)
    assert {p.name for p in scene.iterdir()} == {
        "scene.json",
        "cameras.json",
        "frames",
        "network.npy",
    }
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["host", "scene", "truth"]
    assert_right_frames(scene)


def test_every_nth_annotated_frame(sequence: Path, tmp_path: Path) -> None:
    scene = prepare(sequence.parent.as_uri(), tmp_path, every=3, cameras=("00_12", "00_03"))
    assert read_scene(scene).frames == (2, 5)
    assert [camera.name for camera in read_scene(scene).cameras] == ["00_12", "00_03"]
    assert_right_frames(scene)


def test_truth_lies_apart_in_millimetres(sequence: Path, tmp_path: Path) -> None:
    scene = prepare(sequence.parent.as_uri(), tmp_path)
    people = read_poses3d(tmp_path / "truth" / "people.parquet")
    assert set(people) == {(SEQUENCE, frame) for frame in read_scene(scene).frames}
    person = people[SEQUENCE, 3]
    assert person.ids.tolist() == [7]
    np.testing.assert_allclose(person.joints[0, 2], [(3 + 2) * 10, 100, 920])
    assert person.valid[0].tolist() == [joint != 5 for joint in range(19)]


def test_local_copies_give_what_the_host_gives(sequence: Path, tmp_path: Path) -> None:
    with Host(sequence.parent) as host:
        fetched = prepare(host.url, tmp_path / "a")
    videos = prepare(sequence.parent.as_uri(), tmp_path / "b", cameras=None)
    assert contents(fetched) == contents(videos)
    assert len(list((sequence / "videos").rglob("*.mp4"))) == 3
    extract_images(sequence)
    shutil.rmtree(sequence / "videos")
    images = prepare(sequence.parent.as_uri(), tmp_path / "c", cameras=None)
    assert_right_frames(images)


def test_videos_lie_where_the_data_sets_script_puts_them(sequence: Path, tmp_path: Path) -> None:
    (sequence / "videos" / "hd_shared_crf20").rename(sequence / "hdVideos")
    assert_right_frames(prepare(sequence.parent.as_uri(), tmp_path, cameras=None))
    assert len(list((sequence / "hdVideos").glob("*.mp4"))) == 3


def test_vga_cameras_come_with_the_poses_of_their_frames(sequence: Path, tmp_path: Path) -> None:
    write_vga(sequence)
    with Host(sequence.parent) as host:
        scene = prepare(host.url, tmp_path, cameras=VGA_CAMERAS)
    read = read_scene(scene)
    assert read.frames == (3, 4, 5, 6, 7)
    assert read.times == pytest.approx([2.7, 3.6, 4.5, 5.4, 6.3])
    assert_right_frames(scene, VGA_CAMERAS)
    people = read_poses3d(tmp_path / "truth" / "people.parquet")
    assert people[SEQUENCE, 4].ids.tolist() == [5]
    np.testing.assert_allclose(people[SEQUENCE, 4].joints[0, 2], [(8 + 2) * 10, 100, 920])
    (sequence / "videos" / "vga_shared_crf10").rename(sequence / "vgaVideos")
    local = prepare(sequence.parent.as_uri(), tmp_path / "local", cameras=VGA_CAMERAS)
    assert contents(local) == contents(scene)


@pytest.mark.parametrize(
    ("cameras", "said"),
    [
        (("00_03", "01_01"), r"of the types \['hd', 'vga'\]: .*not of one instant"),
        (("50_01", "00_03"), r"camera 50_01 is of type 'kinect-color': .*clocks of their own"),
    ],
)
def test_cameras_that_are_not_in_step_are_refused(
    sequence: Path, tmp_path: Path, cameras: tuple[str, ...], said: str
) -> None:
    write_vga(sequence)
    with pytest.raises(InputError, match=said):
        prepare(sequence.parent.as_uri(), tmp_path, cameras=cameras)


def write_poses(folder: Path, bodies: list[dict[str, Any]], **more: Any) -> Path:
    """Pose files of two frames, with these bodies in the second."""
    for frame, present in ((1, [body(1, 0.0), body(2, 50.0)]), (2, bodies)):
        scene = {"univTime": 0.0, "bodies": present, **more}
        (folder / f"body3DScene_{frame:08d}.json").write_text(json.dumps(scene))
    return folder


def test_bodies_of_one_id_are_all_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doubled = [body(2, 0.0), body(2, 100.0), body(1, 200.0), body(2, 300.0), body(-1, 400.0)]
    people, _ = read_poses(write_poses(tmp_path, doubled), 1)
    assert people[1].ids.tolist() == [1, 2]
    assert people[2].ids.tolist() == [2, 6, 1, 10, -1]
    assert people[2].joints[:, 0, 0].tolist() == [0, 1000, 2000, 3000, 4000]
    assert f"{tmp_path}: in 1 frame(s) several people have one id (frame 2: [2])" in (
        capsys.readouterr().err
    )


def test_poses_of_the_older_form_are_named(tmp_path: Path) -> None:
    older = {"id": 1, "joints15": body(1, 0.0)["joints19"][:60]}
    with pytest.raises(
        InputError, match=r"00002\.json: holds 'joints15' and .*hdPose3d_stage1\.tar"
    ):
        read_poses(write_poses(tmp_path, [body(3, 0.0), older]), 1)


def test_a_local_copy_without_the_right_poses_is_named(sequence: Path, tmp_path: Path) -> None:
    shutil.rmtree(sequence / "hdPose3d_stage1_coco19")
    (sequence / "hdPose3d_stage1_coco19.tar").rename(sequence / "hdPose3d_stage1.tar")
    with pytest.raises(InputError, match=r"hdPose3d_stage1\.tar is the older form, MPI-15"):
        prepare(sequence.parent.as_uri(), tmp_path)
    (sequence / "hdPose3d_stage1.tar").unlink()
    with pytest.raises(InputError, match=r"neither hdPose3d_stage1_coco19\.tar nor the folder"):
        prepare(sequence.parent.as_uri(), tmp_path)


def test_poses_of_other_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'fpsType' is 'vga_25'.*fetch hdPose3d_stage1_coco19"):
        read_poses(write_poses(tmp_path, [body(3, 0.0)], fpsType="vga_25"), 1)


def test_bodies_of_another_number_of_joints_are_refused(tmp_path: Path) -> None:
    long = {"id": 1, "joints19": body(1, 0.0)["joints19"] * 2}
    with pytest.raises(InputError, match=r"00002\.json: .*76 are expected"):
        read_poses(write_poses(tmp_path, [long]), 1)


def test_a_joint_that_is_no_number_is_not_valid(tmp_path: Path) -> None:
    broken = body(1, 0.0)
    broken["joints19"][0] = float("nan")
    people, _ = read_poses(write_poses(tmp_path, [broken]), 1)
    assert people[2].valid[0].tolist() == [joint not in (0, 5) for joint in range(19)]
    assert np.isfinite(people[2].joints).all()


def test_trouble_of_all_kinds_changes_nothing(sequence: Path, tmp_path: Path) -> None:
    quiet = prepare(sequence.parent.as_uri(), tmp_path / "quiet")
    with Host(sequence.parent) as host:
        host.faults = {
            "hd_00_03.mp4": ["truncate", "500", "truncate"],
            "hd_00_06.mp4": ["stall", "empty"],
            f"calibration_{SEQUENCE}.json": ["503"],
            "hdPose3d_stage1_coco19.tar": ["truncate"],
        }
        troubled = prepare(host.url, tmp_path / "troubled")
    assert contents(quiet) == contents(troubled)


@pytest.mark.parametrize(("fault", "said"), [("404", "404"), ("page", "a web page came")])
def test_failed_camera_is_made_good_later(
    sequence: Path, tmp_path: Path, fault: str, said: str
) -> None:
    with Host(sequence.parent) as host:
        host.faults = {"hd_00_12.mp4": [fault]}
        with pytest.raises(InputError, match=f"hd_00_12.mp4: .*{said}"):
            prepare(host.url, tmp_path, parallel=1)
        assert not (tmp_path / "scene").exists()
        assert not (tmp_path / "truth").exists()
        scene = prepare(host.url, tmp_path)
        assert host.asked["hd_00_03.mp4"] == 1
    assert_right_frames(scene)


KILLED_RUN = """
import sys
from test_panoptic import prepare
from pathlib import Path
prepare(sys.argv[1], Path(sys.argv[2]), parallel=1)
"""


def test_killed_runs_end_as_an_undisturbed_one(sequence: Path, tmp_path: Path) -> None:
    undisturbed = prepare(sequence.parent.as_uri(), tmp_path / "undisturbed")
    command = [sys.executable, "-c", KILLED_RUN]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
    }
    work = tmp_path / "killed" / ".scene.partial"
    codes = []
    with Host(sequence.parent) as host:
        host.faults = {"hd_00_03.mp4": ["stall"], "hd_00_06.mp4": ["stall"]}
        for sign in ("download/hd_00_03.mp4*", "frames/00_03", "frames/.00_06*", "frames/00_06"):
            run = subprocess.Popen(
                [*command, host.url, str(tmp_path / "killed")],
                env=environment,
                stderr=subprocess.DEVNULL,
            )
            while run.poll() is None and not list(work.glob(sign)):
                time.sleep(0.0005)
            run.send_signal(signal.SIGKILL)
            codes.append(run.wait())
        scene = prepare(host.url, tmp_path / "killed")
    assert codes[:2] == [-signal.SIGKILL, -signal.SIGKILL]
    assert contents(scene) == contents(undisturbed)
    assert [p.name for p in sorted((tmp_path / "killed").iterdir())] == ["scene", "truth"]


def test_half_made_scene_of_other_parameters_is_not_used(sequence: Path, tmp_path: Path) -> None:
    with Host(sequence.parent) as host:
        host.faults = {"hd_00_12.mp4": ["404"]}
        with pytest.raises(InputError, match="404"):
            prepare(host.url, tmp_path, parallel=1)
        scene = prepare(host.url, tmp_path, every=3)
    assert read_scene(scene).network_frames.shape[0] == 2
    assert_right_frames(scene)


def test_cut_or_empty_video_is_refused(sequence: Path, tmp_path: Path) -> None:
    video = sequence / "videos" / "hd_shared_crf20" / "hd_00_06.mp4"
    write_video(video, [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 4)
    with pytest.raises(InputError, match=r"hd_00_06.mp4: ends after 4 frames, frame 5 is wanted"):
        prepare(sequence.parent.as_uri(), tmp_path)
    video.write_bytes(b"")
    with pytest.raises(InputError, match=r"hd_00_06.mp4: the file is empty \(0 bytes\)"):
        prepare(sequence.parent.as_uri(), tmp_path)
    video.write_bytes(b"\0\0\0\x18ftypisom" + b"\0" * 50)
    with pytest.raises(InputError, match=r"hd_00_06.mp4: no video can be opened in its 62 bytes"):
        prepare(sequence.parent.as_uri(), tmp_path)
    assert not (tmp_path / "scene").exists()


def test_unreadable_or_missing_image_is_refused(sequence: Path, tmp_path: Path) -> None:
    extract_images(sequence)
    image = sequence / "hdImgs" / "00_06" / "00_06_00000005.jpg"
    for data, said in ((b"", "0 bytes, not a readable image"), (None, "there is no such file")):
        image.write_bytes(data) if data is not None else image.unlink()
        with pytest.raises(InputError, match=f"00_06_00000005.jpg: {said}"):
            prepare(sequence.parent.as_uri(), tmp_path)


def test_image_of_another_size_is_refused(sequence: Path, tmp_path: Path) -> None:
    video = sequence / "videos" / "hd_shared_crf20" / "hd_00_06.mp4"
    write_video(video, [np.zeros((48, 64, 3), np.uint8)] * 8)
    with pytest.raises(InputError, match=r"00_06, frame 2: the image is 64x48, .* for 160x96"):
        prepare(sequence.parent.as_uri(), tmp_path)


def test_cameras_and_images_must_agree(sequence: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"calibration_.*no camera \['00_99'\]"):
        prepare(sequence.parent.as_uri(), tmp_path, cameras=("00_03", "00_99"))
    videos = sequence / "videos" / "hd_shared_crf20"
    (videos / "hd_00_06.mp4").rename(videos / "hd_00_07.mp4")
    with pytest.raises(InputError, match=r"without a calibration: \['00_07'\].*\['00_06'\]"):
        prepare(sequence.parent.as_uri(), tmp_path, cameras=None)
    with pytest.raises(InputError, match="no such sequence"):
        prepare((tmp_path / "elsewhere").as_uri(), tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("K", [[0, 0, 80], [0, 0, 48], [0, 0, 1]], "00_03: singular intrinsics"),
        ("R", np.diag([1.0, 1.0, -1.0]).tolist(), "00_03: R is not a rotation"),
        ("t", [[float("nan")], [0], [0]], "00_03: t holds .*not finite"),
        ("t", [[1e5], [0], [0]], "stand up to .* mm apart"),
        ("K", [[1, 2]], "K holds"),
    ],
)
def test_wrong_calibration_is_refused(
    sequence: Path, tmp_path: Path, key: str, value: Any, said: str
) -> None:
    path = sequence / f"calibration_{SEQUENCE}.json"
    values = json.loads(path.read_text())
    values["cameras"][1][key] = value
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match=said):
        prepare(sequence.parent.as_uri(), tmp_path)


@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_rig_in_wrong_units_is_refused(sequence: Path, tmp_path: Path, factor: float) -> None:
    path = sequence / f"calibration_{SEQUENCE}.json"
    values = json.loads(path.read_text())
    for camera in values["cameras"]:
        camera["t"] = (np.array(camera["t"]) * factor).tolist()
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match="translations must be in mm"):
        prepare(sequence.parent.as_uri(), tmp_path)


@pytest.mark.parametrize(
    "text", ["{}", "nonsense", '{"cameras": []}', '{"cameras": [{"type": "hd"}]}']
)
def test_file_that_is_no_calibration(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"calibration.json: "):
        read_calibration(path)


def test_poses_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no body in any"):
        read_poses(tmp_path, 1)
    (tmp_path / "body3DScene_00000001.json").write_text('{"bodies": [{"id": 1}]}')
    with pytest.raises(InputError, match=r"00000001.json: not a pose file"):
        read_poses(tmp_path, 1)
    archive = tmp_path / "poses.tar"
    archive.write_bytes(b"x" * 2000)
    with pytest.raises(InputError, match="broken archive"):
        read_poses(archive, 1)


def test_full_disk_leaves_nothing_half_written(
    sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match=r"the disk is full: .*00_0"):
            prepare(sequence.parent.as_uri(), tmp_path)
    assert not (tmp_path / "scene").exists()
    assert list((tmp_path / ".scene.partial" / "frames").iterdir()) == []
    assert_right_frames(prepare(sequence.parent.as_uri(), tmp_path))


coordinate = st.floats(-150, 150)


@given(
    points=st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1, max_size=5),
    camera=st.integers(1, 3),
)
def test_projection_is_that_of_panoptics_own_frame(
    points: list[tuple[float, float, float]], camera: int
) -> None:
    row = calibration()["cameras"][camera] | {"distCoef": [0, 0, 0, 0, 0]}
    points_cm = np.array(points)
    seen = points_cm @ np.array(row["R"]).T + np.array(row["t"]).ravel()
    expected = seen @ np.array(row["K"]).T
    pixels, depth = project(camera_from_panoptic(row), points_from_panoptic(points_cm))
    np.testing.assert_allclose(depth, 10 * seen[:, 2], atol=1e-6)
    front = depth > 10
    np.testing.assert_allclose(
        pixels[front], expected[front, :2] / expected[front, 2:], rtol=1e-6, atol=1e-6
    )


def test_up_is_up_and_the_centre_is_right() -> None:
    np.testing.assert_allclose(points_from_panoptic(np.array([1.0, -2.0, 3.0])), [10, 30, 20])
    camera = camera_from_panoptic(calibration()["cameras"][1])
    np.testing.assert_allclose(camera.centre, [3000, 0, 2000], atol=1e-6)
    assert body(1, 0.0)["id"] == 1

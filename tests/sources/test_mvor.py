"""MVOR: from misbehaving hosts, an archive or a folder to a scene and its truth."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hosts import Host
from mvor_layout import (
    ANNOTATIONS,
    JOINTS,
    cameras,
    colour,
    joints_mm,
    write_archive,
    write_dataset,
)
from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import read_poses3d
from selfpose3d.files.scenes import read_scene
from selfpose3d.geometry.cameras import project
from selfpose3d.parameters import Data, Mvor, Parameters
from selfpose3d.sources.entry import PrepareInputs
from selfpose3d.sources.mvor import prepare_mvor


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the annotations, the archive, and what it is packed from in another."""
    root = tmp_path_factory.mktemp("original")
    write_archive(write_dataset(root))
    (root / "unpacked").mkdir()
    shutil.move(root / "camma_mvor_dataset", root / "unpacked")
    shutil.copy(root / ANNOTATIONS, root / "unpacked")
    return root


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    """A folder to be spoilt."""
    return Path(shutil.copytree(original / "unpacked", tmp_path / "copy"))


def prepare(url: str, out: Path, days: tuple[int, ...] = (1, 2), **data: Any) -> Path:
    section = Mvor.model_validate(
        {"url": url, "annotations": url, "test": {"room": days}, "retries": 3, "timeout": 1.0}
    )
    sizes = Data(stored_size=(96, 72), network_size=(64, 32), **data)
    inputs = PrepareInputs(
        parameters=Parameters(data=sizes, mvor=section),
        sequence="room",
        split="test",
        scene=out / "scene",
        truth=out / "truth" / "room.parquet",
        cache=out / "cache",
    )
    prepare_mvor(inputs)
    return out / "scene"


def assert_right_images(scene: Path) -> None:
    read = read_scene(scene)
    for view, camera in enumerate(read.cameras):
        for row, frame in enumerate(read.frames):
            day, number = divmod(frame, 10**7)
            expected = colour(day, int(camera.name[-1]), number)
            stored = read.read_image(camera.name, frame)
            for centre in (stored[36, 48], read.network_frames[row, view, 16, 32]):
                assert np.abs(centre.astype(int) - expected).max() < 12


def test_scene_from_its_hosts(original: Path, tmp_path: Path) -> None:
    with Host(original) as host:
        host.faults = {
            ANNOTATIONS: ["503", "truncate"],
            "camma_mvor_dataset.zip": ["truncate", "stall"],
        }
        scene = prepare(host.url, tmp_path)
        assert host.ranges
    read = read_scene(scene)
    assert read.source == "mvor"
    assert read.frames == (10000000, 10000001, 10000002, *range(20000000, 20000004))
    assert read.times[:3] == (0.0, 60.0, 120.0) and read.times[3] == 24 * 3600.0
    assert [camera.name for camera in read.cameras] == ["cam1", "cam2", "cam3"]
    assert_right_images(scene)
    fetched = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert not [path for path in fetched if "depth" in path.parts or path.suffix == ".zip"]


def test_truth_is_in_the_room(original: Path, tmp_path: Path) -> None:
    scene = prepare((original / "unpacked").as_uri(), tmp_path)
    people = read_poses3d(tmp_path / "truth" / "room.parquet")
    assert {frame for _, frame in people} == set(read_scene(scene).frames)
    assert len(people["room", 10000000]) == 0
    present = people["room", 10000001]
    assert present.skeleton.joints == JOINTS
    unknown = {"right_wrist", "neck"}
    for person in (0, 1):
        known = np.array([name not in unknown for name in JOINTS])
        assert present.valid[person].tolist() == known.tolist()
        true = joints_mm(1, 1, person)
        np.testing.assert_allclose(present.joints[person][known], true[known], atol=1e-6)
        for ours, stored in zip(cameras(), read_scene(scene).cameras, strict=True):
            scaled = project(stored, true)[0]
            whole = project(ours, true)[0]
            np.testing.assert_allclose((scaled + 0.5) / 96, (whole + 0.5) / 640, atol=2e-3)


def test_two_people_of_one_id_are_both_kept(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare((original / "unpacked").as_uri(), tmp_path, days=(2,))
    people = read_poses3d(tmp_path / "truth" / "room.parquet")
    assert people["room", 20000001].ids.tolist() == [4, 6]
    assert people["room", 20000000].ids.tolist() == [3]
    said = capsys.readouterr().err
    assert "several people have one id (frame 20000001: [4])" in said and ANNOTATIONS in said


def test_every_nth_instant_of_chosen_cameras(original: Path, tmp_path: Path) -> None:
    url = (original / "unpacked").as_uri()
    scene = prepare(url, tmp_path, days=(2,), test_every=3, cameras=("cam3", "cam1"))
    assert read_scene(scene).frames == (20000000, 20000003)
    assert [camera.name for camera in read_scene(scene).cameras] == ["cam3", "cam1"]
    assert_right_images(scene)


def without(*keys: Any) -> Callable[[Any], None]:
    """Take a part out of the annotations."""

    def spoil(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return spoil


SPOILT: dict[str, tuple[Callable[[Any], None], str]] = {
    "instants": (without("multiview_images"), r"not MVOR's annotations \(KeyError"),
    "date": (
        without("multiview_images", 0, "images", 0, "date_captured"),
        "not MVOR's annotations",
    ),
    "camera": (without("multiview_images", 1, "images", 2), r"has images of \['cam1', 'cam2'\]"),
    "truth": (without("annotations3D"), r"not MVOR's annotations \(KeyError\('annotations3D'"),
    "joint": (without("annotations3D", 0, "keypoints3D", 3), "not MVOR's annotations"),
    "person": (without("annotations3D", 0, "person_id"), "not MVOR's annotations"),
    "rig": (without("cameras_info"), "there is no 'cameras_info'"),
    "intrinsics": (without("cameras_info", "camParams", "intrinsics", 0), "2 intrinsics"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_spoilt_annotations_are_named(case: str, copy: Path, tmp_path: Path) -> None:
    spoil, said = SPOILT[case]
    content = json.loads((copy / ANNOTATIONS).read_text())
    spoil(content)
    (copy / ANNOTATIONS).write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"{ANNOTATIONS}: .*{said}"):
        prepare(copy.as_uri(), tmp_path)
    assert not (tmp_path / "scene").exists() and not (tmp_path / "truth").exists()


def test_missing_parts_are_named(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no image of the days \[3\]"):
        prepare(copy.as_uri(), tmp_path, days=(3,))
    image = copy / "camma_mvor_dataset" / "day2" / "cam2" / "color" / "000001.png"
    image.unlink()
    with pytest.raises(InputError, match=r"cam2/color/000001\.png: there is no such file"):
        prepare(copy.as_uri(), tmp_path)
    shutil.rmtree(copy / "camma_mvor_dataset")
    with pytest.raises(InputError, match=r"neither the folder camma_mvor_dataset nor .*\.zip"):
        prepare(copy.as_uri(), tmp_path)
    (copy / ANNOTATIONS).unlink()
    with pytest.raises(InputError, match=rf"{ANNOTATIONS}: there is no such file"):
        prepare(copy.as_uri(), tmp_path)


def test_a_damaged_archive_is_refused(original: Path, tmp_path: Path) -> None:
    whole = (original / "camma_mvor_dataset.zip").read_bytes()
    shutil.copy(original / ANNOTATIONS, tmp_path)
    with zipfile.ZipFile(original / "camma_mvor_dataset.zip") as archive:
        image = archive.getinfo("camma_mvor_dataset/day1/cam2/color/000001.png")
    place = image.header_offset + image.compress_size // 2
    for broken in (whole[: len(whole) // 2], whole[:place] + bytes(60) + whole[place + 60 :]):
        (tmp_path / "camma_mvor_dataset.zip").write_bytes(broken)
        with pytest.raises(InputError, match=r"dataset\.zip: a broken archive"):
            prepare(tmp_path.as_uri(), tmp_path / "out")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"test": {"a": [1, 2], "b": [2]}}, r"the days \[2\] are there twice"),
        ({"test": {"a": [5]}}, "less than or equal to 4"),
        ({"test": {"a/b": [1]}}, "only letters, digits"),
    ],
)
def test_days_that_are_none(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Mvor.model_validate(section)

"""Shelf and Campus: from a misbehaving host, an archive or a folder to a scene and its truth."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from belagiannis_layout import (
    COUNTS,
    FOLDERS,
    JOINTS,
    N_FRAMES,
    SIZES,
    cameras,
    colour,
    image_path,
    is_present,
    joints_m,
    write_archive,
    write_folder,
    write_truth,
)
from hosts import Host
from selfpose3d.calibrations.voxelpose import write_voxelpose
from selfpose3d.errors import InputError
from selfpose3d.fetch.http import in_parallel
from selfpose3d.files.poses3d import read_poses3d
from selfpose3d.files.scenes import read_scene
from selfpose3d.geometry.cameras import Camera, project
from selfpose3d.parameters import Campus, Data, Parameters, Shelf
from selfpose3d.sources import belagiannis
from selfpose3d.sources.belagiannis import (
    CAMPUS,
    SHELF,
    Layout,
    prepare_campus,
    prepare_shelf,
    read_actors,
    read_rig,
)
from selfpose3d.sources.entry import PrepareInputs

LAYOUTS = {"shelf": SHELF, "campus": CAMPUS}
SOURCES = sorted(LAYOUTS)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both archives and what they are packed from."""
    root = tmp_path_factory.mktemp("original")
    for source in SOURCES:
        write_archive(write_folder(root / "unpacked", source)).rename(
            root / f"{FOLDERS[source]}.tar.bz2"
        )
    return root


@pytest.fixture
def unpacked(originals: Path, tmp_path: Path) -> Path:
    """Both folders, to be spoilt; in ``tmp_path / "copy"``."""
    return Path(shutil.copytree(originals / "unpacked", tmp_path / "copy"))


def prepare(source: str, url: str, out: Path, **data: Any) -> Path:
    """The scene of frames 1 to 3 and 5 to 7, under ``out``."""
    section = {"shelf": Shelf, "campus": Campus}[source](
        url=url, train={}, test={"part": ((1, 3), (5, 7))}, retries=3, timeout=1.0
    )
    sizes = Data(stored_size=(96, 72), network_size=(64, 32), **data)
    inputs = PrepareInputs(
        parameters=Parameters(**{"data": sizes, source: section}),
        sequence="part",
        split="test",
        scene=out / "scene",
        truth=out / "truth" / "part.parquet",
        cache=out / "cache",
    )
    {"shelf": prepare_shelf, "campus": prepare_campus}[source](inputs)
    return out / "scene"


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_right_frames(scene: Path) -> None:
    read = read_scene(scene)
    for view, camera in enumerate(read.cameras):
        index = int(camera.name.removeprefix("Camera"))
        for row, frame in enumerate(read.frames):
            stored = read.read_image(camera.name, frame)
            for centre in (stored[36, 48], read.network_frames[row, view, 16, 32]):
                assert np.abs(centre.astype(int) - colour(index, frame)).max() < 12


@pytest.mark.parametrize("source", SOURCES)
def test_scene_from_the_host(source: str, originals: Path, tmp_path: Path) -> None:
    with Host(originals) as host:
        scene = prepare(source, host.url, tmp_path)
    read = read_scene(scene)
    assert read.source == source
    assert read.frames == (1, 2, 3, 5, 6, 7)
    assert read.times == tuple(frame / 25 for frame in read.frames)
    assert [camera.name for camera in read.cameras] == [
        f"Camera{number}" for number in range(COUNTS[source])
    ]
    assert_right_frames(scene)
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.suffix in (".bz2", ".part")]
    assert not kept


@pytest.mark.parametrize("source", SOURCES)
def test_truth_is_in_the_cameras_world_in_millimetres(
    source: str, originals: Path, tmp_path: Path
) -> None:
    prepare(source, (originals / "unpacked").as_uri(), tmp_path)
    people = read_poses3d(tmp_path / "truth" / "part.parquet")
    rig = read_rig(originals / "unpacked" / FOLDERS[source], LAYOUTS[source])
    assert {frame for _, frame in people} == {1, 2, 3, 5, 6, 7}
    for (_, frame), present in people.items():
        assert present.skeleton.joints == JOINTS
        assert present.ids.tolist() == [a for a in range(3) if is_present(a, frame)]
        for actor, joints in zip(present.ids, present.joints, strict=True):
            np.testing.assert_allclose(joints, 1000 * joints_m(int(actor), frame), atol=1e-6)
            for known, found in zip(cameras(source), rig, strict=True):
                np.testing.assert_allclose(
                    project(found, joints)[0], project(known, joints)[0], atol=0.01
                )


@pytest.mark.parametrize("source", SOURCES)
def test_host_archive_and_folder_give_the_same(
    source: str, originals: Path, tmp_path: Path
) -> None:
    archives = tmp_path / "archives"
    archives.mkdir()
    shutil.copy(originals / f"{FOLDERS[source]}.tar.bz2", archives)
    with Host(originals) as host:
        fetched = prepare(source, host.url, tmp_path / "a")
    packed = prepare(source, archives.as_uri(), tmp_path / "b")
    lying = prepare(source, (originals / "unpacked").as_uri(), tmp_path / "c")
    assert contents(fetched) == contents(packed) == contents(lying)
    truths = [(tmp_path / each / "truth" / "part.parquet").read_bytes() for each in "abc"]
    assert truths[0] == truths[1] == truths[2]
    assert len(list(archives.iterdir())) == 1
    assert not (tmp_path / "c" / "cache").exists()


def test_trouble_on_the_way_changes_nothing(originals: Path, tmp_path: Path) -> None:
    quiet = prepare("campus", (originals / "unpacked").as_uri(), tmp_path / "quiet")
    with Host(originals) as host:
        host.faults = {"CampusSeq1.tar.bz2": ["503", "truncate", "stall"]}
        troubled = prepare("campus", host.url, tmp_path / "troubled")
        assert len(host.ranges) >= 2
    assert contents(quiet) == contents(troubled)


def test_sequences_of_one_archive_fetch_it_once(originals: Path, tmp_path: Path) -> None:
    def make(number: int) -> Path:
        out = tmp_path / str(number)
        (out).mkdir()
        (out / "cache").symlink_to(tmp_path / "cache")
        return prepare("campus", host.url, out)

    (tmp_path / "cache").mkdir()
    with Host(originals) as host:
        first, second = in_parallel(make, [1, 2], 2)
        assert host.asked["CampusSeq1.tar.bz2"] == 1
    assert contents(first) == contents(second)


@pytest.mark.parametrize(
    ("fault", "said"), [("404", "404"), ("page", "web page"), ("garbage", "no bz2")]
)
def test_what_is_no_archive_is_refused(
    originals: Path, tmp_path: Path, fault: str, said: str
) -> None:
    with Host(originals) as host:
        host.faults = {"Shelf.tar.bz2": [fault]}
        with pytest.raises(InputError, match=rf"Shelf\.tar\.bz2: .*{said}"):
            prepare("shelf", host.url, tmp_path)
        assert not (tmp_path / "scene").exists() and not (tmp_path / "truth").exists()
        assert_right_frames(prepare("shelf", host.url, tmp_path))


def test_a_damaged_archive_is_refused_and_fetched_anew(originals: Path, tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    whole = (originals / "CampusSeq1.tar.bz2").read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 200] = bytes(200)
    for broken in (whole[: len(whole) // 2], bytes(damaged)):
        (served / "CampusSeq1.tar.bz2").write_bytes(broken)
        with pytest.raises(InputError, match=r"CampusSeq1\.tar\.bz2: a broken archive .*get it"):
            prepare("campus", served.as_uri(), tmp_path / "local")
        with Host(served) as host:
            with pytest.raises(InputError, match=r"a broken archive .*it was removed"):
                prepare("campus", host.url, tmp_path / "fetched")
            (served / "CampusSeq1.tar.bz2").write_bytes(whole)
            scene = prepare("campus", host.url, tmp_path / "fetched")
        assert_right_frames(scene)
        shutil.rmtree(tmp_path / "fetched")


KILLED_RUN = """
import sys
from pathlib import Path
from test_belagiannis import prepare
prepare("shelf", sys.argv[1], Path(sys.argv[2]))
"""


def holds_something(path: Path) -> bool:
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)


def test_killed_runs_end_as_an_undisturbed_one(originals: Path, tmp_path: Path) -> None:
    undisturbed = prepare("shelf", (originals / "unpacked").as_uri(), tmp_path / "undisturbed")
    command = [sys.executable, "-c", KILLED_RUN]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    killed = tmp_path / "killed"
    signs = ("cache/*/*.part", "cache/*/partial/Shelf/*", ".scene.partial/frames/Camera1")
    codes = []
    with Host(originals) as host:
        host.faults = {"Shelf.tar.bz2": ["stall"]}
        for sign in signs:
            run = subprocess.Popen(
                [*command, host.url, str(killed)], env=environment, stderr=subprocess.DEVNULL
            )
            while run.poll() is None and not any(map(holds_something, killed.glob(sign))):
                time.sleep(0.0005)
            run.send_signal(signal.SIGKILL)
            codes.append(run.wait())
        scene = prepare("shelf", host.url, killed)
        assert host.ranges
    assert codes[0] == -signal.SIGKILL
    assert contents(scene) == contents(undisturbed)
    assert [path.name for path in sorted(killed.iterdir())] == ["cache", "scene", "truth"]


def test_every_nth_frame_of_chosen_cameras(originals: Path, tmp_path: Path) -> None:
    url = (originals / "unpacked").as_uri()
    chosen = ("Camera2", "Camera0")
    scene = prepare("campus", url, tmp_path, test_every=2, cameras=chosen)
    assert read_scene(scene).frames == (1, 3, 6)
    assert tuple(camera.name for camera in read_scene(scene).cameras) == chosen
    assert_right_frames(scene)
    with pytest.raises(InputError, match=r"no camera \['Camera7'\]"):
        prepare("campus", url, tmp_path / "other", cameras=("Camera0", "Camera7"))


def apart(one: Camera, other: Camera) -> float:
    points = 1000 * np.concatenate([joints_m(actor, frame) for actor in (0, 1) for frame in (0, 1)])
    return float(np.abs(project(one, points)[0] - project(other, points)[0]).max())


@pytest.mark.parametrize("source", SOURCES)
def test_voxelposes_calibration_stands_in_for_the_matrices(source: str, unpacked: Path) -> None:
    folder, layout = unpacked / FOLDERS[source], LAYOUTS[source]
    matrices = read_rig(folder, layout)
    shutil.rmtree(folder / "Calibration")
    with pytest.raises(InputError, match=r"P0\.txt: there is no such file; .*VoxelPose"):
        read_rig(folder, layout)
    named = [replace(camera, name=camera.name[-1]) for camera in cameras(source)]
    write_voxelpose(folder / layout.calibration, named)
    given = read_rig(folder, layout)
    assert [camera.name for camera in given] == [camera.name for camera in matrices]
    assert {(camera.width, camera.height) for camera in given} == {SIZES[source]}
    assert max(apart(*pair) for pair in zip(given, matrices, strict=True)) < 0.01


def spoil_matrix(folder: Path, text: str) -> None:
    (folder / "Calibration" / "P1.txt").write_text(text)


SPOILT = {
    "matrix missing": (lambda f: (f / "Calibration" / "P1.txt").unlink(), r"P1\.txt: there is no"),
    "matrix cut": (lambda f: spoil_matrix(f, "1 2 3\n4 5"), r"P1\.txt: the projection matrix h"),
    "matrix words": (lambda f: spoil_matrix(f, "one two"), r"P1\.txt: the projection matrix h"),
    "matrix zero": (lambda f: spoil_matrix(f, "0 " * 12), r"P1\.txt: the projection matrix is s"),
    "matrix skewed": (
        lambda f: spoil_matrix(f, "300 80 180 0 0 300 140 0 0 0 1 5"),
        r"P1\.txt: the projection matrix has a skew",
    ),
    "camera missing": (lambda f: shutil.rmtree(f / "Camera1"), r"c1-00001\.png: there is no such"),
    "image missing": (
        lambda f: (f / image_path("campus", 2, 5)).unlink(),
        r"c2-00005\.png: there is no such file",
    ),
    "image empty": (
        lambda f: (f / image_path("campus", 2, 5)).write_bytes(b""),
        r"c2-00005\.png: 0 bytes",
    ),
    "image of another": (
        lambda f: shutil.copy(
            f.parent / "Shelf" / image_path("shelf", 0, 5), f / image_path("campus", 0, 5)
        ),
        r"Camera0, frame 5: the image is 1032x776",
    ),
    "truth missing": (lambda f: (f / "actorsGT.mat").unlink(), r"actorsGT\.mat: there is no such"),
    "truth no file": (lambda f: (f / "actorsGT.mat").write_text("x" * 500), r"actorsGT\.mat: not"),
    "truth short": (
        lambda f: write_truth(f / "actorsGT.mat", 6),
        r"actorsGT\.mat: actor 0 has 6 frames, frame 6 is wanted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILT)
def test_spoilt_files_are_named(case: str, unpacked: Path, tmp_path: Path) -> None:
    spoil, said = SPOILT[case]
    spoil(unpacked / "CampusSeq1")
    with pytest.raises(InputError, match=said):
        prepare("campus", unpacked.as_uri(), tmp_path)
    assert not (tmp_path / "scene").exists() and not (tmp_path / "truth").exists()


def test_an_address_without_the_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither the folder Shelf nor Shelf\.tar\.bz2"):
        prepare("shelf", tmp_path.as_uri(), tmp_path / "out")


def test_an_archive_of_something_else_is_named(originals: Path, tmp_path: Path) -> None:
    shutil.copy(originals / "CampusSeq1.tar.bz2", tmp_path / "Shelf.tar.bz2")
    with pytest.raises(InputError, match=r"Shelf\.tar\.bz2: there is no folder Shelf in it"):
        prepare("shelf", tmp_path.as_uri(), tmp_path / "out")


@pytest.mark.parametrize("compressed", [False, True])
def test_truth_that_is_cut_short_is_refused(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "actorsGT.mat"
    write_truth(path)
    savemat(path, {"actor3D": loadmat(str(path))["actor3D"]}, do_compression=compressed)
    whole = path.read_bytes()
    for length in np.random.default_rng(5).integers(1, len(whole), 6):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"actorsGT\.mat: not the truth of actors"):
            read_actors(path, range(N_FRAMES))


@pytest.mark.parametrize("byte", [167, 280])
def test_damaged_truth_that_breaks_its_reader_or_keeps_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, byte: int
) -> None:
    path = tmp_path / "actorsGT.mat"
    write_truth(path, 6)
    savemat(path, {"actor3D": loadmat(str(path))["actor3D"]})
    damaged = bytearray(path.read_bytes())
    damaged[byte] ^= 0x40
    path.write_bytes(damaged)
    monkeypatch.setattr(belagiannis, "LOADING_SECONDS", 10)
    with pytest.raises(InputError, match=r"actorsGT\.mat: .*get it anew"):
        read_actors(path, range(6))


def test_truth_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "actorsGT.mat"
    for content in ({"other": np.zeros(3)}, {"actor3D": np.zeros((4, 8, 14, 3))}):
        savemat(path, content)
        with pytest.raises(InputError, match=r"actorsGT\.mat: (not the truth|'actor3D' holds no)"):
            read_actors(path, [0])


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"test": {"a": [[5, 3]]}}, "ascending"),
        ({"test": {"a": [[1, 5], [5, 9]]}}, "without a frame in two"),
        ({"test": {"a b": [[1, 2]]}}, "only letters, digits"),
        ({"train": {"a": [[1, 2]]}, "test": {"a": [[3, 4]]}}, "there twice"),
    ],
)
def test_parts_that_are_none(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Shelf.model_validate(section)


def test_published_test_frames_are_not_learnt_from() -> None:
    for section, frames, recorded in ((Shelf(), 301, 3200), (Campus(), 222, 2000)):
        sets = [
            {frame for ranges in parts.values() for a, b in ranges for frame in range(a, b + 1)}
            for parts in (section.train, section.test)
        ]
        assert len(sets[1]) == frames
        assert not sets[0] & sets[1] and sets[0] | sets[1] == set(range(recorded))


def test_layouts_are_those_of_the_data_sets() -> None:
    def path(layout: Layout) -> str:
        return str(layout.path(Path("x"), "Camera2", 350))

    assert path(SHELF) == "x/Camera2/img_000350.png"
    assert path(CAMPUS) == "x/Camera2/campus4-c2-00350.png"

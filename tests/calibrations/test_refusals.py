"""What people's calibrations have wrong: read right, or refused with the remedy that is right."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration_rigs import assert_same_projections, in_world, ring, write
from selfpose3d.calibrations import World, read_calibration_of
from selfpose3d.calibrations.conversion import read_calibration
from selfpose3d.calibrations.world import TURNS
from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera


def by_hand(folder: Path, cameras: list[Camera], **changes: Any) -> Path:
    """A cameras.json as a person writes it, without our word on its convention."""
    rows = []
    for camera in cameras:
        row = {
            "name": camera.name,
            "width": camera.width,
            "height": camera.height,
            "K": camera.K.tolist(),
            "distortion": camera.distortion.tolist(),
            "R": camera.R.tolist(),
            "t": camera.t.tolist(),
        }
        rows.append(row | {key: change(row) for key, change in changes.items()})
    path = folder / "cameras.json"
    path.write_text(json.dumps({"cameras": rows}))
    return path


def pose2sim(folder: Path, cameras: list[Camera], name: str = "Calib.toml") -> Path:
    path = write("Pose2Sim", folder, cameras)
    path.write_text(path.read_text().replace('units = "m"\nup = "z"\n', ""))
    return path.rename(folder / name)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "K transposed": ({"K": lambda row: np.array(row["K"]).T.tolist()}, r"K = .*transpose it \(MAT"),
    "K's last row": ({"K": lambda row: [*row["K"][:2], [0, 0, 2]]}, r"is not \[\[fx, 0, cx\]"),
    "K's rows exchanged": ({"K": lambda row: [row["K"][i] for i in (1, 0, 2)]}, "K = "),
    "K of 4K, HD video": (
        {"K": lambda row: (np.diag([3.0, 3, 1]) @ row["K"]).tolist()},
        "K is of images of another size, perhaps 2.98 times as large.*translations are not",
    ),
    "K of a smaller mode": (
        {"K": lambda row: (np.diag([0.5, 0.5, 1]) @ row["K"]).tolist()},
        "K is of images of another size, perhaps 0.497",
    ),
    "no principal point": (
        {"K": lambda row: np.diag(np.diag(row["K"])).tolist()},
        r"principal point \[0.0, 0.0\].* lies in its corner",
    ),
    "principal point beyond": (
        {"K": lambda row: [[520, 0, 320], [0, 520, 800], [0, 0, 1]]},
        "principal point .* does not fit",
    ),
    "width and height exchanged": (
        {"width": lambda row: 384, "height": lambda row: 640},
        "fits one of 640 x 384 px: width and height are exchanged",
    ),
    "focal length in mm": (
        {"K": lambda row: [[4.2, 0, 320], [0, 4.2, 192], [0, 0, 1]]},
        r"focal lengths \[4.2, 4.2\].*must be in px",
    ),
    "focal lengths unlike": (
        {"K": lambda row: [[520, 0, 320], [0, 1300, 192], [0, 0, 1]]},
        "differ too much",
    ),
    "skew": ({"K": lambda row: [[520, 9, 320], [0, 521, 192], [0, 0, 1]]}, "skew of 9 px"),
    "lens that folds": (
        {"distortion": lambda row: [-0.9, 0, 0, 0, 0]},
        "folds back inside the image.*coefficients' order",
    ),
    "t is the centre": (
        {"t": lambda row: (-np.array(row["R"]).T @ row["t"]).tolist()},
        r"t is the camera's centre: t = -R C",
    ),
    "camera to world": (
        {
            "R": lambda row: np.array(row["R"]).T.tolist(),
            "t": lambda row: (-np.array(row["R"]).T @ row["t"]).tolist(),
        },
        "camera to the world: their inverse",
    ),
    "a width beyond all": ({"width": lambda row: 10**400}, "width is 1000.*whole number of pixels"),
    "metres": ({"t": lambda row: (np.array(row["t"]) / 1000).tolist()}, "must be in mm"),
    "one name for all": ({"name": lambda row: "cam"}, r"\['cam'\] appear more than once"),
    "name that is a number": ({"name": lambda row: 7}, "text without '/'"),
    "an unknown lens": ({"lens": lambda row: "omni"}, r"lens is \"omni\"; known are"),
    "fisheye of five": ({"lens": lambda row: "fisheye"}, "fisheye model has four"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_calibration_is_refused_with_its_remedy(tmp_path: Path, name: str) -> None:
    changes, said = REFUSED[name]
    by_hand(tmp_path, ring(), **changes)
    with pytest.raises(InputError, match=rf"(?s)cameras\.json: .*({said})"):
        read_calibration_of(tmp_path)


@pytest.mark.parametrize(("up", "turn"), [("y", TURNS["y"]), ("-y", TURNS["-y"])])
def test_a_world_that_lies_on_its_side_is_told_and_turned(
    tmp_path: Path, up: str, turn: np.ndarray
) -> None:
    path = by_hand(tmp_path, in_world(ring(), turn.T, 1.0))
    with pytest.raises(InputError, match=rf"top towards {up} of the world.*--up={up} .*turns it"):
        read_calibration_of(tmp_path)
    assert_same_projections(read_calibration(path, None, World(up=up))[1], ring(), 1e-6)


def test_axes_that_a_user_keeps_stay_kept(tmp_path: Path) -> None:
    """Cameras that look straight down, all with their top towards y."""
    down = [
        replace(camera, R=np.diag([1.0, -1, -1]), t=np.array([900.0 * i, 300.0 * (i % 2), 4000]))
        for i, camera in enumerate(ring())
    ]
    path = by_hand(tmp_path, down)
    with pytest.raises(InputError, match=r"--up=z keeps the axes"):
        read_calibration_of(tmp_path)
    cameras = read_calibration(path, None, World(up="z"))[1]
    write("cameras.json", tmp_path, cameras)
    assert_same_projections(read_calibration_of(tmp_path), cameras, 0.0)


def test_what_editors_do_to_text_is_read(tmp_path: Path) -> None:
    plain = pose2sim(tmp_path, ring()).read_text()
    path = tmp_path / "Calib.toml"
    for data in (
        plain.encode("utf-8-sig"),
        plain.encode("utf-16"),
        plain.encode("utf-16-le"),
        plain.encode("utf-16-be"),
        f"# caméra\n{plain}".encode("latin-1"),
        plain.replace("\n", "\r\n").encode(),
    ):
        path.write_bytes(data)
        assert_same_projections(read_calibration_of(tmp_path), ring(), 1e-6)
    path.unlink()
    text = by_hand(tmp_path, ring()).read_text()
    (tmp_path / "cameras.json").write_text(text, "utf-8-sig")
    assert_same_projections(read_calibration_of(tmp_path), ring(), 1e-6)


def test_names_that_are_numbers_are_texts(tmp_path: Path) -> None:
    named = [replace(camera, name=str(i)) for i, camera in enumerate(ring(), 1)]
    path = pose2sim(tmp_path, named)
    for i in range(1, 5):
        path.write_text(path.read_text().replace(f'name = "{i}"', f"name = {i}"))
    assert_same_projections(read_calibration_of(tmp_path), named, 1e-6)
    path.write_text(path.read_text().replace("name = 3", "name = 2"))
    with pytest.raises(InputError, match=r"cameras \['2'\] appear more than once"):
        read_calibration_of(tmp_path)
    path.write_text(path.read_text().replace("name = 1", "name = true"))
    with pytest.raises(InputError, match="a camera's name is True"):
        read_calibration_of(tmp_path)


def test_sizes_that_are_twice_the_principal_point(tmp_path: Path) -> None:
    path = pose2sim(tmp_path, ring())
    text = path.read_text().replace("size = [640.0, 384.0]", "size = [647.0, 375.5]")
    path.write_text(text)
    with pytest.raises(InputError, match=r"camera cam01: size = \[647.0, 375.5\].*K is right"):
        read_calibration_of(tmp_path)
    sizes = {camera.name: (640, 384) for camera in ring()}
    assert_same_projections(read_calibration_of(tmp_path, sizes), ring(), 1e-6)
    path.write_text(text.replace("647.0", "640.0"))
    with pytest.raises(InputError, match=r"cam01: size is \[640.0, 375.5\]; .*whole px"):
        read_calibration_of(tmp_path)


def test_two_calibrations_must_agree(tmp_path: Path) -> None:
    write("cameras.json", tmp_path, ring())
    pose2sim(tmp_path, ring())
    assert_same_projections(read_calibration_of(tmp_path), ring(), 0.0)
    moved = [replace(camera, t=camera.t + np.array([0, 0, 300.0])) for camera in ring()]
    pose2sim(tmp_path, moved)
    said = r"disagree, cameras.json .* and Calib.toml .*: camera cam0. differs by \d.* px"
    with pytest.raises(InputError, match=said):
        read_calibration_of(tmp_path)
    pose2sim(tmp_path, [replace(camera, name=f"x{camera.name}") for camera in ring()])
    with pytest.raises(InputError, match=r"disagree.*no name is in both"):
        read_calibration_of(tmp_path)
    pose2sim(tmp_path, ring(), "second.toml")
    pose2sim(tmp_path, ring())
    with pytest.raises(InputError, match=r"holds 2 Pose2Sim .*'Calib.toml', 'second.toml'"):
        read_calibration_of(tmp_path)


def test_other_files_of_the_same_kind_do_not_disturb(tmp_path: Path) -> None:
    (tmp_path / "Config.toml").write_text("[project]\nframe_rate = 60\n")
    (tmp_path / "notes.yml").write_text("who: me\n")
    with pytest.raises(InputError, match=r"no calibration; put one there.*Config.toml: no tables"):
        read_calibration_of(tmp_path)
    pose2sim(tmp_path, ring())
    assert_same_projections(read_calibration_of(tmp_path), ring(), 1e-6)


@pytest.mark.parametrize("name", ["x.json", "x.toml", "x.yml", "x.xml", "x.xcp", "x.mcal", "x.txt"])
@pytest.mark.parametrize("text", ["", "{", "[[[", "<a><b></a>", "\0\0", "{}", "[]", "<a/>", "a: b"])
def test_what_is_no_calibration_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rf"{name}: (of no known format|not valid|0 camera)"):
        read_calibration(tmp_path / name, None, World())


def test_twelve_coefficients_without_a_prism_are_eight(tmp_path: Path) -> None:
    cameras = ring("brown 8")
    by_hand(tmp_path, cameras, distortion=lambda row: [*row["distortion"], 0, 0, 0, 0])
    assert_same_projections(read_calibration_of(tmp_path), cameras, 1e-6)
    by_hand(tmp_path, cameras, distortion=lambda row: [*row["distortion"], 0.1, 0, 0, 0])
    with pytest.raises(InputError, match=r"holds 12 coefficients.*Refit with five"):
        read_calibration_of(tmp_path)


def test_a_rotation_vector_of_pi_is_a_rotation(tmp_path: Path) -> None:
    """Half a turn, where a rotation's vector is not unique."""
    half = cv2.Rodrigues(np.array([0.0, 0.0, np.pi - 1e-9]))[0]
    cameras = in_world(ring(), half @ ring()[1].R.T @ ring()[1].R, 1.0)
    path = pose2sim(tmp_path, cameras)
    assert_same_projections(read_calibration(path, None, World())[1], cameras, 1e-6)

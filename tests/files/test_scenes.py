"""Scenes, cameras and their checks; letterboxing; the space that people must be in."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from selfpose3d.errors import InputError
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.files.scenes import (
    Scene,
    View,
    check_rig,
    read_cameras,
    read_image,
    read_scene,
    write_cameras,
    write_image,
    write_scene,
)
from selfpose3d.files.space import check_space
from selfpose3d.geometry.cameras import Camera, in_image, letterbox, letterboxed, project, undistort
from selfpose3d.parameters import Parameters
from selfpose3d.skeletons import PANOPTIC_15
from selfpose3d.sources.preparation import warped


def camera(name: str = "a", x: float = 0.0, **over: object) -> Camera:
    values: dict[str, object] = {
        "name": name,
        "width": 160,
        "height": 96,
        "K": np.array([[140.0, 0, 79.5], [0, 141.0, 47.5], [0, 0, 1]]),
        "distortion": np.array([-0.2, 0.1, 0.001, -0.002, 0.01]),
        "R": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
        "t": np.array([-x, 1000.0, 3000.0]),
    }
    return Camera(**(values | over))  # type: ignore[arg-type]


RIG = (camera("a"), camera("b", 2000.0))


def write_small_scene(folder: Path) -> None:
    write_scene(Scene.calibrated(folder, "small", "test", RIG, [3, 6], [0.1, 0.2], (80, 48)))
    np.save(folder / "network.npy", np.zeros((2, 2, 48, 80, 3), np.uint8))


def test_a_scene_without_images_has_sizes_and_blank_frames_to_draw_on(tmp_path: Path) -> None:
    calibrated = Scene.calibrated(tmp_path, "small", "test", RIG, [3, 6], [0.1, 0.2], (80, 48))
    write_scene(replace(calibrated, has_images=False))
    scene = read_scene(tmp_path)
    assert scene.network_cameras()[1].width == 80
    view = scene.views[0]
    assert scene.picture(view, 3).shape == (view.height, view.width, 3)
    with pytest.raises(InputError, match=r"2D people and no images; .*heatmaps\.source: estimator"):
        scene.read_image("a", 3)
    with pytest.raises(InputError, match="2D people and no images"):
        _ = scene.network_frames


def test_a_scene_without_calibration_has_views(tmp_path: Path) -> None:
    views = (View("left", 640, 480), View("right", 320, 240))
    write_scene(Scene(tmp_path, "small", "test", views, None, (3,), (0.1,), (80, 48)))
    scene = read_scene(tmp_path)
    assert scene.views == views and scene.rig is None
    with pytest.raises(InputError, match="no calibration, and this method needs one"):
        scene.network_cameras()


def test_scene_round_trip(tmp_path: Path) -> None:
    write_small_scene(tmp_path)
    scene = read_scene(tmp_path)
    assert (scene.name, scene.source, scene.frames, scene.times) == (
        "small",
        "test",
        (3, 6),
        (0.1, 0.2),
    )
    for read, written in zip(scene.cameras, RIG, strict=True):
        assert read.name == written.name
        for field in ("K", "distortion", "R", "t"):
            np.testing.assert_array_equal(getattr(read, field), getattr(written, field))
    assert [(c.width, c.height) for c in scene.network_cameras()] == [(80, 48), (80, 48)]


def test_network_frames_of_another_scene_are_refused(tmp_path: Path) -> None:
    write_small_scene(tmp_path)
    np.save(tmp_path / "network.npy", np.zeros((5, 2, 4, 8, 3), np.uint8))
    with pytest.raises(
        InputError, match=r"network.npy: holds \(5, 2, 4, 8\).*the scene has \(2, 2, 48, 80\)"
    ):
        _ = read_scene(tmp_path).network_frames
    (tmp_path / "network.npy").write_bytes(b"")
    with pytest.raises(InputError, match=r"network.npy: .*prepare the scene again"):
        _ = read_scene(tmp_path).network_frames


def test_broken_scene_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scene.json: there is no such file"):
        read_scene(tmp_path)
    (tmp_path / "scene.json").write_text('{"name": "x"}')
    lacking = "'frames', 'images', 'network_size', 'source', 'times', 'views'"
    with pytest.raises(InputError, match=rf"scene.json: lacks \[{lacking}\]"):
        read_scene(tmp_path)
    for text in ('{"cameras": [{"name": "a"}]}', "[]", '{"cameras": 3}'):
        (tmp_path / "cameras.json").write_text(text)
        with pytest.raises(InputError, match=r"cameras.json: "):
            read_cameras(tmp_path / "cameras.json")


def rows_of_rig(folder: Path) -> list[dict[str, Any]]:
    """The cameras of the rig as a person may write them: without distortion."""
    write_cameras(folder / "cameras.json", RIG)
    rows: list[dict[str, Any]] = json.loads((folder / "cameras.json").read_text())["cameras"]
    return [{key: value for key, value in row.items() if key != "distortion"} for row in rows]


def read_rows(folder: Path, rows: Any) -> tuple[Camera, ...]:
    (folder / "cameras.json").write_text(json.dumps(rows))
    return read_cameras(folder / "cameras.json")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, [0, 0, 0, 0, 0]),
        ([], [0, 0, 0, 0, 0]),
        ([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4, 0]),
        ([[0.1, 0.2, 0.3, 0.4, 0.5]], [0.1, 0.2, 0.3, 0.4, 0.5]),
    ],
)
def test_distortion_of_four_coefficients_or_none(
    tmp_path: Path, given: list | None, expected: list[float]
) -> None:
    rows = rows_of_rig(tmp_path)
    if given is not None:
        rows[0]["distortion"] = given
    assert read_rows(tmp_path, {"cameras": rows})[0].distortion.tolist() == expected


def test_a_bare_list_of_cameras_and_columns_are_read(tmp_path: Path) -> None:
    rows = rows_of_rig(tmp_path)
    rows[1]["t"] = [[x] for x in rows[1]["t"]]
    rows[1]["width"] = 160.0
    for read, written in zip(read_rows(tmp_path, rows), RIG, strict=True):
        np.testing.assert_array_equal(read.t, written.t)
        assert (read.name, read.width) == (written.name, written.width)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("distortion", [0.1] * 6, r"camera b: distortion holds 6 .*0\.1.*five.*undistort"),
        ("distortion", [0.1], "camera b: distortion holds 1 "),
        ("distortion", "none", 'camera b: distortion holds "none"'),
        ("K", [140.0, 141.0, 80.0, 48.0], r"camera b: K holds \[140.*three rows.*fx"),
        ("K", [["140", 0, 80], [0, 140, 48], [0, 0, 1]], 'camera b: K holds .*"140".*plain'),
        ("R", [0.1, 0.2, 0.3], r"camera b: R holds \[0\.1.*three rows.*Rodrigues"),
        ("R", [[1, 0, 0], [0, 1], [0, 0, 1]], "camera b: R holds .*of one length"),
        ("R", None, "camera b: R holds null"),
        ("t", [1, 2, 3, 4], r"camera b: t holds \[1, 2, 3, 4\]; three numbers.*mm"),
        ("t", [1, 2, None], "camera b: t holds .*null.*plain numbers"),
        ("t", [1, 2, float("nan")], "camera b: t holds .*not finite"),
        ("width", "1920", 'camera b: width is "1920"; a whole number of pixels'),
        ("height", 0, "camera b: height is 0; a whole number"),
        ("height", True, "camera b: height is true; a whole number"),
        ("matrix", [], r"camera b: lacks the keys none, has the unknown keys \['matrix'\].*'K'"),
        ("name", 7, r"camera 1 \(from 0\): an object with a 'name'"),
    ],
)
def test_wrong_value_of_a_camera_is_named(
    tmp_path: Path, key: str, value: object, said: str
) -> None:
    rows = rows_of_rig(tmp_path)
    rows[1][key] = value
    with pytest.raises(InputError, match=rf"(?s)cameras\.json: {said}"):
        read_rows(tmp_path, {"cameras": rows})


@pytest.mark.parametrize("key", ["width", "K", "t"])
def test_camera_that_lacks_a_key(tmp_path: Path, key: str) -> None:
    rows = rows_of_rig(tmp_path)
    del rows[1][key]
    with pytest.raises(InputError, match=rf"json: camera b: lacks the keys \['{key}'\]"):
        read_rows(tmp_path, {"cameras": rows})


@pytest.mark.parametrize("rows", [3, {"a": {}}, {"cameras": {"a": {}}}, ["a", "b"]])
def test_calibration_of_another_form(tmp_path: Path, rows: object) -> None:
    with pytest.raises(InputError, match=r"cameras\.json: .*(list of cameras|an object).*name"):
        read_rows(tmp_path, rows)


@pytest.mark.parametrize("data", [b"", b"not an image"])
def test_unreadable_image(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "00000001.jpg"
    with pytest.raises(InputError, match=r"00000001.jpg: there is no such file"):
        read_image(path)
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"{len(data)} bytes, not a readable image"):
        read_image(path)


def test_png_image_is_kept_exactly_as_rgb(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (12, 20, 3)).astype(np.uint8)
    write_image(tmp_path / "a.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), image)


@pytest.mark.parametrize(
    ("rig", "said"),
    [
        (RIG[:1], "1 camera.*at least two"),
        ((RIG[0], RIG[0]), r"\['a'\] appear more than once"),
        ((camera("a"), camera("b", 2.0)), "translations must be in mm"),
        ((camera("a"), camera("b", 2e6)), "translations must be in mm"),
    ],
)
def test_rig_that_cannot_be(rig: tuple[Camera, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"cameras.json: .*{said}"):
        write_cameras(tmp_path / "cameras.json", rig)
        read_cameras(tmp_path / "cameras.json")
    with pytest.raises(InputError, match=said):
        check_rig(rig, "here")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("K", np.diag([0.0, 100, 1]), "singular intrinsics"),
        ("K", np.diag([-100.0, 100, 1]), "singular intrinsics"),
        ("K", np.full((3, 3), np.nan), "not finite"),
        ("R", np.ones((3, 3)), "not a rotation"),
        ("R", np.diag([1.0, 1, -1]), "not a rotation"),
        ("t", np.array([0, 0, np.inf]), "not finite"),
    ],
)
def test_camera_that_cannot_be(field: str, value: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=f"(?s)camera a: .*{said}"):
        camera(**{field: value})


sides = st.integers(40, 400)


@given(width=sides, height=sides, new_width=sides, new_height=sides)
def test_letterbox_fits_centred(width: int, height: int, new_width: int, new_height: int) -> None:
    affine = letterbox(width, height, new_width, new_height)
    middle = affine @ [(width - 1) / 2, (height - 1) / 2, 1]
    np.testing.assert_allclose(middle, [(new_width - 1) / 2, (new_height - 1) / 2])
    assert affine[0, 0] == affine[1, 1]
    assert affine[0, 0] * width <= new_width + 1e-9
    assert affine[1, 1] * height <= new_height + 1e-9


@given(x=st.floats(-900, 900), z=st.floats(200, 1800), size=st.tuples(sides, sides))
def test_letterboxed_camera_sees_the_letterboxed_image(
    x: float, z: float, size: tuple[int, int]
) -> None:
    point = np.array([x, 100.0, z])
    before = project(RIG[0], point)[0]
    after = project(letterboxed(RIG[0], *size), point)[0]
    np.testing.assert_allclose(after, letterbox(160, 96, *size) @ [*before, 1.0], atol=1e-6)


@given(x=st.floats(-900, 900), z=st.floats(300, 1700), y=st.floats(-500, 2000))
def test_undistort_undoes_project(x: float, y: float, z: float) -> None:
    pixels, depth = project(RIG[0], np.array([x, y, z]))
    if in_image(RIG[0], pixels):
        seen = np.array([*undistort(RIG[0], pixels), 1.0]) * depth
        np.testing.assert_allclose(RIG[0].R.T @ (seen - RIG[0].t), [x, y, z], atol=2.0)


def test_points_behind_have_no_projection() -> None:
    pixels, depth = project(RIG[0], np.array([[0.0, -5000.0, 1000.0], [0.0, 0.0, 1000.0]]))
    assert depth[0] < 0
    assert np.isnan(pixels[0]).all()
    assert np.isfinite(pixels[1]).all()


@pytest.mark.parametrize("size", [(160, 96), (97, 55), (80, 80), (320, 200), (33, 61)])
def test_warped_image_agrees_with_its_affine(size: tuple[int, int]) -> None:
    """A soft blob lands, to a fraction of a pixel, where the affine puts it."""
    y, x = np.mgrid[:96, :160]
    blob = 255 * np.exp(-((x - 100.3) ** 2 + (y - 40.7) ** 2) / (2 * 6.0**2))
    image = np.repeat(blob[..., None], 3, axis=2).round().astype(np.uint8)
    affine = letterbox(160, 96, *size)
    result = warped(image, affine, size)[..., 0].astype(float)
    assert result.shape == (size[1], size[0])
    rows, columns = np.mgrid[: size[1], : size[0]]
    found = np.array([(result * columns).sum(), (result * rows).sum()]) / result.sum()
    np.testing.assert_allclose(found, affine @ [100.3, 40.7, 1.0], atol=0.1)


def people_at(*roots: tuple[float, float, float]) -> Frames:
    joints = np.repeat(np.array(roots, dtype=float).reshape(-1, 1, 3), 15, axis=1)
    return {("s", 0): People3D.predicted(joints, np.ones(len(roots)), PANOPTIC_15)}


def test_space_that_holds_nobody() -> None:
    space = ((0.0, 0.0, 900.0), (6000.0, 6000.0, 2000.0))
    assert check_space(*space, people_at((0, 0, 900), (9000, 0, 900)), "truth") == 0.5
    with pytest.raises(InputError, match=r"truth: none of 1 people .*\[9000.0, 0.0, 900.0\]") as no:
        check_space(*space, people_at((9000, 0, 900)), "truth")
    pasted = yaml.safe_load(str(no.value)[str(no.value).index("space: {") :])["space"]
    held = Parameters.model_validate({"space": pasted}).space
    assert check_space(held.centre, held.size, people_at((9000, 0, 900)), "truth") == 1
    with pytest.raises(InputError, match="truth: there is nobody in any frame"):
        check_space(*space, people_at(), "truth")

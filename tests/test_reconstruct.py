"""3D people of a calibration and 2D people: the command, and the source without pictures."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from selfpose3d.calibrations.pose2sim import write_pose2sim
from selfpose3d.calibrations.voxelpose import write_voxelpose
from selfpose3d.calibrations.world import in_their_world
from selfpose3d.cli import app
from selfpose3d.evaluation import evaluate
from selfpose3d.files.poses2d import People2D, read_poses2d
from selfpose3d.files.poses3d import read_poses3d
from selfpose3d.files.scenes import BLANK, read_scene, write_cameras
from selfpose3d.geometry.cameras import Camera
from selfpose3d.keypoints.coco import write_coco_results
from selfpose3d.parameters import Parameters, TrainingFree, select, with_settings
from selfpose3d.reporting.figures import pictures
from selfpose3d.skeletons import COCO_17, HALPE_26, PANOPTIC_15, Skeleton, converted
from selfpose3d.sources import SOURCES
from selfpose3d.synthetic.faulty_rigs import Planted, record
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring

CALIBRATION, PEOPLE = "cameras.json", "people.json"
FREE = json.dumps({"training_free": TrainingFree().model_dump()})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    folder = tmp_path_factory.mktemp("made")
    scene = make_scene(folder, "take", 3, ring(4), frames=4, missing=0.0, skeleton=COCO_17)
    write_cameras(folder / CALIBRATION, scene.scene.cameras)
    write_coco_results(folder / PEOPLE, scene.views)
    return scene


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def reconstruct(folder: Path, out: Path, *more: object, people: str = PEOPLE) -> tuple[int, str]:
    given = ("--calibration", folder / CALIBRATION, "--keypoints", folder / people)
    return run("reconstruct", *given, "--out", out, *more)


def test_one_command_makes_3d_people_of_2d_people(made: Synthetic, tmp_path: Path) -> None:
    out = tmp_path / "people.parquet"
    status, said = reconstruct(made.scene.folder, out)
    assert status == 0, said
    table = pd.read_parquet(out)
    columns = {"sequence", "frame", "person", "joint", "x", "y", "z", "score", "valid"}
    assert set(table.columns) == {*columns, "views"} and table.attrs["joints"] == list(
        COCO_17.joints
    )
    assert sorted(set(table["frame"])) == [0, 10, 20, 30] and table["valid"].all()
    found = {("take", frame): people for (_, frame), people in read_poses3d(out).items()}
    assert evaluate(found, made.truth)["MPJPE"] < 60
    lines = [line for line in said.splitlines() if "frames/s" not in line]
    assert lines[0].startswith("No fault was found: 3D people explain ")
    first = lines.index("4 frames, 4 cameras, 32 2D people")
    assert all(f"Camera {camera.name}" in "".join(lines[:first]) for camera in made.scene.cameras)
    assert lines[first + 1] == "8 people in 3D; people per frame: 2 in 4 frames"
    assert all(f"{camera.name} " in lines[first + 2] for camera in made.scene.cameras)
    assert "all 32 people are kept; 0 of 32" in lines[first + 3] and len(lines) == first + 5


def test_a_file_that_is_no_parquet_is_refused_before_the_work(
    made: Synthetic, tmp_path: Path
) -> None:
    (tmp_path / "people.parquet").mkdir()
    for name in ("people.csv", "people.parquet"):
        status, said = reconstruct(made.scene.folder, tmp_path / name)
        assert status != 0 and f"{name}: the people become a Parquet file" in said
        assert "People are" not in said


def write_recording(folder: Path, fault: str) -> None:
    """Walking people and a rig with a fault, as a calibration and COCO results."""
    recording = record(41, [Planted(fault, 1, 1)], cameras=4, seconds=2.0)
    write_cameras(folder / CALIBRATION, recording.cameras)
    views = {}
    for image, seen in recording.views.items():
        joints = converted(seen.points, seen.scores, seen.skeleton, COCO_17, partly=True)
        views[image] = People2D(*joints, seen.person_scores, COCO_17)
    write_coco_results(folder / PEOPLE, views)


def test_the_rig_is_checked_before_anything_is_made(tmp_path: Path) -> None:
    write_recording(tmp_path, "exchanged")
    status, said = reconstruct(tmp_path, tmp_path / "p.parquet")
    assert status == 0, said
    fault = said.index("Warning: 1 fault was found. As calibrated")
    assert fault < said.index("ameras cam02 and cam04 are exchanged") < said.index("60 frames, 4 ")
    assert said.index("60 frames, 4 ") < said.index("warning: ")


def without_size(folder: Path, cameras: Sequence[Camera]) -> Path:
    write_voxelpose(folder / "calibration_rig.json", cameras)
    return folder / "calibration_rig.json"


def in_cm_with_y_up(folder: Path, cameras: Sequence[Camera]) -> Path:
    """A calibration of Pose2Sim's form that tells neither unit nor axes."""
    theirs = [in_their_world(camera, "cm", "y") for camera in cameras]
    write_pose2sim(folder / "Calib.toml", [replace(each, t=1000 * each.t) for each in theirs])
    lines = (folder / "Calib.toml").read_text().splitlines()
    told = [line for line in lines if not line.startswith(("units", "up"))]
    (folder / "Calib.toml").write_text("\n".join(told))
    return folder / "Calib.toml"


@pytest.mark.parametrize(
    ("write", "asked", "options"),
    [
        (without_size, "--size 1920x1080", ("--size", "224x160")),
        (in_cm_with_y_up, "--up=y", ("--units", "cm", "--up", "y")),
    ],
)
def test_what_a_calibration_does_not_tell_is_told_in_the_words_of_convert(
    made: Synthetic, tmp_path: Path, write: Callable, asked: str, options: Sequence[str]
) -> None:
    given = ("--keypoints", made.scene.folder / PEOPLE, "--out", tmp_path / "p.parquet")
    calibration = ("--calibration", write(tmp_path, made.scene.cameras))
    status, said = run("reconstruct", *given, *calibration)
    assert (
        status == 1 and asked in said and "reconstruct and check-rig take the option, too" in said
    )
    status, said = run("reconstruct", *given, *calibration, *options)
    assert status == 0, said
    found = {
        ("take", frame): each for (_, frame), each in read_poses3d(tmp_path / "p.parquet").items()
    }
    assert evaluate(found, made.truth)["MPJPE"] < 60
    status, said = run("reconstruct", *given, *calibration, "--size", "large")
    assert status == 1 and "--size large: WIDTHxHEIGHT is expected" in said


def test_a_threshold_that_drops_everybody_is_named_with_what_keeps_them(
    made: Synthetic, tmp_path: Path
) -> None:
    status, said = reconstruct(made.scene.folder, tmp_path / "p.parquet", "--person-score", 0.95)
    assert status == 1
    assert "nobody is left; dropped 32 of 32 people: 32 with a score below 0.95" in said
    assert "(up to 0.9; --person-score 0.9 keeps them)" in said and "labels." not in said


def test_people_of_one_camera_or_of_another_rig_are_refused(
    made: Synthetic, tmp_path: Path
) -> None:
    folder = made.scene.folder
    alone = {image: people for image, people in made.views.items() if image[1] == "cam1"}
    write_coco_results(folder / "alone.json", alone)
    status, said = reconstruct(folder, tmp_path / "p.parquet", people="alone.json")
    assert status == 1 and "two cameras or more must have seen somebody" in said
    turned = [
        replace(camera, t=camera.t + np.array([3000.0 * number, 900.0 * (-1) ** number, 0.0]))
        for number, camera in enumerate(made.scene.cameras)
    ]
    write_cameras(tmp_path / CALIBRATION, turned)
    (tmp_path / PEOPLE).write_bytes((folder / PEOPLE).read_bytes())
    status, said = reconstruct(tmp_path, tmp_path / "p.parquet")
    assert status == 1 and "32 2D people, and nobody in 3D" in said
    assert "--max-ray-distance" in said and not (tmp_path / "p.parquet").exists()
    assert "training_free" not in said


def test_people_of_few_joints_are_told_in_words_of_their_files(
    made: Synthetic, tmp_path: Path
) -> None:
    rows = json.loads((made.scene.folder / PEOPLE).read_text())
    for row in rows:
        row["keypoints"][9:] = [0.0] * (len(row["keypoints"]) - 9)
    (made.scene.folder / "heads.json").write_text(json.dumps(rows))
    status, said = reconstruct(made.scene.folder, tmp_path / "p.parquet", people="heads.json")
    assert status == 1 and "32 with fewer than 4 joints" in said
    assert "let the estimator write joints of low scores, too" in said and "labels." not in said


def test_a_larger_distance_between_rays_is_an_option(made: Synthetic, tmp_path: Path) -> None:
    out = tmp_path / "p.parquet"
    status, said = reconstruct(made.scene.folder, out, "--max-ray-distance", 1)
    assert status == 1 and "farther than 1 mm from those of the others: --max-ray-distance" in said
    status, said = reconstruct(made.scene.folder, out, "--max-ray-distance", 200)
    assert status == 0 and "farther than 200 mm" in said


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_matrix_that_is_not_finite_is_refused_with_what_to_do(
    made: Synthetic, tmp_path: Path, value: float
) -> None:
    content = json.loads((made.scene.folder / CALIBRATION).read_text())
    content["cameras"][1]["K"][0][0] = value
    (tmp_path / CALIBRATION).write_text(json.dumps(content))
    (tmp_path / PEOPLE).write_bytes((made.scene.folder / PEOPLE).read_bytes())
    status, said = reconstruct(tmp_path, tmp_path / "p.parquet")
    assert status == 1 and "camera cam1: K holds" in said and "not finite numbers" in said
    assert "calibrate this camera again" in said


def test_the_rig_is_checked_in_the_words_of_reconstruct(made: Synthetic, tmp_path: Path) -> None:
    calibration, people = in_cm_with_y_up(tmp_path, made.scene.cameras), made.scene.folder / PEOPLE
    status, said = run("check-rig", calibration, "--people", people)
    assert status == 1 and "--up=y" in said
    told = ("--units", "cm", "--up", "y", "--image-size", "224x160", "--joints", "coco17")
    status, said = run("check-rig", calibration, "--people", people, *told)
    assert status == 0 and "No fault was found" in said
    status, said = run("check-rig", calibration, "--people", people, *told[:4], "--joints", "none")
    assert status == 1 and "none" in said


def test_pixels_of_another_size_are_scaled_by_the_named_one(
    made: Synthetic, tmp_path: Path
) -> None:
    folder, rows = made.scene.folder, json.loads((made.scene.folder / PEOPLE).read_text())
    for row in rows:
        values = np.array(row["keypoints"]).reshape(-1, 3)
        values[values[:, 2] > 0, :2] = 3 * values[values[:, 2] > 0, :2] + 1
        row["keypoints"] = values.ravel().tolist()
    (folder / "larger.json").write_text(json.dumps(rows))
    status, said = reconstruct(folder, tmp_path / "p.parquet", people="larger.json")
    assert status == 1 and "--image-size" in said
    size = ("--image-size", "672x480")
    status, said = reconstruct(folder, tmp_path / "p.parquet", *size, people="larger.json")
    assert status == 0, said
    found = {
        ("take", frame): each for (_, frame), each in read_poses3d(tmp_path / "p.parquet").items()
    }
    assert evaluate(found, made.truth)["MPJPE"] < 60
    status, said = reconstruct(folder, tmp_path / "p.parquet", "--image-size", "large")
    assert status == 1 and "WIDTHxHEIGHT is expected" in said


def with_feet(people: Synthetic, seen: Sequence[str]) -> dict:
    """The 2D people in HALPE_26, with feet where the ankles are, in some cameras alone."""
    views = {}
    for (frame, camera), each in people.views.items():
        points, scores = converted(each.points, each.scores, COCO_17, HALPE_26, partly=True)
        for joint, name in enumerate(HALPE_26.joints):
            side, _, part = name.partition("_")
            if part in ("big_toe", "small_toe", "heel"):
                ankle = HALPE_26.index(f"{side}_ankle")
                points[:, joint] = points[:, ankle]
                scores[:, joint] = scores[:, ankle] * (camera in seen)
        views[frame, camera] = type(each)(points, scores, each.person_scores, HALPE_26)
    return views


@pytest.mark.parametrize(("seen", "valid"), [(("cam0", "cam1"), True), (("cam0",), False)])
def test_feet_are_valid_where_two_views_see_them(
    made: Synthetic, tmp_path: Path, seen: Sequence[str], valid: bool
) -> None:
    folder = made.scene.folder
    write_coco_results(folder / "feet.json", with_feet(made, seen))
    status, said = reconstruct(folder, tmp_path / "p.parquet", people="feet.json")
    assert status == 0, said
    toe, ankle = HALPE_26.index("left_big_toe"), HALPE_26.index("left_ankle")
    for people in read_poses3d(tmp_path / "p.parquet").values():
        assert people.skeleton == HALPE_26 and np.isfinite(people.joints).all()
        assert people.valid[:, ankle].all() and (people.valid[:, toe] == valid).all()
        if valid:
            apart = np.linalg.norm(people.joints[:, toe] - people.joints[:, ankle], axis=-1)
            assert np.median(apart) < 150


SETTINGS = {
    "data.source": "keypoints",
    "data.network_size": [224, 160],
    "keypoints.test": ["take"],
    "estimator.name": "file",
    "labels.person_score": 0.5,
}


def prepared(made: Synthetic, folder: Path, skeleton: str, every: int = 1) -> Path:
    """The scene, the detections and the labels of 2D people without pictures."""
    own = made.scene.folder
    paths = {
        "keypoints.calibration": str(own / CALIBRATION),
        "estimator.files": str(own / PEOPLE),
        "labels.skeleton": skeleton,
        "data.test_every": every,
    }
    chosen = with_settings(Parameters(), {**SETTINGS, **paths}, "test")
    given = ("--parameters", chosen.model_dump_json())
    read = json.dumps(select(chosen, SOURCES["keypoints"].reads(chosen, "take", "test")))
    scene, found = folder / "scene", folder / "take.parquet"
    steps = (
        ("prepare", "keypoints", "--sequence", "take", "--scene", scene, "--parameters", read),
        ("detect", "--scene", scene, "--weights", folder, "--out", found, *given),
        ("label", "--kind", "soft", "--detections", found, "--out", folder / "labels", *given),
    )
    for step in steps:
        status, said = run(*step)
        assert status == 0, said
    return scene


@pytest.mark.parametrize(
    ("skeleton", "joints"), [("estimator", COCO_17), ("panoptic15", PANOPTIC_15)]
)
def test_2d_people_without_pictures_make_a_scene(
    made: Synthetic, tmp_path: Path, skeleton: str, joints: Skeleton
) -> None:
    scene = read_scene(prepared(made, tmp_path, skeleton))
    assert scene.frames == (0, 10, 20, 30) and not scene.has_images
    assert [(view.width, view.height) for view in scene.views] == [(224, 160)] * 4
    labels = read_poses2d(tmp_path / "labels" / "take.parquet")
    assert {people.skeleton for people in labels.values()} == {joints.with_root}
    out = ("--out", tmp_path / "people")
    given = (
        "--parameters",
        FREE,
        "--scene",
        scene.folder,
        "--labels",
        tmp_path / "labels",
    )
    status, said = run("reconstruct-scenes", *given, *out)
    assert status == 0, said
    people = read_poses3d(tmp_path / "people" / "take.parquet")
    assert evaluate(people, made.truth)["MPJPE"] < 60
    shown = pictures(scene, people)
    assert shown and all((image == BLANK).any() for image in shown.values())


def test_every_nth_frame_of_2d_people_is_taken(made: Synthetic, tmp_path: Path) -> None:
    assert read_scene(prepared(made, tmp_path, "estimator", every=20)).frames == (0, 20)
    labels = read_poses2d(tmp_path / "labels" / "take.parquet")
    assert {frame for frame, _ in labels} == {0, 20}

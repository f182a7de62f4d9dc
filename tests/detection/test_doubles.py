"""People who are there twice are told: one recording for two cameras, one person twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from selfpose3d.cli import app
from selfpose3d.detection.doubles import LOOKED_AT, doubled_people
from selfpose3d.files.poses2d import People2D, Views, write_poses2d
from selfpose3d.files.scenes import write_cameras
from selfpose3d.keypoints.coco import write_coco_results
from selfpose3d.skeletons import COCO_17
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring

LABELS = '{"labels": {"person_score": 0, "min_joints": 4, "skeleton": "coco17", "noise": 0}}'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    folder = tmp_path_factory.mktemp("made")
    return make_scene(folder, "take", 3, ring(4), frames=6, missing=0.0, skeleton=COCO_17)


def with_one_recording_twice(views: Views) -> Views:
    return {(f, c): views[f, "cam0"] if c == "cam2" else each for (f, c), each in views.items()}


def with_everybody_twice(people: People2D, moved: float = 0.3) -> People2D:
    return replace(
        people,
        points=np.concatenate([people.points, people.points + moved]),
        scores=np.concatenate([people.scores] * 2),
        person_scores=np.concatenate([people.person_scores] * 2),
    )


def test_nothing_is_told_of_people_who_are_there_once(made: Synthetic) -> None:
    assert doubled_people(made.views) == []


def test_one_recording_of_two_cameras_is_told(made: Synthetic) -> None:
    (said,) = doubled_people(with_one_recording_twice(made.views))
    assert said.startswith("Cameras cam0 and cam2 have the same 2D people, to the pixel, in 6 of 6")
    assert "Give each camera its own" in said


def test_a_person_twice_in_an_image_is_told_with_camera_and_frame(made: Synthetic) -> None:
    doubled = dict(made.views)
    for frame in (20, 40):
        doubled[frame, "cam1"] = with_everybody_twice(doubled[frame, "cam1"])
    (said,) = doubled_people(doubled)
    assert said.startswith("Camera cam1 has a person twice in 2 of 6 images, first in frame 20")


def test_people_beside_each_other_are_two(made: Synthetic) -> None:
    near = {image: with_everybody_twice(each, 12.0) for image, each in made.views.items()}
    assert doubled_people(near) == []


def test_of_very_many_frames_some_are_looked_at(made: Synthetic) -> None:
    many = {
        (frame, camera): made.views[10 * (frame % 6), camera]
        for frame in range(3 * LOOKED_AT)
        for camera in ("cam0", "cam1")
    }
    (said,) = doubled_people({**many, **{(f, "cam2"): many[f, "cam0"] for f, _ in many}})
    assert f"in {LOOKED_AT} of {LOOKED_AT} frames" in said


def test_reconstruct_and_label_warn(made: Synthetic, tmp_path: Path) -> None:
    doubled = with_one_recording_twice(made.views)
    write_cameras(tmp_path / "cameras.json", made.scene.cameras)
    write_coco_results(tmp_path / "people.json", doubled)
    write_poses2d(tmp_path / "take.parquet", doubled)
    rig, files, labelled = (str(tmp_path / name) for name in ("cameras.json", "people.json", "l"))
    detections, out = str(tmp_path / "take.parquet"), str(tmp_path / "p.parquet")
    commands = (
        ["reconstruct", "--calibration", rig, "--keypoints", files, "--out", out],
        ["label", "-p", LABELS, "--kind", "soft", "--detections", detections, "--out", labelled],
    )
    for command in commands:
        said = CliRunner().invoke(app, command).output
        assert "Warning: " in said and "ameras cam0 and cam2 have the same 2D people" in said

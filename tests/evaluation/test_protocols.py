"""PCP and upper bodies worked by hand, views that see a person, joint definitions aligned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from selfpose3d.cli import app
from selfpose3d.evaluation.alignment import AXES, body_frames, cross_aligned, learnt_offsets
from selfpose3d.evaluation.measures import measure
from selfpose3d.evaluation.parts import PARTS, in_shelf_joints, pcp
from selfpose3d.evaluation.seen import views_that_see
from selfpose3d.evaluation.upper_bodies import SEVEN, upper_bodies
from selfpose3d.files.atomic import read_json, write_json
from selfpose3d.files.poses3d import Frames, People3D, converted_frames
from selfpose3d.geometry.cameras import project
from selfpose3d.skeletons import COCO_17, MVOR_10, PANOPTIC_15, SHELF_14, Skeleton
from selfpose3d.synthetic.scenes import Synthetic, make_scene, ring

KEY = ("shelf", 300)
STANDING = {
    "nose": (0, -100, 1600),
    "left_ear": (70, -20, 1620),
    "right_ear": (-70, -20, 1620),
    "left_shoulder": (200, 0, 1400),
    "right_shoulder": (-200, 0, 1400),
    "left_elbow": (250, 0, 1100),
    "right_elbow": (-250, 0, 1100),
    "left_wrist": (260, 0, 860),
    "right_wrist": (-260, 0, 860),
    "left_hip": (120, 0, 900),
    "right_hip": (-120, 0, 900),
    "left_knee": (120, 0, 500),
    "right_knee": (-120, 0, 500),
    "left_ankle": (120, 0, 100),
    "right_ankle": (-120, 0, 100),
    "upper_neck": (0, -50, 1500),
    "head_top": (0, -75, 1700),
    "neck": (0, 0, 1400),
    "mid_hip": (0, 0, 900),
    "head": (0, -50, 1600),
}
"""A person, mm."""


def person(skeleton: Skeleton, *shifts: float, **moved: tuple[float, float, float]) -> People3D:
    """The standing person once for each shift along x, with some joints moved."""
    body = np.array([STANDING[joint] for joint in skeleton.joints], dtype=float)
    for joint, by in moved.items():
        body[skeleton.index(joint)] += by
    joints = np.stack([body + np.array([shift, 0, 0]) for shift in shifts])
    return People3D.predicted(joints, np.ones(len(joints)), skeleton)


def test_every_part_of_a_perfect_prediction_is_right() -> None:
    found = pcp({KEY: person(SHELF_14, 0, 2000)}, {KEY: person(SHELF_14, 0, 2000)})
    assert found["actor 1"] == found["actor 2"] == found["mean"] == 100
    assert found["actor 3"] is None
    assert set(found["parts"]) == set(PARTS) and len(PARTS) == 10


def test_a_limb_is_right_up_to_half_its_length() -> None:
    """The lower leg is 400 mm long: its mean end error may be 200, so one end may be off by 400."""
    truth = {KEY: person(SHELF_14, 0)}
    right = pcp({KEY: person(SHELF_14, 0, left_ankle=(0, 400, 0))}, truth)
    assert right["parts"]["left lower leg"] == 100
    wrong = pcp({KEY: person(SHELF_14, 0, left_ankle=(0, 401, 0))}, truth)
    assert wrong["parts"]["left lower leg"] == 0 and wrong["parts"]["left upper leg"] == 100
    assert wrong["actor 1"] == pytest.approx(90)


def test_the_torso_goes_from_the_mid_hip_to_the_upper_neck() -> None:
    """Its length is 602 mm; with both hips off by 603 mm the mean end error is above half of it."""
    hips = dict.fromkeys(("left_hip", "right_hip"), (0.0, 603.0, 0.0))
    found = pcp({KEY: person(SHELF_14, 0, **hips)}, {KEY: person(SHELF_14, 0)})
    assert found["parts"]["torso"] == 0


def test_a_frame_without_predictions_is_missed_and_strangers_cost_nothing() -> None:
    truth = {KEY: person(SHELF_14, 0), ("shelf", 301): person(SHELF_14, 0)}
    crowd = person(SHELF_14, 3000, 0, -3000, 6000)
    found = pcp({KEY: crowd}, truth)
    assert found["actor 1"] == pytest.approx(50)
    assert measure({KEY: crowd}, truth)["people_per_frame"] == pytest.approx(2.0)


def test_the_mean_is_over_actors_and_the_fourth_does_not_count() -> None:
    actors = person(SHELF_14, 0, 2000, 4000, 6000)
    truth = {KEY: actors, ("shelf", 301): actors.where([0])}
    found = pcp({KEY: person(SHELF_14, 0, 2000, 4000)}, truth)
    assert [found[f"actor {n}"] for n in (1, 2, 3)] == pytest.approx([50, 100, 100])
    assert found["mean"] == pytest.approx(250 / 3)


def test_an_unknown_joint_makes_its_parts_wrong_and_chooses_nobody() -> None:
    seen = person(SHELF_14, 0)
    seen.valid[0, SHELF_14.index("right_wrist")] = False
    seen.joints[0, SHELF_14.index("right_wrist")] = 1e6
    found = pcp({KEY: seen}, {KEY: person(SHELF_14, 0)})
    assert found["parts"]["right lower arm"] == 0 and found["actor 1"] == pytest.approx(90)


def test_the_head_comes_from_shoulders_nose_and_ears() -> None:
    """Mid-shoulder (0, 0, 1400), nose (0, -100, 1600), ears' centre (0, -20, 1620)."""
    face = in_shelf_joints(person(PANOPTIC_15, 0))
    assert face.joints[0, SHELF_14.index("upper_neck")] == pytest.approx([0, -50, 1500])
    assert face.joints[0, SHELF_14.index("head_top")] == pytest.approx([0, -75, 1700])

    coco = Skeleton(tuple(joint for joint in COCO_17.joints if "eye" not in joint))
    ears = in_shelf_joints(person(coco, 0))
    bottom = 0.75 * np.array([0, -50, 1500]) + 0.25 * np.array([0, -10, 1510])
    top = 0.75 * np.array([0, -75, 1700]) + 0.25 * np.array([0, -30, 1730])
    assert ears.joints[0, SHELF_14.index("upper_neck")] == pytest.approx(bottom)
    assert ears.joints[0, SHELF_14.index("head_top")] == pytest.approx(top)
    one_ear = person(coco, 0)
    one_ear.valid[0, coco.index("left_ear")] = False
    assert in_shelf_joints(one_ear).joints == pytest.approx(face.joints)


def test_upper_bodies_are_matched_one_to_one_within_half_a_metre() -> None:
    """The second prediction is 400 mm from the first body, which is taken, and 600 from its own."""
    key = ("mvor", 1)
    truth = {key: person(MVOR_10, 0, 1000)}
    found = upper_bodies({key: person(MVOR_10, 100, 400)}, truth)
    assert found["Recall@500"] == pytest.approx(50)
    assert found["MPJPE"] == pytest.approx(100)
    assert found["AP100"] == 0 and found["AP150"] == pytest.approx(50, abs=0.1)
    assert "left_hip" not in SEVEN.joints and len(SEVEN) == 7


def test_hips_and_heads_of_upper_bodies_do_not_count() -> None:
    off = (900.0, 0.0, 0.0)
    moved = person(MVOR_10, 0, head=off, left_hip=off, right_hip=off)
    found = measure({("m", 1): moved}, {("m", 1): person(MVOR_10, 0)})["MVOR"]
    assert found["MPJPE"] == pytest.approx(0, abs=1e-9)


def test_upper_bodies_are_told_by_the_views_that_see_them() -> None:
    key = ("mvor", 1)
    truth = {key: person(MVOR_10, 0, 3000, 6000)}
    seen = {key: np.array([3, 1, 1])}
    found = measure({key: person(MVOR_10, 10, 3200)}, truth, seen)["per_views"]
    assert found["3"]["MVOR"] == {"Recall@500": 100, "MPJPE": pytest.approx(10), "people": 1}
    assert found["1"]["MVOR"]["Recall@500"] == 50
    assert found["1"]["MVOR"]["MPJPE"] == pytest.approx(200)
    assert found["1"]["people"] == 2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    folder = tmp_path_factory.mktemp("scene") / "a"
    return make_scene(folder, "a", 6, ring(4), noise=0, missing=0)


def test_views_that_see_a_person_are_those_with_2d_people_there(made: Synthetic) -> None:
    first, second = made.scene.cameras[0].name, made.scene.cameras[1].name
    frame = made.scene.frames[0]
    views = dict(made.views)
    views[frame, first] = views[frame, first].where(np.zeros(len(views[frame, first]), bool))
    elsewhere = views[frame, second]
    views[frame, second] = replace(elsewhere, points=elsewhere.points + 500.0)
    seen = views_that_see(made.truth, [(made.scene, views)])
    assert seen["a", frame].tolist() == [2] * len(made.truth["a", frame])
    assert seen["a", made.scene.frames[1]].max() == 4


def turned(skeleton: Skeleton, n_frames: int, **moved: tuple[float, float, float]) -> Frames:
    """A person who turns around while standing, frame by frame."""
    frames = {}
    for frame in range(n_frames):
        c, s = np.cos(0.3 * frame), np.sin(0.3 * frame)
        body = person(skeleton, 0, **moved)
        frames["a", frame] = replace(
            body, joints=body.joints @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        )
    return frames


def test_a_constant_offset_in_the_bodys_frame_is_taken_off() -> None:
    """The person faces -y, and the left side is at +x."""
    truth = turned(SHELF_14, 60)
    by = {"left_elbow": (30.0, 20.0, -10.0), "right_knee": (0.0, -25.0, 5.0)}
    predicted = turned(SHELF_14, 60, **by)
    found = measure(predicted, truth, align=True)
    assert found["MPJPE"] > 4 and found["aligned"]["MPJPE"] == pytest.approx(0, abs=1e-6)
    elbow = found["aligned"]["offsets"]["left_elbow"]
    assert [elbow[axis] for axis in AXES] == pytest.approx([-30, 20, 10])
    assert elbow["before"] == pytest.approx(elbow["offset"]) == pytest.approx(np.sqrt(1400))
    assert elbow["after"] == pytest.approx(0, abs=1e-6)
    assert found["aligned"]["PCP"]["mean"] == 100


def test_no_frame_is_measured_with_what_was_learnt_on_it() -> None:
    """The ankle is off in the second run of frames alone: the first run teaches nothing of it."""
    truth = turned(SHELF_14, 50)
    wrong = turned(SHELF_14, 50, left_ankle=(60.0, 0.0, 0.0))
    predicted = {key: (wrong if key[1] >= 25 else truth)[key] for key in truth}
    moved, offsets = cross_aligned(predicted, truth)
    assert moved["a", 40].joints == pytest.approx(predicted["a", 40].joints)
    shift = moved["a", 3].joints - predicted["a", 3].joints
    assert np.linalg.norm(shift[0, SHELF_14.index("left_ankle")]) == pytest.approx(60)
    assert np.linalg.norm(offsets[SHELF_14.index("left_ankle")]) == pytest.approx(30)


def test_a_body_without_hips_has_no_frame_and_stays(made: Synthetic) -> None:
    truth = turned(SHELF_14, 50)
    predicted = turned(SHELF_14, 50, left_wrist=(50.0, 0.0, 0.0))
    predicted["a", 7].valid[0, SHELF_14.index("left_hip")] = False
    assert np.isnan(body_frames(predicted["a", 7])).all()
    moved, _ = cross_aligned(predicted, truth)
    assert moved["a", 7].joints == pytest.approx(predicted["a", 7].joints)
    arms = Skeleton(("left_elbow", "right_elbow"))
    parts = [converted_frames(frames, arms) for frames in (predicted, truth)]
    assert measure(*parts, align=True)["aligned"] is None


def test_few_people_teach_no_offset() -> None:
    truth, predicted = turned(SHELF_14, 4), turned(SHELF_14, 4, left_wrist=(50.0, 0.0, 0.0))
    assert not learnt_offsets(predicted, truth).any()


def as_json(path: Path, frames: Frames) -> Path:
    skeleton = next(iter(frames.values())).skeleton
    rows = [
        {"frame": frame, "people": [{"joints": joints.tolist()} for joints in people.joints]}
        for (_, frame), people in frames.items()
    ]
    write_json(path, {"joints": list(skeleton.joints), "frames": rows})
    return path


def test_the_command_tells_pcp_and_prints_the_offsets(tmp_path: Path) -> None:
    truth = as_json(tmp_path / "t.json", turned(SHELF_14, 60))
    predicted = as_json(tmp_path / "p.json", turned(SHELF_14, 60, left_wrist=(40.0, 0.0, 0.0)))
    out = tmp_path / "metrics.json"
    files = ["--predictions", str(predicted), "--ground-truth", str(truth)]
    done = CliRunner().invoke(app, ["evaluate", *files, "--out", str(out), "--align-joints"])
    assert done.exit_code == 0, done.output
    assert "PCP: actor 1 100.0  actor 2 –  actor 3 –  mean 100.0" in done.output
    (row,) = [line for line in done.output.splitlines() if line.startswith("left_wrist")]
    assert row.split()[1:] == ["-40.0", "0.0", "0.0", "40.0", "40.0", "0.0"]
    assert read_json(out)["aligned"]["offsets"]["left_wrist"]["left"] == pytest.approx(-40)


def test_scenes_without_labels_are_refused(tmp_path: Path) -> None:
    truth = as_json(tmp_path / "t.json", turned(SHELF_14, 1))
    files = [
        "--predictions",
        str(truth),
        "--ground-truth",
        str(truth),
        "--out",
        str(tmp_path / "m"),
    ]
    done = CliRunner().invoke(app, ["evaluate", *files, "--scene", str(tmp_path)])
    assert done.exit_code != 0 and "--scene and --labels" in done.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"joints": ["nose", "nose"], "frames": []}, "must name each joint once"),
        ({"joints": "nose", "frames": []}, "must be a list of joints' names"),
        ({"joints": ["nose"]}, "lacks 'frames'"),
        (
            {"joints": ["nose"], "frames": [{"frame": 0, "people": [{"joints": [[0, 0]]}]}]},
            "three finite numbers",
        ),
    ],
)
def test_people_of_named_joints_are_checked(tmp_path: Path, content: dict, message: str) -> None:
    write_json(tmp_path / "p.json", content)
    files = ["--predictions", str(tmp_path / "p.json"), "--ground-truth", str(tmp_path / "p.json")]
    done = CliRunner().invoke(app, ["evaluate", *files, "--out", str(tmp_path / "m.json")])
    assert done.exit_code != 0 and message in done.output


def test_projected_labels_of_other_joints_see_the_truth(made: Synthetic) -> None:
    """A truth in Shelf's joints is seen by labels in Panoptic's."""
    truth = converted_frames(made.truth, SHELF_14, partly=True)
    seen = views_that_see(truth, [(made.scene, made.views)])
    pixels, _ = project(made.scene.cameras[0], made.truth["a", 0].joints)
    assert len(pixels) == len(seen["a", 0]) and seen["a", 0].min() >= 2

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from selfpose3d.cli import app
from selfpose3d.files.poses3d import People3D, read_poses3d, write_poses3d
from selfpose3d.methods.joined.joining import join_people
from selfpose3d.reconstruction.standing import standing
from selfpose3d.skeletons import PANOPTIC_15

NOBODY = People3D.nobody(PANOPTIC_15)


def people_at(*places: tuple[float, float], scores: Sequence[float]) -> People3D:
    """Bodies moved to places on the floor, mm."""
    joints = [standing(PANOPTIC_15) + np.array([*place, 900.0]) for place in places]
    return People3D.predicted(np.array(joints), np.array(scores), PANOPTIC_15)


def test_joined_people_are_the_firsts_and_then_the_seconds_who_stand_elsewhere():
    first = {("a", 0): people_at((0, 0), (2000, 0), scores=[0.9, 0.5]), ("a", 1): NOBODY}
    second = {
        ("a", 0): people_at((300, 0), (0, 2000), scores=[1.0, 0.6]),
        ("a", 1): people_at((0, 0), scores=[0.2]),
    }
    joined = join_people(first, second)
    assert list(joined) == [("a", 0), ("a", 1)]
    both = joined["a", 0]
    assert np.array_equal(both.joints[:2], first["a", 0].joints)
    assert np.array_equal(both.joints[2:], second["a", 0].joints[1:])
    assert both.scores == pytest.approx([0.9, 0.5, 0.1])
    assert joined["a", 1].scores == pytest.approx([-0.3])


def test_one_person_is_not_taken_for_two_who_stand_close():
    first = {("a", 0): people_at((0, 0), scores=[0.9])}
    second = {("a", 0): people_at((400, 0), (30, 0), scores=[0.8, 0.6])}
    (both,) = join_people(first, second).values()
    assert both.joints[:, 2, 0] == pytest.approx([0, 400])


def test_joints_that_are_not_known_are_not_compared_and_stay_so():
    whole = people_at((2000, 2000), scores=[0.5])
    joints, valid = whole.joints.copy(), whole.valid.copy()
    joints[0, :3], valid[0, :3] = 0.0, False
    partly = replace(whole, joints=joints, valid=valid)
    (kept,) = join_people({("a", 0): partly}, {("a", 0): whole}).values()
    assert len(kept) == 1 and np.array_equal(kept.valid, valid)


def test_people_found_by_one_of_two_methods_are_all_found_by_the_join(tmp_path):
    first = {("a", 0): people_at((0, 0), scores=[0.9]), ("a", 1): NOBODY}
    second = {("a", 1): people_at((0, 0), scores=[0.6]), ("b", 0): NOBODY}
    for name, people in {"first": first, "second": second}.items():
        write_poses3d(tmp_path / f"{name}.parquet", people)
    files = [str(tmp_path / f"{name}.parquet") for name in ("first", "second", "both")]
    result = CliRunner().invoke(app, ["join", *files[:2], "--out", files[2]])
    assert result.exit_code == 0, result.output
    both = read_poses3d(tmp_path / "both.parquet")
    assert {frame: len(people) for frame, people in both.items()} == {
        ("a", 0): 1,
        ("a", 1): 1,
        ("b", 0): 0,
    }

"""File kinds: 2D and 3D people round trip, bad files are refused, writes are whole or nothing."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import (
    read_json,
    read_yaml,
    whole_file,
    whole_folder,
    write_json,
    write_text,
)
from selfpose3d.files.poses2d import People2D, read_poses2d, write_poses2d
from selfpose3d.files.poses3d import People3D, read_poses3d, write_poses3d
from selfpose3d.skeletons import COCO_17, PANOPTIC_15, Skeleton

in_one_folder = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
coordinates = st.floats(-1e5, 1e5, width=64)
names = st.text(st.characters(categories=["L", "N"], include_characters="_- /'"), max_size=8)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def arrays(*shape: int, elements: st.SearchStrategy[float] = coordinates) -> st.SearchStrategy:
    return hnp.arrays(np.float64, shape, elements=elements)


@st.composite
def people2d(draw: st.DrawFn, skeleton: Skeleton) -> People2D:
    count, n_joints = draw(st.integers(0, 3)), len(skeleton)
    return People2D(
        draw(arrays(count, n_joints, 2)),
        draw(arrays(count, n_joints, elements=st.floats(0, 1))),
        draw(arrays(count, elements=st.floats(0, 1))),
        skeleton,
    )


@st.composite
def people3d(draw: st.DrawFn, skeleton: Skeleton) -> People3D:
    count, n_joints = draw(st.integers(0, 3)), len(skeleton)
    ids = draw(st.lists(st.integers(0, 10**6), min_size=count, max_size=count, unique=True))
    return People3D(
        draw(arrays(count, n_joints, 3)),
        draw(arrays(count, elements=st.floats(0, 5))),
        draw(hnp.arrays(np.bool_, (count, n_joints))),
        np.array(sorted(ids), dtype=np.int64),
        skeleton,
    )


def told(people: People3D) -> People3D:
    """People with some numbers of views and uncertainties, some of them not told."""
    count = people.valid.size
    views = np.arange(count).reshape(people.valid.shape) % 7 - 1
    uncertainty = np.where(views == 1, 12.5 * views, np.nan)
    return replace(people, views=views, uncertainty=uncertainty)


def somebody() -> People3D:
    return People3D.predicted(np.zeros((1, 15, 3)), np.ones(1), PANOPTIC_15)


def equal_2d(a: People2D, b: People2D) -> bool:
    return all(
        np.array_equal(getattr(a, field), getattr(b, field))
        for field in ("points", "scores", "person_scores", "skeleton")
    )


def equal_3d(a: People3D, b: People3D) -> bool:
    return all(
        np.array_equal(getattr(a, field), getattr(b, field))
        for field in ("joints", "scores", "valid", "ids", "skeleton", "views")
    ) and np.array_equal(a.uncertainty, b.uncertainty, equal_nan=True)


class TestPoses2D:
    @in_one_folder
    @given(data=st.data(), skeleton=st.sampled_from([PANOPTIC_15, COCO_17]))
    def test_round_trip(self, tmp_path: Path, data: st.DataObject, skeleton: Skeleton) -> None:
        keys = st.tuples(st.integers(0, 10**8), names)
        views = data.draw(st.dictionaries(keys, people2d(skeleton), max_size=4))
        path = tmp_path / "people.parquet"
        write_poses2d(path, views)
        read = read_poses2d(path)
        assert list(read) == list(views), "images without people are kept, in their order"
        assert all(equal_2d(read[key], views[key]) for key in views)

    def test_the_same_people_give_the_same_bytes(self, tmp_path: Path) -> None:
        views = {(0, "a"): People2D(np.ones((1, 15, 2)), np.ones((1, 15)), np.ones(1), PANOPTIC_15)}
        for name in ("one", "two"):
            write_poses2d(tmp_path / name, views)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()

    def test_bad_files_are_refused(self, tmp_path: Path) -> None:
        assert_refuses_bad_parquet(read_poses2d, tmp_path)

    def test_3d_people_are_not_2d_people(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        write_poses3d(path, {("a", 0): somebody()})
        with pytest.raises(InputError, match=r"not 2D people.*camera"):
            read_poses2d(path)

    def test_joints_that_the_file_does_not_name_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        people = People2D(np.ones((1, 17, 2)), np.ones((1, 17)), np.ones(1), COCO_17)
        write_poses2d(path, {(0, "a"): people})
        table = pd.read_parquet(path)
        table.attrs["joints"] = list(PANOPTIC_15.joints)
        table.to_parquet(path)
        with pytest.raises(InputError, match=r"people\.parquet.*joint 15; it names 15"):
            read_poses2d(path)


class TestPoses3D:
    @in_one_folder
    @given(data=st.data())
    def test_round_trip(self, tmp_path: Path, data: st.DataObject) -> None:
        keys = st.tuples(names, st.integers(0, 10**8))
        frames = data.draw(st.dictionaries(keys, people3d(PANOPTIC_15), max_size=4))
        path = tmp_path / "people.parquet"
        write_poses3d(path, frames)
        read = read_poses3d(path)
        assert list(read) == list(frames), "frames without people are kept, in their order"
        assert all(equal_3d(read[key], frames[key]) for key in frames)

    def test_what_is_told_of_joints_is_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        frames = {("a", 0): told(somebody()), ("a", 1): somebody()}
        write_poses3d(path, frames)
        read = read_poses3d(path)
        assert all(equal_3d(read[key], frames[key]) for key in frames)
        assert read["a", 0].measured.tolist() == (frames["a", 0].views != 0).tolist()
        assert read["a", 1].measured.all()

    def test_files_without_what_is_told_of_joints_are_read(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        write_poses3d(path, {("a", 0): told(somebody())})
        old = pd.read_parquet(path).drop(columns=["views", "uncertainty"])
        old.to_parquet(path)
        assert equal_3d(read_poses3d(path)["a", 0], somebody())

    def test_nothing_is_written_where_nothing_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        write_poses3d(path, {("a", 0): somebody()})
        assert not {"views", "uncertainty"} & set(pd.read_parquet(path).columns)

    @in_one_folder
    @given(data=st.data())
    def test_json_says_the_same(self, tmp_path: Path, data: st.DataObject) -> None:
        keys = st.tuples(names, st.integers(0, 10**8))
        frames = data.draw(st.dictionaries(keys, people3d(PANOPTIC_15), max_size=3))
        path = tmp_path / "people.json"
        path.write_text(json.dumps([as_json(key, people) for key, people in frames.items()]))
        read = read_poses3d(path)
        assert list(read) == list(frames)
        assert all(equal_3d(read[key], frames[key]) for key in frames)

    def test_json_may_leave_out_all_but_joints(self, tmp_path: Path) -> None:
        path = tmp_path / "people.json"
        path.write_text(json.dumps([{"frame": 4, "people": [{"joints": [[1, 2, 3]] * 15}]}]))
        people = read_poses3d(path)["", 4]
        assert people.joints[0, 7].tolist() == [1, 2, 3]
        assert people.valid.all()
        assert (people.scores.tolist(), people.ids.tolist()) == ([1.0], [0])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{}", "lacks 'joints', 'frames'"),
            ("[1]", "frame entry 0: an object with .*is expected, not 1"),
            ('[{"people": []}]', "frame entry 0 lacks 'frame'"),
            ('[{"frame": 0}]', "frame entry 0 lacks 'people'"),
            ('[{"frame": 0, "people": null}]', "frame entry 0: 'people' must be a list, not null"),
            ('[{"frame": "a", "people": []}]', 'frame entry 0: frame is "a"; a whole number'),
            ('[{"frame": 0.5, "people": []}]', "frame entry 0: frame is 0.5; a whole number"),
            ('[{"frame": 0, "people": [null]}]', "person 0: an object with .*not null"),
            ('[{"frame": 0, "people": [{"joints": [[1, 2, 3]]}]}]', "entry 0.*person 0.*15 x 3"),
            ('[{"frame": 0, "people": [{}]}]', "entry 0, person 0 lacks 'joints'"),
            ('[{"frame": 0, "people": []}, {"frame": 0, "people": []}]', "entry 1.*twice"),
            ("[", "not valid JSON"),
        ],
    )
    def test_bad_json_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / "people.json"
        path.write_text(text)
        with pytest.raises(InputError, match=rf"people\.json:? .*{message}"):
            read_poses3d(path)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"joints": [*[[0, 0, 0]] * 14, None]}, "joint 14: three finite numbers.*not null"),
            ({"joints": [*[[0, 0, 0]] * 14, [0, 0, math.nan]]}, "joint 14: .*in mm.*'valid'"),
            ({"joints": [*[[0, 0, 0]] * 14, [0, 0, "1"]]}, 'joint 14: .*not .0, 0, "1"'),
            ({"score": math.nan}, "score is NaN; a finite number"),
            ({"score": math.inf}, "score is Infinity; a finite number"),
            ({"score": None}, "score is null; a finite number"),
            ({"valid": [True] * 14}, "'valid' must hold 15 times"),
            ({"valid": ["false"] * 15}, "'valid' must hold 15 times"),
            ({"person": "Ann"}, 'person is "Ann"; a whole number'),
        ],
    )
    def test_bad_people_in_json_are_refused(
        self, tmp_path: Path, wrong: dict, message: str
    ) -> None:
        path = tmp_path / "people.json"
        right = {"joints": [[1.0, 2.0, 3.0]] * 15}
        path.write_text(json.dumps([{"frame": 0, "people": [right, right | wrong]}]))
        with pytest.raises(InputError, match=rf"people\.json: frame entry 0, person 1.*{message}"):
            read_poses3d(path)

    @pytest.mark.parametrize(
        ("column", "value", "message"),
        [
            ("x", "far", "the column 'x' is of type .*; numbers are expected"),
            ("joint", "neck", "the column 'joint' is of type .*; numbers are expected"),
            ("valid", "false", "the column 'valid' is of type .*; true or false"),
            ("frame", math.nan, "frame nan; whole numbers are expected"),
            ("person", 0.5, "person 0.5; whole numbers are expected"),
            ("views", 0.5, "views 0.5; whole numbers are expected"),
            ("views", -2, "views -2; a number of views is expected, -1"),
            ("uncertainty", -3.0, "uncertainty -3.0; an error in mm is expected, NaN"),
            ("uncertainty", math.inf, "uncertainty inf; an error in mm is expected, NaN"),
        ],
    )
    def test_columns_of_another_type_are_refused(
        self, tmp_path: Path, column: str, value: object, message: str
    ) -> None:
        path = tmp_path / "people.parquet"
        write_poses3d(path, {("a", 0): somebody()})
        pd.read_parquet(path).assign(**{column: value}).to_parquet(path)
        with pytest.raises(InputError, match=rf"people\.parquet: {message}"):
            read_poses3d(path)

    def test_bad_files_are_refused(self, tmp_path: Path) -> None:
        assert_refuses_bad_parquet(read_poses3d, tmp_path)

    def test_2d_people_are_not_3d_people(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        people = People2D(np.ones((1, 15, 2)), np.ones((1, 15)), np.ones(1), PANOPTIC_15)
        write_poses2d(path, {(0, "a"): people})
        with pytest.raises(InputError, match=r"not 3D people.*sequence"):
            read_poses3d(path)

    def test_numbers_that_are_not_finite_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        joints = np.zeros((2, 15, 3))
        joints[1, 4, 2] = np.nan
        write_poses3d(path, {("walk", 7): People3D.predicted(joints, np.ones(2), PANOPTIC_15)})
        with pytest.raises(InputError, match=r"'walk', frame 7, person 1, joint 4: not finite"):
            read_poses3d(path)

    def test_joints_beyond_the_skeleton_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        write_poses3d(path, {("a", 0): somebody()})
        table = pd.read_parquet(path)
        table.loc[3, "joint"] = 15
        table.to_parquet(path)
        with pytest.raises(InputError, match=r"people\.parquet.*joint 15"):
            read_poses3d(path)


def as_json(key: tuple[str, int], people: People3D) -> dict:
    return {
        "sequence": key[0],
        "frame": key[1],
        "people": [
            {
                "joints": people.joints[i].tolist(),
                "valid": people.valid[i].tolist(),
                "score": people.scores[i],
                "person": int(people.ids[i]),
            }
            for i in range(len(people))
        ],
    }


def assert_refuses_bad_parquet(read: Callable[[Path], object], folder: Path) -> None:
    with pytest.raises(InputError, match=r"none\.parquet: there is no such file"):
        read(folder / "none.parquet")
    for content in (b"", b"PAR1 not parquet", b"<html>login</html>"):
        (folder / "bad.parquet").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.parquet: not a readable Parquet file"):
            read(folder / "bad.parquet")
    pd.DataFrame({"frame": [1]}).to_parquet(folder / "other.parquet")
    with pytest.raises(InputError, match=r"other\.parquet: not .D people; it lacks"):
        read(folder / "other.parquet")
    write_poses3d(
        folder / "cut.parquet",
        {("a", 0): somebody()},
    )
    whole = (folder / "cut.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.parquet: not a readable Parquet file"):
        read(folder / "cut.parquet")


def test_a_mean_of_two_joints_has_the_fewer_views_and_the_larger_uncertainty() -> None:
    people = People3D.predicted(np.zeros((3, 17, 3)), np.ones(3), COCO_17)
    views, uncertainty = np.full((3, 17), 5), np.full((3, 17), 10.0)
    hips = [COCO_17.index("left_hip"), COCO_17.index("right_hip")]
    views[:, hips] = [(3, 4), (2, 0), (-1, 4)]
    uncertainty[:, hips] = [(20, 30), (40, 10), (np.nan, 30)]
    partly = Skeleton(("mid_hip", "left_hip", "head_top"))
    found = replace(people, views=views, uncertainty=uncertainty).converted(partly, partly=True)
    assert found.views.tolist() == [[3, 3, -1], [0, 2, -1], [-1, -1, -1]]
    wanted = [[30, 20, np.nan], [40, 40, np.nan], [np.nan] * 3]
    assert np.array_equal(found.uncertainty, wanted, equal_nan=True)
    assert found.measured[:, 0].tolist() == [True, False, True]


class TestWholeOrNothing:
    def test_a_failed_write_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "out.json"
        write_json(path, [1])
        with pytest.raises(ValueError, match="JSON"):
            write_json(path, float("nan"))
        with pytest.raises(RuntimeError), whole_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError
        assert read_json(path) == [1]
        assert names_in(tmp_path) == ["out.json"]

    def test_a_failed_folder_leaves_the_old_one(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        with whole_folder(path) as temporary:
            (temporary / "a").write_text("old")
        with pytest.raises(RuntimeError), whole_folder(path) as temporary:
            (temporary / "a").write_text("new")
            raise RuntimeError
        assert (path / "a").read_text() == "old"
        assert names_in(tmp_path) == ["out"]

    def test_a_new_folder_takes_the_old_ones_place(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        for name in ("old", "new"):
            with whole_folder(path) as temporary:
                (temporary / name).write_text(name)
        assert names_in(path) == ["new"]

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    def test_a_full_disk_is_explained(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        def full(self: pd.DataFrame, path: Path, **_: object) -> None:
            Path(path).write_bytes(b"half")
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
        people = somebody()
        with pytest.raises(OSError, match=r"disk is full.*people\.parquet.*run the same command"):
            write_poses3d(tmp_path / "people.parquet", {("a", 0): people})
        assert names_in(tmp_path) == []

    def test_a_full_disk_while_filling_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="disk is full"), whole_folder(tmp_path / "out") as folder:
            (folder / "a").write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert names_in(tmp_path) == []

    def test_other_errors_stay_what_they_are(self, tmp_path: Path) -> None:
        with pytest.raises(PermissionError), whole_file(tmp_path / "a"):
            raise PermissionError(errno.EACCES, "no")

    def test_a_killed_writer_leaves_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "out.txt"
        write_text(path, "old")
        program = (
            "import os, signal, sys; from pathlib import Path\n"
            "from selfpose3d.files.atomic import whole_file\n"
            "with whole_file(Path(sys.argv[1])) as temporary:\n"
            "    temporary.write_text('half')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        run = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
        assert run.returncode == -signal.SIGKILL
        assert path.read_text() == "old"
        write_text(path, "new")
        assert path.read_text() == "new"

    def test_written_files_can_be_read_by_others(self, tmp_path: Path) -> None:
        write_text(tmp_path / "a", "text")
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_broken_text_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe\x00")
    for read in (read_json, read_yaml):
        with pytest.raises(InputError, match="a: not valid"):
            read(tmp_path / "a")
        with pytest.raises(InputError, match="b: there is no such file"):
            read(tmp_path / "b")

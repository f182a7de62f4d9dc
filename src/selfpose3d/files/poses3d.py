"""3D people: predictions and ground truth, world mm, z up.

Parquet, one row per joint::

    sequence str, frame int, person int, joint int, x, y, z float (mm),
    score float (the person's), valid bool,
    views int, uncertainty float (mm), each left out where nothing is told

The file's metadata name the joints; those of a file that names none are Panoptic-15. In predictions
``valid`` is false where a joint was not seen and nothing else tells where it is; the truth has
score 1, and its ``person`` is the source's identity. People of one frame who share a number, as
trackers give -1 to whom they do not track, are kept apart by the order of their rows.

``views`` tells how many views support a joint: 0 where it was completed from the rest of the body,
1 where one view alone sees it, -1 where it is not told. ``uncertainty`` is the error to be
expected, within which two thirds of such joints lie, NaN where it is not told. The truth, JSON and
some methods tell neither.

JSON of the form ``[{"sequence", "frame", "people": [{"joints": [[x, y, z] ... 15], "valid": [...],
"score", "person"}]}]``, Panoptic-15, is read as well; all but ``frame``, ``people`` and ``joints``
may be left out. People of other joints stand in ``{"joints": [names], "frames": [the list]}``.

The truth lies apart from the scenes (``data/truth/``), and only ``evaluation`` and the stages
that are supervised by design are ever given its path.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json, short, whole_file
from selfpose3d.files.poses2d import people_file
from selfpose3d.skeletons import Skeleton, common_skeleton, converted, lowest, named_in_file

COLUMNS = ("sequence", "frame", "person", "joint", "x", "y", "z", "score", "valid")
NOT_TOLD = -1
"""Number of views of a joint of which it is not told."""
_TOLD_BY_SOME = {"views": NOT_TOLD, "uncertainty": math.nan}
"""Columns that a file may lack, and what they then hold."""


@dataclass(frozen=True)
class People3D:
    """The people of one frame.

    Args:
        joints: (P, J, 3) world mm.
        scores: (P,).
        valid: (P, J).
        ids: (P,) identities; for predictions 0, 1, ...
        skeleton: the J joints.
        views: (P, J) how many views support each joint; 0: completed from the rest of the body,
            ``NOT_TOLD``: not told.
        uncertainty: (P, J) mm, the error to be expected of each joint; NaN where it is not told.
    """

    joints: NDArray[np.float64]
    scores: NDArray[np.float64]
    valid: NDArray[np.bool_]
    ids: NDArray[np.int64]
    skeleton: Skeleton
    views: NDArray[np.int64] = field(default_factory=lambda: np.array(NOT_TOLD))
    uncertainty: NDArray[np.float64] = field(default_factory=lambda: np.array(np.nan))

    def __post_init__(self) -> None:
        if self.valid.shape[1:] != (len(self.skeleton),):
            raise ValueError(f"joints {self.joints.shape} of {len(self.skeleton)} joints")
        for name in _TOLD_BY_SOME:
            value = np.broadcast_to(getattr(self, name), self.valid.shape)
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.joints)

    def where(self, keep: NDArray[Any]) -> "People3D":
        """Only the people chosen by a mask (P,) or by their indices."""
        return replace(
            self,
            joints=self.joints[keep],
            scores=self.scores[keep],
            valid=self.valid[keep],
            ids=self.ids[keep],
            views=self.views[keep],
            uncertainty=self.uncertainty[keep],
        )

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(P, J) joints that are valid and not known to be completed."""
        return self.valid & (self.views != 0)

    @property
    def roots(self) -> NDArray[np.float64]:
        """(P, 3) mm."""
        return self.skeleton.roots(self.joints)

    @property
    def has_root(self) -> NDArray[np.bool_]:
        """(P,) whether the root is valid."""
        return self.skeleton.has_root(self.valid)

    def converted(self, skeleton: Skeleton, partly: bool = False) -> "People3D":
        """The same people in another skeleton; what is the mean of two joints needs both,
        and has the fewer views and the larger uncertainty.

        Args:
            skeleton: wanted.
            partly: joints that these people lack are not valid; otherwise they are an error.
        """
        there = self.valid.astype(float)
        joints, valid = converted(
            self.joints, there, self.skeleton, skeleton, both_sides=True, partly=partly
        )
        return replace(
            self,
            joints=joints,
            valid=valid > 0,
            skeleton=skeleton,
            views=lowest(self.views, self.skeleton, skeleton, NOT_TOLD),
            uncertainty=-lowest(-self.uncertainty, self.skeleton, skeleton, np.nan),
        )

    @staticmethod
    def nobody(skeleton: Skeleton) -> "People3D":
        """A frame without people."""
        return People3D.predicted(np.zeros((0, len(skeleton), 3)), np.zeros(0), skeleton)

    @staticmethod
    def predicted(
        joints: NDArray[np.float64], scores: NDArray[np.float64], skeleton: Skeleton
    ) -> "People3D":
        """The people that a method predicts, from (P, J, 3) mm and (P,) scores."""
        joints = np.asarray(joints, dtype=np.float64).reshape(-1, len(skeleton), 3)
        valid = np.ones(joints.shape[:2], dtype=bool)
        ids = np.arange(len(joints))
        return People3D(joints, np.asarray(scores, dtype=float), valid, ids, skeleton)


def people_together(parts: Sequence[People3D]) -> People3D:
    """The people of several parts, one part or more, of one skeleton; identities as they are."""
    return replace(
        parts[0],
        joints=np.concatenate([part.joints for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        valid=np.concatenate([part.valid for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        views=np.concatenate([part.views for part in parts]),
        uncertainty=np.concatenate([part.uncertainty for part in parts]),
    )


Frames = Mapping[tuple[str, int], People3D]
"""People by (sequence, frame id); a frame without people may have an empty entry or none."""


def skeleton_of(frames: Frames, what: str) -> Skeleton:
    """The skeleton of 3D people; ``what`` names them in an error."""
    return common_skeleton([people.skeleton for people in frames.values()], what)


def converted_frames(
    frames: Frames, skeleton: Skeleton, partly: bool = False
) -> dict[tuple[str, int], People3D]:
    """The people of all frames in another skeleton; see ``People3D.converted``."""
    return {key: people.converted(skeleton, partly) for key, people in frames.items()}


def read_people_of(folder: Path, sequences: Iterable[str]) -> dict[tuple[str, int], People3D]:
    """The people of some sequences out of a folder of reconstructions."""
    return read_all_poses3d([people_file(folder, sequence) for sequence in sequences])


def read_people_as(path: Path, sequence: str, frames: Iterable[int]) -> dict[int, People3D]:
    """The people of some frames of a sequence, whose file may name no sequence; a frame that it
    lacks has nobody.

    Raises:
        InputError: the file can't be read, or is of other sequences.
    """
    read = read_poses3d(path)
    names = {name for name, _ in read}
    if names and not names & {sequence, ""}:
        raise InputError(
            f"{path}: people of {sorted(names)[:3]}, and none of {sequence!r}; give the sequence "
            "the name that the file has"
        )
    name = sequence if sequence in names else ""
    nobody = People3D.nobody(skeleton_of(read, str(path)))
    return {frame: read.get((name, frame), nobody) for frame in frames}


def read_all_poses3d(paths: Iterable[Path]) -> dict[tuple[str, int], People3D]:
    """The people of several files."""
    return {key: people for path in paths for key, people in read_poses3d(path).items()}


def write_poses3d(path: Path, frames: Frames) -> None:
    """Write people as Parquet; frames without people are listed in the file's metadata."""
    parts = [_rows(sequence, frame, people) for (sequence, frame), people in frames.items()]
    parts = [part for part in parts if len(part)]
    skeleton = skeleton_of(frames, str(path))
    nobody = People3D.nobody(skeleton)
    table = pd.concat(parts, ignore_index=True) if parts else _rows("", 0, nobody)
    told = {"views": table["views"] != NOT_TOLD, "uncertainty": table["uncertainty"].notna()}
    table = table.drop(columns=[name for name, rows in told.items() if not rows.any()])
    table.attrs = {
        "joints": list(skeleton.joints),
        "frames": [[sequence, int(frame)] for sequence, frame in frames],
    }
    with whole_file(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_poses3d(path: Path) -> dict[tuple[str, int], People3D]:
    """Read people by (sequence, frame) from Parquet, or from JSON by the file's suffix.

    Raises:
        InputError: with the file, the frame and the value that is wrong.
    """
    if Path(path).suffix == ".json":
        return _from_json(path)
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: not a readable Parquet file ({error}); write it again, or end its name in "
            ".json if it is JSON"
        ) from error
    missing = set(COLUMNS) - set(table.columns)
    if missing:
        raise InputError(f"{path}: not 3D people; it lacks the columns {sorted(missing)}")
    skeleton = named_in_file(table.attrs.get("joints"))
    for name in _TOLD_BY_SOME.keys() - set(table.columns):
        table[name] = _TOLD_BY_SOME[name]
    _check_values(path, table, len(skeleton))
    nobody = People3D.nobody(skeleton)
    frames = {(str(s), int(f)): nobody for s, f in table.attrs.get("frames", [])}
    columns = _Columns(table)
    rows_of = table[["sequence", "frame"]].groupby(["sequence", "frame"], sort=False).indices
    for key, rows in rows_of.items():
        sequence, frame = cast(tuple[str, int], key)
        frames[str(sequence), int(frame)] = columns.people(np.asarray(rows), skeleton)
    return frames


def _rows(sequence: str, frame: int, people: People3D) -> pd.DataFrame:
    count = people.valid.size
    n_joints = people.valid.shape[1]
    return pd.DataFrame(
        {
            "sequence": pd.Series([sequence] * count, dtype="str"),
            "frame": np.full(count, frame, dtype=np.int64),
            "person": np.repeat(people.ids, n_joints),
            "joint": np.tile(np.arange(n_joints), len(people)),
            "x": people.joints[..., 0].ravel(),
            "y": people.joints[..., 1].ravel(),
            "z": people.joints[..., 2].ravel(),
            "score": np.repeat(people.scores, n_joints),
            "valid": people.valid.ravel(),
            "views": people.views.ravel(),
            "uncertainty": people.uncertainty.ravel(),
        }
    )


def _check_values(path: Path, table: pd.DataFrame, n_joints: int) -> None:
    for name in (*COLUMNS[1:], *_TOLD_BY_SOME):
        kinds, meaning = ("biu", "true or false") if name == "valid" else ("iuf", "numbers")
        if len(table) and table[name].dtype.kind not in kinds:
            raise InputError(
                f"{path}: the column {name!r} is of type {table[name].dtype}; "
                f"{meaning} are expected"
            )
    for name in ("frame", "person", "joint", "views"):
        broken = table[name][table[name] % 1 != 0]
        if len(broken):
            raise InputError(f"{path}: {name} {broken.iloc[0]}; whole numbers are expected")
    strange = table["joint"][~table["joint"].between(0, n_joints - 1)]
    if len(strange):
        raise InputError(f"{path}: joint {strange.iloc[0]}; joints are 0 to {n_joints - 1}")
    finite = np.isfinite(table[["x", "y", "z", "score"]].to_numpy(dtype=float)).all(axis=1)
    if not finite.all():
        row = table[~finite].iloc[0]
        raise InputError(
            f"{path}: sequence {row['sequence']!r}, frame {row['frame']}, person {row['person']}, "
            f"joint {row['joint']}: not finite numbers; write the people again"
        )
    _check_told(path, table)


def _check_told(path: Path, table: pd.DataFrame) -> None:
    few = table["views"][table["views"] < NOT_TOLD]
    if len(few):
        raise InputError(
            f"{path}: views {few.iloc[0]}; a number of views is expected, {NOT_TOLD} where it is "
            "not told"
        )
    uncertainty = table["uncertainty"]
    strange = uncertainty[(uncertainty < 0) | np.isinf(uncertainty)]
    if len(strange):
        raise InputError(
            f"{path}: uncertainty {strange.iloc[0]}; an error in mm is expected, NaN where it is "
            "not told"
        )


class _Columns:
    """A table's columns as arrays, from which rows are picked much faster than from the table."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.person = table["person"].to_numpy(dtype=np.int64)
        self.joint = table["joint"].to_numpy(dtype=np.int64)
        self.position = table[["x", "y", "z"]].to_numpy(dtype=np.float64)
        self.score = table["score"].to_numpy(dtype=np.float64)
        self.valid = table["valid"].to_numpy(dtype=np.bool_)
        self.views = table["views"].to_numpy(dtype=np.int64)
        self.uncertainty = table["uncertainty"].to_numpy(dtype=np.float64)

    def people(self, rows: NDArray[np.intp], skeleton: Skeleton) -> People3D:
        """The people of one frame, given its rows."""
        ids, person = np.unique(self.person[rows], return_inverse=True)
        joint = self.joint[rows]
        if np.bincount(person * len(skeleton) + joint).max() > 1:
            ids, person = _apart(ids, person, joint)
        joints = np.zeros((len(ids), len(skeleton), 3))
        valid = np.zeros((len(ids), len(skeleton)), dtype=bool)
        views, uncertainty = np.full(valid.shape, NOT_TOLD), np.full(valid.shape, np.nan)
        scores = np.zeros(len(ids))
        joints[person, joint] = self.position[rows]
        valid[person, joint] = self.valid[rows]
        views[person, joint] = self.views[rows]
        uncertainty[person, joint] = self.uncertainty[rows]
        scores[person] = self.score[rows]
        return People3D(joints, scores, valid, ids, skeleton, views, uncertainty)


def _apart(
    ids: NDArray[np.int64], person: NDArray[np.int64], joint: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids and people of one frame's rows, with those apart who share an id.

    A person of an id ends where a joint's number does not exceed the one before; the first keeps
    the id, the others get numbers of their own.

    Args:
        ids: (P,).
        person: (N,) index into the ids, of every row.
        joint: (N,) of every row.
    """
    order = np.argsort(person, kind="stable")
    same = np.diff(person[order], prepend=-1) == 0
    starts = ~same | (np.diff(joint[order], prepend=-1) <= 0)
    numbers = np.empty(len(person), dtype=np.int64)
    numbers[order] = np.cumsum(starts) - 1
    fresh = int(ids.max()) + 1 + np.arange(starts.sum())
    first = ~same[starts]
    return np.where(first, ids[person[order][starts]], fresh), numbers


def _from_json(path: Path) -> dict[tuple[str, int], People3D]:
    rows, named = read_json(path), None
    if isinstance(rows, dict):
        _check_keys(rows, ("joints", "frames"), str(path))
        named, rows = rows["joints"], rows["frames"]
    if not isinstance(rows, list):
        raise InputError(f"{path}: a list of frames is expected, not {short(rows)}")
    skeleton = _json_skeleton(named, path)
    frames: dict[tuple[str, int], People3D] = {}
    for number, row in enumerate(rows):
        where = f"{path}: frame entry {number}"
        _check_keys(row, ("frame", "people"), where)
        key = (str(row.get("sequence", "")), _whole(row["frame"], f"{where}: frame"))
        if key in frames:
            raise InputError(f"{where}: frame {key} is there twice")
        frames[key] = _json_people(row["people"], skeleton, where)
    return frames


def _json_skeleton(names: Any, path: Path) -> Skeleton:
    if names is None:
        return named_in_file(None)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: 'joints' must be a list of joints' names, not {short(names)}")
    if len(set(names)) != len(names) or not names:
        raise InputError(f"{path}: 'joints' must name each joint once, not {short(names)}")
    return named_in_file(names)


def _json_people(people: Any, skeleton: Skeleton, where: str) -> People3D:
    if not isinstance(people, list):
        raise InputError(f"{where}: 'people' must be a list, not {short(people)}")
    count = len(skeleton)
    read = [_json_person(person, index, where, count) for index, person in enumerate(people)]
    return People3D(
        joints=np.array([p[0] for p in read], dtype=float).reshape(-1, count, 3),
        valid=np.array([p[1] for p in read], dtype=bool).reshape(-1, count),
        scores=np.array([p[2] for p in read], dtype=float),
        ids=np.array([p[3] for p in read], dtype=np.int64),
        skeleton=skeleton,
    )


def _json_person(
    person: Any, index: int, frame: str, n_joints: int
) -> tuple[list[list[float]], list[bool], float, int]:
    where = f"{frame}, person {index}"
    _check_keys(person, ("joints",), where)
    joints, valid = person["joints"], person.get("valid", [True] * n_joints)
    if not isinstance(joints, list) or len(joints) != n_joints:
        raise InputError(
            f"{where}: 'joints' must hold {n_joints} x 3 finite numbers in mm, not {short(joints)}"
        )
    for joint, position in enumerate(joints):
        if not isinstance(position, list) or len(position) != 3 or not all(map(_finite, position)):
            raise InputError(
                f"{where}, joint {joint}: three finite numbers in mm are expected, not "
                f"{short(position)}; a joint that is not known has any position, and false in "
                "'valid'"
            )
    if not isinstance(valid, list) or [type(v) for v in valid] != [bool] * n_joints:
        raise InputError(
            f"{where}: 'valid' must hold {n_joints} times true or false, not {short(valid)}"
        )
    score = person.get("score", 1.0)
    if not _finite(score):
        raise InputError(f"{where}: score is {short(score)}; a finite number is expected")
    return joints, valid, score, _whole(person.get("person", index), f"{where}: person")


def _check_keys(row: Any, keys: tuple[str, ...], where: str) -> None:
    if not isinstance(row, dict):
        raise InputError(f"{where}: an object with {list(keys)} is expected, not {short(row)}")
    missing = [key for key in keys if key not in row]
    if missing:
        raise InputError(f"{where} lacks {', '.join(map(repr, missing))}")


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"{where} is {short(value)}; a whole number is expected")
    return value

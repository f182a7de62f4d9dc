"""2D people of one sequence: detections, in the estimator's joints, and labels.

Parquet, one row per joint, in pixels of the scene's stored frames::

    frame int, camera str, person int, joint int, x float, y float, score float,
    person_score float

``person`` counts within one frame and camera. Joints that a person lacks have score 0. The file's
metadata name the joints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import whole_file
from selfpose3d.skeletons import Skeleton, common_skeleton, converted

COLUMNS = ("frame", "camera", "person", "joint", "x", "y", "score", "person_score")


@dataclass(frozen=True)
class People2D:
    """The people seen in one image.

    Args:
        points: (P, J, 2) pixels of the stored frame.
        scores: (P, J), 0 where a joint is not there.
        person_scores: (P,).
        skeleton: the J joints.
    """

    points: NDArray[np.float64]
    scores: NDArray[np.float64]
    person_scores: NDArray[np.float64]
    skeleton: Skeleton

    def __post_init__(self) -> None:
        if self.scores.shape[1:] != (len(self.skeleton),):
            raise ValueError(f"scores {self.scores.shape} of {len(self.skeleton)} joints")

    def __len__(self) -> int:
        return len(self.points)

    @staticmethod
    def nobody(skeleton: Skeleton) -> "People2D":
        """An image without people."""
        n_joints = len(skeleton)
        return People2D(np.zeros((0, n_joints, 2)), np.zeros((0, n_joints)), np.zeros(0), skeleton)

    def where(self, keep: NDArray[np.bool_]) -> "People2D":
        """Only the people chosen by a mask (P,)."""
        return People2D(
            self.points[keep], self.scores[keep], self.person_scores[keep], self.skeleton
        )

    def converted(self, skeleton: Skeleton) -> "People2D":
        """The same people in another skeleton (see ``skeletons.converted``)."""
        points, scores = converted(self.points, self.scores, self.skeleton, skeleton)
        return People2D(points, scores, self.person_scores, skeleton)


Views = Mapping[tuple[int, str], People2D]
"""People by (frame id, camera name); an image without people has an entry without people."""


def people_file(folder: Path, sequence: str) -> Path:
    """The file of a sequence's people in a folder of labels or of reconstructions."""
    return folder / f"{sequence}.parquet"


def skeleton_of(views: Views, what: str) -> Skeleton:
    """The skeleton of 2D people; ``what`` names them in an error."""
    return common_skeleton([people.skeleton for people in views.values()], what)


def write_poses2d(path: Path, views: Views) -> None:
    """Write the people of all images of a sequence, of one image or more.

    Images without people are kept in the file's metadata by their frame and camera, so that
    "nobody seen" differs from "not looked at".
    """
    frames = [_rows(frame, camera, people) for (frame, camera), people in views.items()]
    rows = [rows for rows in frames if len(rows)]
    skeleton = skeleton_of(views, str(path))
    table = pd.concat(rows, ignore_index=True) if rows else _rows(0, "", People2D.nobody(skeleton))
    table.attrs = {
        "joints": list(skeleton.joints),
        "images": [[int(frame), camera] for frame, camera in views],
    }
    with whole_file(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_poses2d(path: Path) -> dict[tuple[int, str], People2D]:
    """Read what ``write_poses2d`` wrote: people by (frame, camera)."""
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error})") from error
    missing = set(COLUMNS) - set(table.columns)
    if missing or "joints" not in table.attrs:
        raise InputError(f"{path}: not 2D people; it lacks {sorted(missing) or 'its joint names'}")
    skeleton = Skeleton(tuple(table.attrs["joints"]))
    strange = table["joint"][~table["joint"].between(0, len(skeleton) - 1)]
    if len(strange):
        raise InputError(f"{path}: joint {strange.iloc[0]}; it names {len(skeleton)} joints only")
    nobody = People2D.nobody(skeleton)
    views = {(int(frame), str(camera)): nobody for frame, camera in table.attrs["images"]}
    columns = _Columns(table)
    rows_of = table[["frame", "camera"]].groupby(["frame", "camera"], sort=False).indices
    for key, rows in rows_of.items():
        frame, camera = cast(tuple[int, str], key)
        views[int(frame), str(camera)] = columns.people(np.asarray(rows), skeleton)
    return views


def _rows(frame: int, camera: str, people: People2D) -> pd.DataFrame:
    n_people, n_joints = people.scores.shape
    return pd.DataFrame(
        {
            "frame": np.full(n_people * n_joints, frame, dtype=np.int64),
            "camera": pd.Series([camera] * (n_people * n_joints), dtype="str"),
            "person": np.repeat(np.arange(n_people), n_joints),
            "joint": np.tile(np.arange(n_joints), n_people),
            "x": people.points[..., 0].ravel(),
            "y": people.points[..., 1].ravel(),
            "score": people.scores.ravel(),
            "person_score": np.repeat(people.person_scores, n_joints),
        }
    )


class _Columns:
    """A table's columns as arrays, from which rows are picked much faster than from the table."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.person = table["person"].to_numpy(dtype=np.int64)
        self.joint = table["joint"].to_numpy(dtype=np.int64)
        self.point = table[["x", "y"]].to_numpy(dtype=np.float64)
        self.score = table["score"].to_numpy(dtype=np.float64)
        self.person_score = table["person_score"].to_numpy(dtype=np.float64)

    def people(self, rows: NDArray[np.intp], skeleton: Skeleton) -> People2D:
        """The people of one image, given its rows."""
        person, joint = self.person[rows], self.joint[rows]
        n_people, n_joints = int(person.max()) + 1, len(skeleton)
        points = np.zeros((n_people, n_joints, 2))
        scores = np.zeros((n_people, n_joints))
        person_scores = np.zeros(n_people)
        points[person, joint] = self.point[rows]
        scores[person, joint] = self.score[rows]
        person_scores[person] = self.person_score[rows]
        return People2D(points, scores, person_scores, skeleton)

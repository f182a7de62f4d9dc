"""The 3D truth of people whose pictures are elsewhere: a file of a known form, beside 2D people."""

from collections.abc import Sequence
from pathlib import Path

from selfpose3d.calibrations.mvor import mvor_cameras
from selfpose3d.errors import InputError
from selfpose3d.files.atomic import read_json
from selfpose3d.files.poses3d import People3D, read_people_as
from selfpose3d.sources.belagiannis import read_actors
from selfpose3d.sources.mvor import DAYS, instants_of, truth_of


def read_given_truth(path: Path, sequence: str, frames: Sequence[int]) -> dict[int, People3D]:
    """The true people of some frames, world mm.

    The file is ``actorsGT.mat`` of Shelf or Campus, the annotations of MVOR, or 3D people as
    Parquet or JSON, of the sequence or of none by name.

    Args:
        path: of the file.
        sequence: the sequence's name.
        frames: wanted ones, as the 2D people number them.

    Raises:
        InputError: the file can't be read, or has nobody in any of these frames.
    """
    if path.suffix == ".mat":
        people = read_actors(path, frames)
    elif path.suffix == ".json" and _is_mvors(content := read_json(path)):
        people = _of_mvor(content, path, frames)
    else:
        people = read_people_as(path, sequence, frames)
    if not any(len(each) for each in people.values()):
        raise InputError(
            f"{path}: it holds nobody in the {len(frames)} frames of the 2D people, "
            f"{min(frames)} to {max(frames)}; are the frames of both numbered alike?"
        )
    return people


def _is_mvors(content: object) -> bool:
    return isinstance(content, dict) and "annotations3D" in content


def _of_mvor(content: object, path: Path, frames: Sequence[int]) -> dict[int, People3D]:
    rig = mvor_cameras(content, path)
    wanted = set(frames)
    instants = instants_of(content, path, DAYS, [camera.name for camera in rig])
    return truth_of(content, path, [each for each in instants if each.frame in wanted], rig[0])

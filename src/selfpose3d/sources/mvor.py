"""MVOR (Srivastav et al. 2018): an operating room seen by three cameras, from its hosts or a copy.

Images lie in ``<url>/camma_mvor_dataset.zip`` as ``camma_mvor_dataset/day1/cam1/color/000000.png``
(the depth images beside them are not used), annotations in
``<annotations>/camma_mvor_2018.json``: 732 instants of four days, more than a minute apart, so that
nobody can be followed over time.

A frame's number is made of its day and its number within the day (day 2, image 31: 20000031), as
those of the 2D people that the data set is published with. The world is the room, mm, z up; its
origin is about a metre above the floor. The truth is 10 joints of upper bodies, in the frame of the
first camera whatever ``ref_camera`` says; a joint with flag 0, or at the camera's centre, is not
known.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from selfpose3d.calibrations.mvor import mvor_cameras
from selfpose3d.errors import InputError
from selfpose3d.fetch.archives import Archive, unpacked
from selfpose3d.fetch.http import Patience, fetch
from selfpose3d.files.poses3d import People3D, write_poses3d
from selfpose3d.files.text import read_json_text
from selfpose3d.geometry.cameras import Camera
from selfpose3d.keypoints.mvor import image_name
from selfpose3d.skeletons import SKELETONS
from selfpose3d.sources.entry import PrepareInputs
from selfpose3d.sources.preparation import SceneInProgress, chosen_cameras, downloads, ids_apart

IMAGES = Archive("camma_mvor_dataset.zip", "camma_mvor_dataset", wanted="/color/[^/]*$")
ANNOTATIONS = "camma_mvor_2018.json"
JOINTS_10 = SKELETONS["mvor10"]
DAYS = (1, 2, 3, 4)
ANNOTATED = 12
"""Rows of an annotation, of which the first ten are joints."""


@dataclass(frozen=True)
class Instant:
    """A frame of all cameras.

    Args:
        frame: its number.
        id: by which annotations name it.
        time: when it was taken.
        images: path of each camera's image, in the folder of images.
    """

    frame: int
    id: str
    time: datetime
    images: Mapping[str, str]


def prepare_mvor(inputs: PrepareInputs) -> None:
    """Make days of MVOR a scene and its truth."""
    assert inputs.truth is not None
    given, data = inputs.parameters.mvor, inputs.parameters.data
    days = inputs.own_part("mvor")
    patience = Patience(given.retries, given.timeout)
    address = f"{given.annotations.rstrip('/')}/{ANNOTATIONS}"
    path = fetch(address, downloads(inputs.scene) / ANNOTATIONS, "json", patience)
    content = read_json_text(path)
    rig = mvor_cameras(content, path)
    every = getattr(data, f"{inputs.split}_every")
    instants = instants_of(content, path, days, [c.name for c in rig])[::every]
    folder = unpacked(IMAGES, given.url, inputs.cache, patience)
    making = SceneInProgress(
        scene=inputs.scene,
        name=inputs.sequence,
        source="mvor",
        cameras=chosen_cameras(rig, data.cameras, str(path)),
        frames=tuple(each.frame for each in instants),
        times=tuple((each.time - instants[0].time).total_seconds() for each in instants),
        stored_size=data.stored_size,
        network_size=data.network_size,
    )
    people = truth_of(content, path, instants, rig[0])
    images = {each.frame: each.images for each in instants}
    making.start()
    making.add_images(lambda camera, frame: folder / images[frame][camera])
    write_poses3d(inputs.truth, {(inputs.sequence, frame): p for frame, p in people.items()})
    making.finish()


def instants_of(
    content: Any, path: Path, days: Sequence[int], cameras: Sequence[str]
) -> list[Instant]:
    """The instants of some days, in their order.

    Args:
        content: what the file of annotations holds.
        path: of that file.
        days: wanted, from 1.
        cameras: names of the rig's cameras.

    Raises:
        InputError: the file is none of MVOR's annotations, has none of these days, or an instant
            without an image of each camera.
    """
    with _understood(path):
        rows = content["multiview_images"]
        found = [_instant(row) for row in rows if int(row["images"][0]["day_id"]) in days]
    if not found:
        raise InputError(f"{path}: there is no image of the days {list(days)}; fetch it again")
    for each in found:
        if set(each.images) != set(cameras):
            raise InputError(
                f"{path}: instant {each.id} has images of {sorted(each.images)}, and the cameras "
                f"are {list(cameras)}; fetch it again"
            )
    return sorted(found, key=lambda each: each.frame)


def _instant(row: Any) -> Instant:
    images = row["images"]
    return Instant(
        frame=int(image_name(images[0]["id"]).partition("/")[2]),
        id=str(row["id"]),
        time=datetime.fromisoformat(images[0]["date_captured"]),
        images={f"cam{int(each['cam_id'])}": str(each["file_name"]) for each in images},
    )


def truth_of(
    content: Any, path: Path, instants: Sequence[Instant], first: Camera
) -> dict[int, People3D]:
    """The people of instants, in the room.

    Args:
        content: what the file of annotations holds.
        path: of that file.
        instants: the wanted ones.
        first: the first camera, in whose frame the annotations are.

    Raises:
        InputError: the file is none of MVOR's annotations.
    """
    rows: dict[str, list[Any]] = {each.id: [] for each in instants}
    with _understood(path):
        for row in content["annotations3D"]:
            rows.get(str(row["image_ids"]), []).append(row)
        people = {each.frame: _people(rows[each.id], first) for each in instants}
    return ids_apart(people, str(path))


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{path}: not MVOR's annotations ({error!r}); fetch it again") from error


def _people(rows: Sequence[Any], first: Camera) -> People3D:
    values = np.array([row["keypoints3D"] for row in rows], dtype=np.float64)
    values = values.reshape(len(rows), ANNOTATED, 4)[:, : len(JOINTS_10)]
    seen = values[..., :3]
    return People3D(
        joints=(seen - first.t) @ first.R,
        scores=np.ones(len(rows)),
        valid=(values[..., 3] > 0) & (seen != 0).any(-1),
        ids=np.array([row["person_id"] for row in rows], dtype=np.int64),
        skeleton=JOINTS_10,
    )

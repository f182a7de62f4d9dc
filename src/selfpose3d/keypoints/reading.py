"""2D people of any known format, brought to the cameras, frames and pixels that they are of.

What every format has in common is done here. A joint is not there (score 0) if its point is NaN,
or lies at 0, 0. Person scores that are missing, 0 for everybody, or above 1 tell nothing, so that
everybody's is 1. Flags of visibility (0, 1, 2) become scores. Coordinates between 0 and 1, and
such outside the images, are refused.

Letters: N people, J joints.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.poses2d import People2D
from selfpose3d.files.scenes import View
from selfpose3d.geometry.cameras import letterbox
from selfpose3d.keypoints import KEYPOINTS
from selfpose3d.keypoints.entry import KeypointFormat
from selfpose3d.keypoints.finding import Files, find_files
from selfpose3d.keypoints.gathering import BROKEN, Gathered
from selfpose3d.keypoints.images import Image, Known, placed
from selfpose3d.keypoints.joint_order import joint_order
from selfpose3d.keypoints.stream import pieces, pieces_of
from selfpose3d.progress import track
from selfpose3d.skeletons import Skeleton

Size = tuple[int, int]
Pixels = Size | Literal["videos", "stored"]

CONFIDENT = 0.3
"""Lowest score of a joint whose position is checked."""
MARGIN = 0.05
"""Fraction of a frame's side by which joints of people at the edge may lie outside."""
MOST_OUTSIDE = 0.03
"""Largest fraction of the confident joints that may lie farther outside."""
TOGETHER = 20_000
"""Files of one image each that one process reads at a time."""
PART = 1 << 16
"""People that are looked at together."""
NORMALISED = 2.0
"""Coordinates that are all smaller are no pixels."""


@dataclass(frozen=True)
class Told:
    """Facts about files of 2D people that the user tells where the files do not.

    Args:
        joints: name of their joint set.
        pixels: size of the images whose pixels the coordinates are of; "videos": of each camera's
            own; "stored": of the stored frames.
        first: the number of the first frame or image, 0 or 1.
    """

    joints: str | None = None
    pixels: Pixels | None = None
    first: int | None = None


NOTHING_TOLD = Told()
"""The files tell everything."""


class FoundPeople(Mapping[Image, People2D]):
    """The people of all images, kept in a few arrays: an hour of eight cameras fits.

    Args:
        people: (N, J, 3) x, y in px and score.
        scores: (N,) of the people.
        place: (N,) of the image of each, the frames' cameras one after the other; -1: of none.
        frames: ascending.
        cameras: in their order within a frame.
        skeleton: the J joints.
    """

    def __init__(
        self,
        people: NDArray[np.float32],
        scores: NDArray[np.float32],
        place: NDArray[np.int64],
        frames: Sequence[int],
        cameras: Sequence[str],
        skeleton: Skeleton,
    ) -> None:
        self._people, self._scores = people, scores
        self._order = np.argsort(place, kind="stable")
        bounds = np.arange(len(frames) * len(cameras) + 1)
        self._bounds = np.searchsorted(place[self._order], bounds)
        self._frames = {frame: number for number, frame in enumerate(frames)}
        self._cameras = {camera: number for number, camera in enumerate(cameras)}
        self.skeleton = skeleton
        """The joints."""

    def __getitem__(self, image: Image) -> People2D:
        place = self._frames[image[0]] * len(self._cameras) + self._cameras[image[1]]
        chosen = self._order[self._bounds[place] : self._bounds[place + 1]]
        people = self._people[chosen].astype(np.float64)
        scores = self._scores[chosen].astype(np.float64)
        return People2D(people[..., :2], people[..., 2], scores, self.skeleton)

    def __iter__(self) -> Iterator[Image]:
        return ((frame, camera) for frame in self._frames for camera in self._cameras)

    def __len__(self) -> int:
        return len(self._frames) * len(self._cameras)

    @property
    def counts(self) -> dict[Image, int]:
        """The number of people in every image."""
        return dict(zip(self, np.diff(self._bounds).tolist(), strict=True))

    @property
    def person_scores(self) -> NDArray[np.float32]:
        """(N,) of all people that the scene's frames have."""
        chosen: NDArray[np.float32] = self._scores[self._order[self._bounds[0] :]]
        return chosen


def read_people(
    path: Path,
    views: Sequence[View],
    frames: Sequence[int] | None,
    name: str,
    told: Told = NOTHING_TOLD,
) -> FoundPeople:
    """The 2D people of all images, in pixels of the views.

    Args:
        path: a file, or a folder (see ``finding``).
        views: their names and sizes.
        frames: of the scene, ascending, from 0; None: those that the files name, as they number
            them.
        name: of the scene, for messages.
        told: what the user says of the files.

    Returns:
        every frame of every view, frames ascending and views in their order within a frame.

    Raises:
        InputError: with the file, what is wrong with it, and the remedy.
    """
    path, cameras = Path(path), [view.name for view in views]
    found = find_files(path, cameras)
    with _without_collection():
        gathered = _gathered(found)
    if frames is None:
        _check_alike({each.camera: each.frames for each in found if each.frames is not None}, path)
    known = Known(cameras, frames, told.first, str(path), name)
    images = placed(gathered.images, gathered.names, known)
    everybody = frames if frames is not None else sorted({each[0] for each in images if each})
    place = _places(images, everybody, cameras)[np.asarray(gathered.image, dtype=np.int64)]
    people, scores = gathered.people(), np.array(gathered.scores, dtype=np.float32)
    _mark_absent(people, path)
    skeleton = joint_order(people, gathered.n_joints, told.joints, gathered.joints, str(path))
    _to_views(people, place % len(views), views, told.pixels, path)
    shaped = people.reshape(-1, len(skeleton), 3)
    return FoundPeople(shaped, _person_scores(scores), place, everybody, cameras, skeleton)


def _places(
    images: Sequence[Image | None], frames: Sequence[int], cameras: Sequence[str]
) -> NDArray[np.int64]:
    """(I,) places of images among all, frames ascending and cameras in their order; -1 for none."""
    of_frame = {frame: number * len(cameras) for number, frame in enumerate(frames)}
    of_camera = {camera: number for number, camera in enumerate(cameras)}
    places = (-1 if each is None else of_frame[each[0]] + of_camera[each[1]] for each in images)
    return np.fromiter(places, dtype=np.int64, count=len(images))


@contextmanager
def _without_collection() -> Iterator[None]:
    """Without Python's search for cycles, which JSON has none of: a seventh of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _gathered(found: Sequence[Files]) -> Gathered:
    """The people of all files."""
    gathered, parts = Gathered(), []
    for files in found:
        if files.frames is None:
            _gather_file(files, gathered)
        else:
            parts += files.parts(TOGETHER)
    for part in _gather_parts(parts):
        gathered.take(part)
    return gathered


def _gather_file(files: Files, gathered: Gathered) -> None:
    """Add the people of a file of many images, of one camera or of all."""
    path = Path(files.paths[0])
    entry = _recognised(path)
    if entry is not None and entry.one_camera and files.camera is None:
        raise InputError(
            f"{path}: this is one camera's video ({entry.program}), and the file's name is none of "
            "the cameras'; name it after its camera, <camera>.json, and give the folder of all "
            "cameras' files"
        )
    if entry is not None:
        gathered.add(entry.rows(pieces(path)), str(path), files.camera, None)


def _gather_parts(parts: Sequence[Files]) -> Iterator[Gathered]:
    """What is in files of one image each, read by several processes if there are very many."""
    if sum(len(part.paths) for part in parts) <= TOGETHER:
        yield from map(_gather_images, parts)
        return
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        gathered = pool.map(_gather_images, parts)
        yield from track(gathered, f"files of 2D people, {TOGETHER} at a time", len(parts), "parts")


def _gather_images(files: Files) -> Gathered:
    """The people of files of one image each."""
    gathered, entry = Gathered(), None
    for path, frame in zip(files.paths, files.frames or (), strict=True):
        entry = entry or _recognised(Path(path))
        rows = iter(()) if entry is None else entry.rows(pieces_of(path))
        gathered.add(rows, path, files.camera, frame)
    return gathered


def _recognised(path: Path) -> KeypointFormat | None:
    """The format of a file; None: the file is an empty list.

    Raises:
        InputError: the file is of no known format.
    """
    head: dict[str | None, Any] = {}
    try:
        for key, value in pieces(path):
            if key in head:
                continue
            head[key] = value
            for entry in KEYPOINTS.values():
                if entry.recognises(head):
                    return entry
            if key is None:
                break
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(f"{path}: not 2D people ({error}); write it again") from error
    if not head:
        return None
    known = "; ".join(f"{entry.program}: {entry.form}" for entry in KEYPOINTS.values())
    raise InputError(f"{path}: entry 0 is of none of the forms that are known ({known})")


def _check_alike(looked: Mapping[str | None, Sequence[int]], path: Path) -> None:
    """Refuse cameras whose frames are numbered apart: one from 0, another from 1."""
    ranges = {camera: (min(frames), max(frames)) for camera, frames in looked.items() if frames}
    lengths = {last - first for first, last in ranges.values()}
    if len(lengths) == 1 and len(set(ranges.values())) > 1:
        raise InputError(
            f"{path}: the cameras' frames are as many and numbered apart, {ranges} (first and "
            "last); frames of one instant must have one number in all cameras: rename them"
        )


def _parts(people: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """People in parts, so that what is computed of them stays small beside them."""
    return (people[start : start + PART] for start in range(0, len(people), PART))


def _mark_absent(people: NDArray[np.float32], path: Path) -> None:
    """Give score 0 to joints that are not there, in place, and scores to those with flags."""
    for part in _parts(people):
        part[~np.isfinite(part).all(-1) | (part[..., :2] == 0).all(-1)] = 0
    scores = people[..., 2]
    highest = float(scores.max(initial=0))
    flags = highest == 2 and all(np.isin(part[..., 2], (0, 1, 2)).all() for part in _parts(people))
    if highest > 1.5 and not flags:
        raise InputError(
            f"{path}: scores of joints up to {highest:g}; they must lie between 0 and 1: divide "
            "them by their largest value"
        )
    np.clip(scores, 0, 1, out=scores)
    there = (np.abs(part[part[..., 2] > 0, :2]) for part in _parts(people))
    farthest = max((float(part.max(initial=0)) for part in there), default=0.0)
    if 0 < farthest <= NORMALISED:
        raise InputError(
            f"{path}: all coordinates lie within {farthest:.3g}: they are shares of the image, not "
            "pixels; write pixels (OpenPose: --keypoint_scale 0; others: multiply x by the width "
            "of the images and y by the height)"
        )


def _person_scores(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    known = np.isfinite(scores)
    if not known.any() or scores[known].max() > 1 or scores[known].max() <= 0:
        return np.ones_like(scores)
    return np.where(known, np.clip(scores, 0, 1), np.float32(1))


def _to_views(
    people: NDArray[np.float32],
    view: NDArray[np.int64],
    views: Sequence[View],
    pixels: Pixels | None,
    path: Path,
) -> None:
    """Bring people to the pixels of their views, in place.

    Raises:
        InputError: it is not clear of which images the pixels are, or the joints lie outside.
    """
    for number, each in enumerate(views):
        affine = _affine(each, pixels, path)
        mine = np.flatnonzero(view == number)
        if affine is not None and len(mine):
            points = people[mine, :, :2] @ affine[:, :2].T + affine[:, 2]
            people[mine, :, :2] = np.where(people[mine, :, 2:] > 0, points, 0)
    if len(people):
        _check_inside(people, view, views, path)


def _affine(view: View, pixels: Pixels | None, path: Path) -> NDArray[np.float64] | None:
    """(2, 3) from the files' pixels to the view's; None: they are the same."""
    own, stored = view.source or (view.width, view.height), (view.width, view.height)
    if pixels is None and own != stored:
        raise InputError(
            f"{path}: pixels of which images? Those of {view.name} are {own[0]}x{own[1]} px, the "
            f"stored frames {stored[0]}x{stored[1]}; say so: estimator.image_size: videos, stored, "
            "or [width, height] of the images that the estimator saw"
        )
    if pixels in (None, "stored"):
        return None
    width, height = own if pixels == "videos" else (int(pixels[0]), int(pixels[1]))
    if abs(width / height / (own[0] / own[1]) - 1) > 0.01:
        raise InputError(
            f"{path}: image size {width}x{height} px has other proportions than the images of "
            f"{view.name}, {own[0]}x{own[1]}; give the size of the images that the estimator saw"
        )
    return letterbox(width, height, *stored)


def _check_inside(
    people: NDArray[np.float32], view: NDArray[np.int64], views: Sequence[View], path: Path
) -> None:
    """Refuse people of whom too many confident joints lie outside the views."""
    size = np.array([[each.width, each.height] for each in views], dtype=np.float32)[view]
    points = people[..., :2]
    sure = people[..., 2] >= CONFIDENT
    outside = np.zeros(sure.shape, dtype=bool)
    for axis in (0, 1):
        at, length = points[..., axis], size[:, axis, None]
        outside |= (at < -MARGIN * length) | (at > (1 + MARGIN) * length)
    share = float(outside[sure].mean()) if sure.any() else 0.0
    if share <= MOST_OUTSIDE:
        return
    (left, top), (right, bottom) = points[sure].min(0), points[sure].max(0)
    sizes = ", ".join(sorted({f"{each.width}x{each.height}" for each in views}))
    raise InputError(
        f"{path}: {share:.0%} of the confident joints lie outside the images, which are {sizes} "
        f"px; x goes from {left:.0f} to {right:.0f}, y from {top:.0f} to {bottom:.0f}. Say of "
        "which size the images were that the estimator saw: --image-size 1920x1080 "
        "(estimator.image_size: [1920, 1080]); or set data.stored_size to it"
    )

"""The camera and the frame of an image, by what a file says of it.

Frames within a camera are numbered as the file numbers them; where there is a scene, these are
frames of its videos, from 0. A number may also be the place of an image among all of them, with the
cameras in their order within a frame. Whether numbers begin with 0 or 1 is told by the files where
a 0, or the number after the last one, is among them; else it is asked for.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from selfpose3d.errors import InputError
from selfpose3d.keypoints.gathering import Key

Image = tuple[int, str]
"""Frame and camera."""
_ENDINGS = ("_json", "_keypoints", "_pose", "_results", "_predictions")
_STORED = re.compile(r"(?:^|/)\d{8}\.jpg$")
"""The name of a scene's stored frame, which is its number from 0."""


@dataclass(frozen=True)
class Known:
    """The cameras and frames that images can be of.

    Args:
        cameras: their names, in their order.
        frames: of the scene, ascending; None: those that the files name.
        first: the number of the first frame or image, 0 or 1, where it is told.
        where: the file or folder, for messages.
        name: of the scene.
    """

    cameras: Sequence[str]
    frames: Sequence[int] | None
    first: int | None
    where: str
    name: str


def camera_of(name: str, cameras: Iterable[str]) -> str | None:
    """The camera after which a file or folder is named, if it is."""
    bare = [name, *(name.removesuffix(end) for end in _ENDINGS if name.endswith(end))]
    return next((each for each in bare if each in set(cameras)), None)


def placed(images: Mapping[Key, int], names: Mapping[int, str], known: Known) -> list[Image | None]:
    """Camera and frame of every image, in their order; None for a frame that the scene leaves out.

    Raises:
        InputError: an image is of a camera or frame that is not known, or its number can be read in
            two ways.
    """
    labels = [(camera, _name(label, names, known)) for camera, label in images]
    places = [label for camera, label in labels if camera is None and isinstance(label, int)]
    if places and len(places) < len(labels):
        raise InputError(f"{known.where}: some images have names and some have numbers alone")
    if places:
        return _by_place(places, known)
    found = [_by_name(camera, label, known) for camera, label in labels]
    if len(set(found)) < len(found):
        twice = next(image for image, count in Counter(found).items() if count > 1)
        both = [label for (_, label), image in zip(labels, found, strict=True) if image == twice]
        raise InputError(
            f"{known.where}: the images {both[:2]} are both frame {twice[0]} of camera {twice[1]}; "
            "give the people of one sequence"
        )
    return _kept(found, all(_STORED.search(str(label)) for _, label in labels), known)


def _name(label: str | int, names: Mapping[int, str], known: Known) -> str | int:
    if not names or isinstance(label, str):
        return label
    if label not in names:
        raise InputError(
            f"{known.where}: people of the image {label}, which is not among the file's images"
        )
    return names[label]


def _by_place(places: Sequence[int], known: Known) -> list[Image | None]:
    n_views = len(known.cameras)
    count = None if known.frames is None else len(known.frames) * n_views
    first = known.first
    if first is None:
        from_1 = min(places) > 0 and (count is None or max(places) <= count)
        from_0 = count is None or max(places) < count
        first = None if from_0 and from_1 else int(from_1)
    if first is None:
        raise InputError(
            f"{known.where}: the images' numbers go from {min(places)} to {max(places)}; do they "
            "count from 0 or from 1? Say so: --first 0 or --first 1 (estimator.first in the "
            "parameters), or name the images <camera>/<frame>.jpg"
        )
    for place in places:
        if place < first or (count is not None and place - first >= count):
            raise InputError(
                f"{known.where}: image_id {place}, but {known.name} has {count} images, counted "
                f"from {first}"
            )
    frames = known.frames
    split = [divmod(place - first, n_views) for place in places]
    return [(frames[f] if frames is not None else f, known.cameras[c]) for f, c in split]


def _by_name(camera: str | None, label: str | int, known: Known) -> Image:
    if isinstance(label, int):
        return label, str(camera)
    parts = label.replace("\\", "/").split("/")
    stem = re.sub(r"\.\w+$", "", parts[-1])
    number = re.search(r"(\d+)$", stem)
    if number is None:
        raise InputError(
            f"{known.where}: image {label!r}; '<camera>/<frame>.jpg' or a number is expected"
        )
    if camera is not None:
        return int(number[1]), camera
    folders = [*parts[:-1], stem[: number.start()].rstrip("_-.")]
    for part in reversed(folders):
        found = camera_of(part, known.cameras)
        if found is not None:
            return int(number[1]), found
    raise InputError(
        f"{known.where}: image {label!r} is of none of the cameras {list(known.cameras)}; "
        "'<camera>/<frame>.jpg' is expected; are these the people of another data set?"
    )


def _kept(found: Sequence[Image], stored: bool, known: Known) -> list[Image | None]:
    """The images that the scene has, with its frames' numbers."""
    if known.frames is None or not found:
        return list(found)
    numbers = {frame for frame, _ in found}
    shift = _first_frame(numbers, stored, known)
    frames = set(known.frames)
    step = min((b - a for a, b in zip(known.frames, known.frames[1:], strict=False)), default=1)
    beyond = sorted(n for n in numbers if not 0 <= n - shift < known.frames[-1] + step)
    between = {n for n in numbers if n - shift not in frames}
    few = between and len(numbers - between) < len(frames) / 2
    if beyond or few:
        raise InputError(
            f"{known.where}: frame {min(beyond or between)} is not one of {known.name}'s "
            f"{len(frames)} frames ({known.frames[0]}..{known.frames[-1]}); are these the people "
            "of another data set?"
        )
    return [(n - shift, camera) if n - shift in frames else None for n, camera in found]


def _first_frame(numbers: set[int], stored: bool, known: Known) -> int:
    if known.first is not None:
        return known.first
    frames = set(known.frames or ())
    from_0, from_1 = (numbers <= {frame + shift for frame in frames} for shift in (0, 1))
    if 0 in numbers or stored or from_0 > from_1:
        return 0
    if from_1 > from_0:
        return 1
    raise InputError(
        f"{known.where}: the frames' numbers go from {min(numbers)} to {max(numbers)}, those of "
        f"{known.name} from {min(frames)} to {max(frames)}; do they count from 0 or from 1? Say "
        "so: estimator.first: 0 or 1"
    )

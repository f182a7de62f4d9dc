"""Values of calibration files of other programs, each checked and named where it is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import cv2
import numpy as np
from numpy.typing import NDArray

from selfpose3d.calibrations.entry import Size, World
from selfpose3d.errors import InputError
from selfpose3d.files.scenes import MAX_SIDE_PX, lens_coefficients
from selfpose3d.geometry.cameras import Camera
from selfpose3d.geometry.lenses import Lens

_LARGEST = 1e9


def part(row: Any, key: str, where: str) -> Any:
    """The value of a key.

    Raises:
        InputError: it is not there, or there are no keys.
    """
    if not isinstance(row, Mapping) or key not in row:
        raise InputError(f"{where}: there is no {key!r}")
    return row[key]


def numbers(value: Any, where: str) -> NDArray[np.float64]:
    """(N,) the finite numbers of nested lists or of text.

    Raises:
        InputError: others.
    """
    try:
        found = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where} holds {_short(value)}; numbers are expected") from error
    if not (np.abs(found) <= _LARGEST).all():
        raise InputError(
            f"{where} holds {_short(value)}, not finite numbers; calibrate this camera again, or "
            "leave it out of the file"
        )
    return found


def attributes(
    row: Element, part: str, keys: Sequence[str], where: str, hint: str = ""
) -> NDArray[np.float64]:
    """The numbers that a part of an XML element has as these attributes.

    Args:
        row: the element.
        part: name of the part.
        keys: the attributes.
        where: what the element is, for messages.
        hint: what to do where the part is not there.

    Raises:
        InputError: there is no such part, or it lacks an attribute, or it is no number.
    """
    element = row.find(part)
    if element is None:
        raise InputError(f"{where} has no <{part}>{hint}")
    lacking = [key for key in keys if key not in element.attrib]
    if lacking:
        raise InputError(f"{where}: <{part}> lacks {lacking}")
    return numbers([element.attrib[key] for key in keys], f"{where}: <{part}>")


def array(value: Any, shape: tuple[int, ...], where: str) -> NDArray[np.float64]:
    """An array of the numbers of a value, which must be as many as the shape has.

    Raises:
        InputError: others.
    """
    found = numbers(value, where)
    if found.size != np.prod(shape):
        expected = " x ".join(map(str, shape))
        raise InputError(f"{where} holds {_short(value)}; {expected} numbers are expected")
    return found.reshape(shape)


def rotation(value: Any, where: str) -> NDArray[np.float64]:
    """(3, 3) of a rotation matrix or of a Rodrigues vector."""
    found = numbers(value, where)
    if found.size == 3:
        return np.asarray(cv2.Rodrigues(found)[0], dtype=np.float64)
    return array(value, (3, 3), where)


def rotation_vector(R: NDArray[np.float64]) -> list[float]:
    """Three numbers, Rodrigues' vector of a rotation matrix."""
    vector: list[float] = cv2.Rodrigues(R)[0].ravel().tolist()
    return vector


def size(value: Any, where: str) -> Size:
    """Width and height, two whole numbers of pixels."""
    sides = array(value, (2,), where)
    if (sides < 1).any() or (sides > MAX_SIDE_PX).any() or (sides % 1).any():
        raise InputError(f"{where} is {_short(value)}; width and height in whole px are expected")
    return int(sides[0]), int(sides[1])


def told_size(name: str, asked: World, where: str, remedy: str) -> Size:
    """The size of a camera's images where the file has none.

    Raises:
        InputError: nobody tells it.
    """
    found = asked.size_of(name)
    if found is None:
        raise InputError(
            f"{where}: the size of the images isn't in the file. {remedy}put the videos beside "
            "it, named as its cameras, or say it: selfpose3d calibration convert IN OUT --size "
            "1920x1080 (selfpose3d reconstruct and check-rig take the option, too)"
        )
    return found


def name(value: Any, where: str) -> str:
    """A camera's name: text or a number, without '/'."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text.strip() or "/" in text or "\0" in text:
        raise InputError(
            f"{where}: a camera's name is {_short(value)}; text without '/' is expected"
        )
    return text


def camera_of(
    name: str,
    size: Size,
    K: Any,
    distortion: Any,
    R: Any,
    t: Any,
    lens: Lens = "brown",
) -> Camera:
    """A camera of checked values; ``x_cam = R x_world + t`` in the file's world.

    Args:
        name: of the camera.
        size: width and height, px.
        K: 3 x 3 numbers.
        distortion: coefficients of the lens, see ``lens_coefficients``.
        R: a rotation matrix or a Rodrigues vector.
        t: three numbers.
        lens: the lens model.
    """
    where = f"camera {name}"
    return Camera(
        name=name,
        width=size[0],
        height=size[1],
        K=array(K, (3, 3), f"{where}: K"),
        distortion=lens_coefficients(
            numbers(distortion, f"{where}: distortion"), lens, f"{where}: distortion"
        ),
        R=rotation(R, f"{where}: R"),
        t=array(t, (3,), f"{where}: t"),
        lens=lens,
    )


def intrinsics(fx: float, fy: float, cx: float, cy: float) -> NDArray[np.float64]:
    """(3, 3) K."""
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def check_lenses(cameras: Sequence[Camera], kinds: Sequence[str], program: str) -> None:
    """Refuse lenses that a format can't hold.

    Args:
        cameras: the cameras.
        kinds: what it can: of "brown 5", "brown 8", "fisheye".
        program: whose format it is.
    """
    for camera in cameras:
        kind = camera.lens if camera.lens == "fisheye" else f"brown {len(camera.distortion)}"
        if kind == "brown 8" and kind not in kinds and not camera.distortion[5:].any():
            kind = "brown 5"
        if kind not in kinds and camera.distortion.any() | (camera.lens == "fisheye"):
            raise InputError(
                f"camera {camera.name}: files of {program} can't hold its lens, {kind} "
                f"coefficients; they hold {list(kinds) or 'none'}. Choose another format"
            )


def _short(value: Any) -> str:
    text = repr(value.tolist() if isinstance(value, np.ndarray) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."

"""2D people of MVOR's images: COCO-17 beside MVOR's own ten joints, images by MVOR's numbers."""

from collections.abc import Iterable, Iterator
from typing import Any

from selfpose3d.keypoints.entry import Pair, Row, Seen

_DAY, _CAMERA = 10**10, 10**7


def recognises(head: dict[str | None, Any]) -> bool:
    """A list of people with ``coco_keypoints``."""
    first = head.get(None)
    return isinstance(first, dict) and {"image_id", "coco_keypoints"} <= set(first)


def image_name(number: int) -> str:
    """``cam<c>/<frame>`` of an image's number, which is made of day, camera and frame; the frame
    keeps the day as its first digit, as the days' frames are counted apart."""
    day, rest = divmod(int(number), _DAY)
    camera, frame = divmod(rest, _CAMERA)
    return f"cam{camera}/{day * _CAMERA + frame}"


def rows(pieces: Iterable[Pair]) -> Iterator[Row]:
    """The people in COCO-17."""
    for _, row in pieces:
        yield Seen(image_name(row["image_id"]), row["coco_keypoints"], float(row["score"]))

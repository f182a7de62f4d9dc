"""Ultralytics' results as JSON: of an image, or one list per image of a video."""

from collections.abc import Iterable, Iterator
from typing import Any

from selfpose3d.keypoints.entry import Looked, Pair, Row, Seen


def _is_person(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("keypoints"), dict)


def recognises_image(head: dict[str | None, Any]) -> bool:
    """A list of people whose key points are an object of ``x``, ``y`` and ``visible``."""
    return _is_person(head.get(None))


def recognises_video(head: dict[str | None, Any]) -> bool:
    """A list of lists of such people."""
    first = head.get(None)
    return isinstance(first, list) and bool(first) and _is_person(first[0])


def rows_of_image(pieces: Iterable[Pair]) -> Iterator[Row]:
    """The people of one image."""
    yield from (_seen(None, person) for _, person in pieces if "keypoints" in person)


def rows_of_video(pieces: Iterable[Pair]) -> Iterator[Row]:
    """The people of the frames of a video, which are counted from 0."""
    for frame, (_, people) in enumerate(pieces):
        yield Looked(frame)
        yield from (_seen(frame, person) for person in people if "keypoints" in person)


def _seen(image: int | None, person: dict[str, Any]) -> Seen:
    points = person["keypoints"]
    x, y = points["x"], points["y"]
    columns = zip(x, y, points.get("visible") or [1.0] * len(x), strict=True)
    score = person.get("confidence")
    values = [value for joint in columns for value in joint]
    return Seen(image, values, None if score is None else float(score))

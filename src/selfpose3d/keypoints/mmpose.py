"""MMPose's predictions: of an image, or of a video with a number for each frame."""

from collections.abc import Iterable, Iterator
from typing import Any

from selfpose3d.keypoints.entry import Looked, Pair, Row, Seen, flat


def recognises_image(head: dict[str | None, Any]) -> bool:
    """A list of people with ``keypoint_scores``, and no image."""
    first = head.get(None)
    return isinstance(first, dict) and {"keypoints", "keypoint_scores"} <= set(first)


def recognises_video(head: dict[str | None, Any]) -> bool:
    """A list of frames with ``instances``, or an object with ``instance_info``."""
    first = head.get(None, head.get("instance_info"))
    return isinstance(first, dict) and {"frame_id", "instances"} <= set(first)


def rows_of_image(pieces: Iterable[Pair]) -> Iterator[Row]:
    """The people of one image."""
    for key, person in pieces:
        if key is None:
            yield _seen(None, person)


def rows_of_video(pieces: Iterable[Pair]) -> Iterator[Row]:
    """The people of the frames of a video."""
    for key, frame in pieces:
        if key in (None, "instance_info") and frame != []:
            yield Looked(frame["frame_id"])
            yield from (_seen(frame["frame_id"], person) for person in frame["instances"])


def _seen(image: int | None, person: dict[str, Any]) -> Seen:
    points = person["keypoints"]
    if points and isinstance(points[0][0], list):
        points = points[0]
    score = person.get("bbox_score")
    return Seen(image, flat(points, person["keypoint_scores"]), _number(score))


def _number(score: Any) -> float | None:
    """A score, which some versions write as a list of one."""
    while isinstance(score, list) and score:
        score = score[0]
    return None if score is None or score == [] else float(score)

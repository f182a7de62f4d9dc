"""OpenPose's JSON, one file per image, as OpenPose, Pose2Sim and AlphaPose write it."""

from collections.abc import Iterable, Iterator
from typing import Any

from selfpose3d.keypoints.entry import Pair, Row, Seen


def recognises(head: dict[str | None, Any]) -> bool:
    """An object with ``people``."""
    return "people" in head


def rows(pieces: Iterable[Pair]) -> Iterator[Row]:
    """The people; ``{}``, or one without points, was not seen. OpenPose scores no person."""
    for key, person in pieces:
        if key != "people" or person == []:
            continue
        values = person.get("pose_keypoints_2d") or ()
        if values:
            yield Seen(None, values, None)

"""rtmlib's two arrays, key points and scores, one pair per frame."""

from collections.abc import Iterable, Iterator
from typing import Any

from selfpose3d.keypoints.entry import Looked, Pair, Row, Seen, flat


def recognises(head: dict[str | None, Any]) -> bool:
    """A list of frames with ``keypoints`` (P, J, 2) and ``scores`` (P, J)."""
    first = head.get(None)
    return isinstance(first, dict) and {"keypoints", "scores"} <= set(first)


def rows(pieces: Iterable[Pair]) -> Iterator[Row]:
    """The people of the frames; a frame without a number is counted by its place, from 0."""
    for place, (_, frame) in enumerate(pieces):
        number = frame.get("frame", frame.get("frame_id", place))
        yield Looked(number)
        for points, scores in zip(frame["keypoints"], frame["scores"], strict=True):
            yield Seen(number, flat(points, scores), None)

"""Types of the table of formats of 2D people: an entry, and the rows into which its module turns
files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Pair = tuple[str | None, Any]
"""A piece of a JSON document: an element of its list (key None), or a key of its object with its
value, with one element of it where the value is a list."""


class Seen(NamedTuple):
    """A person in an image.

    Args:
        image: what the file says of the image: a name, a number, or nothing.
        values: x, y and score of each joint, flat; px.
        score: the person's, if there is any.
    """

    image: str | int | None
    values: Sequence[float]
    score: float | None


class Named(NamedTuple):
    """The name of an image that a file counts by a number."""

    number: int
    name: str


class Looked(NamedTuple):
    """An image that a file names, whether or not there is somebody in it."""

    image: str | int


class Joints(NamedTuple):
    """The joints' names, of a file that tells them."""

    names: Sequence[str]


Row = Seen | Named | Looked | Joints


@dataclass(frozen=True)
class KeypointFormat:
    """A format of 2D people in JSON.

    Args:
        program: who writes such files.
        form: what they look like.
        recognises: whether a document is of this format, by the first element of its list (key
            None), or by the keys of its object with the first element of each.
        rows: what a document says, from its pieces. What it holds otherwise raises a TypeError,
            ValueError, KeyError or AttributeError.
        one_camera: a file numbers the frames of one camera.
    """

    program: str
    form: str
    recognises: Callable[[dict[str | None, Any]], bool]
    rows: Callable[[Iterable[Pair]], Iterator[Row]]
    one_camera: bool = False


def flat(
    points: Iterable[Sequence[float]], scores: Iterable[float] | None = None
) -> Sequence[float]:
    """x, y, score of each joint in one list, of points (J, 2) or (J, 3) and scores (J,)."""
    if scores is None:
        return [value for x, y, *score in points for value in (x, y, *(score or [1.0]))]
    pairs = zip(points, scores, strict=True)
    return [value for (x, y, *_), score in pairs for value in (x, y, score)]

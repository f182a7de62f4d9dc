"""All people of some files in a few arrays, whatever the form of the files.

Letters: N people, J joints, I images.
"""

import math
import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from selfpose3d.errors import InputError
from selfpose3d.files.atomic import short
from selfpose3d.keypoints.entry import Joints, Looked, Named, Row, Seen

Key = tuple[str | None, str | int]
"""The key of an image: its camera, where the file's name or folder tells it, and the image as the
file calls it, a name or a number."""

BROKEN = (
    TypeError,
    ValueError,
    KeyError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
    struct.error,
)
"""Errors that a file of another form than expected raises."""


@dataclass
class Gathered:
    """The people of files, as the files tell them.

    Args:
        values: x, y and score of the joints of all people, one after the other, as float32.
        scores: of the people, NaN where there is none.
        image: of each person, a number of ``images``.
        images: the images' numbers by what is known of them; those without people among them.
        names: names of images by the numbers that a file gives them.
        joints: the joints' names, where a file tells them.
        n_joints: J, 0 before the first person.
    """

    values: bytearray = field(default_factory=bytearray)
    scores: "array[float]" = field(default_factory=lambda: array("f"))
    image: "array[int]" = field(default_factory=lambda: array("i"))
    images: dict[Key, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    joints: tuple[str, ...] | None = None
    n_joints: int = 0

    def add(self, rows: Iterable[Row], where: str, camera: str | None, frame: int | None) -> None:
        """Add what a file says.

        Args:
            rows: the file's.
            where: the file, for messages.
            camera: that the file is of, if it is of one.
            frame: that it is of, if it is of one.
        """
        count = -1
        try:
            if frame is not None:
                self._number((camera, frame))
            for row in rows:
                count += 1
                if type(row) is Seen:
                    self._add_person(row, camera, frame)
                else:
                    self._add_fact(row, camera)
        except InputError as error:
            said = str(error)
            raise InputError(said if said.startswith(where) else f"{where}: {said}") from error
        except BROKEN as error:
            raise InputError(
                f"{where}: entry {max(count, 0)}: {_said(error)}; write it again, or in another of "
                "the forms that are known (docs/people2d.md)"
            ) from error

    def take(self, part: "Gathered") -> None:
        """Add what was gathered of other files."""
        if part.scores and part.n_joints != self.n_joints:
            self._first_person(3 * part.n_joints)
        numbers = [self._number(key) for key in part.images]
        self.values += part.values
        self.scores += part.scores
        self.image.extend(numbers[image] for image in part.image)
        self.names |= part.names
        self.joints = part.joints or self.joints

    def _add_person(self, person: Seen, camera: str | None, frame: int | None) -> None:
        _, values, score = person
        count = len(values)
        if count != 3 * self.n_joints:
            self._first_person(count)
        try:
            self.values += struct.pack(f"{count}f", *values)
        except struct.error:
            known = (math.nan if value is None else value for value in values)
            self.values += struct.pack(f"{count}f", *known)
        self.scores.append(math.nan if score is None else score)
        image = person.image if frame is None else frame
        if image is None:
            raise InputError(
                "says nothing of the images that its people are of: this is the form of one "
                "image's people. Write one file an image, <camera>/<frame>.json, or one file a "
                "camera, with a list of frames"
            )
        self.image.append(self._number((camera, image)))

    def _first_person(self, count: int) -> None:
        if count % 3 or not count:
            raise ValueError(f"{count} numbers; x, y and score of each joint are expected")
        if self.n_joints:
            raise ValueError(
                f"a person of {count // 3} joints after people of {self.n_joints}; give the people "
                "of one estimator"
            )
        self.n_joints = count // 3

    def _add_fact(self, row: Row, camera: str | None) -> None:
        if isinstance(row, Named):
            self.names[row.number] = row.name
            self._number((camera, row.number))
        elif isinstance(row, Looked):
            self._number((camera, row.image))
        elif isinstance(row, Joints):
            self.joints = tuple(row.names)

    def _number(self, key: Key) -> int:
        number = self.images.get(key)
        if number is None:
            if type(key[1]) not in (int, str):
                raise ValueError(f"the image {short(key[1])}; a name or a number is expected")
            number = self.images[key] = len(self.images)
        return number

    def people(self) -> NDArray[np.float32]:
        """(N, J, 3) x, y in px and score, as given."""
        found = np.frombuffer(self.values, dtype=np.float32)
        return found.reshape(len(self.scores), self.n_joints, 3)


def _said(error: Exception) -> str:
    """What is wrong, in words."""
    if isinstance(error, KeyError):
        return f"lacks {error}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return f"{error}" if isinstance(error, ValueError) else f"not of its form ({error})"

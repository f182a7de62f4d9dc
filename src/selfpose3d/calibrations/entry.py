"""Types of the table of calibration formats: an entry, and what a user may say of a calibration."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from selfpose3d.errors import InputError
from selfpose3d.tables import Step

Size = tuple[int, int]


class OtherFormatError(InputError):
    """The file is none of the format whose reader was tried."""


@dataclass(frozen=True)
class World:
    """Facts about a calibration's world, apart from its cameras: told by its file or by a user.

    Args:
        units: "mm", "cm" or "m"; None where it isn't told.
        up: the axis that points up, "z", "y", "-y" ..., or "level" for the direction to which the
            pictures' rows are level; None where it isn't told.
        size: width and height of all images, px, for formats that have none.
        sizes: the same by camera, as the videos beside the calibration have them.
    """

    units: str | None = None
    up: str | None = None
    size: Size | None = None
    sizes: Mapping[str, Size] = field(default_factory=dict)

    def size_of(self, name: str) -> Size | None:
        """Width and height of a camera's images, where they are told."""
        return self.sizes.get(name, self.size)


UNTOLD = World()
"""The world of a calibration of which neither the file nor the user says anything."""


@dataclass(frozen=True)
class Calibration:
    """A format of calibration files.

    Args:
        pattern: of its files' names, several after commas.
        read: ``(Path) -> tuple[Camera, ...]``, in our convention, with the rig checked. A file
            that can't be used is an ``InputError`` that names it, a file of another format an
            ``OtherFormatError``.
        write: ``(Path, Sequence[Camera]) -> None``; a lens that the format can't hold is an
            ``InputError``.
        program: who writes such files.
        world: unit and axes of the world in the file, in words.
        lenses: the lenses that it holds, in words.
        folder: the reader is given the folder that the files lie in, not one of them.
        takes_world: the reader takes a second argument, the ``World`` that a user tells.
    """

    pattern: str
    read: Step
    write: Step | None = None
    program: str = ""
    world: str = "mm, z up"
    lenses: str = ""
    folder: bool = False
    takes_world: bool = False

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of its files' names, one by one."""
        return tuple(each.strip() for each in self.pattern.split(","))

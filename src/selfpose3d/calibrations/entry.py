"""What the table of calibration formats holds."""

from dataclasses import dataclass

from selfpose3d.tables import Step


@dataclass(frozen=True)
class Calibration:
    """A format of calibration files.

    Args:
        pattern: of its files' names.
        read: ``(Path) -> tuple[Camera, ...]``, in our convention, with the rig checked; a file
            that can't be used is an ``InputError`` that names it.
    """

    pattern: str
    read: Step

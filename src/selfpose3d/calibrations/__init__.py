"""CALIBRATIONS: formats of calibration files, each read into our convention (OpenCV, mm, z up)."""

from pathlib import Path
from typing import TYPE_CHECKING

from selfpose3d.calibrations.entry import Calibration
from selfpose3d.errors import InputError
from selfpose3d.tables import Step, Table, extensible

if TYPE_CHECKING:
    from selfpose3d.geometry.cameras import Camera

CALIBRATIONS: Table[Calibration] = extensible(
    "calibrations",
    {
        "cameras.json": Calibration("cameras.json", Step("selfpose3d.files.scenes:read_cameras")),
        "Pose2Sim": Calibration("*.toml", Step("selfpose3d.calibrations.pose2sim:read_pose2sim")),
        "Qualisys": Calibration(
            "*.qca.txt", Step("selfpose3d.calibrations.qualisys:read_qualisys")
        ),
    },
)
"""In the order in which they are looked for beside videos."""


def read_calibration_of(folder: Path) -> "tuple[Camera, ...]":
    """The calibration in a folder of videos, of the first format that is found there.

    Raises:
        InputError: there is none, or there are several of one format, or it can't be used.
    """
    for name, entry in CALIBRATIONS.items():
        found = sorted(folder.glob(entry.pattern))
        if len(found) > 1:
            raise InputError(
                f"{folder}: holds {len(found)} {name} calibrations, "
                f"{[path.name for path in found]}; leave one there"
            )
        if found:
            cameras: tuple[Camera, ...] = entry.read.load()(found[0])
            return cameras
    known = ", ".join(f"{entry.pattern} ({name})" for name, entry in CALIBRATIONS.items())
    raise InputError(f"{folder}: there is no calibration; put one there: {known}")


__all__ = ["CALIBRATIONS", "Calibration", "read_calibration_of"]

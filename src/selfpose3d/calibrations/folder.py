"""The calibration that lies beside videos."""

from pathlib import Path

from selfpose3d.calibrations.pose2sim import read_pose2sim
from selfpose3d.errors import InputError
from selfpose3d.files.scenes import read_cameras
from selfpose3d.geometry.cameras import Camera


def read_calibration_of(folder: Path) -> tuple[Camera, ...]:
    """The calibration in a folder of videos: ``cameras.json`` (ours) or Pose2Sim's ``*.toml``."""
    ours = folder / "cameras.json"
    if ours.is_file():
        return read_cameras(ours)
    found = sorted(folder.glob("*.toml"))
    if len(found) != 1:
        raise InputError(
            f"{folder}: put a cameras.json or one Pose2Sim Calib.toml there (found "
            f"{[path.name for path in found] or 'neither'})"
        )
    return read_pose2sim(found[0])

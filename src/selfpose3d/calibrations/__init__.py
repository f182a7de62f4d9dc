"""CALIBRATIONS: formats of calibration files, each read into our convention (OpenCV, mm, z up)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from selfpose3d.calibrations.entry import (
    UNTOLD,
    Calibration,
    OtherFormatError,
    Size,
    World,
)
from selfpose3d.errors import InputError
from selfpose3d.tables import Step, Table, extensible

if TYPE_CHECKING:
    from selfpose3d.geometry.cameras import Camera


def _step(place: str) -> Step:
    return Step(f"selfpose3d.calibrations.{place}")


_BROWN = "Brown 5"
_BROWN_8 = "Brown 5 and 8"
_EVERY = "Brown 5 and 8, fisheye"
_JSON = "calibration*.json"

CALIBRATIONS: Table[Calibration] = extensible(
    "calibrations",
    {
        "cameras.json": Calibration(
            pattern="cameras.json",
            read=_step("ours:read_ours"),
            write=Step("selfpose3d.files.scenes:write_cameras"),
            program="selfpose3d",
            lenses=_EVERY,
        ),
        "Pose2Sim": Calibration(
            pattern="*.toml",
            read=_step("pose2sim:read_pose2sim"),
            write=_step("pose2sim:write_pose2sim"),
            program="Pose2Sim, Caliscope, anipose, FreeMoCap",
            world="m (Pose2Sim, Caliscope), mm (FreeMoCap), or as the rig is plausible",
            lenses=_EVERY,
        ),
        "Qualisys": Calibration(
            pattern="*.qca.txt",
            read=_step("qualisys:read_qualisys"),
            write=_step("qualisys:write_qualisys"),
            program="Qualisys Track Manager",
            lenses=_BROWN,
        ),
        "EasyMocap": Calibration(
            pattern="intri.yml, extri.yml",
            read=_step("easymocap:read_easymocap"),
            write=_step("easymocap:write_easymocap"),
            program="EasyMocap",
            world="m, z up",
            lenses=_BROWN_8,
            folder=True,
        ),
        "Vicon": Calibration(
            pattern="*.xcp",
            read=_step("vicon:read_vicon"),
            write=_step("vicon:write_vicon"),
            program="Vicon Nexus, Shogun",
            lenses="Vicon's, fitted by Brown 5; written without distortion",
        ),
        "OptiTrack": Calibration(
            pattern="*.mcal",
            read=_step("optitrack:read_optitrack"),
            write=_step("optitrack:write_optitrack"),
            program="OptiTrack Motive",
            world="m, y up",
            lenses=_BROWN,
        ),
        "Panoptic": Calibration(
            pattern=_JSON,
            read=_step("panoptic:read_panoptic"),
            write=_step("panoptic:write_panoptic"),
            program="CMU Panoptic: HD, VGA and Kinect cameras",
            world="cm, y down",
            lenses=_BROWN,
        ),
        "VoxelPose": Calibration(
            pattern=_JSON,
            read=_step("voxelpose:read_voxelpose"),
            write=_step("voxelpose:write_voxelpose"),
            program="VoxelPose and its followers; Shelf and Campus (no image sizes)",
            lenses=_BROWN,
        ),
        "4DAssociation": Calibration(
            pattern=_JSON,
            read=_step("association4d:read_association4d"),
            write=_step("association4d:write_association4d"),
            program="4D Association",
            world="m, z up",
            lenses=_BROWN_8,
        ),
        "MVOR": Calibration(
            pattern="camma_mvor*.json, " + _JSON,
            read=_step("mvor:read_mvor"),
            write=_step("mvor:write_mvor"),
            program="MVOR",
            world="mm, z up (the room)",
            lenses=_BROWN,
        ),
        "xrmocap": Calibration(
            pattern="fisheye_param_*.json, camera_parameters/*.json",
            read=_step("xrmocap:read_xrmocap"),
            write=_step("xrmocap:write_xrmocap"),
            program="xrmocap, xrprimer",
            world="m, z up",
            lenses=_BROWN_8,
            folder=True,
        ),
        "OpenCV": Calibration(
            pattern="*.yml, *.yaml, *.xml",
            read=_step("opencv:read_opencv"),
            write=_step("opencv:write_opencv"),
            program="OpenCV's FileStorage, one file a camera or one with all",
            world="told in words, or as the rig is plausible",
            lenses=_EVERY,
            folder=True,
        ),
    },
)
"""In the order in which they are looked for beside videos."""


def calibration_files(folder: Path) -> list[Path]:
    """The files in a folder that may be its calibration, by their names."""
    found = {path for entry in CALIBRATIONS.values() for path in _matching(folder, entry)}
    return sorted(found)


def _matching(folder: Path, entry: Calibration) -> list[Path]:
    return sorted({path for pattern in entry.patterns for path in folder.glob(pattern)})


def read_calibration_of(
    folder: Path, sizes: Mapping[str, Size] | None = None
) -> "tuple[Camera, ...]":
    """The calibration in a folder of videos.

    Args:
        folder: the videos and their calibration.
        sizes: width and height of the videos by name, for formats that have none.

    Raises:
        InputError: there is none, or there are several of one format, or several that disagree, or
            it can't be used.
    """
    return read_folder(folder, World(sizes=sizes or {}))[1]


def read_folder(folder: Path, world: World) -> "tuple[str, tuple[Camera, ...]]":
    """The calibration in a folder: its format and its cameras; see ``read_calibration_of``."""
    found: dict[str, tuple[Camera, ...]] = {}
    formats, reasons = [], []
    for name, entry in CALIBRATIONS.items():
        read, others = _readings(folder, entry, world)
        reasons += others
        if len(read) > 1:
            raise InputError(
                f"{folder}: holds {len(read)} {name} calibrations, "
                f"{[path.name for path in read]}; leave one there"
            )
        for path, cameras in read.items():
            found[f"{path.name} ({name})"] = cameras
            formats.append(name)
    if not found:
        known = ", ".join(f"{entry.pattern} ({name})" for name, entry in CALIBRATIONS.items())
        raise InputError(
            f"{folder}: there is no calibration; put one there: {known}"
            + "".join(f". {reason}" for reason in dict.fromkeys(reasons))
        )
    if len(found) > 1:
        from selfpose3d.calibrations.agreement import check_agreement

        check_agreement(found, str(folder))
    return formats[0], next(iter(found.values()))


def _readings(
    folder: Path, entry: Calibration, world: World
) -> "tuple[dict[Path, tuple[Camera, ...]], list[str]]":
    """The calibrations of one format by path, and why other files are of another one."""
    read, reasons = {}, []
    files = _matching(folder, entry)
    for path in sorted({file.parent for file in files}) if entry.folder else files:
        try:
            read[path] = read_as(entry, path, world)
        except OtherFormatError as error:
            reasons.append(str(error))
    return read, reasons


def read_as(entry: Calibration, path: Path, world: World) -> "tuple[Camera, ...]":
    """The cameras of a file, or of a folder, of a format."""
    read = entry.read.load()
    cameras: tuple[Camera, ...] = read(path) if world == UNTOLD else read(path, world)
    return cameras


__all__ = [
    "CALIBRATIONS",
    "Calibration",
    "World",
    "calibration_files",
    "read_as",
    "read_calibration_of",
    "read_folder",
]

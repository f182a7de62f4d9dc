"""CALIBRATIONS: formats of calibration files, each read into our convention (OpenCV, mm, z up)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfpose3d.calibrations.entry import (
    Calibration,
    OtherFormatError,
    Size,
    World,
)
from selfpose3d.errors import InputError
from selfpose3d.tables import Step, Table, extensible

if TYPE_CHECKING:
    from selfpose3d.geometry.cameras import Camera


def _entry(
    module: str, pattern: str, writer: Step | None = None, writes: bool = True, **more: Any
) -> Calibration:
    """A format of one of our modules, ``read_<module>`` and ``write_<module>`` in it."""
    place = f"selfpose3d.calibrations.{module}"
    own = Step(f"{place}:write_{module}") if writes else None
    read = Step(f"{place}:read_{module}")
    return Calibration(pattern, read, writer or own, takes_world=True, **more)


_AGREEMENT = Step("selfpose3d.calibrations.agreement:check_agreement")
_BROWN = "Brown 5"
_BROWN_8 = "Brown 5 and 8"
_EVERY = "Brown 5 and 8, fisheye"
_JSON = "calibration*.json"
_STORAGE = "*.yml, *.yaml, *.xml"

CALIBRATIONS: Table[Calibration] = extensible(
    "calibrations",
    {
        "cameras.json": _entry(
            "ours",
            "cameras.json",
            Step("selfpose3d.files.scenes:write_cameras"),
            program="selfpose3d",
            lenses=_EVERY,
        ),
        "Pose2Sim": _entry(
            "pose2sim",
            "*.toml",
            program="Pose2Sim, Caliscope, anipose, FreeMoCap",
            world="m (Pose2Sim, Caliscope), mm (FreeMoCap), or as the rig is plausible",
            lenses=_EVERY,
        ),
        "Qualisys": _entry(
            "qualisys",
            "*.qca.txt",
            program="Qualisys Track Manager",
            lenses=_BROWN,
        ),
        "EasyMocap": _entry(
            "easymocap",
            "intri.yml, extri.yml",
            program="EasyMocap",
            world="m, z up",
            lenses=_BROWN_8,
            folder=True,
        ),
        "Vicon": _entry(
            "vicon",
            "*.xcp",
            program="Vicon Nexus, Shogun",
            lenses="Vicon's, fitted by Brown 5; written without distortion",
        ),
        "OptiTrack": _entry(
            "optitrack",
            "*.mcal",
            program="OptiTrack Motive",
            world="m, y up",
            lenses=_BROWN,
        ),
        "Panoptic": _entry(
            "panoptic",
            _JSON,
            program="CMU Panoptic: HD, VGA and Kinect cameras",
            world="cm, y down",
            lenses=_BROWN,
        ),
        "VoxelPose": _entry(
            "voxelpose",
            _JSON,
            program="VoxelPose and its followers; Shelf and Campus (no image sizes)",
            lenses=_BROWN,
        ),
        "4DAssociation": _entry(
            "association4d",
            _JSON,
            program="4D Association",
            world="m, z up",
            lenses=_BROWN_8,
        ),
        "MVOR": _entry(
            "mvor",
            "camma_mvor*.json, " + _JSON,
            program="MVOR",
            world="mm, z up (the room)",
            lenses=_BROWN,
        ),
        "xrmocap": _entry(
            "xrmocap",
            "fisheye_param_*.json, camera_parameters/*.json",
            program="xrmocap, xrprimer",
            world="m, z up",
            lenses=_BROWN_8,
            folder=True,
        ),
        "mv3dpose": _entry(
            "mv3dpose",
            "dataset.json, cameras/*/frame*.json",
            writes=False,
            program="mv3dpose",
            world="scale_to_mm; axes as the pictures show them",
            lenses=_BROWN_8,
            folder=True,
        ),
        "stereo": _entry(
            "stereo",
            _STORAGE,
            writes=False,
            program="OpenCV's stereo_calib: intrinsics.yml and extrinsics.yml, or one file",
            world="the first camera's; as the rig is plausible",
            lenses=_BROWN_8,
            folder=True,
        ),
        "OpenCV": _entry(
            "opencv",
            _STORAGE,
            program="OpenCV's FileStorage, one file a camera or one with all",
            world="told in words, or as the rig is plausible",
            lenses=_EVERY,
            folder=True,
        ),
    },
)
"""The formats, in the order in which they are looked for beside videos."""


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
        _AGREEMENT.load()(found, str(folder))
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
    """The cameras of a file, or of a folder, of a format.

    Raises:
        InputError: they can't be used, or the format takes nothing of what the user tells.
    """
    if not entry.takes_world and (world.units or world.up or world.size):
        raise InputError(
            f"{path}: files of this format tell their unit, axes and sizes; leave --units, --up "
            "and --size away"
        )
    read = entry.read.load()
    cameras: tuple[Camera, ...] = read(path, world) if entry.takes_world else read(path)
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

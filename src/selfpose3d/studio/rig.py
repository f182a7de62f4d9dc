"""A rig of cameras and the room around it, from a YAML file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfpose3d.errors import InputError, naming
from selfpose3d.files.atomic import read_yaml
from selfpose3d.files.scenes import check_rig
from selfpose3d.geometry.cameras import Camera

Vector = tuple[float, float, float]
Size = tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]]
Positive = Annotated[float, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraEntry(_Strict):
    """One camera of a rig file; lengths in mm, z up."""

    position: Vector = Field(description="of the camera's centre")
    target: Vector | None = Field(None, description="point in the middle of the picture")
    rotation: tuple[Vector, Vector, Vector] | None = Field(
        None, description="world to camera, instead of target"
    )
    roll: float = Field(0.0, description="about the optical axis, degrees; with target")
    focal: Positive = Field(description="focal length, px")
    centre: tuple[float, float] | None = Field(None, description="principal point; null: middle")
    distortion: Vector = Field((0.0, 0.0, 0.0), description="k1, k2, k3")
    image: Size | None = Field(None, description="width and height; null: the rig's")

    @model_validator(mode="after")
    def _one_direction(self) -> "CameraEntry":
        if (self.target is None) == (self.rotation is None):
            raise ValueError("give exactly one of target and rotation")
        return self


class RigFile(_Strict):
    """A rig file; lengths in mm, z up, the walking area around the origin."""

    image: Size = Field(description="width and height of the pictures, px")
    area: Positive = Field(2300.0, description="people stay within +-area in x and y")
    room: tuple[Positive, Positive, Positive] = Field((12000.0, 11000.0, 3400.0))
    look: int = Field(0, description="which furnishing of the room")
    cameras: tuple[CameraEntry, ...]


@dataclass(frozen=True, eq=False)
class Venue:
    """The place where a sequence is shot.

    Args:
        cameras: named "00_00", "00_01", ... as Panoptic names panel and node.
        area: largest distance of people from the origin in x and in y, mm.
        room: (3,) width (x), depth (y) and height of the room, mm, its floor's middle at 0.
        look: number of the room's furnishing.
    """

    cameras: tuple[Camera, ...]
    area: float
    room: tuple[float, float, float]
    look: int


def read_rig(path: Path) -> tuple[Camera, ...]:
    """The cameras of a rig file.

    Raises:
        InputError: naming the file, the key, the value and what is allowed.
    """
    return read_venue(path).cameras


def read_venue(path: Path) -> Venue:
    """The cameras of a rig file and the room they stand in."""
    values = read_yaml(path)
    if not isinstance(values, Mapping):
        raise InputError(f"{path}: not a rig; it needs the keys image and cameras")
    rig = _parse(values, path)
    with naming(path):
        cameras = tuple(_camera(n, entry, rig) for n, entry in enumerate(rig.cameras))
    check_rig(cameras, str(path))
    return Venue(cameras, rig.area, rig.room, rig.look)


def _parse(values: Mapping[str, Any], path: Path) -> RigFile:
    try:
        return RigFile.model_validate(values)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']} "
            f"(got {problem['input']!r})"
            for problem in error.errors()
        ]
        raise InputError(f"{path}: not a valid rig\n" + "\n".join(lines)) from error


def _camera(number: int, entry: CameraEntry, rig: RigFile) -> Camera:
    name = f"00_{number:02d}"
    width, height = entry.image or rig.image
    cx, cy = entry.centre or ((width - 1) / 2, (height - 1) / 2)
    position = np.array(entry.position)
    if entry.rotation is not None:
        R = np.array(entry.rotation)
    else:
        R = looking_at(position, np.array(entry.target), entry.roll, name)
    k1, k2, k3 = entry.distortion
    return Camera(
        name=name,
        width=width,
        height=height,
        K=np.array([[entry.focal, 0.0, cx], [0.0, entry.focal, cy], [0.0, 0.0, 1.0]]),
        distortion=np.array([k1, k2, 0.0, 0.0, k3]),
        R=R,
        t=-R @ position,
    )


def looking_at(
    position: NDArray[np.float64], target: NDArray[np.float64], roll: float, name: str
) -> NDArray[np.float64]:
    """(3, 3) rotation, world to camera, of a camera that looks at a point, upright but for roll.

    Args:
        position: (3,) of the camera, mm.
        target: (3,) in the middle of the picture, mm.
        roll: about the optical axis, degrees.
        name: name of the camera, for messages.
    """
    forward = target - position
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if float(np.linalg.norm(right)) < 1e-6 * (1.0 + float(np.linalg.norm(forward))):
        raise InputError(
            f"camera {name}: position {position.tolist()} lies straight above or at target "
            f"{target.tolist()}; move one, or give a rotation instead"
        )
    forward, right = forward / np.linalg.norm(forward), right / np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    cos, sin = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    rolled: NDArray[np.float64] = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) @ R
    return rolled

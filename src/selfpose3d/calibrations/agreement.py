"""Comparison of two calibrations of one rig."""

from collections.abc import Mapping, Sequence

import numpy as np

from selfpose3d.errors import InputError
from selfpose3d.geometry.cameras import Camera, project, undistort

_MAX_PX = 1.0


def check_agreement(found: Mapping[str, Sequence[Camera]], where: str) -> None:
    """Refuse calibrations of one folder that project the same points to different places.

    Args:
        found: their cameras, by what they are called in the message.
        where: the folder.

    Raises:
        InputError: they differ by more than a pixel, or have no camera in common.
    """
    first, *others = found
    for other in others:
        worst, camera = disagreement(found[first], found[other])
        if worst > _MAX_PX:
            how = f"camera {camera} differs by {worst:.3g} px" if camera else "no name is in both"
            raise InputError(
                f"{where}: holds two calibrations that disagree, {first} and {other}: {how}. Leave "
                "the one that belongs to these videos"
            )


def disagreement(one: Sequence[Camera], other: Sequence[Camera]) -> tuple[float, str]:
    """Largest distance in px between the projections of what the cameras of ``one`` see, and the
    camera in which it is; infinite where one of two sees nothing."""
    by_name = {camera.name: camera for camera in other}
    extent = float(np.ptp(np.stack([camera.centre for camera in one]), axis=0).max())
    worst, where = (0.0, "") if any(c.name in by_name for c in one) else (np.inf, "")
    for camera in one:
        if camera.name not in by_name:
            continue
        xs, ys = (np.linspace(0.1, 0.9, 5) * side for side in (camera.width, camera.height))
        pixels = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
        rays = np.concatenate([undistort(camera, pixels), np.ones((len(pixels), 1))], axis=-1)
        seen = (rays * extent / 2 - camera.t) @ camera.R
        apart = np.abs(project(by_name[camera.name], seen)[0] - project(camera, seen)[0])
        px = float(np.where(np.isnan(apart), np.inf, apart)[~np.isnan(rays).any(-1)].max(initial=0))
        sizes = {(c.width, c.height) for c in (camera, by_name[camera.name])}
        px = px if len(sizes) == 1 else np.inf
        worst, where = max((worst, where), (px, camera.name))
    return worst, where

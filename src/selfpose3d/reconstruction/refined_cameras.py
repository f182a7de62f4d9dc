"""Principal points of a scene, fitted to its own labels, for a biased calibration.

It can hide a wrong calibration, so it is done only when asked for, and its gain is reported on
frames that the fit did not see.
"""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from selfpose3d.files.atomic import whole_folder, write_json
from selfpose3d.files.poses2d import People2D, Views
from selfpose3d.files.poses3d import Frames, People3D
from selfpose3d.files.scenes import Scene, write_cameras
from selfpose3d.geometry.cameras import Camera
from selfpose3d.geometry.people import project_people
from selfpose3d.geometry.refinement import refine_centres
from selfpose3d.reconstruction.projections import mean_gaps

CONFIDENT = 0.5
"""Lowest score of a label's joint that is fitted to."""
MATCH = 0.12
"""Mean gap, relative to the height, below which a label belongs to a person."""


def write_refined_scene(scene: Scene, labels: Views, people: Frames, out: Path) -> None:
    """Write a copy of a scene with refitted principal points, and ``refinement.json`` in it.

    Args:
        scene: scene with the cameras as calibrated.
        labels: 2D people, px of the stored frames.
        people: the scene's training-free reconstruction, which tells who is who across views.
        out: folder of the new scene.

    Raises:
        InputError: too few points are seen by two cameras or more.
    """
    seen, order = [], []
    for position, frame in enumerate(scene.frames):
        present = people.get((scene.name, frame))
        if present is not None and len(present):
            rows = [
                _seen_by(camera, labels[frame, camera.name], present) for camera in scene.cameras
            ]
            seen.append(np.stack(rows))
            order += [position] * present.valid.size
    pixels = np.concatenate([np.zeros((len(scene.cameras), 0, 2)), *seen], axis=1)
    fitted = refine_centres(scene.cameras, pixels, np.array(order, dtype=np.int64))
    facts: dict[str, Any] = {k: v for k, v in asdict(fitted).items() if k != "cameras"}
    names = [camera.name for camera in scene.cameras]
    facts["shifts"] = dict(zip(names, fitted.shifts.tolist(), strict=True))
    with whole_folder(out) as folder:
        shutil.copytree(scene.folder, folder, dirs_exist_ok=True)
        write_cameras(folder / "cameras.json", fitted.cameras)
        write_json(folder / "refinement.json", facts)


def _seen_by(camera: Camera, labels: People2D, people: People3D) -> NDArray[np.float64]:
    """(P * J, 2) where a camera sees the joints of each person; NaN where it does not."""
    pixels = np.full((*people.valid.shape, 2), np.nan)
    if len(labels):
        projected = project_people(camera, people.joints, people.valid)
        gaps = np.minimum(mean_gaps(labels, projected), 1.0)
        for label, person in zip(*linear_sum_assignment(gaps), strict=True):
            confident = labels.scores[label] >= CONFIDENT
            if gaps[label, person] < MATCH:
                pixels[person, confident] = labels.points[label, confident]
    return pixels.reshape(-1, 2)
